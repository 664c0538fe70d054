internal import Bytes
internal import Exposition

/// How much of a listing is kept. What is beyond makes it incomplete, never wrong.
package struct ListingBounds: Sendable {
    /// Groups in all. Reading stops behind the last of them.
    package var groupsMax = 100_000
    /// Families of all groups together.
    package var familiesMax = 1_000_000
    /// Bytes of one name or label value.
    package var textBytesMax = 4096
    /// Labels of one group, the job among them.
    package var labelsMax = 64
    /// Bytes of all labels together, and as many again for the names of families. At most 2 GiB.
    package var allTextBytesMax = 64 << 20

    package init() {}
}

/// Why an answer is not the listing it should be.
package enum ListingError: Error, Equatable {
    case json(JSONError)
    /// It is JSON, but not what `GET /api/v1/metrics` gives.
    case notAListing
    /// The Pushgateway says itself that it could not.
    case failed
    /// It ends in the middle.
    case cut
}

/// Reads the JSON that the Pushgateway gives for `GET /api/v1/metrics`, in pieces of any size.
///
/// In it a group is an object whose members are its families by name, and between them `labels` and
/// `last_push_successful`. A family of one of those names takes the member's place. So what makes a
/// member a family is that it has `metrics`; and where `labels` is a family, the group's labels are
/// those of its sample of `push_time_seconds`.
package struct GroupListingReader: ~Copyable {
    /// What was read so far, whole groups only.
    private var listing = GroupListing()
    private var tokens: JSONTokens
    private let bounds: ListingBounds
    private var place = Place.start
    private var isStatusSeen = false
    private var isDataSeen = false

    /// The key of the group's member being read, and what kind of member that is.
    private var memberName: [UInt8] = []
    private var member = Member.family
    private var family = FamilyDraft()
    private var group = GroupDraft()
    /// The key of the label being read.
    private var labelName: [UInt8] = []

    package init(bounds: ListingBounds = ListingBounds()) {
        self.bounds = bounds
        tokens = JSONTokens(textBytesMax: bounds.textBytesMax)
    }

    /// Whether `groupsMax` groups were read. More bytes are not looked at, and need not be sent.
    package private(set) var isFull = false

    /// Takes the next bytes of the answer's body. After an error, take no more.
    package mutating func read(_ bytes: Span<UInt8>) throws(ListingError) {
        var offset = 0
        while !isFull {
            let token: JSONToken?
            do throws(JSONError) {
                token = try tokens.next(bytes, &offset)
            } catch {
                throw .json(error)
            }
            guard let token else { return }
            try take(token)
        }
    }

    /// The listing, once the answer has ended, and ended well; or once it `isFull`.
    package consuming func finish() throws(ListingError) -> GroupListing {
        guard isFull || tokens.isAtEnd else { throw .cut }
        guard isFull || isStatusSeen && isDataSeen else { throw .notAListing }
        return listing
    }

    /// The groups that were read before something went wrong: a listing that is not complete.
    package consuming func abandon() -> GroupListing {
        listing.isComplete = false
        return listing
    }

    /// Where in the listing the next token belongs.
    private enum Place {
        case start, root, status, data, otherOfRoot, groups, group, member, otherOfGroup, end
        case family, type, metrics, otherOfFamily
        case sample, sampleValue, sampleLabels, otherOfSample
        case labels, label
    }

    private enum Member {
        case family, labels, pushTime, pushFailureTime
        var isAboutPushes: Bool { self == .pushTime || self == .pushFailureTime }
    }

    /// What is known of the member being read.
    private struct FamilyDraft {
        var isFamily = false
        var isEmpty = true
        var type: FamilyType?
        /// Of its first sample.
        var value = 0.0
    }

    /// What is known of the group being read. Its labels and families are in the listing already.
    private struct GroupDraft {
        var textStart = 0
        var labelsStart = 0
        var familiesStart = 0
        var source = Source.none
        /// Where the labels in the listing come from; of two sources the better one stays.
        enum Source: Int { case none, sample, member }
        var isUnusable = false
        var pushTime = 0.0
        var pushFailureTime = 0.0
    }
}

// MARK: - The way through the listing

extension GroupListingReader {
    private mutating func take(_ token: JSONToken) throws(ListingError) {
        switch place {
        case .start: place = token == .objectStart ? .root : .end
        case .root: try takeInRoot(token)
        case .status:
            guard token == .string else { throw .notAListing }
            guard tokens.text.span.isEqual(to: "success") else { throw .failed }
            (isStatusSeen, place) = (true, .root)
        case .data:
            guard token == .arrayStart, !isDataSeen else { throw .notAListing }
            (isDataSeen, place) = (true, .groups)
        case .otherOfRoot: pass(token, to: .root)
        case .otherOfGroup: pass(token, to: .group)
        case .groups: try takeInGroups(token)
        case .group: takeInGroup(token)
        case .member: takeMember(token)
        case .family: takeInFamily(token)
        case .type, .otherOfFamily: takeOfFamily(token)
        case .metrics: try takeMetrics(token)
        case .sample: takeInSample(token)
        case .sampleValue:
            if token == .string { family.value = tokens.text.span.seconds }
            pass(token, to: .sample)
        case .sampleLabels:
            if token == .objectStart {
                beginLabels(from: .sample)
            } else {
                pass(token, to: .sample)
            }
        case .otherOfSample: pass(token, to: .sample)
        case .labels: takeInLabels(token)
        case .label:
            if token == .string { appendLabel() } else { group.isUnusable = true }
            pass(token, to: .labels)
        case .end: break
        }
        if place == .end { throw .notAListing }
    }

