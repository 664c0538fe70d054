import Bytes
import Configuration
package import Reactor

/// What a check found.
package enum Finding: Equatable, Sendable {
    case good
    /// With the sentence's rest: what is wrong with the target.
    case bad(String)
    /// What it goes through fails, so that it would only take time.
    case pointless
}

/// Looking at what is to be checked: everything at once, so that a run takes as long as the slowest.
package struct Look {
    let manager: Plan.UnitManager
    let pushScript: String

    package init(manager: Plan.UnitManager, pushScript: String) {
        (self.manager, self.pushScript) = (manager, pushScript)
    }

    /// The findings in the order of the checks, by name; none takes longer than `patience`. A push is the
    /// last, and not made where something that it comes after fails.
    package func findings(
        of checks: [Check], within patience: Interval
    ) -> [(check: Check, finding: Finding)] {
        let isPush = { (check: Check) in if case .push = check.target { true } else { false } }
        let others = checks.filter { !isPush($0) }
        let first = zip(others, look(at: others, within: patience)).map { ($0, $1) }
        let failing = first.filter { $0.1 != .good }.map(\.0.name)
        let pushes = checks.filter(isPush)
        let due = pushes.filter { !$0.after.contains(where: failing.contains) }
        let last = zip(due, look(at: due, within: patience)).map { ($0, $1) }
        let found = Dictionary((first + last).map { ($0.0.name, $0.1) }) { $1 }
        return checks.map { ($0, found[$0.name] ?? .pointless) }
    }

    private func look(at checks: [Check], within patience: Interval) -> [Finding] {
        let deadline = Instant.now() + patience
        let errands = checks.map { errand(for: $0, timeout: min($0.timeout, patience)) }
        var reports = Errand.run(errands.compactMap(\.self))[...]
        return zip(checks, errands).map { check, errand in
            if case .port(let address) = check.target {
                let left = Interval(nanoseconds: deadline.nanoseconds(since: .now()))
                return portFinding(address, within: min(check.timeout, left))
            }
            guard errand != nil, let report = reports.popFirst() else {
                return .bad("was not looked at")
            }
            return finding(of: check, report)
        }
    }

    private func portFinding(_ address: ListenAddress, within patience: Interval) -> Finding {
        let fault = PortProbe.fault(
            at: address.localAddress, port: address.port, within: patience)
        return fault.map { .bad("port \(address) is not listening: \($0)") } ?? .good
    }

    private func errand(for check: Check, timeout: Interval) -> Errand? {
        switch check.target {
        case .port: return nil
        case .unit(let unit):
            return Systemctl(manager).errand("is-active", [unit], timeout: timeout)
        case .command(let words):
            return Errand(words[0], Array(words.dropFirst()), timeout: timeout)
        case .push(let settings):
            var errand = Errand(pushScript, ["--env", settings], timeout: timeout)
            let seconds = max(1, timeout.milliseconds / 1000 - 1)
            errand.environment += [
                "PUSH_SPLAY_SECONDS=0", "PUSH_TOTAL_SECONDS=\(min(50, seconds))",
            ]
            return errand
        case .http(let url, let method, let authorityFile):
            var curl = Curl(url, timeout: timeout)
            if method == "HEAD" { curl.set("head") } else { curl.set("request", method) }
            if let authorityFile { curl.set("cacert", authorityFile) }
            let isRead = check.expectation.contains != nil || check.expectation.equals != nil
            if !isRead { curl.set("output", "/dev/null") }
            curl.set("write-out", "%{stderr}%{http_code}")
            return curl.errand(outputBytesMax: 4 << 20)
        }
    }

    private func finding(of check: Check, _ report: Errand.Report) -> Finding {
        switch check.target {
        case .port: return .bad("was not looked at")
        case .unit(let unit):
            let state = String(decoding: report.output, as: UTF8.self).excerpt
            if ["active", "reloading"].contains(state) { return .good }
            return .bad("\(unit) is \(state.isEmpty ? "unknown: \(report.end)" : state)")
        case .command(let words): return finding(of: words[0], check.expectation, report)
        case .push: return finding(of: "the push", check.expectation, report)
        case .http(let url, _, _):
            if let fault = Curl.fault(of: report) { return .bad("\(url): \(fault)") }
            let status = String(decoding: report.errors, as: UTF8.self)
            guard check.expectation.statuses.contains(where: { String($0) == status }) else {
                let expected = check.expectation.statuses.map(String.init).joined(separator: " or ")
                return .bad("\(url) answers \(status) and not \(expected)")
            }
            return check.expectation.fault(in: report.output)
                .map { .bad("\(url): the answer \($0)") } ?? .good
        }
    }

    private func finding(
        of program: String, _ expectation: Check.Expectation, _ report: Errand.Report
    ) -> Finding {
        guard report.isSuccess else {
            let words = report.errors.isEmpty ? report.output : report.errors
            let said = String(decoding: words, as: UTF8.self).excerpt
            return .bad("\(program) \(report.end)\(said.isEmpty ? "" : ": \(said)")")
        }
        return expectation.fault(in: report.output)
            .map { .bad("\(program): the output \($0)") } ?? .good
    }
}

/// Orders to systemd, for the machine's units or the user's own.
struct Systemctl {
    private let options: [String]

    init(_ manager: Plan.UnitManager) {
        options = (manager == .user ? ["--user"] : []) + ["--no-ask-password"]
    }

    func errand(_ verb: String, _ units: [String], timeout: Interval) -> Errand {
        Errand("systemctl", options + [verb] + units, timeout: timeout)
    }
}
