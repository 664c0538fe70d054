import Foundation
import Testing

/// A gate's audit trail, as somebody reads it who has to know who pushed what.
struct Trail {
    let path: String

    struct Record: Decodable {
        let ts: String
        let from: String
        let verdict: String
        let reason: String
        // Of a push
        let id: String?
        let user: String?
        let method: String?
        let group: [String: String]?
        let bytes: Int?
        let samples: Int?
        let status: Int?
        let upstream_status: Int?
        // Of a sum
        let count: Int?
    }

    /// The lines of the file, or of what it was `generation` times ago; nil where there is none.
    func lines(_ generation: Int = 0) -> [String]? {
        let name = generation == 0 ? path : "\(path).\(generation)"
        return FileManager.default.contents(atPath: name).map { data in
            String(decoding: data, as: UTF8.self).split(
                separator: "\n", omittingEmptySubsequences: false
            ).dropLast().map(String.init)
        }
    }

    func records() throws -> [Record] { try (lines() ?? []).map(Trail.record) }

    static func record(_ line: String) throws -> Record {
        try JSONDecoder().decode(Record.self, from: Data(line.utf8))
    }

    /// The lines, once there are `count` of them; what there is when that never happens.
    func waitForLines(_ count: Int, within seconds: Double = 10) -> [String] {
        let end = Date().addingTimeInterval(seconds)
        while (lines() ?? []).count < count, Date() < end { usleep(10_000) }
        return lines() ?? []
    }
}

extension Gate {
    var trail: Trail { Trail(path: folder.path + "/audit.jsonl") }

    /// Ends it, so that all it has to say is said.
    func stop() -> Int32? {
        program.signal(SIGTERM)
        return program.exitStatus(within: 20)
    }

    /// A push, for those who care only what its answer is.
    func push(_ job: String = "x", login: String = "prom:secret") throws -> Int {
        try send("POST", "/metrics/job/\(job)", body: "a 1\n", login: login).status
    }
}

/// Who pushed what, and what became of it.
@Suite struct AuditTests {
    static let settings = "audit: {file: audit.jsonl}"

    /// A line without what differs each time.
    private func fixed(_ line: String) -> String {
        line.replacing(/"ts":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"/, with: "TS")
            .replacing(/"id":"[0-9A-HJKMNP-TV-Z]{10}"/, with: "ID")
            .replacing(/"ms":\d+\.\d}/, with: "MS}")
    }

