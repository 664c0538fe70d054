import Bytes

/// How much each user may push, counted for the whole process.
///
/// Pushes and bytes leak: a user may have a minute's amount outstanding, and what he has used
/// drains evenly, so after a pause he may send a minute's amount at once and then as fast as it
/// drains. Groups are counted as they exist; at a restart, and whenever somebody else changes
/// them, the count is put right by what the Pushgateway shows (`learn`, `forget`).
///
/// A value of this type belongs to one configuration and never changes; the accounts in it are
/// shared with those before and after it, so a reload keeps what is counted. Every call may come
/// from any thread. Only users with a quota have an account, so all is bounded by the users file.
package struct Quotas: Sendable {
    /// Sorted by user, byte by byte.
    private let seats: [Seat]
    /// Whether anybody has a bound on groups, so that it matters what the Pushgateway holds.
    package let countsGroups: Bool
    /// Nobody outside can know which groups would share a number.
    private let seed: UInt64

    private struct Seat: Sendable {
        let holder: Holder
        let account: QuotaAccount
    }

    /// One bound and where it is written.
    package struct Limit: Sendable, Equatable {
        /// At least 1.
        package let value: Int
        package let place: AccessRules.Place

        package init(_ value: Int, at place: AccessRules.Place) {
            (self.value, self.place) = (max(1, value), place)
        }
    }

    /// The bounds of one user; what is nil is not bounded.
    package struct Limits: Sendable, Equatable {
        package let pushesPerMinute: Limit?
        package let bytesPerMinute: Limit?
        /// Distinct groups that exist at once, at most 100,000.
        package let groupsMax: Limit?
        /// Series of one push, which the validator counts.
        package let seriesMax: Limit?

        package init(
            pushesPerMinute: Limit? = nil, bytesPerMinute: Limit? = nil, groupsMax: Limit? = nil,
            seriesMax: Limit? = nil
        ) {
            (self.pushesPerMinute, self.bytesPerMinute) = (pushesPerMinute, bytesPerMinute)
            (self.groupsMax, self.seriesMax) = (groupsMax, seriesMax)
        }

        internal var needsAccount: Bool {
            pushesPerMinute != nil || bytesPerMinute != nil || groupsMax != nil
        }
    }

    /// A user with quotas.
    package struct Holder: Sendable {
        package let user: [UInt8]
        package let limits: Limits

        package init(user: [UInt8], limits: Limits) { (self.user, self.limits) = (user, limits) }
    }

    package enum Kind: Sendable, Equatable { case pushes, bytes, groups }

    /// What a push is about to do to its group.
    package enum Purpose: Sendable { case store, delete }

    package enum Verdict: Sendable {
        /// It is charged; tell `settle` how it ended, once.
        case granted(Charge)
        /// Nothing is charged. After `retryAfterSeconds` the same push would pass, if nothing else
        /// is pushed meanwhile; nil when waiting does not help: a push larger than a minute's
        /// bytes, or a group more than there may be, until one is deleted.
        case exceeded(Kind, retryAfterSeconds: Int?, by: AccessRules.Place)
    }

    /// How a push ended.
    package enum Outcome: Sendable, Equatable {
        /// The group exists now, or may exist.
        case stored
        /// The group does not exist any more.
        case deleted
        /// The Pushgateway has heard nothing of it.
        case refused
    }

    /// What a granted push was charged.
    package struct Charge: Sendable {
        internal let account: QuotaAccount?
        internal let amounts: QuotaAccount.Amounts
        /// Nil when no account counts groups.
        internal let group: UInt64?
    }

    /// No quotas at all.
    package init() { self.init([]) }

    /// Of two holders with one name the first counts. `previous` are the quotas in force until
    /// now: users who remain keep what is counted for them.
    package init(_ holders: [Holder], keeping previous: Quotas? = nil) {
        seed = previous?.seed ?? UInt64.random(in: .min ... .max)
        countsGroups = holders.contains { $0.limits.groupsMax != nil }
        var seats: [Seat] = []
        for (_, holder) in holders.enumerated().sorted(by: Holder.comesFirst) {
            if let last = seats.last, last.holder.user == holder.user { continue }
            let place = previous?.place(of: holder.user.span)
            let account = place.flatMap { previous?.seats[$0].account } ?? QuotaAccount()
            seats.append(Seat(holder: holder, account: account))
        }
        self.seats = seats
    }

    /// May this user, who has logged in and may push to this group, push so many bytes now? When
    /// he may, it is charged in the same step.
    /// - Parameters:
    ///   - bytes: of the body, as it goes upstream; 0 for a DELETE.
    ///   - now: nanoseconds of a clock that never goes back.
    package func check(
        _ user: Span<UInt8>, _ key: borrowing GroupingKey, for purpose: Purpose, bytes: Int,
        at now: UInt64
    ) -> Verdict {
        let group = countsGroups ? key.number(seed: seed) : nil
        guard let place = place(of: user) else {
            return .granted(Charge(account: nil, amounts: QuotaAccount.Amounts(), group: group))
        }
        return seats[place].account.charge(
            seats[place].holder.limits, bytes: bytes, group: group, for: purpose, at: now)
    }

    /// Says how a granted push ended: one that was refused is given back, as far as it has not
    /// drained anyway.
    package func settle(_ charge: Charge, as outcome: Outcome, at now: UInt64) {
        charge.account?.settle(charge.amounts, group: charge.group, as: outcome, at: now)
        guard outcome == .deleted, let group = charge.group else { return }
        // Whoever else counted the group has it no longer either.
        for seat in seats where seat.holder.limits.groupsMax != nil { seat.account.remove(group) }
    }

    /// How many groups are counted for a user now, those of pushes under way included.
    package func groupCount(of user: Span<UInt8>) -> Int {
        place(of: user).map { seats[$0].account.groupCount } ?? 0
    }

    private func place(of user: Span<UInt8>) -> Int? {
        var (lower, upper) = (0, seats.count)
        while lower < upper {
            let middle = (lower + upper) / 2
            let name = seats[middle].holder.user
            let order = name.span.order(against: user)
            if order == 0 { return middle }
            if order < 0 { lower = middle + 1 } else { upper = middle }
        }
        return nil
    }
}

