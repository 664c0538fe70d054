import Synchronization

/// What is known of the Pushgateway behind the gate, for any thread to read.
final class StoreState: Sendable {
    private let isScraped = Atomic<Bool>(true)
    private let trouble = Mutex<Trouble?>(nil)
    private let overwritten = Atomic<Int>(0)
    private let refused = Atomic<Int>(0)

    /// Why it cannot be scraped, and what would mend that.
    struct Trouble: Sendable, Equatable {
        let reason: String
        var findings: [Finding] = []
    }

    /// A group that is to blame.
    struct Finding: Sendable, Equatable {
        let group: String
        let sentence: String
        /// The command that mends it.
        let command: String
    }

    /// Whether it can be scraped, or that is not known yet: ready unless it failed twice in a row.
    var isReady: Bool { isScraped.load(ordering: .relaxed) }

    /// Nil while all is well.
    var currentTrouble: Trouble? { trouble.withLock { $0 } }

    func scrapeIsGood() {
        isScraped.store(true, ordering: .relaxed)
        trouble.withLock { $0 = nil }
    }

    func scrapeIsFailing(_ trouble: Trouble) {
        self.trouble.withLock { $0 = trouble }
        isScraped.store(false, ordering: .relaxed)
    }

    /// Samples with a label that it overwrote.
    var labelConflicts: Int { overwritten.load(ordering: .relaxed) }
    func countLabelConflicts(_ samples: Int) {
        overwritten.wrappingAdd(samples, ordering: .relaxed)
    }

    /// Pushes that it refused, each of which may have left an empty group there.
    var refusedPushes: Int { refused.load(ordering: .relaxed) }
    func countRefusedPush() { refused.wrappingAdd(1, ordering: .relaxed) }
}
