import Foundation
import Testing

/// Who may push what: every way round a rule that a client could think of, against the real thing.
@Suite struct AccessTests {
    let pushgateway: Pushgateway
    let gate: Gate

    /// `prom` may push to his own jobs, `ops` everything and deletes too, `far` from elsewhere only.
    static let settings = """
        auth:
          users_file: htpasswd
          users:
            prom:
              groups: [{job: "xserver-*"}, {job: db, instance: "replica-*"}]
            ops: {methods: [POST, PUT, DELETE]}
            far: {allow: [127.0.0.9]}
        """

    static func users(_ names: String...) -> String {
        names.map { Gate.users.replacing("prom:", with: "\($0):") }.joined()
    }

    init() throws {
        pushgateway = try Pushgateway()
        gate = try Gate(
            upstream: pushgateway.port, settings: Self.settings,
            users: Self.users("prom", "ops", "far", "stranger"))
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let user, method, path: String
        var body = "a 1\n"
        let status: Int
        var testDescription: String { "\(user) \(method) \(path) \(body.debugDescription)" }
    }

    static let rows: [Row] = [
        // His own group in every form the path can have
        Row(user: "prom", method: "POST", path: "/metrics/job/xserver-bot", status: 200),
        Row(user: "prom", method: "PUT", path: "/metrics/job/xserver-bot/", status: 200),
        Row(user: "prom", method: "POST", path: "/metrics/job/%78server-bot", status: 200),
        Row(user: "prom", method: "POST", path: "/metrics/job@base64/eHNlcnZlci1ib3Q", status: 200),
        Row(
            user: "prom", method: "POST", path: "/metrics/job@base64/eHNlcnZlci1ib3Q=", status: 200),
        Row(user: "prom", method: "POST", path: "/metrics/job/xserver-bot/core/1", status: 200),
        Row(user: "prom", method: "POST", path: "/metrics/job/db/instance/replica-1", status: 200),
        Row(
            user: "prom", method: "POST", path: "/metrics/job/db/a/b/instance@base64/cmVwbGljYS0x",
            status: 200),
        // Another group, in every form
        Row(user: "prom", method: "POST", path: "/metrics/job/other", status: 403),
        Row(user: "prom", method: "POST", path: "/metrics/job/other/job/xserver-bot", status: 400),
        Row(user: "prom", method: "POST", path: "/metrics/job/%6fther", status: 403),
        Row(user: "prom", method: "POST", path: "/metrics/job@base64/b3RoZXI", status: 403),
        Row(user: "prom", method: "POST", path: "/metrics/job@base64/b3RoZXI=", status: 403),
        Row(user: "prom", method: "POST", path: "/metrics/job/XSERVER-bot", status: 403),
        Row(user: "prom", method: "POST", path: "/metrics/job/xserver", status: 403),
        Row(user: "prom", method: "POST", path: "/metrics/job/a%20xserver-bot", status: 403),
        Row(user: "prom", method: "POST", path: "/metrics/job/db", status: 403),
        Row(user: "prom", method: "POST", path: "/metrics/job/db/instance/primary", status: 403),
        Row(user: "prom", method: "POST", path: "/metrics/job/db/instance@base64/=", status: 403),
        Row(
            user: "prom", method: "POST",
            path: "/metrics/job/db/instance/primary/instance/replica-1",
            status: 400),
        Row(user: "prom", method: "POST", path: "/metrics/job/x/../xserver-bot", status: 400),
        // A body that speaks of another group
        Row(
            user: "prom", method: "POST", path: "/metrics/job/xserver-bot",
            body: "a{job=\"other\"} 1\n", status: 400),
        Row(
            user: "prom", method: "POST", path: "/metrics/job/xserver-bot",
            body: "a{job=\"xserver-bot\"} 1\n", status: 200),
        // Deleting, by its name and by another
        Row(
            user: "prom", method: "DELETE", path: "/metrics/job/xserver-bot", body: "", status: 403),
        Row(user: "prom", method: "PUT", path: "/metrics/job/xserver-bot", body: "", status: 403),
        Row(
            user: "prom", method: "PUT", path: "/metrics/job/xserver-bot",
            body: "# TYPE a gauge\n\n", status: 403),
        Row(user: "prom", method: "POST", path: "/metrics/job/xserver-bot", body: "", status: 400),
        Row(user: "ops", method: "PUT", path: "/metrics/job/xserver-bot", body: "", status: 200),
        Row(user: "ops", method: "DELETE", path: "/metrics/job/xserver-bot", body: "", status: 202),
        Row(user: "ops", method: "POST", path: "/metrics/job/other", status: 200),
        // From elsewhere, and without an entry
        Row(user: "far", method: "POST", path: "/metrics/job/other", status: 403),
        Row(user: "stranger", method: "POST", path: "/metrics/job/xserver-bot", status: 403),
        Row(
            user: "stranger", method: "DELETE", path: "/metrics/job/xserver-bot", body: "",
            status: 403),
    ]

