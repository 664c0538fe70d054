internal import Bytes
package import Exposition

/// One family of a push that passed, or of one that wants to: its name as a key, and its type.
package struct FamilyClaim: Equatable, Sendable, BitwiseCopyable {
    package let family: FamilyKey
    package let type: FamilyType

    package init(_ family: FamilyKey, _ type: FamilyType) {
        self.family = family
        self.type = type
    }
}

/// That a family is somewhere else with another type.
package struct Clash: Equatable, Sendable {
    /// The type it has there.
    package let type: FamilyType
    package let holder: Holder

    /// A group that has it so.
    package enum Holder: Equatable, Sendable {
        /// The group of this number in the catalogue's `listing`.
        case listed(Int)
        /// A group pushed to since the listing was made.
        case learned(GroupKey)
    }
}

/// Which groups hold which family with which type, as one listing said. Never changes.
///
/// The holders of a family stand together, sorted by type. So whether another group has it with
/// another type is seen at the two ends: no question looks at more than a few of them.
package final class FamilyCatalogue: Sendable {
    /// What it was made from.
    package let listing: GroupListing
    private let groupKeys: [GroupKey]
    /// Group numbers by their keys.
    private let groupIndex: [GroupKey: UInt32]
    /// Where the holders of each of the listing's names begin; one more at the end.
    private let starts: [UInt32]
    private let holders: [Holder]

    /// A type and a group, in 32 bits, in this order.
    private struct Holder: Comparable {
        private let bits: UInt32

        init(group: Int, type: FamilyType) { bits = UInt32(type.rawValue) << 28 | UInt32(group) }
        var group: Int { Int(bits & 0xFFF_FFFF) }
        /// The bits come from a type.
        var type: FamilyType { FamilyType(rawValue: UInt8(bits >> 28)) ?? .untyped }

        static func < (left: Holder, right: Holder) -> Bool { left.bits < right.bits }
    }

    /// Groups beyond these are left out, and so is what they hold.
    private static let groupsMax = 1 << 28

    /// Takes time in proportion to the listing, so it is made off the loops that serve.
    package init(_ listing: GroupListing) {
        self.listing = listing
        let groupCount = min(listing.groupCount, FamilyCatalogue.groupsMax)
        groupKeys = (0..<groupCount).map { listing.key(of: $0) }
        // Of groups that differ only in an empty label the first stands for all.
        groupIndex = Dictionary(
            zip(groupKeys, 0..<UInt32(groupCount)), uniquingKeysWith: { first, _ in first })

        var starts = [UInt32](repeating: 0, count: listing.names.count + 1)
        let own = FamilyCatalogue.ownNames(in: listing)
        func forEachHolding(_ body: (_ name: Int, Holder) -> Void) {
            for group in 0..<groupCount {
                for family in listing.families[listing.families(of: group)]
                where !own.contains(family.name) {
                    body(Int(family.name), Holder(group: group, type: family.type))
                }
            }
        }
        forEachHolding { name, _ in starts[name + 1] += 1 }
        for name in starts.indices.dropFirst() { starts[name] += starts[name - 1] }

        var next = starts
        var holders = [Holder](
            repeating: Holder(group: 0, type: .counter), count: Int(starts.last ?? 0))
        // Once for each type: that sorts by it.
        for type in FamilyType.all {
            forEachHolding { name, holder in
                guard holder.type == type else { return }
                holders[Int(next[name])] = holder
                next[name] += 1
            }
        }
        self.starts = starts
        self.holders = holders
    }

    /// Nothing is known.
    package convenience init() { self.init(GroupListing()) }

    /// The families in each group that the Pushgateway itself writes; no push may have them.
    private static func ownNames(in listing: GroupListing) -> [UInt32] {
        let names: [StaticString] = ["push_time_seconds", "push_failure_time_seconds"]
        return names.compactMap { listing.names.number(of: $0.span) }
    }

    /// Whether another group than `group` holds the family with another type than `type`.
    package func clash(
        _ family: FamilyKey, _ type: FamilyType, in group: GroupKey
    ) -> Clash? {
        clash(family, type, in: group, ignoring: { _ in false })
    }

    /// As above, without the holders that `isIgnored` tells to ignore; it is asked a few times only.
    func clash(
        _ family: FamilyKey, _ type: FamilyType, in group: GroupKey,
        ignoring isIgnored: (GroupKey) -> Bool
    ) -> Clash? {
        let range = holders(of: family)
        guard !range.isEmpty else { return nil }
        var looks = 0
        for place in range {
            guard holders[place].type != type, looks < FamilyCatalogue.looksMax else { break }
            if let clash = clash(at: place, in: group, isIgnored) { return clash }
            looks += 1
        }
        looks = 0
        for place in range.reversed() {
            guard holders[place].type != type, looks < FamilyCatalogue.looksMax else { break }
            if let clash = clash(at: place, in: group, isIgnored) { return clash }
            looks += 1
        }
        return nil
    }

    /// Holders looked at from either end. Two would do, if none of them was ignored.
    private static let looksMax = 16

    private func clash(
        at place: Int, in group: GroupKey, _ isIgnored: (GroupKey) -> Bool
    ) -> Clash? {
        let holder = holders[place]
        let key = groupKeys[holder.group]
        guard key != group, !isIgnored(key) else { return nil }
        return Clash(type: holder.type, holder: .listed(holder.group))
    }

    /// Whether the family is held, and by nobody with another type.
    func isSettled(_ family: FamilyKey, as type: FamilyType) -> Bool {
        let range = holders(of: family)
        return !range.isEmpty && holders[range.lowerBound].type == type
            && holders[range.upperBound - 1].type == type
    }

    /// The number of the group that has this key.
    func number(of group: GroupKey) -> Int? { groupIndex[group].map { Int($0) } }

    /// How many families a group holds, without those about pushes.
    func familyCount(of number: Int) -> Int {
        listing.families[listing.families(of: number)].count { family in
            starts[Int(family.name)] < starts[Int(family.name) + 1]
        }
    }

    /// Whether a group holds a family with a type.
    func holds(_ claim: FamilyClaim, in number: Int) -> Bool {
        let wanted = Holder(group: number, type: claim.type)
        var range = holders(of: claim.family)
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if holders[middle] == wanted { return true }
            range =
                holders[middle] < wanted
                ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return false
    }

    private func holders(of family: FamilyKey) -> Range<Int> {
        guard let name = listing.names.number(of: family) else { return 0..<0 }
        return Int(starts[Int(name)])..<Int(starts[Int(name) + 1])
    }
}

extension FamilyType {
    /// In the order of their raw values.
    static let all: [FamilyType] = [
        .counter, .gauge, .summary, .untyped, .histogram, .gaugeHistogram,
    ]
}
