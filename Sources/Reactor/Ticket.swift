/// Who an event is for: a kind of party, a slot in that kind's table and the slot's generation.
///
/// Tickets, not pointers, go to the kernel, to other threads and into queues. A slot is used again
/// under a new generation, so a ticket that comes late finds nobody and is dropped.
package struct Ticket: Hashable, Sendable {
    /// What goes into the 64 bits that epoll keeps for us: kind 8, slot 24, generation 32.
    package let bits: UInt64

    package static let slotsMax = 1 << 24

    package init(bits: UInt64) { self.bits = bits }

    package init(kind: UInt8, slot: Int, generation: UInt32) {
        precondition((0..<Ticket.slotsMax).contains(slot))
        bits = UInt64(kind) << 56 | UInt64(slot) << 32 | UInt64(generation)
    }

    package var kind: UInt8 { UInt8(truncatingIfNeeded: bits >> 56) }
    package var slot: Int { Int(bits >> 32 & 0xFF_FFFF) }
    package var generation: UInt32 { UInt32(truncatingIfNeeded: bits) }
}
