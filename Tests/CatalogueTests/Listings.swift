import Bytes
@testable import Catalogue
import Exposition
import Foundation

/// A listing as a value to compare.
struct Described: Equatable {
    var labels: [String: String]
    var families: [String: String]
    var pushTime = 0.0
    var pushFailureTime = 0.0
}

/// Reads `text` in pieces of `size` bytes.
func listing(
    _ text: String, pieces size: Int = .max, bounds: ListingBounds = ListingBounds()
) throws(ListingError) -> GroupListing {
    try listing(Array(text.utf8), pieces: size, bounds: bounds)
}

func listing(
    _ bytes: [UInt8], pieces size: Int = .max, bounds: ListingBounds = ListingBounds()
) throws(ListingError) -> GroupListing {
    var reader = GroupListingReader(bounds: bounds)
    var start = 0
    while start < bytes.count {
        let end = min(bytes.count, start + min(size, bytes.count))
        try reader.read(bytes.span.extracting(start..<end))
        start = end
    }
    return try reader.finish()
}

func described(_ listing: GroupListing) -> [Described] {
    (0..<listing.groupCount).map { group in
        var labels: [String: String] = [:]
        for place in 0..<listing.labelCount(of: group) {
            listing.withLabel(at: place, of: group) {
                labels[String(decoding: $0)] = String(decoding: $1)
            }
        }
        var families: [String: String] = [:]
        for family in listing.families(of: group) {
            let name = listing.withName(ofFamily: family) { String(decoding: $0) }
            families[name] =
                listing.type(ofFamily: family).word + (listing.isEmpty(family: family) ? "?" : "")
        }
        return Described(
            labels: labels, families: families, pushTime: listing.pushTime(of: group),
            pushFailureTime: listing.pushFailureTime(of: group))
    }
}

/// The listing of a Pushgateway with these groups.
func listingText(_ groups: [(labels: [String: String], families: [String: String])]) -> String {
    let groups = groups.map { group in
        let labels = group.labels.sorted { $0.key < $1.key }
            .map { "\"\($0.key)\":\"\($0.value)\"" }.joined(separator: ",")
        let families = group.families.map { name, type in
            #""\#(name)":{"time_stamp":"t","type":"\#(type)","metrics":[{"value":"1"}]}"#
        }
        return "{" + (["\"labels\":{\(labels)}"] + families).joined(separator: ",") + "}"
    }
    return #"{"status":"success","data":["# + groups.joined(separator: ",") + "]}"
}

func key(_ labels: [String: String]) -> GroupKey {
    var key = GroupKey()
    for (name, value) in labels {
        key.insert(name: Array(name.utf8).span, value: Array(value.utf8).span)
    }
    return key
}

func family(_ name: String) -> FamilyKey { FamilyKey(Array(name.utf8).span) }
