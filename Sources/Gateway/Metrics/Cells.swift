import Synchronization

/// Counts that one thread raises and any other may read. Nothing locks, and nothing waits: a reader
/// sees each count as it was a moment ago.
struct Cells<let room: Int>: ~Copyable, Sendable {
    private let cells: InlineArray<room, Atomic<Int>>

    init() { cells = InlineArray { _ in Atomic(0) } }

    /// Only for the thread that these belong to: with one writer, nobody comes between load and store.
    func add(_ amount: Int = 1, at index: Int) {
        let sum = cells[index].load(ordering: .relaxed) &+ amount
        cells[index].store(sum, ordering: .relaxed)
    }

    subscript(index: Int) -> Int { cells[index].load(ordering: .relaxed) }
}

/// How long something took, counted by bounds from a millisecond to ten seconds.
struct Histogram: ~Copyable, Sendable {
    /// In nanoseconds, each with the bound as Prometheus reads it.
    static let bounds: [(nanoseconds: UInt64, text: StaticString)] = [
        (1_000_000, "0.001"), (2_500_000, "0.0025"), (5_000_000, "0.005"), (10_000_000, "0.01"),
        (25_000_000, "0.025"), (50_000_000, "0.05"), (100_000_000, "0.1"), (250_000_000, "0.25"),
        (500_000_000, "0.5"), (1_000_000_000, "1"), (2_500_000_000, "2.5"), (5_000_000_000, "5"),
        (10_000_000_000, "10"),
    ]

    /// One for each bound, what is beyond the last one, and the sum in nanoseconds.
    private let cells = Cells<15>()
    private static let sumIndex = 14
    /// Places for counts: the bounds, and what lies beyond.
    static let places = 0..<sumIndex

    func observe(nanoseconds: UInt64) {
        let beyond = Histogram.bounds.count
        cells.add(at: Histogram.bounds.firstIndex { nanoseconds <= $0.nanoseconds } ?? beyond)
        cells.add(Int(clamping: nanoseconds), at: Histogram.sumIndex)
    }

    /// How many fell between the bound before and the one of this place.
    func count(at place: Int) -> Int { cells[place] }
    var sumOfNanoseconds: Int { cells[Histogram.sumIndex] }
}
