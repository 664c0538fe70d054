import Admission
package import Bytes
import Configuration
import HTTP

/// What the gate would decide about a push whose password is right, step by step, each with the line
/// that decides it.
///
/// The steps come in the order in which a push meets them, and each asks the code that decides about
/// real ones. What only a body, the Pushgateway or other pushes can tell is left open.
package struct Explanation: Sendable {
    /// All of them, or those up to the one that refuses.
    package let steps: [Step]
    /// The status and the words of the refusal, as log and client would have them. Nil when it would
    /// be let in.
    package let refusal: String?

    package struct Step: Sendable {
        /// What is asked.
        package let name: StaticString
        package let mark: Mark
        package let text: String
        /// `file:line:column`, or `file:line` of the users file; none for what nobody wrote down.
        package let places: [String]
    }

    package enum Mark: Sendable {
        case passes
        case refuses
        /// That depends on more than a request's head can tell.
        case depends
    }

    /// The push to explain; none of it needs to be well-formed.
    package struct Push: Sendable {
        package let user: String
        package let address: IPAddress
        package let method: String
        /// Percent-encoded, as it stands in the request line.
        package let target: String

        package init(user: String, from address: IPAddress, method: String, target: String) {
            (self.user, self.address, self.method, self.target) = (user, address, method, target)
        }
    }

    package init(of push: Push, by snapshot: Snapshot) {
        var passage = ExplainedPassage(push, snapshot)
        do throws(Refused) {
            try passage.walk()
            refusal = nil
        } catch {
            refusal = error.text
        }
        steps = passage.steps
    }
}

/// The push would go no further.
private struct Refused: Error {
    let text: String
}

/// The way of one push, as far as it would come.
private struct ExplainedPassage: ~Copyable {
    private let push: Explanation.Push
    private let snapshot: Snapshot
    private let configuration: Configuration
    private let user: [UInt8]
    private var method = HTTP.Method.other
    private var path: [UInt8] = []
    private var hasQuery = false
    private var key = GroupingKey()
    private(set) var steps: [Explanation.Step] = []

    /// What of a list or a name is shown.
    private static let entriesShownMax = 8
    private static let nameBytesMax = 512

    init(_ push: Explanation.Push, _ snapshot: Snapshot) {
        (self.push, self.snapshot) = (push, snapshot)
        configuration = snapshot.configuration
        user = Array(push.user.utf8)
    }

    mutating func walk() throws(Refused) {
        try admitAddress()
        guard try readHead() else { return }
        try findUser()
        try readKey()
        try askRules()
        if method != .delete {
            considerEmptyBody()
            nameConflicts()
        }
        listQuotas()
        if method != .delete { listLimits() }
        nameUpstream()
    }

    // MARK: Door and head

    private mutating func admitAddress() throws(Refused) {
        let address = push.address
        guard let index = snapshot.allowlist.entry(for: address) else {
            note(
                "address", .refuses, "\(address): allow lists only \(shown(configuration.allow))",
                at: configuration.allow.first?.position)
            throw Refused(
                text: "the connection is closed without a byte: the address is not in allow")
        }
        let entry = configuration.allow[index]
        note("address", .passes, "\(address): allow lists \(entry.value)", at: entry.position)
        guard let authorities = configuration.tls.clientAuthorityFile else { return }
        note(
            "certificate", .depends,
            "the client has to show one of an authority in \(authorities.value)",
            at: authorities.position)
    }

