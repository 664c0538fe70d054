/// The labels of the line being read: whether a name comes twice, and one hash for all of them that
/// does not depend on their order.
struct LabelSet: ~Copyable, Sendable {
    /// The names of this line, then what earlier lines left.
    private var names = Records<Name>()
    /// Of use only beyond `fewMax` names.
    private var index = HashIndex()
    static let fewMax = 8

    /// What the labels so far come to.
    var mark = Mark()
    var count: Int { Int(mark.count) }

    /// What is known of the labels up to some place in the line.
    ///
    /// The numbers do not stand side by side: they would be copied as one block, which has to wait for
    /// those that were written just before.
    struct Mark {
        /// One hash of the pairs of names and values that tell this series from others.
        var hash: UInt64 = 0
        /// The quantile, or the upper bound of a bucket, once a label gave it.
        var bound: Float?
        fileprivate(set) var count: UInt32 = 0
        /// Whether one of the other pairs contradicts the group.
        var isOverwritten = false
        /// One hash of the other pairs, zero without any. They are labels that the Pushgateway gives
        /// every sample, whatever it had: those of the group, and `instance=""` where the group has
        /// no `instance`. Any other label tells series apart, even without a value.
        var ignored: UInt32 = 0
    }

    @inline(__always)
    mutating func removeAll() { mark = Mark() }

    var storageBytes: Int { names.storageBytes &+ index.storageBytes }

    /// Counts a name that the line before had in the same place, and so is still there.
    @inline(__always)
    mutating func repeatName() { mark.count &+= 1 }

    /// Takes a name in; false when it is there already.
    @inline(__always)
    mutating func insert(_ name: Name, in body: Span<UInt8>) -> Bool {
        if count >= LabelSet.fewMax { return insertIntoMany(name, in: body) }
        for record in 0..<count where names[record].isEqual(to: name, in: body) { return false }
        append(name)
        return true
    }

    /// Adds the hash of one pair.
    @inline(__always)
    mutating func add(_ pair: UInt64) { mark.hash &+= pair }

    /// Adds the hash of a pair that tells no series apart.
    mutating func ignore(_ pair: UInt64) {
        mark.ignored &+= UInt32(truncatingIfNeeded: pair &>> 32)
    }

    @inline(__always)
    private mutating func append(_ name: Name) {
        names.set(count, to: name)
        mark.count &+= 1
    }

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
        append(name)
        return true
    }

    private mutating func enter(_ record: Int, _ hash: UInt64) {
        var slot = index.firstSlot(of: hash)
        while index.entry(in: slot) != 0 { slot = index.slot(after: slot) }
        index.insert(record, hash: hash, in: slot)
    }
}
