/// When each slot of a table wants to be woken: a wheel of time with one place a slot.
///
/// Connections set deadlines with every request and let almost none of them pass. So a deadline
/// that only moves away costs a store: its entry stays where it is on the wheel, and when the wheel
/// comes there the entry is put where it now belongs. Only a deadline that comes nearer is moved.
/// Late by at most one tick; memory is bounded by the slots.
package struct Deadlines: ~Copyable {
    private static let spokes = 1024
    /// 2^26 nanoseconds, about 67 ms: fine enough for the shortest limit, coarse enough to be idle.
    private static let tickBits: UInt64 = 26
    private static let nobody: Int32 = -1

    private var deadline: [Instant] = []
    private var spokeOf: [Int32] = []
    private var next: [Int32] = []
    private var previous: [Int32] = []
    private var first = [Int32](repeating: nobody, count: spokes)
    /// A bit for each spoke that holds somebody, so that the nearest is found in a few steps.
    private var occupied = [UInt64](repeating: 0, count: spokes / 64)
    private var tick: UInt64

    package init(now: Instant) { tick = Deadlines.tick(of: now) }

    /// Wakes `slot` at `instant`, instead of whenever it was to be woken. `.distantFuture` never.
    package mutating func set(_ slot: Int, at instant: Instant) {
        makeRoom(for: slot)
        deadline[slot] = instant
        if instant == .distantFuture { return remove(slot) }
        let spoke = self.spoke(for: instant)
        guard spokeOf[slot] != Deadlines.nobody else { return link(slot, spoke) }
        if distance(to: spoke) < distance(to: Int(spokeOf[slot])) {
            unlink(slot)
            link(slot, spoke)
        }
    }

    package mutating func clear(_ slot: Int) {
        guard slot < deadline.count else { return }
        deadline[slot] = .distantFuture
        remove(slot)
    }

    /// No later than the nearest deadline; what the poller may sleep until.
    package func earliest() -> Instant {
        let here = Int(tick % UInt64(Deadlines.spokes))
        guard let spoke = occupiedSpoke(atOrAfter: here) ?? occupiedSpoke(atOrAfter: 0) else {
            return .distantFuture
        }
        return Instant(nanoseconds: (tick + UInt64(distance(to: spoke)) + 1) << Deadlines.tickBits)
    }

    private func occupiedSpoke(atOrAfter spoke: Int) -> Int? {
        var word = spoke / 64
        var bits = occupied[word] & (UInt64.max << UInt64(spoke % 64))
        while bits == 0 {
            word += 1
            if word == occupied.count { return nil }
            bits = occupied[word]
        }
        return word * 64 + bits.trailingZeroBitCount
    }

    /// Puts the slots whose deadline has come into `expired`, which is empty, and forgets them.
    package mutating func expire(at now: Instant, into expired: inout [Int]) {
        let end = Deadlines.tick(of: now)
        guard end > tick else { return }
        // After a long sleep each spoke is looked at once, not once for each tick slept.
        let turns = min(end - tick, UInt64(Deadlines.spokes))
        for ahead in 0..<turns {
            sweep(Int((tick + ahead) % UInt64(Deadlines.spokes)), at: now, into: &expired)
        }
        tick = end
        for slot in expired where spokeOf[slot] == Deadlines.nobody && deadline[slot] > now {
            // Not due yet: it had moved away since it was put there.
            link(slot, spoke(for: deadline[slot]))
        }
        expired.removeAll { spokeOf[$0] != Deadlines.nobody }
        for slot in expired { deadline[slot] = .distantFuture }
    }

    private mutating func sweep(_ spoke: Int, at now: Instant, into expired: inout [Int]) {
        while first[spoke] != Deadlines.nobody {
            let slot = Int(first[spoke])
            unlink(slot)
            expired.append(slot)
        }
    }

    private static func tick(of instant: Instant) -> UInt64 { instant.nanoseconds >> tickBits }

    /// Beyond the wheel's reach an entry waits at its far end and is put on from there.
    private func spoke(for instant: Instant) -> Int {
        let reach = tick + UInt64(Deadlines.spokes) - 1
        let due = min(max(Deadlines.tick(of: instant), tick), reach)
        return Int(due % UInt64(Deadlines.spokes))
    }

    private func distance(to spoke: Int) -> Int {
        let here = Int(tick % UInt64(Deadlines.spokes))
        return spoke >= here ? spoke - here : spoke - here + Deadlines.spokes
    }

    private mutating func makeRoom(for slot: Int) {
        while deadline.count <= slot {
            deadline.append(.distantFuture)
            spokeOf.append(Deadlines.nobody)
            next.append(Deadlines.nobody)
            previous.append(Deadlines.nobody)
        }
    }

    private mutating func remove(_ slot: Int) {
        if spokeOf[slot] != Deadlines.nobody { unlink(slot) }
    }

    private mutating func link(_ slot: Int, _ spoke: Int) {
        let head = first[spoke]
        next[slot] = head
        previous[slot] = Deadlines.nobody
        if head != Deadlines.nobody { previous[Int(head)] = Int32(slot) }
        first[spoke] = Int32(slot)
        spokeOf[slot] = Int32(spoke)
        occupied[spoke / 64] |= 1 << UInt64(spoke % 64)
    }

    private mutating func unlink(_ slot: Int) {
        let (before, after, spoke) = (previous[slot], next[slot], Int(spokeOf[slot]))
        if before == Deadlines.nobody {
            first[spoke] = after
            if after == Deadlines.nobody { occupied[spoke / 64] &= ~(1 << UInt64(spoke % 64)) }
        } else {
            next[Int(before)] = after
        }
        if after != Deadlines.nobody { previous[Int(after)] = before }
        spokeOf[slot] = Deadlines.nobody
    }
}
