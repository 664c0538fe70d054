import Synchronization

/// What one user has used of his quotas. Several workers charge it at once.
internal final class QuotaAccount: Sendable {
    private let state = Mutex(State())

    private struct State {
        var pushes = Leak()
        var bytes = Leak()
        var groups: [UInt64: Group] = [:]
    }

    private struct Group {
        /// Pushes to it that are under way.
        var pending = 0
        /// When it was last known to exist; nil while nobody knows that it does.
        var seenAt: UInt64?

        var isOver: Bool { pending == 0 && seenAt == nil }
    }

    /// What one push was charged.
    internal struct Amounts: Sendable {
        fileprivate var pushes = Leak.Drop()
        fileprivate var bytes = Leak.Drop()
        /// Was the group reserved by this push?
        fileprivate var holdsGroup = false
    }

    /// More than a configuration can ask for; what is learned beyond it is not counted.
    private static let groupCountMax = 100_000

    internal init() {}

    internal var groupCount: Int { state.withLock { $0.groups.count } }

    /// Charges all or nothing.
    internal func charge(
        _ limits: Quotas.Limits, bytes: Int, group: UInt64?, for purpose: Quotas.Purpose,
        at now: UInt64
    ) -> Quotas.Verdict {
        state.withLock { state in
            var amounts = Amounts()
            if let limit = limits.pushesPerMinute {
                amounts.pushes = Leak.Drop(1, perMinute: limit.value)
                if let seconds = state.pushes.secondsUntil(amounts.pushes, fitsAt: now) {
                    return .exceeded(.pushes, retryAfterSeconds: seconds, by: limit.place)
                }
            }
            if let limit = limits.bytesPerMinute {
                guard bytes <= limit.value else {
                    return .exceeded(.bytes, retryAfterSeconds: nil, by: limit.place)
                }
                amounts.bytes = Leak.Drop(max(0, bytes), perMinute: limit.value)
                if let seconds = state.bytes.secondsUntil(amounts.bytes, fitsAt: now) {
                    return .exceeded(.bytes, retryAfterSeconds: seconds, by: limit.place)
                }
            }
            if let limit = limits.groupsMax, let group, purpose == .store {
                guard state.groups[group] != nil || state.groups.count < limit.value else {
                    return .exceeded(.groups, retryAfterSeconds: nil, by: limit.place)
                }
                state.groups[group, default: Group()].pending += 1
                amounts.holdsGroup = true
            }
            state.pushes.add(&amounts.pushes, at: now)
            state.bytes.add(&amounts.bytes, at: now)
            return .granted(Quotas.Charge(account: self, amounts: amounts, group: group))
        }
    }

    internal func settle(
        _ amounts: Amounts, group: UInt64?, as outcome: Quotas.Outcome, at now: UInt64
    ) {
        state.withLock { state in
            if outcome == .refused {
                state.pushes.giveBack(amounts.pushes, at: now)
                state.bytes.giveBack(amounts.bytes, at: now)
            }
            guard amounts.holdsGroup, let group, let index = state.groups.index(forKey: group)
            else { return }
            var entry = state.groups.values[index]
            entry.pending = max(0, entry.pending - 1)
            switch outcome {
            case .stored: entry.seenAt = max(entry.seenAt ?? 0, now)
            case .deleted: entry.seenAt = nil
            case .refused: break
            }
            if entry.isOver {
                state.groups.remove(at: index)
            } else {
                state.groups.values[index] = entry
            }
        }
    }

    /// Notes that the group still exists. False when it is not counted here.
    internal func refresh(_ group: UInt64, at now: UInt64) -> Bool {
        state.withLock { state in
            guard let index = state.groups.index(forKey: group) else { return false }
            let seenAt = state.groups.values[index].seenAt ?? 0
            state.groups.values[index].seenAt = max(seenAt, now)
            return true
        }
    }

    /// Counts a group that was there before.
    internal func learn(_ group: UInt64, at now: UInt64) {
        state.withLock { state in
            guard state.groups[group] != nil || state.groups.count < QuotaAccount.groupCountMax
            else { return }
            state.groups[group, default: Group()].seenAt = now
        }
    }

    /// Notes that the group does not exist any more. A push to it that is under way keeps its
    /// place.
    internal func remove(_ group: UInt64) {
        state.withLock { state in
            guard var entry = state.groups[group] else { return }
            entry.seenAt = nil
            state.groups[group] = entry.isOver ? nil : entry
        }
    }

    internal func forget(unseenSince moment: UInt64) {
        state.withLock { state in
            state.groups = state.groups.filter { _, group in
                group.pending > 0 || (group.seenAt ?? 0) >= moment
            }
        }
    }
}

/// A bucket that holds a minute's amount and drains evenly, as the moment at which it will be
/// empty. It holds time and not amounts, so a reload that changes the limit keeps its level.
private struct Leak {
    private var emptyAt: UInt64 = 0

    private static let second: UInt64 = 1_000_000_000
    private static let minute = 60 * second

    /// What one push adds.
    struct Drop: Sendable {
        /// How long it takes to drain, at most a minute.
        fileprivate var nanoseconds: UInt64 = 0
        /// When it will have drained, once it was added.
        fileprivate var drainedAt: UInt64 = 0

        init() {}

        /// `amount` is at most `limit`, which is at least 1. Rounded down for a whole push, so that
        /// as many fit as the limit says.
        init(_ amount: Int, perMinute limit: Int) {
            let share = UInt128(amount) * UInt128(Leak.minute) / UInt128(limit)
            nanoseconds = UInt64(truncatingIfNeeded: min(share, UInt128(Leak.minute)))
        }
    }

    /// Nil when the drop fits now; otherwise whole seconds until it does, at least 1.
    func secondsUntil(_ drop: Drop, fitsAt now: UInt64) -> Int? {
        let level = emptyAt > now ? emptyAt - now : 0
        let room = Leak.minute - drop.nanoseconds
        guard level > room else { return nil }
        let wait = min(level - room, Leak.minute)
        return Int((wait + Leak.second - 1) / Leak.second)
    }

    mutating func add(_ drop: inout Drop, at now: UInt64) {
        emptyAt = max(emptyAt, now).saturatingAdd(drop.nanoseconds)
        drop.drainedAt = emptyAt
    }

    /// Takes back what of the drop has not drained yet: drops drain in the order in which they
    /// came, so one that was given back late earns no credit for time that has passed anyway.
    mutating func giveBack(_ drop: Drop, at now: UInt64) {
        let rest = drop.drainedAt > now ? drop.drainedAt - now : 0
        let credit = min(drop.nanoseconds, rest)
        emptyAt = emptyAt > credit ? emptyAt - credit : 0
    }
}
