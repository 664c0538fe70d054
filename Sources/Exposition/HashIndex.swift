/// An open-addressing index over records kept elsewhere: from a hash to the record's number. Emptied
/// at the cost of what was used, not of what it ever grew to, and keeps its storage. Bodies mostly
/// resemble the one before, so the next one finds the table as large as that one left it, unless it
/// was sparse.
struct HashIndex: ~Copyable, Sendable {
    /// A number that fits into a slot.
    static let recordsMax = 0xFF_FFFE

    /// Each slot is empty (zero), or 40 bits of the hash above 24 bits of the number plus one. As many
    /// as a power of two.
    private var slots = Records<UInt64>()
    /// The other half of the storage, empty between growths.
    private var spare = Records<UInt64>()
    private var count = 0

    init() { slots.fill(64, with: 0) }

    mutating func removeAll() {
        guard count > 0 else { return }
        slots.fill(count &* 16 < slots.count ? 64 : slots.count, with: 0)
        count = 0
    }

    var storageBytes: Int { slots.storageBytes &+ spare.storageBytes }

    /// Where to look first for this hash.
    @inline(__always)
    func firstSlot(of hash: UInt64) -> Int {
        Int(truncatingIfNeeded: hash &>> 24) & (slots.count &- 1)
    }

    @inline(__always)
    func slot(after slot: Int) -> Int { (slot &+ 1) & (slots.count &- 1) }

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
        if count &* 2 >= slots.count { grow() }
    }

    @inline(never)
    private mutating func grow() {
        let old = slots.count
        spare.fill(old &* 2, with: 0)
        swap(&slots, &spare)
        for slot in 0..<old where spare[slot] != 0 {
            var place = firstSlot(of: spare[slot])
            while slots[place] != 0 { place = self.slot(after: place) }
            slots[place] = spare[slot]
        }
    }
}
