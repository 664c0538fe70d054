/// A keyed digest (HMAC-SHA256) of user, stored hash and password, each framed by its length.
/// Made elsewhere; here it is only compared.
package struct Digest: Hashable, Sendable {
    package let words: (UInt64, UInt64, UInt64, UInt64)

    package init(_ first: UInt64, _ second: UInt64, _ third: UInt64, _ fourth: UInt64) {
        words = (first, second, third, fourth)
    }

    package static func == (left: Digest, right: Digest) -> Bool { left.words == right.words }

    package func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

/// Which credentials were verified of late, so that bcrypt runs once and not once a push.
///
/// Only successes are held. The stored hash is part of the digest, so an entry is of no use once
/// the user's line is gone or changed: a reload has nothing to clear.
///
/// Four places to a set, chosen by bits of the digest, which nobody without the key can steer; the
/// least recently used of a full set makes room. Nothing is allocated after `init`.
package struct VerifiedCache: ~Copyable {
    private var entries: [Entry]
    private let setMask: Int
    private let lifetimeNanoseconds: UInt64

    private struct Entry {
        var digest = Digest(0, 0, 0, 0)
        /// Both in nanoseconds of the caller's clock; an entry that ends at 0 was never used.
        var endsAt: UInt64 = 0
        var usedAt: UInt64 = 0
    }

    private static let placesPerSet = 4

    /// Room for at least `capacity` digests, 1 to 2^20, each trusted for `lifetimeSeconds`.
    package init(capacity: Int, lifetimeSeconds: Int) {
        precondition((1...1 << 20).contains(capacity) && lifetimeSeconds >= 0)
        var setCount = 1
        while setCount * VerifiedCache.placesPerSet < capacity { setCount *= 2 }
        entries = Array(repeating: Entry(), count: setCount * VerifiedCache.placesPerSet)
        setMask = setCount - 1
        lifetimeNanoseconds = UInt64(lifetimeSeconds).saturatingMultiply(by: 1_000_000_000)
    }

    /// Were these credentials verified, and not too long ago? `now` is in nanoseconds of a clock
    /// that never goes back.
    package mutating func contains(_ digest: Digest, now: UInt64) -> Bool {
        for index in places(of: digest)
        where entries[index].digest == digest && entries[index].endsAt > now {
            entries[index].usedAt = now
            return true
        }
        return false
    }

    /// Notes that these credentials were just verified.
    package mutating func insert(_ digest: Digest, now: UInt64) {
        let places = places(of: digest)
        var chosen = places.lowerBound
        for index in places {
            if entries[index].digest == digest {
                chosen = index
                break
            }
            if rank(of: index, now: now) < rank(of: chosen, now: now) { chosen = index }
        }
        entries[chosen] = Entry(
            digest: digest, endsAt: now.saturatingAdd(lifetimeNanoseconds), usedAt: now)
    }

    /// Forgets everything.
    package mutating func removeAll() {
        for index in entries.indices { entries[index] = Entry() }
    }

    /// The lower, the sooner a place is given away: what has ended first, then the longest unused.
    private func rank(of index: Int, now: UInt64) -> UInt64 {
        entries[index].endsAt <= now ? 0 : entries[index].usedAt.saturatingAdd(1)
    }

    private func places(of digest: Digest) -> Range<Int> {
        let set = Int(truncatingIfNeeded: digest.words.0) & setMask
        let start = set * VerifiedCache.placesPerSet
        return start..<start + VerifiedCache.placesPerSet
    }
}

extension UInt64 {
    internal func saturatingAdd(_ other: UInt64) -> UInt64 {
        let (sum, overflowed) = addingReportingOverflow(other)
        return overflowed ? .max : sum
    }

    internal func saturatingMultiply(by other: UInt64) -> UInt64 {
        let (product, overflowed) = multipliedReportingOverflow(by: other)
        return overflowed ? .max : product
    }
}
