import Foundation
import Testing

/// What the Pushgateway will not have beside what it holds.
@Suite struct ConflictTests {
    let pushgateway: Pushgateway
    let gate: Gate

    init() throws {
        pushgateway = try Pushgateway()
        gate = try Gate(upstream: pushgateway.port)
    }

    @Test func `a family that another group has with another type is refused, and the group named`()
        throws
    {
        let first = "# TYPE x counter\nx{secret=\"s\"} 1\n"
        #expect(try gate.send("POST", "/metrics/job/one/core/1", body: first).status == 200)
        let before = try pushgateway.pushRequests()
        let answer = try gate.send("POST", "/metrics/job/two", body: "# TYPE x gauge\nx 1\n")
        #expect(answer.status == 400)
        #expect(
            answer.body.contains(
                "metric \"x\" has type counter in group core=1,job=one and type gauge here"),
            "\(answer)")
        #expect(!answer.body.contains("secret"), "\(answer)")
        #expect(gate.log(holding: "reason=family_clashes") != nil)
        #expect(try pushgateway.pushRequests() == before)
        // Within its own group a family may change its type.
        #expect(
            try gate.send("PUT", "/metrics/job/one/core/1", body: "# TYPE x gauge\nx 1\n").status
                == 200)
        #expect(
            try gate.send("POST", "/metrics/job/two", body: "# TYPE x gauge\nx 1\n").status == 200)
    }

    @Test func `a name may be as long as it likes, an answer shows little of it`() throws {
        let name = String(repeating: "z", count: 300)
        let counter = "# TYPE \(name) counter\n\(name) 1\n"
        #expect(try gate.send("POST", "/metrics/job/one", body: counter).status == 200)
        let clash = try gate.send("POST", "/metrics/job/two", body: "\(name) 1\n")
        #expect(clash.status == 400 && clash.body.contains("has type counter"), "\(clash)")
        #expect(clash.body.filter { $0 == "z" }.count == 60)

        // What this Pushgateway cannot read is relayed, and it quotes the body.
        let quoted = try gate.send("POST", "/metrics/job/two", body: "a\"\(name)\" 1\n")
        #expect(quoted.status == 400 && quoted.body.contains("expected float"), "\(quoted)")
        #expect((1...120).contains(quoted.body.filter { $0 == "z" }.count), "\(quoted)")

        let summary = "# TYPE \(name) summary\n\(name)_sum 1\n"
        #expect(try gate.send("PUT", "/metrics/job/one", body: summary).status == 200)
        let taken = try gate.send("POST", "/metrics/job/two", body: "\(name)_sum 1\n")
        #expect(taken.status == 400 && taken.body.contains("collides"), "\(taken)")
        #expect(taken.body.filter { $0 == "z" }.count == 60)
    }

    @Test func `what was there before the gate came is known too`() throws {
        try pushgateway.push("/metrics/job/old", body: "# TYPE x counter\nx 1\n")
        let gate = try Gate(upstream: pushgateway.port)
        // The listing is read when the gate starts, by a thread of its own.
        usleep(500_000)
        let answer = try gate.send("POST", "/metrics/job/new", body: "x 1\n")
        #expect(answer.status == 400 && answer.body.contains("job=old"), "\(answer)")
        #expect(try pushgateway.get("/metrics").body.contains("job=\"new\"") == false)
    }

    @Test func `a suspicion that is out of date refuses nobody`() throws {
        #expect(
            try gate.send("POST", "/metrics/job/one", body: "# TYPE x counter\nx 1\n").status == 200
        )
        try pushgateway.push("/metrics/job/one", body: "", method: "DELETE")
        usleep(100_000)
        #expect(
            try gate.send("POST", "/metrics/job/two", body: "# TYPE x gauge\nx 1\n").status == 200)
    }

    @Test func `when nobody can say whether it clashes, the Pushgateway decides`() throws {
        let fake = try FakePushgateway(answersQuestions: false) { connection, _ in
            while connection.request() != nil { connection.answer(FakeConnection.ok) }
        }
        let gate = try Gate(upstream: fake.port)
        #expect(
            try gate.send("POST", "/metrics/job/one", body: "# TYPE x counter\nx 1\n").status == 200
        )
        let began = Date()
        #expect(
            try gate.send("POST", "/metrics/job/two", body: "# TYPE x gauge\nx 1\n").status == 200)
        #expect((0.9...3).contains(Date().timeIntervalSince(began)))
    }

    @Test(arguments: [
        ("# TYPE x summary\nx_sum{secret=\"s\"} 1\n", "x_sum 1\n", "another name"),
        ("# TYPE x histogram\nx_sum{secret=\"s\"} 1\n", "x_bucket 1\n", "another name"),
    ])
    func `what only the Pushgateway finds is told, and nothing of the other group`(
        first: String, second: String, text: String
    ) throws {
        #expect(try gate.send("POST", "/metrics/job/one", body: first).status == 200)
        let answer = try gate.send("POST", "/metrics/job/two", body: second)
        #expect(answer.status == 400)
        #expect(answer.body.hasPrefix("the Pushgateway refused the push: "), "\(answer)")
        #expect(answer.body.contains(text), "\(answer)")
        #expect(!answer.body.contains("secret") && !answer.body.contains("label:"), "\(answer)")
        #expect(gate.log(holding: "reason=upstream_refused") != nil)
        // The operator sees all of it.
        #expect(gate.log(holding: "said=\"pushed metrics are invalid or inconsistent") != nil)
    }

    @Test func `status shows whether the Pushgateway is well, and what would mend it`() throws {
        let file = gate.folder.path + "/kanmon.yml"
        let good = try run(Programs.kanmon, ["status", "--config", file])
        #expect(good.status == 0 && good.output.contains("can be scraped"), "\(good)")
        #expect(good.output.contains("label conflicts  refuse"))

        // What the Pushgateway refuses leaves an empty group, and breaks nothing.
        let summary = "# TYPE x summary\nx_sum 1\n"
        #expect(try gate.send("POST", "/metrics/job/s", body: summary).status == 200)
        #expect(try gate.send("POST", "/metrics/job/left", body: "x_sum 1\n").status == 400)
        try pushgateway.push("/metrics/job/s/instance@base64/=", body: "y 1\n")
        let broken = try run(Programs.kanmon, ["status", "--config", file])
        #expect(broken.status == 1 && broken.output.contains("CANNOT be scraped: status 500"))
        #expect(
            broken.output.contains(
                "to mend it: curl -X DELETE \(pushgateway.url)/metrics/job/s/instance@base64/="),
            "\(broken.output)")
        #expect(broken.output.contains("{job=left} is empty"), "\(broken.output)")

        let json = try run(Programs.kanmon, ["status", "--config", file, "--json"])
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        #expect(object["scrape_ok"] as? Bool == false)
        #expect((object["culprits"] as? [[String: String]])?.count == 1)
    }

    @Test
    func `when the Pushgateway is broken already, nobody is blamed, and the gate is not ready`()
        throws
    {
        #expect(try gate.send("POST", "/metrics/job/one", body: "x 1\n").status == 200)
        #expect(try gate.send("GET", "/-/ready", login: nil).status == 200)
        try pushgateway.push("/metrics/job/one/instance@base64/=", body: "y 1\n")
        #expect(try pushgateway.get("/metrics").status == 500)
        let answer = try gate.send("POST", "/metrics/job/two", body: "z 1\n")
        #expect(answer.status == 400)
        #expect(answer.body.contains("nothing is wrong with this push"), "\(answer)")

        // Seen by two looks, ten seconds apart; its own health page says nothing of it.
        #expect(gate.log(holding: "the Pushgateway cannot be scraped", within: 40) != nil)
        #expect(try pushgateway.get("/-/ready").status == 200)
        let log = try #require(gate.log(holding: "repair="))
        let command = try #require(log.firstMatch(of: /repair="([^"]*)"/)).1
        #expect(command.hasSuffix("/metrics/job/one/instance@base64/="), "\(command)")
        #expect(try gate.send("GET", "/-/ready", login: nil).status == 503)
        #expect(gate.log(holding: "reason=not_ready") != nil)
        #expect(try gate.send("GET", "/-/healthy", login: nil).status == 200)

        // The command that is named mends it.
        #expect(try run("/bin/sh", ["-c", String(command)]).status == 0)
        usleep(200_000)
        #expect(try pushgateway.get("/metrics").status == 200)
        #expect(gate.log(holding: "can be scraped again", within: 20) != nil)
        #expect(try gate.send("GET", "/readyz", login: nil).status == 200)
    }
}