// MARK: - What the Pushgateway shows

extension Quotas {
    /// Notes a group that the Pushgateway holds. Whoever counts it already goes on doing so. When
    /// nobody does, as after a restart, it counts for the one user whose patterns name it; where
    /// several could have pushed it, for none until one of them pushes it again, since a quota that
    /// somebody else has used up would stop the wrong one.
    ///
    /// Linear in users and patterns, so not for a thread that others wait for.
    package func learn(_ key: borrowing GroupingKey, under rules: AccessRules, at now: UInt64) {
        guard countsGroups else { return }
        let group = key.number(seed: seed)
        var isCounted = false
        for seat in seats where seat.holder.limits.groupsMax != nil {
            isCounted = seat.account.refresh(group, at: now) || isCounted
        }
        guard !isCounted, let user = rules.soleOwner(of: key)?.user,
            let place = place(of: user.span), seats[place].holder.limits.groupsMax != nil
        else { return }
        seats[place].account.learn(group, at: now)
    }

    /// Forgets the groups that were neither learned nor stored since the given moment, except
    /// those of pushes under way. To be called after everything that the Pushgateway holds was
    /// learned, with the moment at which it was asked.
    package func forget(unseenSince moment: UInt64) {
        for seat in seats { seat.account.forget(unseenSince: moment) }
    }
}

extension Quotas.Holder {
    fileprivate static func comesFirst(
        _ left: (offset: Int, element: Self), _ right: (offset: Int, element: Self)
    ) -> Bool {
        if left.element.user == right.element.user { return left.offset < right.offset }
        return left.element.user.lexicographicallyPrecedes(right.element.user)
    }
}

extension GroupingKey {
    /// One number for a group, whatever form its path had: a keyed hash (SipHash) of job and
    /// labels, each framed by its length.
    internal func number(seed: UInt64) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(seed)
        withJob { $0.feed(&hasher) }
        for index in 0..<labelCount {
            withLabel(at: index) { name, value in
                name.feed(&hasher)
                value.feed(&hasher)
            }
        }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }
}

extension Span<UInt8> {
    /// Eight bytes at a time, the count first.
    fileprivate func feed(_ hasher: inout Hasher) {
        hasher.combine(count)
        var word: UInt64 = 0
        for index in indices {
            word = word << 8 | UInt64(self[index])
            if index & 7 == 7 { hasher.combine(word) }
        }
        if count & 7 != 0 { hasher.combine(word) }
    }
}