    @Test func `a push has one line, with these keys in this order, whatever became of it`() throws
    {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port,
            settings: """
                \(Self.settings)
                auth:
                  users_file: htpasswd
                  users:
                    prom: {groups: [{job: bot}], methods: [PUT, POST, DELETE]}
                    few: {limits: {pushes_per_minute: 1}}
                """, users: AccessTests.users("prom", "few"))
        func push(
            _ method: String, _ path: String, _ body: String?, _ status: Int,
            login: String = "prom:secret"
        ) throws {
            let answer = try gate.send(method, "/metrics/job" + path, body: body, login: login)
            #expect(answer.status == status, "\(answer)")
        }
        try push("PUT", "/bot/instance/caf%C3%A9/quote/%22%5C", "a 1\nb{c=\"d\"} 2\nb 3\n", 200)
        try push("POST", "/bot", "a b\n", 400)
        try push("POST", "/other", "a 1\n", 403)
        try push("POST", "/bot//", "a 1\n", 400)
        try push("DELETE", "/bot", nil, 202)
        try push("POST", "/y", "a 1\n", 200, login: "few:secret")
        try push("POST", "/y", "a 1\n", 429, login: "few:secret")
        let prom = #"{TS,ID,"from":"127.0.0.1","user":"prom","method":"#
        let few = #"{TS,ID,"from":"127.0.0.1","user":"few","method":"POST","group":{"job":"y"},"#
        #expect(
            gate.trail.waitForLines(7).map(fixed) == [
                prom + #""PUT","group":{"job":"bot","instance":"café","quote":"\"\\"},"#
                    + #""bytes":19,"samples":3,"families":2,"verdict":"accepted","reason":"","#
                    + #""status":200,"upstream_status":200,MS}"#,
                prom + #""POST","group":{"job":"bot"},"bytes":4,"samples":0,"families":0,"#
                    + #""verdict":"refused","reason":"body_invalid","status":400,"#
                    + #""upstream_status":0,MS}"#,
                prom + #""POST","group":{"job":"other"},"bytes":0,"samples":0,"families":0,"#
                    + #""verdict":"refused","reason":"access_refused","status":403,"#
                    + #""upstream_status":0,MS}"#,
                prom + #""POST","group":{},"bytes":0,"samples":0,"families":0,"#
                    + #""verdict":"refused","reason":"grouping_key_malformed","status":400,"#
                    + #""upstream_status":0,MS}"#,
                prom + #""DELETE","group":{"job":"bot"},"bytes":0,"samples":0,"families":0,"#
                    + #""verdict":"accepted","reason":"","status":202,"upstream_status":202,MS}"#,
                few + #""bytes":4,"samples":1,"families":1,"verdict":"accepted","reason":"","#
                    + #""status":200,"upstream_status":200,MS}"#,
                few + #""bytes":4,"samples":1,"families":1,"verdict":"refused","#
                    + #""reason":"quota_exceeded","status":429,"upstream_status":0,MS}"#,
            ])
        let mode = try FileManager.default.attributesOfItem(atPath: gate.trail.path)
        #expect(mode[.posixPermissions] as? Int == 0o640)
    }

    @Test func `what the Pushgateway answered is there, and 0 when it did not`() throws {
        let fake = try FakePushgateway { connection, number in
            _ = connection.request()
            switch number {
            case 1: connection.answer("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
            case 2: connection.answer("HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n")
            case 3: connection.answer("what?\r\n\r\n")
            default: sleep(5)
            }
            connection.finish()
        }
        let gate = try Gate(
            upstream: fake.port,
            settings: """
                \(Self.settings)
                upstream: {url: "http://127.0.0.1:\(fake.port)", first_byte_timeout: 1s}
                """)
        for status in [503, 502, 502, 504] { #expect(try gate.push() == status) }
        let records = try gate.trail.waitForLines(4).map(Trail.record)
        #expect(
            records.map { "\($0.reason) \($0.status ?? -1) \($0.upstream_status ?? -1)" } == [
                "upstream_busy 503 503", "upstream_unclear 502 418", "upstream_unclear 502 0",
                "upstream_too_late 504 0",
            ])
        #expect(records.allSatisfy { $0.verdict == "refused" })

        let alone = try Gate(upstream: try freePort(), settings: Self.settings)
        #expect(try alone.push() == 503)
        #expect(
            try alone.trail.waitForLines(1).map(Trail.record)[0].reason == "upstream_unreachable")
    }

    @Test func `a push whose client left before the answer is there as well`() throws {
        let fake = try FakePushgateway { connection, _ in
            _ = connection.request()
            sleep(5)
        }
        let gate = try Gate(upstream: fake.port, settings: Self.settings)
        do {
            let client = try gate.connect()
            try client.send(TestClient.request("POST", "/metrics/job/left", body: "a 1\n"))
            let end = Date().addingTimeInterval(10)
            while fake.connectionCount == 0, Date() < end { usleep(10_000) }
            usleep(100_000)
        }
        let record = try #require(try gate.trail.waitForLines(1).map(Trail.record).first)
        #expect(record.verdict == "abandoned" && record.reason == "peer_gone")
        #expect(record.group == ["job": "left"] && record.bytes == 4 && record.status == 0)
    }

    @Test(arguments: [1, 2])
    func `so is one that was cut off at the end of the drain`(workers: Int) throws {
        let fake = try FakePushgateway { connection, _ in
            _ = connection.request()
            sleep(20)
        }
        let gate = try Gate(
            upstream: fake.port,
            settings: """
                \(Self.settings)
                workers: \(workers)
                limits: {drain_timeout: 1s}
                """)
        let client = try gate.connect()
        try client.send(TestClient.request("POST", "/metrics/job/late", body: "a 1\n"))
        let end = Date().addingTimeInterval(10)
        while fake.connectionCount == 0, Date() < end { usleep(10_000) }
        #expect(gate.stop() == 0)
        let record = try #require(try gate.trail.records().first)
        #expect(record.verdict == "abandoned" && record.reason == "drained")
        #expect(record.group == ["job": "late"])
    }

    @Test func `who has not logged in is summed, by address and reason`() throws {
        let gate = try Gate(
            upstream: try freePort(), settings: Self.settings + "\nallow: [127.0.0.1]")
        for _ in 0..<3 {
            let answer = try gate.send(
                "POST", "/metrics/job/x", body: "a 1\n", login: "prom:hunter2hunter2")
            #expect(answer.status == 401)
        }
        for _ in 0..<2 { #expect(try gate.send("POST", "/", login: nil).status == 404) }
        for address in ["127.0.0.2", "127.0.0.2", "127.0.0.3"] {
            let result = try run(
                "/usr/bin/curl",
                ["-sk", "--interface", address, "https://127.0.0.1:\(gate.port)/healthz"])
            #expect(result.status != 0)
        }
        #expect(gate.trail.lines() ?? [] == [])
        #expect(gate.stop() == 0)
        let sums = try gate.trail.records().map { record in
            "\(record.from) \(record.verdict) \(record.reason) \(record.count ?? 0)"
        }
        #expect(
            sums.sorted() == [
                "127.0.0.1 refused not_found 2", "127.0.0.1 refused wrong_credentials 3",
                "127.0.0.2 refused address_not_allowed 2",
                "127.0.0.3 refused address_not_allowed 1",
            ])
        // The operator has been told of every connection as well.
        let counts = gate.program.output.matches(of: /from=127\.0\.0\.2 count=(\d+)/)
        #expect(counts.compactMap { Int($0.1) }.reduce(0, +) == 2)
    }

    @Test func `neither trail nor log holds a secret, also not one that was typed as a name`()
        throws
    {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port, settings: Self.settings)
        let logins = [
            "prom:secret", "prom:hunter2hunter2", "hunter2hunter2:secret", "secret:prom",
            "secret\u{0}:\r\nsecret", "hunter2hunter2:",
        ]
        for login in logins { _ = try gate.push(login: login) }
        #expect(
            try gate.send("POST", "/metrics/job/x?password=hunter2hunter2", body: "a 1\n").status
                == 400)
        #expect(gate.stop() == 0)
        let all = gate.program.output + (gate.trail.lines() ?? []).joined()
        #expect(all.contains("wrong_credentials"))
        let encoded = logins.map { Data($0.utf8).base64EncodedString() }
        for secret in ["secret", "hunter2", "$2b$", "Basic "] + encoded {
            #expect(!all.contains(secret), "\(secret)")
        }
    }

    // MARK: Rotation

    @Test func `ten thousand pushes are ten thousand records, in order, over all files`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port,
            settings: """
                audit: {file: audit.jsonl, max_bytes: 64KiB, retain: 1000}
                log: {level: info}
                """)
        var names: [String] = []
        for _ in 0..<10 {
            let client = try gate.connect()
            for _ in 0..<20 {
                let request = TestClient.request("POST", "/metrics/job/many", body: "a 1\n")
                try client.send(String(repeating: request, count: 50))
                for _ in 0..<50 { names.append(try client.answer().fields["x-request-id"] ?? "") }
            }
        }
        #expect(gate.stop() == 0)
        var generations = 0
        while gate.trail.lines(generations + 1) != nil { generations += 1 }
        #expect(generations > 20)
        var found: [String] = []
        for generation in (0...generations).reversed() {
            for line in gate.trail.lines(generation) ?? [] {
                let record = try Trail.record(line)
                #expect(record.verdict == "accepted" && record.status == 200)
                found.append(record.id ?? "")
            }
            let size = gate.trail.lines(generation)?.reduce(0) { $0 + $1.utf8.count + 1 } ?? 0
            #expect(size <= 64 << 10)
        }
        let isSame = found == names
        #expect(isSame && names.count == 10_000 && Set(names).count == 10_000, "\(found.count)")
    }

    @Test func `a file that somebody moves away is begun anew, and a reload may name another`()
        throws
    {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port, settings: Self.settings)
        #expect(try gate.push("first") == 200)
        #expect(gate.trail.waitForLines(1).count == 1)
        let moved = Trail(path: gate.trail.path + "-yesterday")
        try FileManager.default.moveItem(atPath: gate.trail.path, toPath: moved.path)
        #expect(try gate.push("second") == 200)
        #expect(gate.trail.waitForLines(1)[0].contains("second"))
        #expect(moved.lines()?.count == 1)

        gate.reconfigure(Self.settings, "audit: {file: other.jsonl}")
        gate.program.signal(SIGHUP)
        #expect(gate.log(holding: "configuration reloaded") != nil)
        #expect(try gate.push("third") == 200)
        let other = Trail(path: gate.folder.path + "/other.jsonl")
        #expect(other.waitForLines(1)[0].contains("third"))
        #expect(gate.trail.lines()?.count == 1)

        gate.reconfigure("audit: {file: other.jsonl}", "")
        gate.program.signal(SIGHUP)
        _ = gate.program.waitForOutput { text in
            text.components(separatedBy: "configuration reloaded").count > 2 ? text : nil
        }
        #expect(try gate.push("fourth") == 200)
        #expect(gate.stop() == 0)
        #expect(other.lines()?.count == 1)
    }

    // MARK: Beginning

    @Test
    func `a trail that cannot be begun is a mistake of the configuration, told with its remedy`()
        throws
    {
        let folder = TemporaryFolder()
        try CertificateKey.ecdsa.writeCertificate(to: folder)
        folder.write("htpasswd", Gate.users)
        try FileManager.default.createSymbolicLink(
            atPath: folder.path + "/link.jsonl", withDestinationPath: "/dev/null")
        for (file, reason) in [
            ("missing/audit.jsonl", "does not exist"), ("link.jsonl", "is a symbolic link"),
            ("htpasswd/audit.jsonl", "is not a folder"),
            ("htpasswd", "holds something else"), ("tls.key", "holds something else"),
            ("kanmon.yml", "holds something else"),
        ] {
            folder.write(
                "kanmon.yml",
                """
                listen: "127.0.0.1:\(try freePort())"
                allow: [127.0.0.1]
                tls: {cert_file: tls.crt, key_file: tls.key}
                auth: {users_file: htpasswd}
                upstream: {url: "http://127.0.0.1:\(try freePort())"}
                audit: {file: \(file)}
                """)
            for verb in ["serve", "check"] {
                let result = try run(
                    Programs.kanmon, [verb, "--config", folder.path + "/kanmon.yml"], within: 20)
                #expect(result.status == 78, "\(verb) \(file)")
                #expect(result.errors.contains("kanmon.yml:6:15: error: "), "\(result.errors)")
                #expect(result.errors.contains(reason), "\(result.errors)")
            }
        }
        let made = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(Set(made) == ["tls.crt", "tls.key", "htpasswd", "link.jsonl", "kanmon.yml"])
    }

    @Test func `after a death in the middle the next gate begins on a new line`() throws {
        let pushgateway = try Pushgateway()
        let shelf = TemporaryFolder()
        let trail = Trail(path: shelf.path + "/audit.jsonl")
        let settings = "audit: {file: \(trail.path)}"
        for round in 1...3 {
            let gate = try Gate(upstream: pushgateway.port, settings: settings)
            let client = try gate.connect()
            for _ in 0..<50 {
                #expect(
                    try client.send("POST", "/metrics/job/r\(round)", body: "a 1\n").status == 200)
            }
            _ = trail.waitForLines(round)
            gate.program.signal(SIGKILL)
            _ = gate.program.exitStatus()
            // What a death can leave, made certain.
            let file = try #require(FileHandle(forWritingAtPath: trail.path))
            try file.seekToEnd()
            try file.write(contentsOf: Data(#"{"ts":"2026-"#.utf8))
            try file.close()
        }
        let gate = try Gate(upstream: pushgateway.port, settings: settings)
        #expect(try gate.push("last") == 200)
        #expect(gate.stop() == 0)
        let lines = trail.lines() ?? []
        let broken = lines.filter { (try? Trail.record($0)) == nil }
        #expect(broken == Array(repeating: #"{"ts":"2026-"#, count: 3))
        #expect(try Trail.record(lines.last ?? "").group == ["job": "last"])
    }
}
