import Glibc

/// A moment on the clock that never jumps (CLOCK_MONOTONIC). Every deadline is one.
package struct Instant: Comparable, Sendable {
    /// Nanoseconds since some fixed moment before this process began.
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static func now() -> Instant {
        Instant(nanoseconds: nanosecondsOn(CLOCK_MONOTONIC))
    }

    /// So far away that nothing waits for it.
    package static let distantFuture = Instant(nanoseconds: .max)

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    package static func + (instant: Instant, interval: Interval) -> Instant {
        let (sum, overflowed) = instant.nanoseconds.addingReportingOverflow(interval.nanoseconds)
        return overflowed ? .distantFuture : Instant(nanoseconds: sum)
    }

    /// How long ago `earlier` was, in nanoseconds; 0 when it lies ahead.
    package func nanoseconds(since earlier: Instant) -> UInt64 {
        nanoseconds > earlier.nanoseconds ? nanoseconds - earlier.nanoseconds : 0
    }
}

/// How long something may take. The standard library's `Duration` counts in attoseconds and divides
/// 128 bits by 64 to say its nanoseconds; a loop adds these all day.
package struct Interval: Comparable, Sendable {
    package let nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Nothing negative; what does not fit is the longest there is.
    package init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0 else {
            self.init(nanoseconds: 0)
            return
        }
        let (product, overflowed) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflowedAgain) = product.addingReportingOverflow(
            UInt64(attoseconds) / 1_000_000_000)
        self.init(nanoseconds: overflowed || overflowedAgain ? .max : sum)
    }

    package static func seconds(_ count: Int) -> Interval { Interval(.seconds(count)) }
    package static func milliseconds(_ count: Int) -> Interval { Interval(.milliseconds(count)) }

    package static func < (left: Interval, right: Interval) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}

/// The time of day, for people: logs, `Date`. It may jump; no decision depends on it.
package struct WallClock: Equatable, Sendable {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    package let milliseconds: UInt64

    package init(milliseconds: UInt64) { self.milliseconds = milliseconds }

    package static func now() -> WallClock {
        WallClock(milliseconds: nanosecondsOn(CLOCK_REALTIME) / 1_000_000)
    }

    package var seconds: Int { Int(milliseconds / 1000) }
}

/// What a thread has cost so far. To ask is a system call, unlike the time.
package enum ProcessorTime {
    package static func ofThisThread() -> Instant {
        Instant(nanoseconds: nanosecondsOn(CLOCK_THREAD_CPUTIME_ID))
    }
}

private func nanosecondsOn(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    // Fails only for a clock that does not exist (clock_gettime(2)).
    _ = unsafe clock_gettime(clock, &time)
    return UInt64(max(time.tv_sec, 0)) &* 1_000_000_000 &+ UInt64(max(time.tv_nsec, 0))
}