    @Test(arguments: rows)
    func `everyone does what he may, and nobody more`(row: Row) throws {
        let before = try pushgateway.pushRequests()
        let answer = try gate.send(
            row.method, row.path, body: row.body, login: "\(row.user):secret")
        #expect(answer.status == row.status, "\(answer)")
        let reached = try pushgateway.pushRequests() - before
        #expect(reached == (row.status < 300 ? 1 : 0), "\(answer)")
        if row.status == 403 {
            let log = try #require(gate.log(holding: "reason=access_refused"))
            #expect(log.contains("kanmon.yml:"))
        }
    }

    @Test func `nothing of the rules is told before the login`() throws {
        let answer = try gate.send("POST", "/metrics/job/other", body: "a 1\n", login: "prom:wrong")
        #expect(answer.status == 401)
    }

    @Test func `an entry for everyone serves who has none`() throws {
        let gate = try Gate(
            upstream: pushgateway.port,
            settings: """
                auth:
                  users_file: htpasswd
                  users: {"*": {groups: [{job: open}]}, prom: {groups: []}}
                """, users: Self.users("prom", "stranger"))
        for (user, job, status) in [
            ("stranger", "open", 200), ("stranger", "closed", 403), ("prom", "open", 403),
        ] {
            let answer = try gate.send(
                "POST", "/metrics/job/\(job)", body: "a 1\n", login: "\(user):secret")
            #expect(answer.status == status, "\(user) \(job)")
        }
    }
}

/// How much a user may push.
@Suite struct QuotaTests {
    let pushgateway: Pushgateway

    init() throws { pushgateway = try Pushgateway() }

    private func gate(_ limits: String) throws -> Gate {
        try Gate(
            upstream: pushgateway.port,
            settings: """
                auth:
                  users_file: htpasswd
                  users:
                    prom: {methods: [POST, PUT, DELETE], limits: {\(limits)}}
                    ops: {}
                """, users: AccessTests.users("prom", "ops"))
    }

    private func push(_ gate: Gate, _ job: String, _ body: String = "a 1\n", user: String = "prom")
        throws -> Answer
    {
        try gate.send("POST", "/metrics/job/\(job)", body: body, login: "\(user):secret")
    }

