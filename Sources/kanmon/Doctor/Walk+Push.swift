import Bytes
import Configuration
import Gateway
import Reactor
import TLS

/// What the gate decides about the sample.
extension Walk {
    /// How far the gate's clock may be from ours before that is worth a word, in seconds.
    private static let skewMax = 5

    private var configuration: Configuration { plan.snapshot.configuration }

    /// Pushes the sample, and finds that the gate has stored it.
    mutating func push() throws(WalkEnd) {
        var client = try enter()
        isPushed = true
        let answer: GateAnswer
        do throws(GateClient.Failure) {
            answer = try client.ask(request("POST"), until: .now() + plan.answerTime)
        } catch {
            throw unanswered(error)
        }
        compareClocks(answer)
        try judgeLogin(answer)
        try judgePush(answer)
    }

    func request(_ method: String) -> [UInt8] {
        plan.probe.request(method, host: plan.gate.authority, authorization: plan.authorization)
    }

    private mutating func unanswered(_ failure: GateClient.Failure) -> WalkEnd {
        if case .interrupted = failure { return .interrupted }
        // With TLS 1.3 a client hears only now that its certificate was missed (RFC 8446 section 4.4.2.4).
        if case .refused = failure, asksForCertificate {
            isPushed = false
            return .broken(.handshake, failure.sentence, remedy: certificateRemedy)
        }
        if case .proxied = failure {
            return .broken(.login, failure.sentence, remedy: Cloudflare.remedy)
        }
        return .broken(
            .login, "no answer: \(failure.sentence)", remedy: "look into the gate's log")
    }

    private mutating func compareClocks(_ answer: GateAnswer) {
        guard let date = answer.date else { return report.skip(.clock, "the gate does not tell") }
        let skew = date - WallClock.now().seconds
        guard skew.magnitude > Walk.skewMax.magnitude else {
            return report.pass(.clock, "the gate's agrees with this machine's")
        }
        report.warn(
            of: .clock,
            "the gate's is \(skew.magnitude) seconds \(skew > 0 ? "ahead of" : "behind") this "
                + "machine's; where clocks differ, times and ages mislead (timedatectl)")
    }

    private mutating func judgeLogin(_ answer: GateAnswer) throws(WalkEnd) {
        let said = "\(answer.status): \(answer.sentence)"
        switch (answer.status, answer.reason) {
        case (401, _):
            isPushed = false
            throw .broken(.login, said, remedy: loginRemedy)
        case (_, "logins_too_many"), (_, "login_queue_full"):
            isPushed = false
            throw .broken(
                .login, said, remedy: "wait a minute; who tries passwords is in the gate's log")
        case (200, _), (_, .some): report.pass(.login, plan.user)
        case (_, nil):
            isPushed = false
            throw .broken(
                .login, "what answers is no gate: \(said)",
                remedy: "see what listens on port \(plan.gate.port) there")
        }
    }

    /// What the users file says, as it is now.
    private var loginRemedy: String {
        let file = configuration.auth.usersFile.value
        if plan.snapshot.isPassword(plan.password, of: Array(plan.user.utf8)) {
            return "user and password are right by \(file) as it is now, so the gate has read an "
                + "older one: systemctl reload kanmon"
        }
        return "by \(file) this is no password of a user \"\(plan.user)\"; to set it: "
            + "kanmon passwd \(file.description.quotedForShell) \(plan.user.quotedForShell)"
    }

    private mutating func judgePush(_ answer: GateAnswer) throws(WalkEnd) {
        let said = "\(answer.status): \(answer.sentence)"
        guard answer.status != 200 else {
            return report.pass(.push, "\(answer.sentence), to {\(plan.probe.group)}")
        }
        if let reason = answer.reason, reason.hasPrefix("upstream_") {
            isPushed = reason != "upstream_unreachable"
            report.pass(.push, "let in, to {\(plan.probe.group)}")
            throw storeBroken(
                said, store.scrapeFailure(),
                remedy: "is the Pushgateway running, and is upstream.url its address? It is "
                    + "\(store.url)\(configuration.place(of: configuration.upstream.url))")
        }
        isPushed = false
        throw .broken(.push, said, remedy: pushRemedy(answer))
    }

    private func pushRemedy(_ answer: GateAnswer) -> String {
        guard answer.reason == "access_refused", let origin else {
            return "what the gate says; its log has more under the same request"
        }
        let push = Explanation.Push(
            user: plan.user, from: origin, method: "POST",
            target: String(decoding: plan.probe.path, as: UTF8.self))
        guard let step = Explanation(of: push, by: plan.snapshot).steps.last,
            step.mark == .refuses
        else {
            return "by this configuration the push is allowed, so the gate runs with an older one: "
                + "systemctl reload kanmon"
        }
        let places = step.places.isEmpty ? "" : " (\(step.places.joined(separator: ", ")))"
        return
            "\(step.name): \(step.text)\(places). Give the user this right, or name with --group "
            + "a group that is theirs, such as --group job=NAME"
    }
}

extension GateClient.Failure {
    /// For a person.
    var sentence: String {
        switch self {
        case .interrupted: "interrupted"
        case .unreachable(let error): error.description
        case .late: "no answer in time"
        case .ended(wordless: true): "closed without a byte"
        case .ended(wordless: false): "the connection was closed"
        case .refused(let error): error.description
        case .identityRefused(let error): "our own certificate cannot be used (\(error))"
        case .malformed: "what answers does not speak as a gate does"
        case .proxied: "Cloudflare answers in the gate's place"
        }
    }
}
