/// The labels of the line being read: whether a name comes twice, and one hash for all of them that
/// does not depend on their order.
struct LabelSet {
    private var names: [(hash: UInt64, name: Name)] = []
    /// Of use only beyond `fewMax` names.
    private var index = HashIndex()
    private static let fewMax = 8

    /// The labels with a value. A label without one is the same as no label.
    private(set) var valued: UInt64 = 0
    /// The labels without a value.
    private(set) var empty: UInt64 = 0

    var count: Int { names.count }

    @inline(__always)
    mutating func removeAll() {
        names.removeAll(keepingCapacity: true)
        valued = 0
        empty = 0
    }

    /// Takes a name in; false when it is there already.
    @inline(__always)
    mutating func insert(_ name: Name, _ hash: UInt64, in body: Span<UInt8>) -> Bool {
        if names.count >= LabelSet.fewMax { return insertIntoMany(name, hash, in: body) }
        for other in names where other.hash == hash {
            if other.name.isEqual(to: name, in: body) { return false }
        }
        names.append((hash, name))
        return true
    }

    /// Adds one pair to the hash of the set.
    @inline(__always)
    mutating func add(_ pair: UInt64, isEmpty: Bool) {
        if isEmpty { empty &+= pair } else { valued &+= pair }
    }

    private mutating func insertIntoMany(
        _ name: Name, _ hash: UInt64, in body: Span<UInt8>
    ) -> Bool {
        if names.count == LabelSet.fewMax {
            index.removeAll()
            for record in 0..<names.count { enter(record, names[record].hash) }
        }
        guard names.count < HashIndex.recordsMax else { return false }
        var slot = index.firstSlot(of: hash)
        while index.entry(in: slot) != 0 {
            let entry = index.entry(in: slot)
            if HashIndex.matches(entry, hash),
                names[HashIndex.record(of: entry)].name.isEqual(to: name, in: body)
            {
                return false
            }
            slot = index.slot(after: slot)
        }
        index.insert(names.count, hash: hash, in: slot)
        names.append((hash, name))
        return true
    }

    private mutating func enter(_ record: Int, _ hash: UInt64) {
        var slot = index.firstSlot(of: hash)
        while index.entry(in: slot) != 0 { slot = index.slot(after: slot) }
        index.insert(record, hash: hash, in: slot)
    }
}
