import Configuration
import Reactor
import Synchronization

/// How the last reading of the configuration went, for any thread to tell.
final class ReloadState: Sendable {
    struct Report: Sendable {
        /// A start is a reading, too, and a gate that runs has had a good one.
        var lastSuccess: WallClock
        /// When the last one failed, if it did.
        var lastFailure: WallClock?
        /// What was wrong with it; at most `problemsMax`.
        var problems: [Problem] = []

        var isLastSuccessful: Bool { lastFailure == nil }
    }

    static let problemsMax = 100

    private let state = Mutex(Report(lastSuccess: .now()))

    var report: Report { state.withLock { $0 } }

    func succeed() { state.withLock { $0 = Report(lastSuccess: .now()) } }

    func fail(with problems: [Problem]) {
        state.withLock { report in
            report.lastFailure = .now()
            report.problems = Array(problems.prefix(ReloadState.problemsMax))
        }
    }
}
