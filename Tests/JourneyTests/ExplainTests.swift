import Foundation
import Testing

/// `kanmon explain`: what it says of a push is what the gate does with it.
@Suite struct ExplainTests {
    let folder = TemporaryFolder()

    /// In the form in which the places of the steps are easy to point at.
    private static let rules = """
        auth:
          users_file: htpasswd
          users:
            prom:
              groups:
                - {job: "xserver-*"}
                - {job: db, instance: "replica-*"}
              limits: {pushes_per_minute: 60, bytes_per_minute: 8MiB, series_max: 2000}
            ops: {methods: [POST, PUT, DELETE], groups: [{job: "*"}]}
            far: {allow: [127.0.0.9, 192.0.2.0/24]}
            locked: {groups: []}
        """

    /// - Parameter auth: the section `auth` of the configuration.
    @discardableResult
    private func prepare(_ auth: String = Self.rules, settings: String = "") throws -> String {
        try CertificateKey.ecdsa.writeCertificate(to: folder)
        folder.write(
            "htpasswd", "# who pushes\n" + AccessTests.users("prom", "ops", "far", "locked", "new"))
        return folder.write(
            "kanmon.yml",
            """
            listen: "127.0.0.1:0"
            allow: [10.0.0.0/8, 127.0.0.0/8, "2001:db8::/32"]
            tls: {cert_file: tls.crt, key_file: tls.key}
            upstream: {url: "http://127.0.0.1:9091/under"}
            \(auth)
            \(settings)
            """)
    }

    private func explain(
        _ method: String, _ path: String, user: String = "prom", from address: String = "127.0.0.1"
    ) throws -> (status: Int32, lines: [String]) {
        let result = try run(
            Programs.kanmon,
            [
                "explain", "--config", folder.path + "/kanmon.yml", "--user", user, "--from",
                address, method, path,
            ])
        #expect(result.errors == "")
        return (result.status, result.output.split(separator: "\n").map(String.init))
    }

    /// Where a piece of the configuration stands, as a step names it.
    private func place(of text: String) throws -> String {
        let file = folder.path + "/kanmon.yml"
        let lines = try String(contentsOfFile: file, encoding: .utf8).components(separatedBy: "\n")
        let index = try #require(lines.firstIndex { $0.contains(text) })
        let column = try #require(lines[index].range(of: text)).lowerBound
        let distance = lines[index].distance(from: lines[index].startIndex, to: column)
        return "(\(file):\(index + 1):\(distance + 1))"
    }

    // MARK: What it says

