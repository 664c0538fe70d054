package import Bytes

/// What a user may do to a group once his password was right.
///
/// Without rules every user may do everything; with them a user without an entry may do nothing,
/// unless there is an entry for everyone else. A user's own entry stands alone: nothing is added to
/// it from that for everyone.
///
/// Rules are made once and never change. A question allocates nothing; its time is linear in the
/// lengths of the grouping key and of the entry's patterns.
package struct AccessRules: Sendable {
    /// Sorted by user, byte by byte.
    private let entries: [Entry]
    private let everyone: Entry?
    /// Where the rules begin; nil when there are none.
    private let place: Place?

    /// Where a rule is written: line and column in the configuration, from 1.
    package struct Place: Sendable, Hashable {
        package let line: Int
        package let column: Int

        package init(line: Int, column: Int) { (self.line, self.column) = (line, column) }
    }

    /// What can be done to a group. A PUT whose body proves empty is also a `delete`.
    package enum Method: Sendable, CaseIterable { case post, put, delete }

    /// One step on the way to an answer, in the order in which they are taken.
    package enum Question: Sendable, CaseIterable { case entry, address, method, group }

    /// The answer, and the rule that gave it.
    package struct Decision: Sendable, Equatable {
        /// The step that decided: the one refused, or the last.
        package let question: Question
        /// Nil when it is allowed.
        package let refusal: AccessRefusal?
        /// The rule that decided; nil when there are no rules.
        package let place: Place?

        package var isAllowed: Bool { refusal == nil }
    }

    /// No rules: every user may do everything.
    package init() { (entries, everyone, place) = ([], nil, nil) }

    /// `everyone` is for users without an entry of their own; `place` is where the rules begin. Of
    /// two entries for one user the first counts.
    package init(_ entries: [Entry], everyone: Entry? = nil, place: Place) {
        var sorted: [Entry] = []
        for (_, entry) in entries.enumerated().sorted(by: Entry.comesFirst) {
            if let last = sorted.last, last.user == entry.user { continue }
            sorted.append(entry)
        }
        (self.entries, self.everyone, self.place) = (sorted, everyone, place)
    }

    /// May `user`, who has logged in, do this to the group from this address?
    package func decide(
        _ user: Span<UInt8>, _ method: Method, _ key: borrowing GroupingKey, from address: IPAddress
    ) -> Decision {
        walk(user, method, key, from: address) { _ in }
    }

    /// May he delete groups? To be asked when the body of a PUT, already allowed by `decide`,
    /// proves to hold no sample.
    package func mayDelete(_ user: Span<UInt8>) -> Decision {
        guard place != nil else { return allowed(.method, by: nil) }
        guard let entry = entry(of: user) else { return refused(.entry, .noEntry, by: place) }
        return entry.decide(.delete)
    }

    /// The same as `decide`, step by step, for a person to read: all that was allowed, up to the
    /// last or to the one refusal.
    package func steps(
        _ user: Span<UInt8>, _ method: Method, _ key: borrowing GroupingKey, from address: IPAddress
    ) -> [Decision] {
        var steps: [Decision] = []
        _ = walk(user, method, key, from: address) { steps.append($0) }
        return steps
    }

    /// The rule for this user: his own, or that for everyone. Nil when there is none.
    package func entry(of user: Span<UInt8>) -> Entry? {
        var (lower, upper) = (0, entries.count)
        while lower < upper {
            let middle = (lower + upper) / 2
            let name = entries[middle].user
            let order = name.span.order(against: user)
            if order == 0 { return entries[middle] }
            if order < 0 { lower = middle + 1 } else { upper = middle }
        }
        return everyone
    }

    private func walk(
        _ user: Span<UInt8>, _ method: Method, _ key: borrowing GroupingKey,
        from address: IPAddress, _ visit: (Decision) -> Void
    ) -> Decision {
        guard let place else {
            let decision = allowed(.entry, by: nil)
            visit(decision)
            return decision
        }
        guard let entry = entry(of: user) else {
            let decision = refused(.entry, .noEntry, by: place)
            visit(decision)
            return decision
        }
        visit(allowed(.entry, by: entry.place))
        let byAddress = entry.decide(address)
        visit(byAddress)
        guard byAddress.isAllowed else { return byAddress }
        let byMethod = entry.decide(method)
        visit(byMethod)
        guard byMethod.isAllowed else { return byMethod }
        let byGroup = entry.decide(key)
        visit(byGroup)
        return byGroup
    }
}

extension AccessRules {
    /// Who appears only on one side.
    ///
    /// `withoutPassword` are places of entries whose user is not in the file, so that nobody can
    /// use them; `withoutEntry` are users who can log in and then do nothing. Both in order; both
    /// worth a warning.
    package func strangers(
        in file: UserFile
    ) -> (withoutPassword: [Place], withoutEntry: [[UInt8]]) {
        guard place != nil else { return ([], []) }
        let withoutPassword = entries.filter { entry in
            let user = entry.user
            return file.lines(of: user.span).isEmpty
        }.map(\.place)
        let withoutEntry = file.names.filter { entry(of: $0.span) == nil }
        return (
            withoutPassword.sorted { ($0.line, $0.column) < ($1.line, $1.column) }, withoutEntry
        )
    }

