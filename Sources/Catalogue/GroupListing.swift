internal import Bytes
package import Exposition

/// What the Pushgateway holds: its groups with their labels, when each was last pushed, and which
/// families of which type are in each. Read by `GroupListingReader`; never changes.
package struct GroupListing: Sendable {
    /// Whether it is all that the Pushgateway holds. Otherwise there was too much of it, or its text
    /// ended early, and what is here is a part.
    package internal(set) var isComplete = true

    var groups: [Group] = []
    var labels: [Label] = []
    /// The bytes of the labels.
    var text: [UInt8] = []
    var families: [Family] = []
    var names = NameTable()

    struct Group {
        var labels: Range<UInt32>
        var families: Range<UInt32>
        var pushTime = 0.0
        var pushFailureTime = 0.0
        /// Whether the labels are those of its samples, because a family stands where they are told.
        var isRecovered = false
    }

    struct Label {
        let name: Range<UInt32>
        let value: Range<UInt32>
    }

    struct Family {
        let name: UInt32
        let type: FamilyType
        let isEmpty: Bool
    }

    package init() {}

    /// How many groups there are. They are numbered from 0.
    package var groupCount: Int { groups.count }

    /// How many labels a group has, the job among them.
    package func labelCount(of group: Int) -> Int { groups[group].labels.count }

    /// Name and value of a group's label, by its place in the order of names. Where the Pushgateway's
    /// JSON has lost a byte that was not UTF-8, the value holds the byte FF.
    package func withLabel<R>(
        at place: Int, of group: Int, _ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) -> R
    ) -> R {
        let range = groups[group].labels
        precondition(place >= 0 && place < range.count)
        let label = labels[Int(range.lowerBound) + place]
        return body(
            text.span.extracting(Range(label.name)), text.span.extracting(Range(label.value)))
    }

    /// The value of a group's label, empty where it has none. `job` is always there.
    package func withValue<R>(
        of name: StaticString, in group: Int, _ body: (Span<UInt8>) -> R
    ) -> R {
        for label in labels[Range(groups[group].labels)]
        where text.span.extracting(Range(label.name)).isEqual(to: name) {
            return body(text.span.extracting(Range(label.value)))
        }
        return body(text.span.extracting(0..<0))
    }

    /// Seconds since 1970 at which a push to the group was last accepted; 0 when none ever was.
    package func pushTime(of group: Int) -> Double { groups[group].pushTime }

    /// Seconds since 1970 at which a push to the group was last refused; 0 when none ever was.
    package func pushFailureTime(of group: Int) -> Double { groups[group].pushFailureTime }

    /// The group's labels as a key, the empty ones left out.
    package func key(of group: Int) -> GroupKey {
        var key = GroupKey()
        for place in 0..<labelCount(of: group) {
            withLabel(at: place, of: group) { key.insert(name: $0, value: $1) }
        }
        return key
    }

    /// The numbers of a group's families. The Pushgateway's own two, about pushes, are among them.
    package func families(of group: Int) -> Range<Int> { Range(groups[group].families) }

    /// The type of a family that a group holds.
    package func type(ofFamily family: Int) -> FamilyType { families[family].type }

    /// Whether the group holds the family without a sample. It binds the type all the same.
    package func isEmpty(family: Int) -> Bool { families[family].isEmpty }

    /// The name of a family that a group holds.
    package func withName<R>(ofFamily family: Int, _ body: (Span<UInt8>) -> R) -> R {
        names.withName(families[family].name, body)
    }
}

/// Names that occur again and again, each kept once and numbered as they came.
struct NameTable: Sendable {
    private var bytes: [UInt8] = []
    /// Where each name ends; the next begins there.
    private var ends: [UInt32] = []
    private(set) var keys: [FamilyKey] = []
    /// A number plus one, or zero for an empty place. As many as a power of two.
    private var slots: [UInt32] = []

    var count: Int { ends.count }
    var byteCount: Int { bytes.count }

    func withName<R>(_ number: UInt32, _ body: (Span<UInt8>) -> R) -> R {
        body(bytes.span.extracting(range(of: Int(number))))
    }

    /// The number of the first name that has this key.
    func number(of key: FamilyKey) -> UInt32? {
        search(key) { _ in true }.number
    }

    /// The number of exactly this name.
    func number(of name: Span<UInt8>) -> UInt32? {
        let key = FamilyKey(name)
        return search(key) { bytes.span.extracting(range(of: $0)).isEqual(to: name) }.number
    }

    /// The number of this name, new or not. The caller bounds how many bytes there are in all.
    mutating func insert(_ name: [UInt8]) -> UInt32 {
        if count &* 2 >= slots.count { grow() }
        let key = FamilyKey(name.span)
        let found = search(key) { bytes.span.extracting(range(of: $0)).isEqual(to: name.span) }
        if let number = found.number { return number }
        let number = UInt32(count)
        bytes += name
        ends.append(UInt32(bytes.count))
        keys.append(key)
        slots[found.slot] = number + 1
        return number
    }

    private func range(of number: Int) -> Range<Int> {
        (number == 0 ? 0 : Int(ends[number &- 1]))..<Int(ends[number])
    }

    /// The name with this key that is the one meant, or the slot where it belongs.
    private func search(
        _ key: FamilyKey, _ isMeant: (Int) -> Bool
    ) -> (number: UInt32?, slot: Int) {
        guard !slots.isEmpty else { return (nil, 0) }
        var slot = Int(truncatingIfNeeded: key.hash) & (slots.count &- 1)
        while slots[slot] != 0 {
            let number = slots[slot] &- 1
            if keys[Int(number)] == key, isMeant(Int(number)) { return (number, slot) }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        return (nil, slot)
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: max(64, slots.count * 2))
        for number in 0..<count {
            slots[search(keys[number]) { _ in false }.slot] = UInt32(number + 1)
        }
    }
}

extension Range<Int> {
    init(_ range: Range<UInt32>) { self = Int(range.lowerBound)..<Int(range.upperBound) }
}
