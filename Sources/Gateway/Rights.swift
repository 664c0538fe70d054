import Admission
import Configuration

/// What the users of a snapshot may do, and how much: `auth.users`, made ready to be asked.
struct Rights: Sendable {
    let access: AccessRules
    let quotas: Quotas
    /// Nobody has a quota.
    let areUnlimited: Bool

    /// - Parameters:
    ///   - users: who can log in at all.
    ///   - previous: what was counted until now, which goes on.
    ///   - complain: is told, with the place, what makes a rule useless or is wrong with it.
    init(
        _ configuration: Configuration, users: UserFile, allowlist: Allowlist,
        keeping previous: Quotas?, _ complain: (Problem.Severity, Position, String) -> Void
    ) {
        access = AccessRules(configuration.auth.users, allowlist: allowlist, complain)
        quotas = Quotas(access.accountHolders(in: users), keeping: previous)
        areUnlimited = configuration.auth.users == nil
        let strangers = access.strangers(in: users)
        for place in strangers.withoutPassword {
            let position = Position(line: place.line, column: place.column)
            complain(
                .warning, position,
                "auth.users: this user has no line in the users file, so nobody can log in as him; "
                    + "to add one: kanmon passwd FILE USER")
        }
        guard let rules = configuration.auth.users, !strangers.withoutEntry.isEmpty else { return }
        complain(
            .warning, rules.position,
            "auth.users: \(strangers.withoutEntry.count) of the users file have no entry here, so "
                + "they can log in and do nothing; give them one, or write an entry \"*\"")
    }
}

extension AccessRules {
    fileprivate init(
        _ users: Located<[UserRules]>?, allowlist: Allowlist,
        _ complain: (Problem.Severity, Position, String) -> Void
    ) {
        guard let users else {
            self.init()
            return
        }
        var entries: [Entry] = []
        var everyone: Entry?
        for rules in users.value {
            let entry = Entry(rules, allowlist: allowlist, complain)
            if rules.name.value == UserRules.everyone {
                everyone = entry
            } else {
                entries.append(entry)
            }
        }
        self.init(entries, everyone: everyone, place: Place(users.position))
    }
}

extension AccessRules.Place {
    fileprivate init(_ position: Position) {
        self.init(line: position.line, column: position.column)
    }
}

extension AccessRules.Entry {
    fileprivate convenience init(
        _ rules: UserRules, allowlist: Allowlist,
        _ complain: (Problem.Severity, Position, String) -> Void
    ) {
        let place = AccessRules.Place(rules.name.position)
        // A rule that is not written down has the place of the entry.
        let methodsPosition = rules.methods.line > 0 ? rules.methods.position : rules.name.position
        self.init(
            user: Array(rules.name.value.utf8), place: place,
            methods: (
                rules.methods.value.map(AccessRules.Method.init), AccessRules.Place(methodsPosition)
            ),
            addresses: rules.allow.map { networks(in: $0, allowlist: allowlist, complain) },
            groups: rules.groups.map { groups in
                (
                    groups.value.map { (GroupPattern($0.value), AccessRules.Place($0.position)) },
                    AccessRules.Place(groups.position)
                )
            },
            limits: Quotas.Limits(rules.quotas))
    }
}

/// The networks as they are written. What is none of them is an error; what of them the gate's own list
/// leaves out can never come to anything.
private func networks(
    in allow: [Located<String>], allowlist: Allowlist,
    _ complain: (Problem.Severity, Position, String) -> Void
) -> [(range: AddressRange, place: AccessRules.Place)] {
    var networks: [(range: AddressRange, place: AccessRules.Place)] = []
    for entry in allow {
        let text = entry.value.prefix(60)
        do throws(AddressRangeError) {
            let range = try AddressRange(parsing: entry.value)
            networks.append((range, AccessRules.Place(entry.position)))
            guard !allowlist.covers(range) else { continue }
            complain(
                .warning, entry.position,
                "allow: not all of \"\(text)\" is in the gate's own allow list, and what is not "
                    + "cannot connect at all")
        } catch {
            complain(.error, entry.position, "allow: \"\(text)\" \(error.sentence)")
        }
    }
    return networks
}

extension GroupPattern {
    fileprivate init(_ pattern: UserRules.GroupPattern) {
        self.init(pattern.labels.map { (Array($0.name.utf8), Array($0.pattern.utf8)) })
    }
}

extension AccessRules.Method {
    fileprivate init(_ method: PushMethod) {
        switch method {
        case .post: self = .post
        case .put: self = .put
        case .delete: self = .delete
        }
    }
}

extension Quotas.Limits {
    fileprivate init(_ quotas: UserRules.Quotas) {
        self.init(
            pushesPerMinute: Quotas.Limit(quotas.pushesPerMinute),
            bytesPerMinute: Quotas.Limit(quotas.bytesPerMinute),
            groupsMax: Quotas.Limit(quotas.groupsMax), seriesMax: Quotas.Limit(quotas.seriesMax))
    }
}

extension Quotas.Limit {
    fileprivate init?(_ limit: Located<Int>?) {
        guard let limit else { return nil }
        self.init(limit.value, at: AccessRules.Place(limit.position))
    }
}