    /// Goes on at `next` behind the value that this token is or begins.
    private mutating func pass(_ token: JSONToken, to next: Place) {
        place = next
        if token == .objectStart || token == .arrayStart {
            tokens.skip(toDepth: tokens.depth - 1)
        }
    }

    private mutating func takeInRoot(_ token: JSONToken) throws(ListingError) {
        guard token == .key else { return }
        if tokens.text.span.isEqual(to: "status") {
            place = .status
        } else if tokens.text.span.isEqual(to: "data") {
            place = .data
        } else {
            place = .otherOfRoot
        }
    }

    private mutating func takeInGroups(_ token: JSONToken) throws(ListingError) {
        switch token {
        case .objectStart:
            guard listing.groups.count < bounds.groupsMax else {
                listing.isComplete = false
                return isFull = true
            }
            group = GroupDraft()
            group.textStart = listing.text.count
            group.labelsStart = listing.labels.count
            group.familiesStart = listing.families.count
            place = .group
        case .arrayEnd: place = .root
        default: throw .notAListing
        }
    }

    private mutating func takeInGroup(_ token: JSONToken) {
        guard token == .key else { return endGroup() }
        place = .member
        memberName.removeAll(keepingCapacity: true)
        member = .family
        if tokens.isTextCut {
            listing.isComplete = false
            return place = .otherOfGroup
        }
        memberName += tokens.text
        if memberName.span.isEqual(to: "labels") { member = .labels }
        if memberName.span.isEqual(to: "push_time_seconds") { member = .pushTime }
        if memberName.span.isEqual(to: "push_failure_time_seconds") { member = .pushFailureTime }
    }

    private mutating func takeMember(_ token: JSONToken) {
        guard token == .objectStart else { return pass(token, to: .group) }
        family = FamilyDraft()
        if member == .labels { forgetLabels() }
        place = .family
    }

    /// In an object that is a family, or else the group's labels.
    private mutating func takeInFamily(_ token: JSONToken) {
        guard token == .key else { return endMember() }
        if member == .labels { keepLabelName() }
        if tokens.text.span.isEqual(to: "type") {
            place = .type
        } else if tokens.text.span.isEqual(to: "metrics") {
            place = .metrics
        } else {
            place = .otherOfFamily
        }
    }

    private mutating func takeOfFamily(_ token: JSONToken) {
        if token == .string {
            if place == .type { family.type = FamilyType(listed: tokens.text.span) }
            if member == .labels { appendLabel() }
        }
        pass(token, to: .family)
    }

    private mutating func takeMetrics(_ token: JSONToken) throws(ListingError) {
        // The first token is the value that the member has, the second is in that value.
        switch (token, family.isFamily) {
        case (.arrayStart, false): family.isFamily = true
        case (.null, false):
            family.isFamily = true
            place = .family
        case (_, false): takeOfFamily(token)
        case (.arrayEnd, true): place = .family
        case (.objectStart, true):
            family.isEmpty = false
            if member.isAboutPushes { return place = .sample }
            // This sample, and all behind it.
            tokens.skip(toDepth: tokens.depth - 2)
            place = .family
        case (_, true): throw .notAListing
        }
    }

    /// In the first sample of a family about pushes.
    private mutating func takeInSample(_ token: JSONToken) {
        guard token == .key else {
            tokens.skip(toDepth: tokens.depth - 1)
            return place = .family
        }
        if tokens.text.span.isEqual(to: "value") {
            place = .sampleValue
        } else if tokens.text.span.isEqual(to: "labels"), member == .pushTime,
            group.source == .none
        {
            place = .sampleLabels
        } else {
            place = .otherOfSample
        }
    }

    private mutating func takeInLabels(_ token: JSONToken) {
        guard token == .key else { return place = .sample }
        keepLabelName()
        place = .label
    }
}

// MARK: - Filling the listing

extension GroupListingReader {
    private mutating func beginLabels(from source: GroupDraft.Source) {
        forgetLabels()
        group.source = source
        place = .labels
    }

    private mutating func forgetLabels() {
        listing.labels.removeLast(listing.labels.count - group.labelsStart)
        listing.text.removeLast(listing.text.count - group.textStart)
        (group.source, group.isUnusable) = (.none, false)
    }

    private mutating func keepLabelName() {
        if tokens.isTextCut { group.isUnusable = true }
        labelName.removeAll(keepingCapacity: true)
        labelName += tokens.text
    }