    /// False when it asks about our health, for which coming through the door is enough.
    private mutating func readHead() throws(Refused) -> Bool {
        let text = Array("\(push.method) \(push.target) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
        let head = try parse(text.span)
        (method, hasQuery) = (head.method, head.hasQuery)
        path = [UInt8](copying: text.span.extracting(head.path))
        switch Route(method, path.span) {
        case .notFound: throw refuse("request", .notFound, "no such path")
        case .methodNotAllowed(let allow):
            throw refuse("request", .methodNotAllowed(allow: allow), "this path takes \(allow)")
        case .health:
            note("request", .passes, "\(method.name) asks about health, without a login")
            return false
        case .push:
            let purpose = method == .delete ? "deletes a group" : "pushes to a group"
            note("request", .passes, "\(method.name) \(purpose)")
            return true
        }
    }

    private mutating func parse(_ bytes: Span<UInt8>) throws(Refused) -> RequestHead {
        var session = HTTP1Session()
        do throws(HeadError) {
            // A line break of the caller's own could leave it unfinished, or end it early.
            guard let head = try session.head(in: bytes, snapshot.limits),
                head.length == bytes.count
            else { throw .badRequestLine }
            return head
        } catch {
            throw refuse("request", .headRefused(error), "malformed")
        }
    }

    // MARK: User and group

    private mutating func findUser() throws(Refused) {
        let file = configuration.auth.usersFile
        let lines = snapshot.users.lines(of: user.span)
        guard !lines.isEmpty else {
            let name = String(decoding: escapedUser.span)
            throw refuse(
                "user", .credentialsWrong, "no line of \(file.value) is for \"\(name)\"",
                at: file.position)
        }
        let costs = lines.map { String($0.cost) }.joined(separator: " and ")
        let count = lines.count == 1 ? "one password" : "\(lines.count) passwords, each good"
        steps.append(
            Explanation.Step(
                name: "user", mark: .passes, text: "\(count), bcrypt of cost \(costs)",
                places: snapshot.users.lineNumbers(of: user.span).map { "\(file.value):\($0)" }))
    }

    private var escapedUser: ByteBuffer {
        var name = ByteBuffer()
        name.append(escaping: user.span, bytesMax: ExplainedPassage.nameBytesMax)
        return name
    }

    private mutating func readKey() throws(Refused) {
        let path = path
        do throws(GroupingKeyError) {
            try key.decode(path.span, labelsMax: snapshot.limits.pathLabelsMax)
        } catch {
            throw refuse("group", .groupingKeyRefused(error), "the path names none")
        }
        if hasQuery { throw refuse("group", .queryGiven, "the path has a query behind it") }
        var description = ByteBuffer()
        key.writeDescription(into: &description)
        note(
            "group", .passes, "\(String(decoding: description.span)), which is \(canonicalPath)")
    }

    // MARK: Rules

    private mutating func askRules() throws(Refused) {
        let decisions = snapshot.rights.access.steps(
            user.span, AccessRules.Method(method), key, from: push.address)
        for decision in decisions {
            let (name, text) = description(of: decision)
            if let refusal = decision.refusal {
                throw refuse(name, .accessRefused(refusal), text, at: decision.place?.position)
            }
            note(name, .passes, text, at: decision.place?.position)
        }
    }

    private func description(of decision: AccessRules.Decision) -> (StaticString, String) {
        switch decision.question {
        case .entry: ("rules", ruleText)
        case .address: ("from", addressText(decision))
        case .method: ("method", methodText(decision))
        case .group: ("pattern", patternText(decision))
        }
    }

    /// The entry as it is written: the one that the rules have found.
    private var rules: UserRules? {
        guard let place = snapshot.rights.access.entry(of: user.span)?.place else { return nil }
        return configuration.auth.users?.value.first { $0.name.position == place.position }
    }

    private var ruleText: String {
        guard configuration.auth.users != nil else {
            return "there is no auth.users, so every user may do everything"
        }
        guard let rules else { return "auth.users has no entry for this user, and none for \"*\"" }
        return rules.name.value == UserRules.everyone
            ? "no entry of this user's own, so that for \"*\"" : "this user's own entry"
    }

    private func addressText(_ decision: AccessRules.Decision) -> String {
        guard let allow = rules?.allow else { return "wherever the gate can be reached from" }
        guard decision.isAllowed else {
            return "\(push.address): allow lists only \(shown(allow))"
        }
        let entry = allow.first { $0.position == decision.place?.position }
        return "\(push.address): allow lists \(entry?.value ?? "it")"
    }

    private func methodText(_ decision: AccessRules.Decision) -> String {
        let methods = rules?.methods
        let list = (methods?.value ?? []).map(\.rawValue).joined(separator: ", ")
        let isLeftOut = methods?.position == Position.none
        return "\(method.name): methods \(isLeftOut ? "left out means" : "lists") \(list)"
    }

    private func patternText(_ decision: AccessRules.Decision) -> String {
        guard let groups = rules?.groups?.value else { return "every group" }
        guard decision.isAllowed else {
            return groups.isEmpty ? "groups lists none" : "none matches of \(shown(groups))"
        }
        let pattern = groups.first { $0.position == decision.place?.position }
        return pattern.map { $0.value.text } ?? ""
    }

    // MARK: What the body decides, and what it costs

    private mutating func considerEmptyBody() {
        guard method == .put else {
            return note(
                "no samples", .depends, "would be refused: \(text(of: .bodyEmpty))")
        }
        let decision = snapshot.rights.access.mayDelete(user.span)
        let outcome =
            decision.refusal.map { "would be refused: \(text(of: .accessRefused($0)))" }
            ?? "would delete what the group holds"
        note("no samples", .depends, outcome, at: decision.place?.position)
    }

    private mutating func nameConflicts() {
        let outcome =
            switch configuration.labelConflicts {
            case .refuse: "is refused"
            case .overwrite: "gets the path's value, and is counted"
            }
        note(
            "conflicts", .depends,
            "a label that contradicts the path \(outcome) (label_conflicts: "
                + "\(configuration.labelConflicts.rawValue))")
    }

    private mutating func listQuotas() {
        let quotas = rules?.quotas.texts ?? []
        // A deletion has no body, and makes no group.
        let counted = quotas.filter { method != .delete || $0.key == "pushes_per_minute" }
        for quota in counted {
            note(
                "quota", .depends, "\(quota.key): \(quota.value.value)", at: quota.value.position)
        }
        if counted.isEmpty { note("quota", .passes, "none for this user") }
    }

    private mutating func listLimits() {
        let keys = [
            "body_bytes_max", "series_max", "sample_labels_max", "label_value_bytes_max",
            "body_timeout",
        ]
        let texts = keys.compactMap { key in snapshot.limits.text(of: key).map { "\(key): \($0)" } }
        note("limits", .depends, texts.joined(separator: ", "))
    }

    private mutating func nameUpstream() {
        let url = configuration.upstream.url
        note(
            "forwarded", .depends, "\(method.name) \(url.value)\(canonicalPath)",
            at: url.position)
    }

    private var canonicalPath: String {
        var path = ByteBuffer()
        key.writePath(into: &path)
        return String(decoding: path.span)
    }

    // MARK: Writing it down

    private mutating func note(
        _ name: StaticString, _ mark: Explanation.Mark, _ text: String, at position: Position? = nil
    ) {
        var places: [String] = []
        if let position, position != .none {
            places = ["\(configuration.file):\(position.line):\(position.column)"]
        }
        steps.append(Explanation.Step(name: name, mark: mark, text: text, places: places))
    }

    private mutating func refuse(
        _ name: StaticString, _ refusal: Refusal, _ text: String, at position: Position? = nil
    ) -> Refused {
        note(name, .refuses, text, at: position)
        return Refused(text: self.text(of: refusal))
    }

    private func text(of refusal: Refusal) -> String {
        "\(refusal.status.code) \(refusal.word): \(refusal.sentence)"
    }

    private func shown(_ networks: [Located<String>]) -> String {
        shown(networks.map(\.value))
    }

    private func shown(_ patterns: [Located<UserRules.GroupPattern>]) -> String {
        shown(patterns.map { "\($0.value.text) in line \($0.line)" })
    }

    private func shown(_ entries: [String]) -> String {
        let first = entries.prefix(ExplainedPassage.entriesShownMax).joined(separator: ", ")
        let more = entries.count - ExplainedPassage.entriesShownMax
        return more > 0 ? "\(first) and \(more) more" : first
    }
}

extension AccessRules.Place {
    fileprivate var position: Position { Position(line: line, column: column) }
}

extension UserRules.GroupPattern {
    /// As it could be written in the file.
    fileprivate var text: String {
        "{\(labels.map { "\($0.name): \($0.pattern)" }.joined(separator: ", "))}"
    }
}
