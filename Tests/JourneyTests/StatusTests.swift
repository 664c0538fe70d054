import Foundation
import Testing

/// `kanmon status`: what a person finds out about a running gate, at night.
@Suite struct StatusTests {
    private func status(
        _ gate: AdministeredGate, _ arguments: String...
    ) throws -> (status: Int32, output: String, errors: String) {
        try run(Programs.kanmon, ["status", "--config", gate.configuration] + arguments)
    }

    @Test func `it shows who pushed last, who was refused and why, and all that could end soon`()
        throws
    {
        let pushgateway = try Pushgateway()
        let gate = try AdministeredGate(
            upstream: pushgateway.port,
            settings: """
                environment: staging
                auth: {users_file: htpasswd, users: {prom: {groups: [{job: nightly}, {job: "x*"}]}}}
                """)
        #expect(try gate.gate.send("POST", "/metrics/job/xserver", body: "a 1\n").status == 200)
        let refused = try gate.gate.send("POST", "/metrics/job/other", body: "a 1\n")
        #expect(refused.status == 403)
        let password = "prom:a-wrong-one"
        #expect(
            try gate.gate.send("POST", "/metrics/job/x", body: "a 1\n", login: password).status
                == 401)

        let shown = try status(gate)
        #expect(shown.status == 0, "\(shown)")
        let id = try #require(refused.fields["x-request-id"])
        for text in [
            "gate             healthy, up ", "environment      staging",
            "certificate      good for ",
            "SHA-256 ", "users            1", "kanmon.yml, read ", "xserver: last push ",
            "nightly: NEVER PUSHED", "refusals         2",
            "403 access_refused from=127.0.0.1 user=prom",
            "id=\(id)", "401 wrong_credentials from=127.0.0.1 id=", "nobody was turned away",
            "can be scraped", "label conflicts  refuse",
        ] { #expect(shown.output.contains(text), "\(text) in \(shown.output)") }
        #expect(
            !shown.output.contains("a-wrong-one") && shown.output.split(separator: "\n").count < 40)
    }

    @Test func `the same is told as JSON, in one object`() throws {
        let pushgateway = try Pushgateway()
        let gate = try AdministeredGate(upstream: pushgateway.port)
        #expect(try gate.gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        let shown = try status(gate, "--json")
        #expect(shown.status == 0, "\(shown)")
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(shown.output.utf8)) as? [String: Any])
        #expect(object["scrape_ok"] as? Bool == true && object["groups"] as? Int == 1)
        let told = try #require(object["gate"] as? [String: Any])
        #expect(told["healthy"] as? Bool == true && told["users"] as? Int == 1)
        let jobs = try #require(told["jobs"] as? [[String: Any]])
        #expect(jobs.first?["job"] as? String == "x" && jobs.first?["pushes"] as? Int == 1)
        #expect((0...60).contains(jobs.first?["age_seconds"] as? Int ?? -1))
    }

    @Test func `who is refused again and again does not push the others out`() throws {
        let gate = try AdministeredGate(upstream: try freePort())
        #expect(try gate.gate.send("POST", "/metrics/job/x", body: "a\n").status == 400)
        let scanner = try gate.gate.connect()
        for _ in 0..<50 { #expect(try scanner.send("GET", "/admin.php", login: nil).status == 404) }
        let refusals = try #require(try gate.status()["refusals"] as? [[String: Any]])
        #expect(refusals.map { $0["reason"] as? String } == ["not_found", "body_invalid"])
        #expect(refusals.map { $0["count"] as? Int } == [50, 1])
        #expect(refusals.map { $0["user"] as? String } == [nil, "prom"])
    }

    @Test func `names that a client chose can do nothing to the terminal`() throws {
        let pushgateway = try Pushgateway()
        let gate = try AdministeredGate(upstream: pushgateway.port)
        let job = "%C2%9B31m%22%5C"
        _ = try gate.gate.send("POST", "/metrics/job/\(job)", body: "a 1\n")
        _ = try gate.gate.send(
            "POST", "/metrics/job/\(String(repeating: "j", count: 500))", body: "a 1\n")
        let shown = try status(gate)
        #expect(
            shown.output.unicodeScalars.allSatisfy {
                $0 == "\n" || $0.properties.generalCategory != .control
            })
        #expect(!shown.output.contains(String(repeating: "j", count: 100)))
        _ = try gate.status()
    }

    @Test func `a gate that is down is said to be, and the rest is shown`() throws {
        let pushgateway = try Pushgateway()
        let gate = try AdministeredGate(upstream: pushgateway.port)
        gate.gate.program.signal(SIGTERM)
        _ = gate.gate.program.exitStatus()
        let shown = try status(gate)
        #expect(shown.status == 1, "\(shown)")
        for text in ["NOT REACHED", "is it running?", "environment      dev", "can be scraped"] {
            #expect(shown.output.contains(text), "\(shown.output)")
        }
        let json = try status(gate, "--json")
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        #expect(object["gate"] is NSNull)
        #expect((object["gate_failure"] as? String)?.contains("NOT REACHED") == true)
    }

    @Test func `without an admin listener it says how to have one, and still asks for health`()
        throws
    {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, settings: "listen: 127.0.0.1:\(try freePort())")
        let file = gate.folder.path + "/kanmon.yml"
        let shown = try run(Programs.kanmon, ["status", "--config", file])
        #expect(shown.status == 0, "\(shown)")
        #expect(shown.output.contains("healthy at https://127.0.0.1:\(gate.port)"), "\(shown)")
        #expect(shown.output.contains("admin: {listen: 127.0.0.1:9444}"))
        gate.program.signal(SIGKILL)
        _ = gate.program.exitStatus()
        #expect(try run(Programs.kanmon, ["status", "--config", file]).status == 1)
    }

    @Test
    func `a file that went bad under a running gate is told, beside the gate that still runs`()
        throws
    {
        let pushgateway = try Pushgateway()
        let gate = try AdministeredGate(upstream: pushgateway.port)
        gate.gate.folder.write("htpasswd", "prom:plain\n")
        let shown = try status(gate)
        #expect(shown.status == 78, "\(shown)")
        #expect(shown.output.contains("gate             healthy"), "\(shown)")
        #expect(shown.errors.contains("htpasswd:1"), "\(shown)")
    }
}
