import Reactor

/// Whether deadlines count right now.
///
/// A loop that could not turn for a while, since the process was stopped or starved of processors, finds
/// deadlines passed that nobody could keep: what was sent in time lies unread in the kernel. Until
/// everybody has had a moment to be read and answered, no deadline counts.
struct Patience {
    /// When deadlines count again.
    private(set) var end = Instant(nanoseconds: 0)
    /// A machine that is always late must not keep everybody for ever: deadlines count between any two
    /// moments of patience.
    private var mayBegin = true

    /// How much later than it should a loop may turn without being thought of as stopped.
    private static let latenessMax = Interval.milliseconds(250)
    /// Enough for a round trip to the other end of the world and back, several times.
    private static let length = Interval.seconds(2)

    /// Says that the loop turns at `now`, and was to turn at `due` at the latest.
    mutating func note(turn now: Instant, due: Instant) {
        guard mayBegin, now > due + Patience.latenessMax else { return }
        end = now + Patience.length
        mayBegin = false
    }

    /// True while no deadline counts.
    mutating func lasts(at now: Instant) -> Bool {
        if now < end { return true }
        mayBegin = true
        return false
    }
}
