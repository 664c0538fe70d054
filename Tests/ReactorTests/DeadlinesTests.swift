import Reactor
import Testing

@Suite struct DeadlinesTests {
    private let start = Instant(nanoseconds: 1_000_000_000_000)
    /// A deadline may be told of late by at most two ticks of the wheel.
    private let lateness = Interval.milliseconds(135)

    private func expired(_ deadlines: inout Deadlines, at instant: Instant) -> [Int] {
        var slots: [Int] = []
        deadlines.expire(at: instant, into: &slots)
        return slots.sorted()
    }

    @Test(arguments: [1, 50, 500, 10_000, 75_000, 1_000_000])
    func `a deadline comes when it is due, and not before`(milliseconds: Int) {
        var deadlines = Deadlines(now: start)
        let due = start + .milliseconds(milliseconds)
        deadlines.set(7, at: due)
        // Turn as the loop does: whenever the wheel says that somebody may be due.
        var now = start
        var turns = 0
        while true {
            let next = deadlines.earliest()
            #expect(next > now)
            now = next
            turns += 1
            let slots = expired(&deadlines, at: now)
            if !slots.isEmpty {
                #expect(slots == [7])
                break
            }
        }
        #expect(now >= due)
        #expect(now <= due + lateness)
        #expect(turns < 20)
        #expect(deadlines.earliest() == .distantFuture)
    }

    @Test func `one that moves away comes later, one that comes nearer sooner`() {
        var deadlines = Deadlines(now: start)
        deadlines.set(0, at: start + .seconds(1))
        deadlines.set(1, at: start + .seconds(60))
        deadlines.set(0, at: start + .seconds(30))
        deadlines.set(1, at: start + .seconds(2))
        #expect(expired(&deadlines, at: start + .seconds(3)) == [1])
        #expect(expired(&deadlines, at: start + .seconds(29)).isEmpty)
        #expect(expired(&deadlines, at: start + .seconds(31)) == [0])
    }

    @Test func `one that is cleared never comes`() {
        var deadlines = Deadlines(now: start)
        deadlines.set(3, at: start + .seconds(1))
        deadlines.clear(3)
        deadlines.clear(99)
        #expect(expired(&deadlines, at: start + .seconds(100)).isEmpty)
        #expect(deadlines.earliest() == .distantFuture)
    }

    @Test func `after a long sleep all come at once`() {
        var deadlines = Deadlines(now: start)
        for slot in 0..<1000 { deadlines.set(slot, at: start + .milliseconds(slot * 100)) }
        #expect(expired(&deadlines, at: start + .seconds(1000)) == Array(0..<1000))
    }

    @Test func `many that change at random come like a plain list of them says`() {
        var random = SystemRandomNumberGenerator()
        var deadlines = Deadlines(now: start)
        var plain: [Int: Instant] = [:]
        var now = start
        for _ in 0..<20_000 {
            let slot = Int.random(in: 0..<64, using: &random)
            if Int.random(in: 0..<8, using: &random) == 0 {
                deadlines.clear(slot)
                plain[slot] = nil
            } else {
                let due = now + .milliseconds(Int.random(in: 1...200_000, using: &random))
                deadlines.set(slot, at: due)
                plain[slot] = due
            }
            now = now + .milliseconds(Int.random(in: 0...300, using: &random))
            for slot in expired(&deadlines, at: now) {
                #expect(plain[slot].map { $0 <= now } == true)
                plain[slot] = nil
            }
            for due in plain.values { #expect(due + lateness > now) }
        }
    }
}
