/// An open-addressing index over records kept elsewhere: from a hash to the record's number. Emptied
/// at the cost of what was used, not of what it ever grew to, and keeps its storage.
struct HashIndex {
    /// A number that fits into a slot.
    static let recordsMax = 0xFF_FFFE

    /// Each slot is empty (zero), or 40 bits of the hash above 24 bits of the number plus one.
    private var slots: [UInt64]
    /// The other half of the storage, empty between growths.
    private var spare: [UInt64] = []
    /// How many slots are in use as a table, less one; a power of two, less one.
    private var mask = 63
    private var count = 0

    init() { slots = [UInt64](repeating: 0, count: 64) }

    mutating func removeAll() {
        mask = 63
        count = 0
        for slot in 0...mask { slots[slot] = 0 }
    }

    /// Where to look first for this hash.
    @inline(__always)
    func firstSlot(of hash: UInt64) -> Int { Int(truncatingIfNeeded: hash &>> 24) & mask }

    @inline(__always)
    func slot(after slot: Int) -> Int { (slot &+ 1) & mask }

    /// The content of a slot: zero where the search ends.
    @inline(__always)
    func entry(in slot: Int) -> UInt64 { slots[slot] }

    /// Whether an entry may be the record searched for: 40 bits of its hash are equal.
    @inline(__always)
    static func matches(_ entry: UInt64, _ hash: UInt64) -> Bool { (entry ^ hash) &>> 24 == 0 }

    @inline(__always)
    static func record(of entry: UInt64) -> Int { Int(truncatingIfNeeded: entry & 0xFF_FFFF) &- 1 }

    /// Enters a record that was searched for and not found, whose search ended in `slot`.
    @inline(__always)
    mutating func insert(_ record: Int, hash: UInt64, in slot: Int) {
        precondition(record < HashIndex.recordsMax)
        slots[slot] = (hash & ~0xFF_FFFF) | UInt64(truncatingIfNeeded: record &+ 1)
        count &+= 1
        if count &* 2 > mask { grow() }
    }

    private mutating func grow() {
        let old = mask
        mask = old &* 2 &+ 1
        if spare.count <= mask { spare = [UInt64](repeating: 0, count: mask &+ 1) }
        for slot in 0...mask { spare[slot] = 0 }
        swap(&slots, &spare)
        for slot in 0...old where spare[slot] != 0 {
            var place = firstSlot(of: spare[slot])
            while slots[place] != 0 { place = self.slot(after: place) }
            slots[place] = spare[slot]
        }
    }
}
