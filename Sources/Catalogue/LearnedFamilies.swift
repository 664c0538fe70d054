package import Exposition

/// What one loop has learned since the catalogue was made, from pushes and deletes that passed.
///
/// Only what the catalogue does not say anyway: while everybody pushes what he always pushed, it
/// stays empty. It may be wrong: other loops learn other things, and what is too much is forgotten.
/// So a clash is a suspicion, which a fresh listing confirms before a push is refused for it.
package struct LearnedFamilies: ~Copyable {
    /// Where a family's entries are kept, each near the place that its key gives. Empty until the
    /// first; as many as a power of two, at most half of them in use.
    private var entries: [Entry] = []
    private var entryCount = 0
    private let entriesMax: Int
    /// Groups of which something was learned.
    private var groups: [GroupKey: Int] = [:]
    /// What is known of each, by its number in `groups`: an entry finds it without a hash.
    private var overruled: [Overruled] = []
    /// Counts what was learned.
    private var now: UInt64 = 0

    private struct Entry {
        var family: FamilyKey?
        var group = GroupKey()
        var type = FamilyType.untyped
        var learned: UInt64 = 0
        /// The group's number in `groups`.
        var number = 0
    }

    private struct Overruled {
        /// When the group was last replaced as a whole or deleted: what was learned before is void.
        var replaced: UInt64 = 0
        /// When something was last learned about it.
        var touched: UInt64 = 0
        /// Whether all that the catalogue says about it is void.
        var isCatalogueVoid = false
    }

    /// Groups that hold one new family: more are not needed to find one of them.
    private static let entriesPerFamilyMax = 4

    /// Room for `entriesMax` families in groups, and for as many groups; with one more, everything
    /// is forgotten. An entry takes about 80 bytes.
    package init(entriesMax: Int = 4096) {
        precondition(entriesMax > 0)
        self.entriesMax = entriesMax
    }

    /// How many families in groups it knows.
    package var count: Int { entryCount }

    /// A point in time, for `forget(before:)`.
    package var mark: UInt64 { now }

    /// Whether another group than `group` holds the family with another type than `type`, as far as
    /// this and the catalogue know.
    package func clash(
        _ family: FamilyKey, _ type: FamilyType, in group: GroupKey, catalogue: FamilyCatalogue
    ) -> Clash? {
        if let clash = learnedClash(family, type, in: group) { return clash }
        return catalogue.clash(family, type, in: group) { holder in
            // What a holder pushed since is in `learnedClash`; what the catalogue says of it is past.
            groups[holder].map { overruled[$0].isCatalogueVoid || has(family, in: holder) } ?? false
        }
    }

    /// A push to `group` passed with these families. With PUT it is `replacing` all that was there.
    package mutating func passed(
        _ claims: Span<FamilyClaim>, in group: GroupKey, replacing: Bool, catalogue: FamilyCatalogue
    ) {
        if !replacing, entryCount > 0, areKnown(claims, in: group) { return }
        now &+= 1
        // Before the first of them, lest the rest drive it out.
        if entryCount > 0, entryCount + claims.count > entriesMax { forgetAll() }
        let number = catalogue.number(of: group)
        if replacing, groups[group] != nil || isShrinking(number, to: claims, catalogue) {
            touch(group, isReplaced: true)
        }
        let isVoid = !groups.isEmpty && groups[group].map { overruled[$0].isCatalogueVoid } ?? false
        var own: Int?
        for index in claims.indices {
            let claim = claims[index]
            if !isVoid, !has(claim.family, in: group) {
                let isKnown = number.map { catalogue.holds(claim, in: $0) } ?? false
                // Everybody has it with this type; the group is then one more of many.
                if isKnown || catalogue.isSettled(claim.family, as: claim.type) { continue }
            }
            let learnedNumber = own ?? touch(group, isReplaced: false)
            own = learnedNumber
            learn(claim, in: group, learnedNumber)
        }
    }

    /// A group was deleted.
    package mutating func deleted(_ group: GroupKey, catalogue: FamilyCatalogue) {
        guard groups[group] != nil || catalogue.number(of: group) != nil else { return }
        now &+= 1
        touch(group, isReplaced: true)
    }

    /// A new catalogue has come, which was asked for at `mark`: forgets what it must know already.
    package mutating func forget(before mark: UInt64) {
        let (oldGroups, old, oldEntries) = (groups, overruled, entries)
        forgetAll()
        for (group, number) in oldGroups where old[number].touched > mark {
            groups[group] = overruled.count
            overruled.append(old[number])
            overruled[overruled.count - 1].isCatalogueVoid = old[number].replaced > mark
        }
        for entry in oldEntries where entry.family != nil && entry.learned > mark {
            // What was learned of a group touched it.
            guard let number = groups[entry.group] else { continue }
            var entry = entry
            entry.number = number
            place(entry)
        }
    }

    private mutating func forgetAll() {
        groups.removeAll()
        overruled.removeAll()
        entries = []
        entryCount = 0
    }
}

