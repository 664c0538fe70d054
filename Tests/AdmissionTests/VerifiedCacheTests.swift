import Admission
import Testing

@Suite struct VerifiedCacheTests {
    private let second: UInt64 = 1_000_000_000

    @Test func `what was verified is known until its time is over`() {
        var cache = VerifiedCache(capacity: 16, lifetimeSeconds: 60)
        let digest = Digest(1, 2, 3, 4)
        let atFirst = cache.contains(digest, now: 5)
        cache.insert(digest, now: 5)
        let answers = [5, 6, 5 + 60 * second - 1, 5 + 60 * second, .max].map {
            cache.contains(digest, now: $0)
        }
        #expect(!atFirst)
        #expect(answers == [true, true, true, false, false])
    }

    @Test func `being used does not prolong the time, being verified does`() {
        var cache = VerifiedCache(capacity: 16, lifetimeSeconds: 60)
        let digest = Digest(1, 2, 3, 4)
        cache.insert(digest, now: 0)
        let isUsed = cache.contains(digest, now: 59 * second)
        let isOver = !cache.contains(digest, now: 60 * second)
        #expect(isUsed && isOver)
        cache.insert(digest, now: 60 * second)
        cache.insert(digest, now: 90 * second)
        let isProlonged = cache.contains(digest, now: 149 * second)
        #expect(isProlonged)
    }

    @Test(arguments: [
        Digest(0, 2, 3, 4), Digest(1, 0, 3, 4), Digest(1, 2, 0, 4), Digest(1, 2, 3, 0),
        Digest(0, 0, 0, 0), Digest(1 | 1 << 63, 2, 3, 4),
    ])
    func `one bit of difference is another credential`(other: Digest) {
        var cache = VerifiedCache(capacity: 16, lifetimeSeconds: 60)
        cache.insert(Digest(1, 2, 3, 4), now: 1)
        let isKnown = cache.contains(other, now: 1)
        #expect(!isKnown)
    }

    @Test func `an empty place is nobody's, even for the digest of zeros at time zero`() {
        var cache = VerifiedCache(capacity: 1, lifetimeSeconds: 0)
        let isKnown = cache.contains(Digest(0, 0, 0, 0), now: 0)
        cache.insert(Digest(0, 0, 0, 0), now: 0)
        let isKnownAfter = cache.contains(Digest(0, 0, 0, 0), now: 0)
        #expect(!isKnown && !isKnownAfter)
    }

    @Test func `the least recently used of a full set makes room`() {
        var cache = VerifiedCache(capacity: 4, lifetimeSeconds: 60)
        let digests = (0..<5).map { Digest(0, 0, 0, UInt64($0)) }
        for (time, digest) in digests.prefix(4).enumerated() {
            cache.insert(digest, now: UInt64(time))
        }
        let isFirstUsed = cache.contains(digests[0], now: 10)
        cache.insert(digests[4], now: 11)
        let known = digests.map { cache.contains($0, now: 12) }
        #expect(isFirstUsed)
        #expect(known == [true, false, true, true, true])
    }

    @Test func `what has ended makes room before what is valid`() {
        var cache = VerifiedCache(capacity: 4, lifetimeSeconds: 10)
        let digests = (0..<5).map { Digest(0, 0, 0, UInt64($0)) }
        cache.insert(digests[0], now: 0)
        for digest in digests[1...3] { cache.insert(digest, now: 5 * second) }
        let isUsedLast = cache.contains(digests[0], now: 9 * second)
        cache.insert(digests[4], now: 11 * second)
        let known = digests.map { cache.contains($0, now: 12 * second) }
        #expect(isUsedLast)
        #expect(known == [false, true, true, true, true])
    }

    @Test func `a full cache holds as many as it was made for and answers for no other`() {
        var cache = VerifiedCache(capacity: 1000, lifetimeSeconds: 60)
        var random = SplitMix(state: 7)
        let digests = (0..<50_000).map { _ in
            Digest(random.next(), random.next(), random.next(), random.next())
        }
        for digest in digests { cache.insert(digest, now: 1) }
        let knownCount = digests.count { cache.contains($0, now: 1) }
        #expect(knownCount > 900 && knownCount <= 1024)
    }

    @Test func `forgetting leaves nothing`() {
        var cache = VerifiedCache(capacity: 4, lifetimeSeconds: 60)
        cache.insert(Digest(1, 2, 3, 4), now: 1)
        cache.removeAll()
        let isKnown = cache.contains(Digest(1, 2, 3, 4), now: 1)
        #expect(!isKnown)
    }

    @Test func `a clock at its end and a lifetime without end do not overflow`() {
        var cache = VerifiedCache(capacity: 4, lifetimeSeconds: .max)
        cache.insert(Digest(1, 2, 3, 4), now: .max - 1)
        let isKnown = cache.contains(Digest(1, 2, 3, 4), now: .max - 1)
        #expect(isKnown)
    }
}
