import Foundation
import Testing

/// Who is let in, and what guessing costs.
@Suite struct LoginTests {
    @Test func `all who wait for the same password share one verification`() throws {
        let pushgateway = try Pushgateway()
        let users = try Self.users(cost: 10)
        let gate = try Gate(upstream: pushgateway.port, users: users)
        let clients = try (0..<40).map { _ in try gate.connect() }
        let began = Date()
        for client in clients {
            try client.send(TestClient.request("POST", "/metrics/job/herd", body: "a 1\n"))
        }
        for client in clients { #expect(try client.answer().status == 200) }
        // Forty verifications at this cost take over two seconds on this machine's processors.
        #expect(Date().timeIntervalSince(began) < 1.5)
    }

    @Test func `a user with two lines may use either password`() throws {
        let pushgateway = try Pushgateway()
        let folder = TemporaryFolder()
        let file = folder.write("htpasswd", Gate.users)
        let added = try run(
            Programs.kanmon, ["passwd", file, "prom", "--add", "--cost", "4"], input: "newer\n")
        #expect(added.status == 0, "\(added.errors)")
        let gate = try Gate(
            upstream: pushgateway.port,
            users: String(decoding: folder.read("htpasswd"), as: UTF8.self))
        for password in ["secret", "newer", "secret", "newer"] {
            let answer = try gate.send(
                "POST", "/metrics/job/two", body: "a 1\n", login: "prom:\(password)")
            #expect(answer.status == 200, "\(password)")
        }
        #expect(
            try gate.send("POST", "/metrics/job/two", body: "a 1\n", login: "prom:third").status
                == 401)
    }

    @Test func `failures of one kind cannot be told from another`() throws {
        let gate = try Gate(upstream: try freePort())
        let answers = try [
            "prom:wrong", "nobody:wrong", "prom:" + String(repeating: "x", count: 80),
            "prom:sec\0ret",
        ]
        .map { try gate.send("POST", "/metrics/job/x", body: "a 1\n", login: $0) }
        for answer in answers {
            #expect(answer.status == 401)
            #expect(answer.body == answers[0].body)
            #expect(Set(answer.fields.keys) == Set(answers[0].fields.keys))
            #expect(answer.fields["content-length"] == answers[0].fields["content-length"])
        }
    }

