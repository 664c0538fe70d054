import Synchronization

/// What is known of the Pushgateway behind the gate, for any thread to read.
final class StoreState: Sendable {
    private let isScraped = Atomic<Bool>(true)
    private let overwritten = Atomic<Int>(0)
    private let refused = Atomic<Int>(0)

    /// Whether it can be scraped, or that is not known yet: ready unless it failed twice in a row.
    var isReady: Bool {
        get { isScraped.load(ordering: .relaxed) }
        set { isScraped.store(newValue, ordering: .relaxed) }
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