    @Test
    func `a push that would be let in is explained to the Pushgateway, each step with its line`()
        throws
    {
        try prepare()
        let (status, lines) = try explain(
            "PUT", "/metrics/job@base64/eHNlcnZlci1ib3Q/b/%31/a/x%20y")
        #expect(status == 0)
        let file = folder.path
        let expected = try [
            "ok  address     127.0.0.1: allow lists 127.0.0.0/8 \(place(of: "127.0.0.0/8"))",
            "ok  request     PUT pushes to a group",
            "ok  user        one password, bcrypt of cost 4 (\(file)/htpasswd:2)",
            "ok  group       job=xserver-bot,a=x y,b=1, "
                + "which is /metrics/job/xserver-bot/a/x%20y/b/1",
            "ok  rules       this user's own entry \(place(of: "prom:"))",
            "ok  from        wherever the gate can be reached from \(place(of: "prom:"))",
            "ok  method      PUT: methods left out means POST, PUT \(place(of: "prom:"))",
            "ok  pattern     {job: xserver-*} \(place(of: "{job: \"xserver-*\"}"))",
            "--  no samples  would be refused: 403 access_refused: this user may not delete groups, "
                + "which is also what a PUT without samples does \(place(of: "prom:"))",
            "--  conflicts   a label that contradicts the path is refused (label_conflicts: refuse)",
            "--  quota       pushes_per_minute: 60 \(place(of: "60,"))",
            "--  quota       bytes_per_minute: 8MiB \(place(of: "8MiB"))",
            "--  quota       series_max: 2000 \(place(of: "2000}"))",
            "--  limits      body_bytes_max: 4MiB, series_max: 50000, sample_labels_max: 64, "
                + "label_value_bytes_max: 2KiB, body_timeout: 30s",
            "--  forwarded   PUT http://127.0.0.1:9091/under/metrics/job/xserver-bot/a/x%20y/b/1 "
                + "\(place(of: "\"http:"))",
            "allowed",
        ]
        #expect(lines == expected)
    }

    struct Refusal: CustomTestStringConvertible, Sendable {
        var user = "prom"
        var address = "127.0.0.1"
        var method = "POST"
        let path: String
        /// What the step that refuses says; what of the configuration it points at; the last line.
        let step, place, end: String
        var testDescription: String { "\(user) from \(address): \(method) \(path)" }
    }

    static let refusals: [Refusal] = [
        Refusal(
            address: "192.0.2.1", path: "/metrics/job/xserver-bot",
            step: "address  192.0.2.1: allow lists only 10.0.0.0/8, 127.0.0.0/8, 2001:db8::/32",
            place: "10.0.0.0/8",
            end: "the connection is closed without a byte: the address is not in allow"),
        Refusal(
            path: "/metrics", step: "no such path", place: "", end: "404 not_found: nothing is"),
        Refusal(
            method: "GET", path: "/metrics/job/xserver-bot", step: "takes DELETE, POST, PUT",
            place: "", end: "405 method_not_allowed: this method does nothing here"),
        Refusal(
            method: "post", path: "/metrics/job/xserver-bot", step: "takes", place: "", end: "405 "),
        Refusal(
            path: "/metrics/job/a b", step: "malformed", place: "", end: "400 head_malformed: "),
        Refusal(path: "/metrics/job/日", step: "malformed", place: "", end: "400 head_malformed: "),
        Refusal(
            path: "/metrics/job/" + String(repeating: "x", count: 5000), step: "malformed",
            place: "", end: "414 head_malformed: the request target is too long"),
        Refusal(
            user: "nobody", path: "/metrics/job/xserver-bot", step: "is for \"nobody\"",
            place: "htpasswd", end: "401 wrong_credentials: user name or password is wrong"),
        Refusal(
            user: "\u{1B}[31m\"", path: "/metrics/job/xserver-bot",
            step: "is for \"\\u001b[31m\\\"\"", place: "htpasswd", end: "401 "),
        Refusal(
            path: "/metrics/job/xserver-bot/a/1/a/2", step: "the path names none", place: "",
            end: "400 grouping_key_malformed: a label is given twice"),
        Refusal(
            path: "/metrics/job/xserver-bot?x=1", step: "a query", place: "",
            end: "400 query_given: "),
        Refusal(
            user: "new", path: "/metrics/job/xserver-bot", step: "no entry for this user",
            place: "users:", end: "403 access_refused: this user has no entry under auth.users"),
        Refusal(
            user: "far", path: "/metrics/job/xserver-bot",
            step: "from     127.0.0.1: allow lists only 127.0.0.9, 192.0.2.0/24",
            place: "127.0.0.9", end: "403 access_refused: this user may not push from this address"),
        Refusal(
            method: "DELETE", path: "/metrics/job/xserver-bot",
            step: "DELETE: methods left out means POST, PUT", place: "prom:",
            end: "403 access_refused: this user may not delete groups"),
        Refusal(
            path: "/metrics/job/db/instance/primary",
            step: "none matches of {job: xserver-*} in line 10, "
                + "{job: db, instance: replica-*} in line 11",
            place: "- {job: \"xserver-*\"}",
            end: "403 access_refused: this user may not push to this group"),
        Refusal(
            user: "locked", path: "/metrics/job/xserver-bot", step: "groups lists none",
            place: "[]}", end: "403 access_refused: this user may not push to this group"),
    ]

    @Test(arguments: refusals)
    func `the last step is the one that refuses, with its line and the gate's own words`(
        refusal: Refusal
    ) throws {
        try prepare()
        let (status, lines) = try explain(
            refusal.method, refusal.path, user: refusal.user, from: refusal.address)
        #expect(status == 1)
        let steps = lines.dropLast()
        let step = try #require(steps.last)
        #expect(step.hasPrefix("no  ") && step.contains(refusal.step), "\(step)")
        #expect(steps.dropLast().allSatisfy { $0.hasPrefix("ok  ") }, "\(lines)")
        let here = refusal.place.isEmpty ? "" : try place(of: refusal.place)
        #expect(refusal.place.isEmpty ? !step.hasSuffix(")") : step.hasSuffix(here), "\(step)")
        #expect(lines.last?.hasPrefix("refused: \(refusal.end)") == true, "\(lines)")
    }

    @Test func `without rules everyone may do everything, and that is said`() throws {
        try prepare("auth: {users_file: htpasswd}", settings: "label_conflicts: overwrite")
        let (status, lines) = try explain("PUT", "/metrics/job/x", from: "2001:db8::7")
        #expect(status == 0)
        let text = lines.joined(separator: "\n")
        for said in [
            "ok  rules       there is no auth.users, so every user may do everything",
            "--  no samples  would delete what the group holds",
            "gets the path's value, and is counted (label_conflicts: overwrite)",
            "ok  quota       none for this user",
        ] { #expect(text.contains(said), "\(said) in \(text)") }
    }

    @Test func `an entry for everyone is named as such`() throws {
        try prepare("auth: {users_file: htpasswd, users: {\"*\": {groups: [{job: open}]}}}")
        let (status, lines) = try explain("POST", "/metrics/job/open")
        #expect(status == 0)
        let here = try place(of: "\"*\"")
        #expect(
            lines.contains(
                "ok  rules       no entry of this user's own, so that for \"*\" \(here)"))
        #expect(try explain("POST", "/metrics/job/closed").status == 1)
    }

    @Test func `a deletion speaks of no body`() throws {
        try prepare()
        let (status, lines) = try explain("DELETE", "/metrics/job/x", user: "ops")
        #expect(status == 0)
        #expect(!lines.contains { $0.contains("limits") || $0.contains("samples") }, "\(lines)")
        let here = try place(of: "[POST, PUT, DELETE]")
        #expect(lines.contains { $0.hasSuffix("DELETE: methods lists POST, PUT, DELETE \(here)") })
    }

    @Test(arguments: ["/-/healthy", "/readyz", "https://gate.example:9443/-/ready"])
    func `a question about health needs no more than the door`(path: String) throws {
        try prepare()
        let (status, lines) = try explain("GET", path, user: "nobody")
        #expect(status == 0)
        #expect(lines.last == "allowed" && lines.count == 3, "\(lines)")
    }

    @Test(arguments: [
        ("https://gate.example:9443/metrics/job/xserver-bot", 0), ("http://x/metrics/job/other", 1),
        ("https://gate.example", 1), ("https://gate.example?x", 1),
    ])
    func `a URL is good too`(url: String, status: Int32) throws {
        try prepare()
        #expect(try explain("POST", url).status == status)
    }

    @Test func `both lines of a user with two passwords are named`() throws {
        try prepare()
        folder.write("htpasswd", AccessTests.users("prom", "ops", "prom"))
        let (_, lines) = try explain("POST", "/metrics/job/xserver-bot")
        let file = folder.path + "/htpasswd"
        let said =
            "ok  user        2 passwords, each good, bcrypt of cost 4 and 4 (\(file):1, \(file):3)"
        #expect(lines.contains(said), "\(lines)")
    }

    @Test func `a client certificate that is demanded is mentioned`() throws {
        try prepare()
        let file = folder.path + "/kanmon.yml"
        let text = try String(contentsOfFile: file, encoding: .utf8)
            .replacing("tls.key}", with: "tls.key, client_ca_file: tls.crt}")
        folder.write("kanmon.yml", text)
        let (status, lines) = try explain("POST", "/metrics/job/xserver-bot")
        #expect(status == 0)
        let step = lines.first { $0.hasPrefix("--  certificate") }
        #expect(step?.hasSuffix(try place(of: "tls.crt}")) == true, "\(lines)")
    }

    // MARK: How it ends

    @Test(arguments: [
        ["--from", "127.0.0.1", "POST", "/metrics/job/a"],
        ["--user", "prom", "POST", "/metrics/job/a"],
        ["--user", "prom", "--from", "localhost", "POST", "/metrics/job/a"],
        ["--user", "prom", "--from", "127.0.0.0/8", "POST", "/metrics/job/a"],
        ["--user", "prom", "--from", "127.0.0.1", "POST"],
        ["--user", "prom", "--from", "127.0.0.1", "POST", "/metrics/job/a\r\nHost: b"],
    ])
    func `wrong usage ends with 64`(arguments: [String]) throws {
        let file = try prepare()
        #expect(try run(Programs.kanmon, ["explain", "--config", file] + arguments).status == 64)
    }

    @Test func `a bad configuration ends with 78 and one that cannot be read with 66`() throws {
        let push = ["--user", "prom", "--from", "127.0.0.1", "POST", "/metrics/job/a"]
        let file = try prepare()
        folder.write("kanmon.yml", "lisen: 1\n")
        let bad = try run(Programs.kanmon, ["explain", "--config", file] + push)
        #expect(bad.status == 78 && bad.errors.contains("kanmon.yml:1:1: error: "), "\(bad)")
        #expect(bad.output.isEmpty)
        let none = try run(
            Programs.kanmon, ["explain", "--config", folder.path + "/nowhere"] + push)
        #expect(none.status == 66 && none.errors.contains("nowhere does not exist"), "\(none)")
    }

    // MARK: What it is worth

    /// Every row of the access matrix and what is refused before the rules, asked of both.
    @Test func `it says what the running gate does`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, settings: AccessTests.settings,
            users: AccessTests.users("prom", "ops", "far", "stranger"))
        let others = [
            ("prom", "GET", "/metrics/job/xserver-bot"), ("prom", "POST", "/metrics"),
            ("prom", "POST", "/metrics/job/xserver-bot?a=b"), ("nobody", "POST", "/metrics/job/a"),
            ("prom", "PATCH", "/metrics/job/xserver-bot"), ("prom", "GET", "/-/healthy"),
            ("prom", "POST", "/metrics/job/xserver-bot/a"), ("prom", "PUT", "/-/healthy"),
        ]
        let pushes = AccessTests.rows.map { ($0.user, $0.method, $0.path) } + others
        for (user, method, path) in pushes {
            let body = ["POST", "PUT"].contains(method) ? "a 1\n" : nil
            let answer = try gate.send(method, path, body: body, login: "\(user):secret")
            let said = try run(
                Programs.kanmon,
                [
                    "explain", "--config", gate.folder.path + "/kanmon.yml", "--user", user,
                    "--from", "127.0.0.1", method, path,
                ])
            let isRefused = [400, 401, 403, 404, 405].contains(answer.status)
            #expect(
                said.status == (isRefused ? 1 : 0), "\(user) \(method) \(path): \(answer) \(said)")
            let last = said.output.split(separator: "\n").last.map(String.init) ?? ""
            if isRefused {
                #expect(last.hasPrefix("refused: \(answer.status) "), "\(last) \(answer)")
                #expect("\(last)\n".hasSuffix(": " + answer.body), "\(last) \(answer)")
            }
            guard method == "PUT", !isRefused else { continue }
            let empty = try gate.send(method, path, body: "", login: "\(user):secret")
            let step = said.output.split(separator: "\n").first { $0.contains("no samples") }
            #expect(
                step?.contains("refused: \(empty.status) ") == (empty.status != 200), "\(empty)")
        }
    }
}
