import Foundation
import Testing

/// The listener for those who run the gate: what it tells, to whom, and how little anybody can do there.
@Suite struct AdminTests {
    @Test func `each page is there, for its methods, and nothing else is`() throws {
        let gate = try AdministeredGate(upstream: try freePort())
        for path in ["/metrics", "/-/healthy", "/healthz", "/-/ready", "/readyz", "/-/status"] {
            let read = try gate.ask(path)
            #expect(read.status == 200 && read.isLast, "\(path): \(read)")
            let head = try gate.ask(path, method: "HEAD")
            #expect(head.status == 200 && head.body.isEmpty, "\(path): \(head)")
            #expect(head.fields["content-length"] != "0")
            let write = try gate.ask(path, method: "POST")
            #expect(write.status == 405 && write.fields["allow"] == "GET, HEAD", "\(path)")
        }
        #expect(
            try gate.ask("/metrics").fields["content-type"]
                == "text/plain; version=0.0.4; charset=utf-8")
        #expect(try gate.ask("/metrics?debug=1").status == 200)
        let reload = try gate.ask("/-/reload")
        #expect(reload.status == 405 && reload.fields["allow"] == "POST, PUT")
        for path in ["/", "/metrics/", "/metrics/job/x", "/-/quit", "/debug/pprof", "/status"] {
            #expect(try gate.ask(path).status == 404, "\(path)")
        }
    }

    @Test func `nothing of it is told at the door that clients use`() throws {
        let gate = try AdministeredGate(upstream: try freePort()).gate
        for path in ["/metrics", "/-/status"] {
            #expect(try gate.send("GET", path).status == 404)
        }
        #expect(try gate.send("POST", "/-/reload").status == 404)
    }

    // MARK: Reload

    @Test(arguments: ["POST", "PUT"])
    func `a reload that is asked for is answered when it is in force`(method: String) throws {
        let pushgateway = try Pushgateway()
        let gate = try AdministeredGate(upstream: pushgateway.port)
        let client = try gate.gate.connect()
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        gate.gate.folder.write("htpasswd", "# nobody\n")
        let answer = try gate.ask("/-/reload", method: method)
        #expect(answer.status == 200 && answer.body.contains("is in force"), "\(answer)")
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 403)
    }

    @Test func `a reload that fails is told with all that is wrong, and shows until it is mended`()
        throws
    {
        let gate = try AdministeredGate(upstream: try freePort())
        let good = String(decoding: gate.gate.folder.read("kanmon.yml"), as: UTF8.self)
        gate.gate.folder.write("kanmon.yml", good + "lisen: 1\nlimits: {head_timeout: never}\n")
        let answer = try gate.ask("/-/reload", method: "POST")
        #expect(answer.status == 500 && answer.body.contains("nothing was changed"), "\(answer)")
        #expect(answer.body.contains("\"lisen\""), "\(answer)")
        #expect(answer.body.contains("head_timeout"), "\(answer)")

        let metrics = try gate.metrics()
        #expect(metrics["kanmon_config_last_reload_successful"] == 0)
        let status = try gate.status()
        let reload = try #require(status["reload"] as? [String: Any])
        #expect(reload["successful"] as? Bool == false)
        #expect((reload["problems"] as? [Any])?.count == 2, "\(reload)")
        let screen = try gate.ask("/-/status", fields: ["Accept: text/plain"]).body
        #expect(screen.contains("RELOAD FAILED") && screen.contains("\"lisen\""), "\(screen)")

        gate.gate.folder.write("kanmon.yml", good)
        #expect(try gate.ask("/-/reload", method: "POST").status == 200)
        #expect(try gate.metrics()["kanmon_config_last_reload_successful"] == 1)
    }

    @Test func `what is sent with the wish to reload is not read, and does no harm`() throws {
        let gate = try AdministeredGate(upstream: try freePort())
        let body = String(repeating: "x", count: 2000)
        let answer = try gate.ask(
            bytes: Array(
                "POST /-/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000\r\n\r\n\(body)"
                    .utf8))
        #expect(answer.status == 200, "\(answer)")
        #expect(try gate.ask("/-/healthy").status == 200)
    }

    /// Where a request comes from as a browser tells it.
    struct Origin: Sendable, CustomTestStringConvertible {
        let host: String
        let fields: [String]
        let mayAsk: Bool
        var testDescription: String { "\(host) \(fields)" }
    }

    static let origins = [
        Origin(host: "localhost", fields: [], mayAsk: true),
        Origin(host: "LocalHost:9444", fields: [], mayAsk: true),
        Origin(host: "127.0.0.1:9444", fields: [], mayAsk: true),
        Origin(host: "127.1.2.3", fields: [], mayAsk: true),
        Origin(host: "[::1]:9444", fields: [], mayAsk: true),
        Origin(host: "localhost", fields: ["Origin: http://localhost:9444"], mayAsk: false),
        Origin(host: "localhost", fields: ["Origin: null"], mayAsk: false),
        Origin(host: "localhost", fields: ["oRIGIN:"], mayAsk: false),
        Origin(host: "localhost", fields: ["Origin: a", "Origin: b"], mayAsk: false),
        Origin(host: "rebound.example", fields: [], mayAsk: false),
        Origin(host: "localhost.example", fields: [], mayAsk: false),
        Origin(host: "127.0.0.1.example", fields: [], mayAsk: false),
        Origin(host: "192.0.2.1:9444", fields: [], mayAsk: false),
        Origin(host: "[2001:db8::1]", fields: [], mayAsk: false),
    ]

    @Test func `no web page can reload the gate or read its status`() throws {
        let gate = try AdministeredGate(upstream: try freePort())
        for origin in Self.origins {
            let reload = try gate.ask(
                "/-/reload", method: "POST", host: origin.host, fields: origin.fields)
            #expect(reload.status == (origin.mayAsk ? 200 : 403), "\(origin): \(reload)")
            let status = try gate.ask("/-/status", host: origin.host, fields: origin.fields)
            #expect(status.status == (origin.mayAsk ? 200 : 403), "\(origin): \(status)")
            // A Prometheus may have another name for it.
            let metrics = try gate.ask("/metrics", host: origin.host, fields: origin.fields)
            #expect(metrics.status == 200)
        }
        let reloads = gate.gate.program.waitForOutput { output in
            let count = output.components(separatedBy: "msg=\"configuration reloaded\"").count - 1
            return count >= Self.origins.count { $0.mayAsk } ? "\(count)" : nil
        }
        #expect(reloads == "5")
    }

    @Test func `where others can connect, nobody can reload and nobody is told of users`() throws {
        let gate = try AdministeredGate(upstream: try freePort(), admin: ":0")
        for (path, method) in [("/-/reload", "POST"), ("/-/status", "GET")] {
            let answer = try gate.ask(path, method: method)
            #expect(answer.status == 403 && answer.body.contains("admin.listen"), "\(answer)")
        }
        #expect(try gate.ask("/metrics").status == 200)
        #expect(try gate.ask("/-/ready").status == 200)
        let status = try run(Programs.kanmon, ["status", "--config", gate.configuration])
        #expect(status.status == 1 && status.output.contains("admin.listen"), "\(status)")
    }

    // MARK: Those who do not behave

    @Test func `a hundred connections that say nothing do not stop a scrape`() throws {
        let gate = try AdministeredGate(upstream: try freePort())
        let idle = try (0..<100).map { _ in try BlockingSocket(port: gate.adminPort) }
        for _ in 0..<3 { #expect(try gate.ask("/metrics").status == 200) }
        #expect(try gate.gate.send("GET", "/-/healthy", login: nil).status == 200)
        _ = idle
    }

    @Test func `who asks and does not read delays nobody`() throws {
        let pushgateway = try Pushgateway()
        let gate = try AdministeredGate(upstream: pushgateway.port)
        let request = Array("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
        let lazy = try (0..<60).map { _ in
            let socket = try BlockingSocket(port: gate.adminPort)
            try socket.send(request)
            return socket
        }
        #expect(try gate.gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        #expect(try gate.ask("/metrics").status == 200)
        // What they asked for is still theirs.
        let first = try #require(lazy.first)
        let answer = try #require(Answer(reading: first))
        #expect(answer.body.utf8.count == Int(answer.fields["content-length"] ?? ""))
    }

    @Test func `half a request and silence are gone at the deadline`() throws {
        let gate = try AdministeredGate(upstream: try freePort())
        let silent = try BlockingSocket(port: gate.adminPort, within: 20)
        let halfway = try BlockingSocket(port: gate.adminPort, within: 20)
        try halfway.send(Array("GET /metrics HTTP/1.1\r\nHost".utf8))
        let began = Date()
        #expect(silent.receiveAll().isEmpty && halfway.receiveAll().isEmpty)
        #expect((4..<15).contains(Date().timeIntervalSince(began)))
    }

    @Test(arguments: [
        ("garbage\r\n\r\n", 400), ("GET /metrics HTTP/1.1\r\n\r\n", 400),
        ("GET /metrics HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        ("GET /\(String(repeating: "a", count: 3000)) HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (
            "GET /metrics HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 9000))\r\n\r\n",
            431
        ),
    ])
    func `what is no request is told so`(text: String, status: Int) throws {
        let gate = try AdministeredGate(upstream: try freePort())
        #expect(try gate.ask(bytes: Array(text.utf8)).status == status)
        #expect(try gate.ask("/-/healthy").status == 200)
    }

    // MARK: Health

    @Test(arguments: [1, 2])
    func `a gate that goes down is alive, and not ready`(workers: Int) throws {
        let fake = try FakePushgateway { connection, _ in
            _ = connection.request()
            sleep(3)
            connection.answer(FakeConnection.ok)
        }
        let gate = try AdministeredGate(upstream: fake.port, settings: "workers: \(workers)")
        let busy = try gate.gate.connect()
        try busy.send(TestClient.request("POST", "/metrics/job/x", body: "a 1\n"))
        #expect(try gate.ask("/readyz").status == 200)
        gate.gate.program.signal(SIGTERM)
        _ = gate.gate.log(holding: "draining")
        let ready = try gate.ask("/readyz")
        #expect(ready.status == 503 && ready.body.contains("going down"), "\(ready)")
        #expect(try gate.ask("/healthz").status == 200)
        #expect(try gate.ask("/-/reload", method: "POST").status == 503)
        #expect(try busy.answer().status == 200)
        #expect(gate.gate.program.exitStatus(within: 10) == 0)
    }

    @Test func `a Pushgateway that cannot be scraped makes the gate not ready, and is told of`()
        throws
    {
        let gate = try AdministeredGate(upstream: try freePort())
        #expect(try gate.metrics()["kanmon_upstream_scrape_ok"] == 1)
        // Seen by two looks, ten seconds apart.
        #expect(gate.gate.log(holding: "the Pushgateway cannot be scraped", within: 40) != nil)
        #expect(try gate.metrics()["kanmon_upstream_scrape_ok"] == 0)
        let ready = try gate.ask("/-/ready")
        #expect(ready.status == 503 && ready.body.contains("Pushgateway"), "\(ready)")
        #expect(try gate.ask("/-/healthy").status == 200)
        #expect(try gate.status()["ready"] as? Bool == false)
    }

    @Test func `a port that is taken already is a mistake that is named before the start`() throws {
        let gate = try AdministeredGate(upstream: try freePort())
        let other = TemporaryFolder()
        let text = String(decoding: gate.gate.folder.read("kanmon.yml"), as: UTF8.self)
        let file = other.write(
            "kanmon.yml", text.replacing(/listen: 127.*/, with: "listen: 127.0.0.1:0"))
        for name in ["tls.crt", "tls.key", "htpasswd"] {
            other.write(name, String(decoding: gate.gate.folder.read(name), as: UTF8.self))
        }
        let second = try run(Programs.kanmon, ["serve", "--config", file])
        #expect(second.status == 69 && second.errors.contains(":\(gate.adminPort)"), "\(second)")
        // Held by a gate of our own, as before a reload.
        let check = try run(Programs.kanmon, ["check", "--config", gate.configuration])
        #expect(check.status == 0, "\(check)")
    }
}
