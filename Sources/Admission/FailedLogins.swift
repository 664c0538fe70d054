package import Bytes

/// Counts wrong passwords, so that guessing becomes slow without locking anybody out.
///
/// Two counts: of an address with a user, and of an address with all users together. A stranger
/// elsewhere who fails on purpose therefore never touches the owner's count. Who is over a limit
/// is not refused here; the caller sends him down the slow lane.
///
/// Each count is a bucket that holds a minute's failures and leaks evenly. The tables are bounded;
/// when one is full, the count closest to empty goes. Nothing is allocated after `init`.
package struct FailedLogins: ~Copyable {
    private var byUser: LeakTable
    private var byAddress: LeakTable
    /// Nobody outside can know which names or addresses share a place.
    private let seed = UInt64.random(in: .min ... .max)

    /// How many failures a minute are let pass at full speed.
    package struct Limits: Sendable, Equatable {
        package var perUser: Int
        package var perAddress: Int

        /// Both at least 1; what is below counts as 1.
        package init(perUser: Int = 10, perAddress: Int = 60) {
            (self.perUser, self.perAddress) = (perUser, perAddress)
        }
    }

    /// `capacity` is of each table and is rounded up to a power of two, at most 2^20.
    package init(limits: Limits, capacity: Int = 16_384) {
        byUser = LeakTable(capacity: capacity, perMinute: limits.perUser)
        byAddress = LeakTable(capacity: capacity, perMinute: limits.perAddress)
    }

    /// What stands for a user in the calls below, whether he exists or not.
    package func userHash(_ user: Span<UInt8>) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(seed)
        unsafe user.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// Notes one failure. `now` is in nanoseconds of a clock that never goes back.
    package mutating func record(_ address: IPAddress, userHash: UInt64, now: UInt64) {
        byUser.add(to: key(address, userHash), now: now)
        byAddress.add(to: key(address, nil), now: now)
    }

    /// Has this address failed too often of late, with this user or altogether?
    package func isOverLimit(_ address: IPAddress, userHash: UInt64, now: UInt64) -> Bool {
        byUser.isFull(key(address, userHash), now: now)
            || byAddress.isFull(key(address, nil), now: now)
    }

    private func key(_ address: IPAddress, _ userHash: UInt64?) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(seed)
        hasher.combine(address.countedNetwork)
        hasher.combine(userHash)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}

/// Leaky buckets of one size, each no more than the moment at which it will be empty: a drop adds
/// a fixed time to that, and a bucket is full when the next drop would put it over a minute away.
private struct LeakTable: ~Copyable {
    private var buckets: [Bucket]
    private let setMask: Int
    private let nanosecondsPerDrop: UInt64

    private struct Bucket {
        var key: UInt64 = 0
        var emptyAt: UInt64 = 0
    }

    private static let placesPerSet = 8
    private static let minute: UInt64 = 60_000_000_000

    init(capacity: Int, perMinute limit: Int) {
        precondition((1...1 << 20).contains(capacity))
        var setCount = 1
        while setCount * LeakTable.placesPerSet < capacity { setCount *= 2 }
        buckets = Array(repeating: Bucket(), count: setCount * LeakTable.placesPerSet)
        setMask = setCount - 1
        nanosecondsPerDrop = LeakTable.minute / UInt64(max(1, limit))
    }

    func isFull(_ key: UInt64, now: UInt64) -> Bool {
        for index in places(of: key) where buckets[index].key == key {
            let rest = buckets[index].emptyAt.saturatingSubtract(now)
            return rest > LeakTable.minute - nanosecondsPerDrop
        }
        return false
    }

    mutating func add(to key: UInt64, now: UInt64) {
        let places = places(of: key)
        var chosen = places.lowerBound
        for index in places {
            if buckets[index].key == key {
                chosen = index
                break
            }
            if buckets[index].emptyAt < buckets[chosen].emptyAt { chosen = index }
        }
        if buckets[chosen].key != key { buckets[chosen] = Bucket(key: key) }
        // No bucket holds more than it can: whoever stops failing is free a minute later.
        let emptyAt = max(buckets[chosen].emptyAt, now).saturatingAdd(nanosecondsPerDrop)
        buckets[chosen].emptyAt = min(emptyAt, now.saturatingAdd(LeakTable.minute))
    }

    private func places(of key: UInt64) -> Range<Int> {
        let start = (Int(truncatingIfNeeded: key) & setMask) * LeakTable.placesPerSet
        return start..<start + LeakTable.placesPerSet
    }
}

extension UInt64 {
    fileprivate func saturatingSubtract(_ other: UInt64) -> UInt64 {
        self > other ? self - other : 0
    }
}