    @Test func `a push over the quota of a minute is 429 and says when`() throws {
        let gate = try gate("pushes_per_minute: 3")
        for _ in 0..<3 { #expect(try push(gate, "a").status == 200) }
        let answer = try push(gate, "a")
        #expect(answer.status == 429 && answer.body.contains("pushes_per_minute"), "\(answer)")
        let seconds = try #require(answer.fields["retry-after"].flatMap { Int($0) })
        #expect((1...20).contains(seconds))
        #expect(gate.log(holding: "reason=quota_exceeded") != nil)
        // It is his quota alone.
        #expect(try push(gate, "a", user: "ops").status == 200)
    }

    @Test func `so are bytes, and what is refused for another reason costs nothing`() throws {
        let gate = try gate("bytes_per_minute: 100")
        let body = "a 1\n# " + String(repeating: "x", count: 53) + "\n"
        for _ in 0..<5 { #expect(try push(gate, "a", body + "a b\n").status == 400) }
        #expect(try push(gate, "a", body).status == 200)
        let answer = try push(gate, "a", body)
        #expect(answer.status == 429 && answer.body.contains("bytes_per_minute"), "\(answer)")
    }

    @Test func `so are groups, until one is deleted`() throws {
        let gate = try gate("groups_max: 2")
        for job in ["a", "b", "a", "b"] { #expect(try push(gate, job).status == 200) }
        let answer = try push(gate, "c")
        #expect(answer.status == 429 && answer.body.contains("groups_max"), "\(answer)")
        #expect(answer.fields["retry-after"] != nil)
        #expect(try gate.send("DELETE", "/metrics/job/a").status == 202)
        #expect(try push(gate, "c").status == 200)
    }

    @Test func `a gate that starts counts the groups that are there`() throws {
        for job in ["a", "b"] { try pushgateway.push("/metrics/job/\(job)", body: "a 1\n") }
        let gate = try Gate(
            upstream: pushgateway.port,
            settings: """
                auth:
                  users_file: htpasswd
                  users: {prom: {groups: [{job: "*"}], limits: {groups_max: 2}}}
                """)
        usleep(500_000)
        #expect(try push(gate, "a").status == 200)
        let answer = try push(gate, "c")
        #expect(answer.status == 429 && answer.body.contains("groups_max"), "\(answer)")
        // Somebody else deletes one; the next listing tells.
        try pushgateway.push("/metrics/job/b", body: "", method: "DELETE")
        let end = Date().addingTimeInterval(45)
        while try push(gate, "c").status == 429, Date() < end { usleep(500_000) }
        #expect(try push(gate, "c").status == 200)
    }

    @Test func `a push larger than a whole minute's bytes is told so`() throws {
        let gate = try gate("bytes_per_minute: 10")
        let answer = try push(gate, "a", "a_long_name_for_a_metric 1\n")
        #expect(answer.status == 429 && answer.body.contains("in a minute"), "\(answer)")
    }

    @Test func `and so are the series of one push`() throws {
        let gate = try gate("series_max: 2")
        #expect(try push(gate, "a", "a 1\nb 1\n").status == 200)
        let answer = try push(gate, "a", "a 1\nb 1\nc 1\n")
        #expect(answer.status == 429 && answer.body.contains("series_max"), "\(answer)")
    }

    @Test func `what the Pushgateway never heard of costs nothing`() throws {
        let nobody = try freePort()
        let gate = try Gate(
            upstream: nobody,
            settings: """
                auth:
                  users_file: htpasswd
                  users: {prom: {limits: {pushes_per_minute: 1}}}
                """)
        for _ in 0..<3 { #expect(try push(gate, "a").status == 503) }
    }
}

/// Labels of a body that say something else than the path.
@Suite struct LabelConflictTests {
    @Test func `where they are overwritten, that is logged and counted`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port, settings: "label_conflicts: overwrite")
        #expect(gate.log(holding: "label_conflicts is overwrite") != nil)
        let answer = try gate.send(
            "POST", "/metrics/job/mine", body: "a{job=\"other\"} 1\nb{job=\"mine\"} 1\nc 1\n")
        #expect(answer.status == 200)
        #expect(gate.log(holding: "label_conflicts=1") != nil)
        #expect(try pushgateway.samples(of: "a") == ["a{instance=\"\",job=\"mine\"} 1"])
        gate.program.signal(SIGTERM)
        #expect(gate.log(holding: "label_conflicts=1 pushgateway_refused=0") != nil)
    }

    @Test func `a group with a label that a histogram needs is refused`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let histogram = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_count 1\nh_sum 1\n"
        let answer = try gate.send("POST", "/metrics/job/a/le/5", body: histogram)
        #expect(answer.status == 400 && answer.body.contains("label le"), "\(answer)")
        #expect(try gate.send("POST", "/metrics/job/a/le/5", body: "a 1\n").status == 200)
        #expect(try gate.send("POST", "/metrics/job/a", body: histogram).status == 200)
    }
}
