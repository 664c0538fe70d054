import Reactor
import Testing

@testable import Gateway

@Suite struct HeartbeatsTests {
    private func second(_ count: UInt64) -> Instant {
        Instant(nanoseconds: count * 1_000_000_000)
    }

    @Test func `all turn only when the last of them does`() {
        let heartbeats = Heartbeats(workers: 2)
        heartbeats.beat(0, at: second(100))
        #expect(!heartbeats.areTurning(at: second(100)))
        heartbeats.beat(1, at: second(101))
        #expect(heartbeats.areTurning(at: second(104)))
        #expect(!heartbeats.areTurning(at: second(105)))
        heartbeats.beat(0, at: second(105))
        #expect(heartbeats.areTurning(at: second(105)))
        #expect(!heartbeats.areTurning(at: second(107)))
    }

    @Test func `a loop that sleeps is asked once, and again when it has turned`() {
        let heartbeats = Heartbeats(workers: 2)
        heartbeats.beat(1, at: second(100))
        #expect(heartbeats.mustAsk(0, at: second(100)))
        #expect(!heartbeats.mustAsk(1, at: second(100)))
        #expect(heartbeats.mustAsk(1, at: second(101)))
        // It hangs: it has its letter already.
        #expect(!heartbeats.mustAsk(1, at: second(200)))
        heartbeats.beat(1, at: second(201))
        #expect(!heartbeats.mustAsk(1, at: second(201)))
        #expect(heartbeats.mustAsk(1, at: second(203)))
    }

    @Test func `the only loop is alive when it asks`() {
        #expect(Heartbeats(workers: 1).areTurning(at: second(1)))
    }
}
