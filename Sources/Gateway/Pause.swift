import Reactor

/// A moment in which nobody is let in, since descriptors have run out or the gate is full. Whoever knocks
/// meanwhile waits in the kernel.
struct Pause {
    /// When the door is tried again; `.distantFuture` when it is open.
    private(set) var end = Instant.distantFuture
    var isOn: Bool { end != .distantFuture }

    private var failuresInARow = 0
    private var tellAgainAt = Instant(nanoseconds: 0)
    private var untold = 0

    private static let length = Interval.milliseconds(100)
    /// A want that lasts makes ten pauses a second, and a line of the log now and then.
    private static let tellInterval = Interval.seconds(10)

    /// Begins, or goes on for as long again. Gives how many pauses there were since the last one that was
    /// told of, when this one is to be told.
    mutating func begin(at now: Instant) -> Int? {
        end = now + Pause.length
        failuresInARow = 0
        untold += 1
        guard now >= tellAgainAt else { return nil }
        tellAgainAt = now + Pause.tellInterval
        defer { untold = 0 }
        return untold
    }

    mutating func finish() { end = .distantFuture }

    /// Whether nobody can be let in after this. Most errors are the trouble of one connection, which is
    /// gone with them (accept(2)); a turn's worth of them in a row is everybody's, and would be told for ever.
    mutating func isNeeded(after error: Errno) -> Bool {
        failuresInARow += 1
        return error.isExhaustion || failuresInARow >= Listener.acceptsPerTurn
    }

    mutating func noteArrival() { failuresInARow = 0 }
}
