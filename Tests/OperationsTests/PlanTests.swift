import Configuration
import Testing

@testable import Operations

@Suite struct PlanTests {
    static let head = "state_dir: /s\nlog_file: /l\n"

    private func problems(_ text: String) -> [String] {
        let reading = Plan.read(Array((Self.head + text).utf8), named: "w.yml")
        #expect((reading.value == nil) == !reading.problems.isEmpty)
        return reading.problems.map(\.description)
    }

    @Test func `a small plan has the usual bounds`() throws {
        let text = Self.head + "checks: {gate: {unit: kanmon.service}}"
        let plan = try #require(Plan.read(Array(text.utf8), named: "w.yml").value)
        #expect(plan.bounds.restartsMax == 3)
        #expect(plan.bounds.restartsWithin.text == "10m")
        #expect(plan.bounds.pauses.map(\.text) == ["0s", "10s", "30s"])
        #expect(plan.checks.map(\.journal) == [["kanmon.service"]])
    }

    /// One line each, and what has to be complained about.
    static let faults: [(String, String)] = [
        ("", "checks is missing"),
        ("checks: {}", "has no check"),
        ("checks: {a: {unit: x}}", "\"x\" is no unit"),
        ("checks: {a: {unit: \"-x.service\"}}", "is no unit"),
        ("checks: {a: {unit: \"a b.service\"}}", "is no unit"),
        ("checks: {\"a b\": {unit: a.service}}", "is no name"),
        ("checks: {a: {unit: a.service, unit: b.service}}", "is given twice"),
        ("checks: {a: {unit: a.service}, a: {unit: b.service}}", "is given twice"),
        ("checks: {a: {http: \"https://u:p@h/\"}}", "holds a login"),
        ("checks: {a: {http: \"file:///etc/shadow\"}}", "is no URL"),
        ("checks: {a: {http: \"http://h/\", status: 99}}", "is no status"),
        ("checks: {a: {http: \"http://h/\", stauts: 200}}", "did you mean \"status\"?"),
        ("checks: {a: {port: nine}}", "checks.a.port"),
        ("checks: {a: {command: []}}", "is an empty list"),
        ("checks: {a: {unit: a.service, after: a}}", "is no check that stands above"),
        ("checks: {a: {unit: a.service, repair: restart a.service}}", "may_restart does not name"),
        ("checks: {a: {unit: a.service, repair: reboot}}", "is no repair"),
        ("checks: {a: {unit: a.service, hold_after: 0}}", "out of bounds"),
        ("checks: {a: {unit: a.service}}\nmay_restart: {b.service: [c]}", "there is not: c"),
        ("checks: {a: {unit: a.service}}\nkick: {actions: [reboot]}", "is none of check, resume"),
        (
            "checks: {a: {unit: a.service}}\nkick: {actions: [\"restart:a.service\"]}",
            "may_restart does not name"
        ),
        ("checks: {a: {unit: a.service}}\nkick: {}", "kick.token_file is missing"),
        ("checks: {a: {unit: a.service}}\nnotify: {line: {to: x}}", "line.token_file is missing"),
        (
            "checks: {a: {unit: a.service}}\n"
                + "notify: {line: {token_file: t, to: x, url: \"http://line.example/\"}}",
            "in the clear"
        ),
        ("checks: {a: {unit: a.service}}\nlimits: {pauses: 10}", "has no unit; write 10s"),
        ("checks: {a: {unit: a.service}}\nunits: mine", "is none of system, user"),
        ("checks: [a]", "has to be a section"),
    ]

    @Test(arguments: faults.indices)
    func `what is wrong is told`(row: Int) {
        let (text, expected) = Self.faults[row]
        let found = problems(text)
        #expect(found.contains { $0.contains(expected) }, "\(found)")
    }

    @Test func `a login in a URL is not repeated by the complaint`() {
        #expect(
            !problems("checks: {a: {http: \"https://u:hunter2@h/\"}}").joined().contains("hunter2"))
    }

    @Test func `a plan that is cut anywhere is read or complained about, and nothing else`() {
        let text = Array(
            """
            state_dir: /s
            log_file: /l
            may_restart: {a.service: [a]}
            checks: {a: {unit: a.service, repair: [restart a.service, run /x y]}}
            notify: {discord: {webhook_file: w}, line: {token_file: t, to: u}}
            """.utf8)
        for length in 0...text.count { _ = Plan.read(Array(text[..<length]), named: "w.yml") }
    }
}

@Suite struct KickRequestTests {
    let token = Array("a-token-of-sixteen".utf8)

    private func verdict(
        _ action: String, token sent: String = "a-token-of-sixteen", secondsAgo: Int = 0
    ) -> KickRequest.Verdict {
        let request = KickRequest(
            action: action, source: "s", token: Array(sent.utf8),
            at: 1_000_000_000 - secondsAgo * 1000)
        return request.verdict(
            token: token, allowed: [.check, .restart(unit: "a.service")], at: 1_000_000_000)
    }

    @Test func `the right token may ask for what is listed`() {
        #expect(verdict("check") == .accepted(.check))
        #expect(verdict("restart:a.service") == .accepted(.restart(unit: "a.service")))
        #expect(verdict("restart:b.service") == .refused("not in kick.actions"))
        #expect(verdict("snapshot") == .refused("not in kick.actions"))
        #expect(verdict("") == .refused("unknown action"))
    }

    @Test(arguments: [
        "", "a", "a-token-of-sixteeN", "a-token-of-sixteen2",
        "a-token-of-sixteena-token-of-sixteen",
    ])
    func `another token may nothing, not even learn what there is`(wrong: String) {
        #expect(verdict("check", token: wrong) == .refused("wrong token"))
        #expect(verdict("nonsense", token: wrong) == .refused("wrong token"))
    }

    @Test func `what waited for over ten minutes is not done any more`() {
        #expect(verdict("check", secondsAgo: 599) == .accepted(.check))
        #expect(verdict("check", secondsAgo: 601) == .refused("too old"))
        #expect(verdict("check", secondsAgo: -601) == .refused("too old"))
    }

    @Test func `without a token of its own the watchdog does nothing for anybody`() {
        let request = KickRequest(action: "check", source: "s", token: [], at: 0)
        #expect(request.verdict(token: nil, allowed: [.check], at: 0) == .refused("wrong token"))
        #expect(request.verdict(token: [], allowed: [.check], at: 0) == .refused("wrong token"))
    }
}