    private mutating func appendLabel() {
        let room = bounds.allTextBytesMax - listing.text.count
        guard !tokens.isTextCut, labelName.count + tokens.text.count <= room,
            listing.labels.count - group.labelsStart < bounds.labelsMax
        else { return group.isUnusable = true }
        let start = UInt32(listing.text.count)
        listing.text += labelName
        let middle = UInt32(listing.text.count)
        listing.text += tokens.text
        listing.labels.append(
            GroupListing.Label(name: start..<middle, value: middle..<UInt32(listing.text.count)))
    }

    private mutating func endMember() {
        place = .group
        guard family.isFamily else {
            if member == .labels { group.source = .member }
            return
        }
        if member == .labels { forgetLabels() }
        switch member {
        case .pushTime: group.pushTime = family.value
        case .pushFailureTime: group.pushFailureTime = family.value
        case .labels, .family: break
        }
        guard let type = family.type, listing.families.count < bounds.familiesMax,
            listing.names.byteCount + memberName.count <= bounds.allTextBytesMax
        else { return listing.isComplete = false }
        listing.families.append(
            GroupListing.Family(
                name: listing.names.insert(memberName), type: type, isEmpty: family.isEmpty))
    }

    private mutating func endGroup() {
        place = .groups
        if group.source == .sample { dropEmptyInstance() }
        guard group.source != .none, !group.isUnusable, !listing.labels.isEmpty else {
            // A group of which we do not know what it is called is none that we can speak of.
            forgetLabels()
            listing.families.removeLast(listing.families.count - group.familiesStart)
            return listing.isComplete = false
        }
        sortLabels()
        var finished = GroupListing.Group(
            labels: UInt32(group.labelsStart)..<UInt32(listing.labels.count),
            families: UInt32(group.familiesStart)..<UInt32(listing.families.count))
        finished.pushTime = group.pushTime
        finished.pushFailureTime = group.pushFailureTime
        finished.isRecovered = group.source == .sample
        listing.groups.append(finished)
    }

    /// The Pushgateway gives every sample an empty `instance` that its group has none of.
    private mutating func dropEmptyInstance() {
        let place = listing.labels[group.labelsStart...].firstIndex { label in
            label.value.isEmpty
                && listing.text.span.extracting(Range(label.name)).isEqual(to: "instance")
        }
        if let place { listing.labels.remove(at: place) }
    }

    /// They come sorted; a listing from elsewhere may differ.
    private mutating func sortLabels() {
        for next in listing.labels.indices.dropFirst(group.labelsStart + 1) {
            var place = next
            while place > group.labelsStart, isBefore(place, place - 1) {
                listing.labels.swapAt(place, place - 1)
                place -= 1
            }
        }
    }

    private func isBefore(_ left: Int, _ right: Int) -> Bool {
        let (left, right) = (listing.labels[left].name, listing.labels[right].name)
        return listing.text[Range(left)].lexicographicallyPrecedes(listing.text[Range(right)])
    }
}

extension FamilyType {
    /// The type by the name that Protobuf and the listing have for it.
    fileprivate init?(listed name: Span<UInt8>) {
        if name.isEqual(to: "GAUGE") {
            self = .gauge
        } else if name.isEqual(to: "COUNTER") {
            self = .counter
        } else if name.isEqual(to: "UNTYPED") {
            self = .untyped
        } else if name.isEqual(to: "SUMMARY") {
            self = .summary
        } else if name.isEqual(to: "HISTOGRAM") {
            self = .histogram
        } else if name.isEqual(to: "GAUGE_HISTOGRAM") {
            self = .gaugeHistogram
        } else {
            return nil
        }
    }
}

extension Span<UInt8> {
    /// A time, as Go writes a number: `1.7952442109225514e+09`. Good to a microsecond. 0 for
    /// anything that is no time: negative, not a number, before 1970 or thousands of years ahead.
    fileprivate var seconds: Double {
        var (mantissa, exponent, place) = (UInt64(0), 0, 0)
        var isFraction = false
        while place < count, self[place].isDigit || self[place] == UInt8(ascii: ".") {
            if self[place] == UInt8(ascii: ".") {
                guard !isFraction else { return 0 }
                isFraction = true
            } else if mantissa < 100_000_000_000_000_000 {
                mantissa = mantissa &* 10 &+ UInt64(self[place] &- 0x30)
                if isFraction { exponent &-= 1 }
            } else if !isFraction {
                exponent &+= 1
            }
            place &+= 1
        }
        if place < count {
            guard self[place] == UInt8(ascii: "e"), place &+ 2 < count,
                let written = extracting((place &+ 2)..<count).decimal, written < 100
            else { return 0 }
            exponent &+= self[place &+ 1] == UInt8(ascii: "-") ? -written : written
        }
        var scale = 1.0
        for _ in 0..<min(exponent.magnitude, 100) { scale *= 10 }
        let value = exponent < 0 ? Double(mantissa) / scale : Double(mantissa) * scale
        return value < 1e12 ? value : 0
    }
}