// MARK: - Entries

extension LearnedFamilies {
    /// Whether a PUT of these families takes away one that the catalogue says the group has, or
    /// gives it another type.
    private func isShrinking(
        _ number: Int?, to claims: Span<FamilyClaim>, _ catalogue: FamilyCatalogue
    ) -> Bool {
        guard let number else { return false }
        var kept = 0
        for index in claims.indices where catalogue.holds(claims[index], in: number) { kept += 1 }
        return kept < catalogue.familyCount(of: number)
    }

    private mutating func learn(_ claim: FamilyClaim, in group: GroupKey, _ number: Int) {
        var entry = Entry()
        entry.family = claim.family
        (entry.group, entry.type, entry.learned) = (group, claim.type, now)
        entry.number = number
        place(entry)
    }

    /// Notes that something was learned of a group now, and gives its number. Where too much is known,
    /// all of it is forgotten first.
    @discardableResult
    private mutating func touch(_ group: GroupKey, isReplaced: Bool) -> Int {
        if groups.count >= entriesMax, groups[group] == nil { forgetAll() }
        let number = groups[group] ?? overruled.count
        if number == overruled.count {
            groups[group] = number
            overruled.append(Overruled())
        }
        overruled[number].touched = now
        if isReplaced {
            (overruled[number].replaced, overruled[number].isCatalogueVoid) = (now, true)
        }
        return number
    }

    /// Puts an entry where the one before it of the same family and group is, or in a free place; or
    /// where the oldest of too many is.
    private mutating func place(_ entry: Entry) {
        guard let family = entry.family else { return }
        if entries.isEmpty {
            entries = Array(repeating: Entry(), count: LearnedFamilies.placeCount(entriesMax))
        }
        var (place, oldest, found) = (firstPlace(of: family), -1, 0)
        while let other = entries[place].family {
            if other == family {
                if entries[place].group == entry.group { return entries[place] = entry }
                found += 1
                if oldest < 0 || entries[place].learned < entries[oldest].learned { oldest = place }
            }
            place = (place + 1) & (entries.count - 1)
        }
        if found >= LearnedFamilies.entriesPerFamilyMax { return entries[oldest] = entry }
        // A single push may have more than all there is room for.
        guard entryCount < entriesMax else { return }
        entries[place] = entry
        entryCount += 1
    }

    private static func placeCount(_ entriesMax: Int) -> Int {
        var count = 16
        while count < entriesMax * 2 { count *= 2 }
        return count
    }

    private func firstPlace(of family: FamilyKey) -> Int {
        Int(truncatingIfNeeded: family.hash) & (entries.count - 1)
    }

    private func learnedClash(
        _ family: FamilyKey, _ type: FamilyType, in group: GroupKey
    ) -> Clash? {
        var clash: Clash?
        forEach(of: family) { entry in
            guard entry.type != type, entry.group != group else { return }
            clash = Clash(type: entry.type, holder: .learned(entry.group))
        }
        return clash
    }

    /// Whether all of them are entered as they are; most pushes are like the one before.
    private func areKnown(_ claims: Span<FamilyClaim>, in group: GroupKey) -> Bool {
        for index in claims.indices {
            var isThere = false
            forEach(of: claims[index].family) { entry in
                if entry.group == group && entry.type == claims[index].type { isThere = true }
            }
            if !isThere { return false }
        }
        return true
    }

    private func has(_ family: FamilyKey, in group: GroupKey) -> Bool {
        var isThere = false
        forEach(of: family) { if $0.group == group { isThere = true } }
        return isThere
    }

    /// The family's entries that still count.
    private func forEach(of family: FamilyKey, _ body: (Entry) -> Void) {
        guard entryCount > 0 else { return }
        var place = firstPlace(of: family)
        while let other = entries[place].family {
            let entry = entries[place]
            place = (place + 1) & (entries.count - 1)
            guard other == family, entry.learned >= overruled[entry.number].replaced else {
                continue
            }
            body(entry)
        }
    }
}
