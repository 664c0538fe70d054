import Configuration
import Reactor

/// What the gate has counted and what it remembers of it, for whoever asks. Any thread may read.
final class Metrics: Sendable {
    /// One for each worker, by its index.
    let tallies: [Tally]
    let jobs: PushedJobs
    let refusals = RecentRefusals()
    let startedAt = WallClock.now()

    init(workers: Int, for configuration: Configuration) {
        tallies = (0..<workers).map { _ in Tally() }
        jobs = PushedJobs(for: configuration)
    }

    /// A figure of all workers together.
    func sum(_ figure: (Tally) -> Int) -> Int { tallies.reduce(0) { $0 &+ figure($1) } }
}
