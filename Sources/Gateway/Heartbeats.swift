import Reactor
import Synchronization

/// When each worker's loop last turned, for whoever tells others that the gate is alive.
final class Heartbeats: Sendable {
    /// A loop that has not turned for so long is taken to hang.
    private static let patience = Interval.seconds(5)
    /// A loop that sleeps is woken after so long, only to show that it can be.
    private static let sleepMax = Interval.seconds(1)

    private let loops: [LoopHeart]

    private final class LoopHeart: Sendable {
        /// In nanoseconds; 0 before the first time.
        let turnedAt = Atomic<UInt64>(0)
        let askedAt = Atomic<UInt64>(0)
    }

    init(workers: Int) {
        loops = (0..<workers).map { _ in LoopHeart() }
    }

    /// A worker says so at the end of each turn; `now` is when the turn began.
    func beat(_ worker: Int, at now: Instant) {
        loops[worker].turnedAt.store(now.nanoseconds, ordering: .relaxed)
    }

    /// Has every loop turned within the last seconds? The only worker shares its loop with the control:
    /// whoever asks there is the proof.
    func areTurning(at now: Instant) -> Bool {
        if loops.count == 1 { return true }
        return loops.allSatisfy { loop in
            let turnedAt = loop.turnedAt.load(ordering: .relaxed)
            return turnedAt > 0
                && now.nanoseconds(since: Instant(nanoseconds: turnedAt))
                    < Heartbeats.patience.nanoseconds
        }
    }

    /// Whether this worker should be woken to show that it turns: once, until it has. One that hangs
    /// is not sent more and more letters.
    func mustAsk(_ worker: Int, at now: Instant) -> Bool {
        let loop = loops[worker]
        let turnedAt = loop.turnedAt.load(ordering: .relaxed)
        guard loop.askedAt.load(ordering: .relaxed) <= turnedAt,
            now.nanoseconds(since: Instant(nanoseconds: turnedAt))
                >= Heartbeats.sleepMax.nanoseconds
        else { return false }
        loop.askedAt.store(now.nanoseconds, ordering: .relaxed)
        return true
    }
}
