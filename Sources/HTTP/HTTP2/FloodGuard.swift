/// How often something may happen: so many times at once, and so many a second from then on.
package struct Allowance: Hashable, Sendable {
    package var burst: Int
    package var perSecond: Int

    package init(burst: Int, perSecond: Int) {
        precondition(burst > 0 && perSecond > 0)
        (self.burst, self.perSecond) = (burst, perSecond)
    }
}

/// Counts what a client does that is allowed once and an attack in thousands, and says when it is too
/// much: resets, errors that make us reset, frames that ask for nothing.
struct FloodGuard {
    /// Streams the client takes back: each has cost a head (CVE-2023-44487).
    private(set) var clientResets: Meter
    /// Streams we take back because of its errors: the same by another way (CVE-2025-8671).
    private(set) var serverResets: Meter
    /// Frames that carry no request: control frames, empty ones, those of unknown type or for a stream
    /// that is over.
    private(set) var glitches: Meter

    init(_ limits: HTTP2Limits) {
        clientResets = Meter(limits.clientResets)
        serverResets = Meter(limits.serverResets)
        glitches = Meter(limits.glitches)
    }

    /// Each counts one, and is false when that is one too many.
    mutating func admitsClientReset(at now: UInt64) -> Bool { clientResets.admits(at: now) }
    mutating func admitsServerReset(at now: UInt64) -> Bool { serverResets.admits(at: now) }
    mutating func admitsGlitch(at now: UInt64) -> Bool { glitches.admits(at: now) }

    /// A bucket that leaks, kept as the moment when it will be empty.
    struct Meter {
        private let spacing: UInt64
        private let depth: UInt64
        private var emptyAt: UInt64 = 0

        init(_ allowance: Allowance) {
            spacing = 1_000_000_000 / UInt64(allowance.perSecond)
            let (depth, isTooLarge) = spacing.multipliedReportingOverflow(
                by: UInt64(allowance.burst))
            self.depth = isTooLarge ? .max : depth
        }

        /// - Parameter now: nanoseconds on a clock that never goes back.
        mutating func admits(at now: UInt64) -> Bool {
            let (end, isTooLate) = max(emptyAt, now).addingReportingOverflow(spacing)
            guard !isTooLate, end &- now <= depth else { return false }
            emptyAt = end
            return true
        }
    }
}