    @Test func `after too many failures the right password still gets through`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port,
            settings: "limits: {failed_logins_per_minute_max: {user: 3, address: 5}}")
        for number in 0..<12 {
            let answer = try gate.send(
                "POST", "/metrics/job/x", body: "a 1\n", login: "prom:wrong\(number)")
            #expect(answer.status == 401)
        }
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
    }

    @Test func `the slow lane is short, and says 429 when it is full`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port,
            settings:
                "limits: {password_queue_max: 4, failed_logins_per_minute_max: {user: 1, address: 1}}",
            users: try Self.users(cost: 12))
        // Known before the trouble begins, so it never goes to the desk again.
        let known = try gate.connect()
        #expect(try known.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        for number in 0..<2 {
            _ = try gate.send("POST", "/metrics/job/x", body: "a 1\n", login: "prom:wrong\(number)")
        }
        let guessers = try (0..<12).map { _ in try gate.connect() }
        for (number, guesser) in guessers.enumerated() {
            try guesser.send(
                TestClient.request(
                    "POST", "/metrics/job/x", body: "a 1\n", login: "prom:guess\(number)"))
        }
        #expect(try known.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        let answers = try guessers.map { try $0.answer(within: 30) }
        let refused = answers.filter { $0.status == 429 }
        #expect(!refused.isEmpty)
        #expect(gate.log(holding: "reason=logins_too_many") != nil)
        #expect(refused.allSatisfy { $0.fields["retry-after"] != nil })
        #expect(answers.allSatisfy { $0.status == 401 || $0.status == 429 })
        // One has a line of its own; of the others there is a count, which no flood makes longer.
        gate.program.signal(SIGTERM)
        #expect(gate.program.exitStatus() == 0)
        let lines = gate.program.output.split(separator: "\n").filter {
            $0.contains("reason=logins_too_many")
        }
        let untold = "reason=logins_too_many count=\(refused.count - 1)"
        #expect(refused.count == 1 || lines.last?.contains(untold) == true, "\(lines)")
        #expect(lines.count == min(refused.count, 2))
    }

    @Test func `while an address is slow, another user there gets in with a right password`() throws
    {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port,
            settings:
                "limits: {password_queue_max: 12, failed_logins_per_minute_max: {user: 1, address: 1}}",
            users: try Self.users("prom", "neighbour", cost: 12))
        for number in 0..<2 {
            _ = try gate.send("POST", "/metrics/job/x", body: "a 1\n", login: "prom:wrong\(number)")
        }
        let guessers = try Self.guess(8, at: gate)
        let neighbour = try gate.connect()
        let answer = try neighbour.send(
            "POST", "/metrics/job/x", body: "a 1\n", login: "neighbour:secret")
        #expect(answer.status == 200)
        let refused = try guessers.filter { try $0.answer(within: 30).status == 429 }
        #expect(!refused.isEmpty, "the lane was never full")
    }

    @Test func `an address that fills the queue keeps no other address out`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port,
            settings:
                "listen: \":0\"\nallow: [127.0.0.1, \"::1\"]\nlimits: {password_queue_max: 4}",
            users: try Self.users(cost: 12))
        let guessers = try Self.guess(12, at: gate, from: "::1")
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        let refused = try guessers.filter { try $0.answer(within: 30).status == 503 }
        #expect(!refused.isEmpty, "the queue was never full")
    }

    @Test func `what an address asked before it failed too often goes slowly as well`() throws {
        let gate = try Gate(
            upstream: try freePort(),
            settings:
                "limits: {password_queue_max: 24, failed_logins_per_minute_max: {user: 1, address: 1}}",
            users: try Self.users(cost: 12))
        let statuses = try Self.guess(24, at: gate).map { try $0.answer(within: 30).status }
        // Those that are verified at once, and six that the slow lane has room for.
        #expect(statuses.count { $0 == 401 } <= 12, "\(statuses)")
        #expect(statuses.count { $0 == 429 } >= 12, "\(statuses)")
    }

    @Test func `when too many logins wait it is 503, with a time to come back`() throws {
        let gate = try Gate(
            upstream: try freePort(), settings: "limits: {password_queue_max: 1}",
            users: try Self.users(cost: 12))
        let clients = try (0..<12).map { _ in try gate.connect() }
        for (number, client) in clients.enumerated() {
            try client.send(
                TestClient.request(
                    "POST", "/metrics/job/x", body: "a 1\n", login: "prom:wrong\(number)"))
        }
        let refused = try clients.map { try $0.answer(within: 30) }.filter { $0.status == 503 }
        #expect(!refused.isEmpty)
        #expect(refused.allSatisfy { $0.fields["retry-after"] != nil })
        #expect(gate.log(holding: "reason=login_queue_full") != nil)
    }

    @Test func `a login counts for its request only`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let client = try gate.connect()
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n", login: nil).status == 401)
    }

    /// Clients that each have sent another wrong password and wait for what they are told.
    private static func guess(
        _ count: Int, at gate: Gate, from address: String = "127.0.0.1"
    ) throws -> [TestClient] {
        let clients = try (0..<count).map { _ in
            try TestClient(port: gate.port, certificate: gate.certificate, address: address)
        }
        for (number, client) in clients.enumerated() {
            try client.send(
                TestClient.request(
                    "POST", "/metrics/job/x", body: "a 1\n", login: "prom:guess\(number)"))
        }
        return clients
    }

    private static func users(_ names: String..., cost: Int) throws -> String {
        let folder = TemporaryFolder()
        let file = folder.path + "/htpasswd"
        for name in names.isEmpty ? ["prom"] : names {
            let made = try run(
                Programs.kanmon, ["passwd", file, name, "--cost", "\(cost)"], input: "secret\n")
            #expect(made.status == 0, "\(made.errors)")
        }
        return String(decoding: folder.read("htpasswd"), as: UTF8.self)
    }
}