    /// The accounts that these rules ask for: every user of the file who has a quota.
    package func accountHolders(in file: UserFile) -> [Quotas.Holder] {
        file.names.compactMap { user in
            guard let entry = entry(of: user.span), entry.limits.needsAccount else { return nil }
            return Quotas.Holder(user: user, limits: entry.limits)
        }
    }
}

extension AccessRules {
    /// The entry whose patterns name the group, when no other's do and it is one user's.
    internal func soleOwner(of key: borrowing GroupingKey) -> Entry? {
        if let everyone, everyone.names(key) { return nil }
        var owner: Entry?
        for entry in entries where entry.names(key) {
            guard owner == nil else { return nil }
            owner = entry
        }
        return owner
    }
}

private func allowed(
    _ question: AccessRules.Question, by place: AccessRules.Place?
) -> AccessRules.Decision {
    AccessRules.Decision(question: question, refusal: nil, place: place)
}

private func refused(
    _ question: AccessRules.Question, _ refusal: AccessRefusal, by place: AccessRules.Place?
) -> AccessRules.Decision {
    AccessRules.Decision(question: question, refusal: refusal, place: place)
}

// MARK: - Entries

extension AccessRules {
    /// What one user may do. A class so that finding it copies one reference; it never changes.
    package final class Entry: Sendable {
        package let user: [UInt8]
        package let place: Place
        package let limits: Quotas.Limits
        private let methods: (post: Bool, put: Bool, delete: Bool)
        private let methodsPlace: Place
        /// Nil when every address that may connect is good.
        private let addresses: (list: Allowlist, places: [Place], place: Place)?
        /// Nil when every group is his.
        private let groups: (patterns: [(pattern: GroupPattern, place: Place)], place: Place)?

        /// Each rule comes with its place; one that is nil does not narrow anything.
        /// - Parameters:
        ///   - methods: POST and PUT when nil.
        ///   - addresses: narrower than the gate's own list; an empty list admits nobody.
        ///   - groups: one of them has to match; an empty list means no group.
        package init(
            user: [UInt8], place: Place, methods: (list: [Method], place: Place)? = nil,
            addresses: [(range: AddressRange, place: Place)]? = nil,
            groups: (patterns: [(pattern: GroupPattern, place: Place)], place: Place)? = nil,
            limits: Quotas.Limits = Quotas.Limits()
        ) {
            (self.user, self.place, self.limits) = (user, place, limits)
            let list = methods?.list ?? [.post, .put]
            self.methods = (list.contains(.post), list.contains(.put), list.contains(.delete))
            methodsPlace = methods?.place ?? place
            self.addresses = addresses.map { addresses in
                let places = addresses.map(\.place)
                return (Allowlist(addresses.map(\.range)), places, places.first ?? place)
            }
            self.groups = groups
        }

        fileprivate func decide(_ address: IPAddress) -> Decision {
            guard let addresses else { return allowed(.address, by: place) }
            guard let index = addresses.list.entry(for: address) else {
                return refused(.address, .addressNotListed, by: addresses.place)
            }
            return allowed(.address, by: addresses.places[index])
        }

        fileprivate func decide(_ method: Method) -> Decision {
            let isGiven =
                switch method {
                case .post: methods.post
                case .put: methods.put
                case .delete: methods.delete
                }
            guard isGiven else {
                let refusal: AccessRefusal = method == .delete ? .deleteNotGiven : .methodNotGiven
                return refused(.method, refusal, by: methodsPlace)
            }
            return allowed(.method, by: methodsPlace)
        }

        fileprivate func decide(_ key: borrowing GroupingKey) -> Decision {
            guard let groups else { return allowed(.group, by: place) }
            for index in groups.patterns.indices where groups.patterns[index].pattern.matches(key) {
                return allowed(.group, by: groups.patterns[index].place)
            }
            return refused(.group, .groupNotGiven, by: groups.place)
        }

        /// Is the group one that the patterns speak of? Not when every group is.
        fileprivate func names(_ key: borrowing GroupingKey) -> Bool {
            groups != nil && decide(key).isAllowed
        }

        fileprivate static func comesFirst(
            _ left: (offset: Int, element: Entry), _ right: (offset: Int, element: Entry)
        ) -> Bool {
            if left.element.user == right.element.user { return left.offset < right.offset }
            return left.element.user.lexicographicallyPrecedes(right.element.user)
        }
    }
}

/// Why a user may not do what he asked for. To each belongs the status 403.
package enum AccessRefusal: Error, Sendable, Equatable, CaseIterable {
    case noEntry
    case addressNotListed
    case methodNotGiven
    case deleteNotGiven
    case groupNotGiven

    /// What to tell the client.
    package var sentence: StaticString {
        switch self {
        case .noEntry: "this user has no entry under auth.users, so nothing is allowed to it"
        case .addressNotListed: "this user may not push from this address"
        case .methodNotGiven: "this user may not use this method"
        case .deleteNotGiven:
            "this user may not delete groups, which is also what a PUT without samples does"
        case .groupNotGiven:
            "this user may not push to this group: no pattern under groups matches its labels"
        }
    }
}
