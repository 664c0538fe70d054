/// The labels of the line being read: whether a name comes twice, and one hash for all of them that
/// does not depend on their order.
struct LabelSet: ~Copyable, Sendable {
    private var names = Records<Name>()
    var count: Int { names.count }
    /// Of use only beyond `fewMax` names.
    private var index = HashIndex()
    private static let fewMax = 8

    /// One hash of the pairs of names and values that tell this series from others.
    private(set) var hash: UInt64 = 0
    /// Whether `instance=""` was among them. The Pushgateway gives it to every sample that has no
    /// `instance`, so it tells no series apart; any other label does, even without a value.
    private(set) var hasEmptyInstance = false

    @inline(__always)
    mutating func removeAll() {
        names.removeAll()
        hash = 0
        hasEmptyInstance = false
    }

    /// Takes a name in; false when it is there already.
    @inline(__always)
    mutating func insert(_ name: Name, in body: Span<UInt8>) -> Bool {
        if count >= LabelSet.fewMax { return insertIntoMany(name, in: body) }
        for record in 0..<count where names[record].isEqual(to: name, in: body) { return false }
        names.append(name)
        return true
    }

    /// Adds the hash of one pair.
    @inline(__always)
    mutating func add(_ pair: UInt64) { hash &+= pair }

    mutating func addEmptyInstance() { hasEmptyInstance = true }

    @inline(never)
    private mutating func insertIntoMany(_ name: Name, in body: Span<UInt8>) -> Bool {
        if count == LabelSet.fewMax {
            index.removeAll()
            for record in 0..<count { enter(record, names[record].hash) }
        }
        guard count < HashIndex.recordsMax else { return false }
        var slot = index.firstSlot(of: name.hash)
        while index.entry(in: slot) != 0 {
            let entry = index.entry(in: slot)
            if HashIndex.matches(entry, name.hash),
                names[HashIndex.record(of: entry)].isEqual(to: name, in: body)
            {
                return false
            }
            slot = index.slot(after: slot)
        }
        index.insert(count, hash: name.hash, in: slot)
        names.append(name)
        return true
    }

    private mutating func enter(_ record: Int, _ hash: UInt64) {
        var slot = index.firstSlot(of: hash)
        while index.entry(in: slot) != 0 { slot = index.slot(after: slot) }
        index.insert(record, hash: hash, in: slot)
    }
}
