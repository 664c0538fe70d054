import Foundation
import Testing

/// A push that is right reaches a real Pushgateway, however it is sent.
@Suite struct PushTests {
    let pushgateway: Pushgateway
    let gate: Gate

    init() throws {
        pushgateway = try Pushgateway()
        gate = try Gate(upstream: pushgateway.port)
    }

    @Test(arguments: ["PUT", "POST"])
    func `a push is accepted, counted and stored`(method: String) throws {
        let body = "# TYPE load gauge\nload{core=\"0\"} 0.5\nload{core=\"1\"} 0.25\nup 1\n"
        let answer = try gate.send(method, "/metrics/job/cron/instance/a", body: body)
        #expect(answer.status == 200)
        #expect(answer.body == "accepted 3 samples in 2 families\n")
        #expect(answer.fields["content-type"] == "text/plain; charset=utf-8")
        let stored = try pushgateway.samples(of: "load").sorted()
        #expect(
            stored == [
                "load{core=\"0\",instance=\"a\",job=\"cron\"} 0.5",
                "load{core=\"1\",instance=\"a\",job=\"cron\"} 0.25",
            ])
    }

    @Test func `a PUT replaces its group, a POST only its families, a DELETE all of it`() throws {
        for (method, body) in [("PUT", "a 1\nb 1\n"), ("POST", "b 2\n"), ("PUT", "c 3\n")] {
            #expect(try gate.send(method, "/metrics/job/cron", body: body).status == 200)
        }
        #expect(try pushgateway.samples(of: "b").isEmpty)
        #expect(try pushgateway.samples(of: "c").count == 1)
        let deletion = try gate.send("DELETE", "/metrics/job/cron")
        #expect(deletion.status == 202)
        #expect(deletion.body == "accepted the deletion of this group\n")
        #expect(try pushgateway.samples(of: "c").isEmpty)
    }

    @Test func `an empty PUT deletes what its group holds`() throws {
        #expect(try gate.send("PUT", "/metrics/job/cron", body: "a 1\n").status == 200)
        #expect(try gate.send("PUT", "/metrics/job/cron", body: "").status == 200)
        #expect(try pushgateway.samples(of: "a").isEmpty)
    }

    @Test func `every answer has a name of its own, which the log has as well`() throws {
        let first = try gate.send("POST", "/metrics/job/cron", body: "a 1\n")
        let second = try gate.send("POST", "/metrics/job/cron", body: "a 1\n")
        let name = try #require(first.fields["x-request-id"])
        #expect(name.count == 10)
        #expect(name != second.fields["x-request-id"])
        let log = try #require(gate.log(holding: "id=\(name)"))
        let line = try #require(log.split(separator: "\n").first { $0.contains("id=\(name)") })
        #expect(line.contains("msg=\"push accepted\""))
        #expect(
            line.contains(
                "user=prom from=127.0.0.1 group=\"job=cron\" samples=1 bytes=4 status=200 ms="))
        #expect(!log.contains("secret"))
    }

    @Test func `one connection carries many pushes, also sent before the first is answered`() throws
    {
        let client = try gate.connect()
        let requests = (0..<20).map { number in
            TestClient.request("POST", "/metrics/job/j\(number)", body: "a \(number)\n")
        }
        try client.send(requests.joined())
        for number in 0..<20 {
            let answer = try client.answer()
            #expect(answer.status == 200, "push \(number)")
            #expect(!answer.isLast)
        }
        #expect(try pushgateway.samples(of: "a").count == 20)
    }

    @Test func `a request may come byte by byte`() throws {
        let client = try gate.connect()
        for byte in TestClient.request("POST", "/metrics/job/slow", body: "a 1\n").utf8 {
            try client.send([byte])
        }
        #expect(try client.answer().status == 200)
    }

    @Test func `what is wrong is told alike, however the body was cut`() throws {
        var body = (0..<2000).map { "load{core=\"\($0)\"} \($0)\n" }.joined()
        body += "load{core=\"7\"} 1\nload 1 2\nb{c=\"d\" 1\n"
        let whole = try gate.send("POST", "/metrics/job/cut", body: body)
        #expect(whole.status == 400)
        for length in [1000, 4093, 20_011] {
            let client = try gate.connect()
            let head = TestClient.request(
                "POST", "/metrics/job/cut", fields: ["Content-Length: \(body.utf8.count)"])
            try client.send(head)
            var rest = Array(body.utf8)[...]
            while !rest.isEmpty {
                try client.send(Array(rest.prefix(length)))
                rest = rest.dropFirst(length)
                usleep(200)
            }
            #expect(try client.answer().body == whole.body, "in pieces of \(length)")
        }
    }

    @Test func `a chunked body is put together`() throws {
        let client = try gate.connect()
        let head = TestClient.request(
            "POST", "/metrics/job/chunks", fields: ["Transfer-Encoding: chunked"])
        try client.send(head + "3\r\na 1\r\n1;x=y\r\n\n\r\n")
        try client.send("4\r\nb 2\n\r\n0\r\nTrailer: dropped\r\n\r\n")
        let answer = try client.answer()
        #expect(answer.body == "accepted 2 samples in 2 families\n")
        #expect(try client.send("POST", "/metrics/job/chunks", body: "c 3\n").status == 200)
        #expect(try pushgateway.samples(of: "b") == ["b{instance=\"\",job=\"chunks\"} 2"])
    }

    @Test func `a chunked body that is malformed is 400, and the connection ends`() throws {
        let client = try gate.connect()
        let head = TestClient.request(
            "POST", "/metrics/job/chunks", fields: ["Transfer-Encoding: chunked"])
        try client.send(head + "0x4\r\na 1\n\r\n0\r\n\r\n")
        #expect(try client.answer().status == 400)
        #expect(client.waitForEnd(within: 5).ended)
        #expect(gate.log(holding: "reason=body_malformed") != nil)
    }

    @Test func `a head may be larger than a buffer, where the limit lets it`() throws {
        let gate = try Gate(upstream: pushgateway.port, settings: "limits: {head_bytes_max: 64KiB}")
        let client = try gate.connect()
        let long = "X: " + String(repeating: "y", count: 40_000)
        let answer = try client.send("POST", "/metrics/job/head", body: "a 1\n", fields: [long])
        #expect(answer.status == 200)
        #expect(try client.send("POST", "/metrics/job/head", body: "a 1\n").status == 200)
    }

    @Test func `a large body arrives whole`() throws {
        let body = (0..<40_000).map { "series{number=\"\($0)\"} \($0)\n" }.joined()
        let answer = try gate.send("PUT", "/metrics/job/large", body: body)
        #expect(answer.body == "accepted 40000 samples in 1 families\n")
        #expect(try pushgateway.samples(of: "series").count == 40_000)
    }

    @Test func `a client that asks first is told to go on`() throws {
        let client = try gate.connect()
        let head = TestClient.request(
            "POST", "/metrics/job/asks", fields: ["Expect: 100-continue", "Content-Length: 4"])
        try client.send(head)
        #expect(try client.answer().status == 100)
        try client.send("a 1\n")
        #expect(try client.answer().status == 200)
    }

    @Test func `a client that has finished sending is still answered`() throws {
        let client = try gate.connect()
        try client.send(TestClient.request("POST", "/metrics/job/half", body: "a 1\n"))
        client.finishSending()
        #expect(try client.answer().status == 200)
    }

    @Test(arguments: [
        ("1.0", "Connection: keep-alive", false), ("1.0", "X: y", true),
        ("1.1", "Connection: close", true),
    ])
    func `the connection is kept as the client asks`(version: String, field: String, isLast: Bool)
        throws
    {
        let client = try gate.connect()
        let request = TestClient.request(
            "POST", "/metrics/job/kept", body: "a 1\n", fields: [field])
        try client.send(request.replacingOccurrences(of: "HTTP/1.1", with: "HTTP/\(version)"))
        let answer = try client.answer()
        #expect(answer.status == 200)
        #expect(answer.isLast == isLast)
        if isLast { #expect(client.waitForEnd(within: 5).ended) }
    }

    @Test(arguments: [
        ("/metrics/job/%62ot/instance/a%20b", "{instance=\"a b\",job=\"bot\"}"),
        ("/metrics/job@base64/Ym90", "{instance=\"\",job=\"bot\"}"),
        ("/metrics/job/bot/instance@base64/YS9i", "{instance=\"a/b\",job=\"bot\"}"),
        ("/metrics/job/bot/instance@base64/=", "{instance=\"\",job=\"bot\"}"),
        ("/metrics/job/bot/", "{instance=\"\",job=\"bot\"}"),
    ])
    func `the group is the one that the path means`(path: String, labels: String) throws {
        #expect(try gate.send("PUT", path, body: "a 1\n").status == 200)
        #expect(try pushgateway.samples(of: "a") == ["a\(labels) 1"])
    }

    @Test(arguments: [["--tlsv1.2", "--tls-max", "1.2"], ["--tlsv1.3"]])
    func `curl pushes a file over either version of TLS`(version: [String]) throws {
        let curl = try #require(Programs.curl)
        let file = gate.folder.write("body", "# HELP a b\na 1\n")
        let result = try run(
            curl,
            version + [
                "-sS", "--fail-with-body", "--cacert", gate.folder.path + "/tls.crt", "-u",
                "prom:secret",
                "--data-binary", "@" + file, "https://localhost:\(gate.port)/metrics/job/curl",
            ])
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output == "accepted 1 samples in 1 families\n")
    }

    @Test func `an RSA certificate serves as well`() throws {
        let gate = try Gate(upstream: pushgateway.port, key: .rsa)
        #expect(try gate.send("POST", "/metrics/job/rsa", body: "a 1\n").status == 200)
    }

    @Test func `two workers share the connections`() throws {
        let gate = try Gate(upstream: pushgateway.port, settings: "workers: 2")
        let clients = try (0..<8).map { _ in try gate.connect() }
        for (number, client) in clients.enumerated() {
            let answer = try client.send("POST", "/metrics/job/w\(number)", body: "a 1\n")
            #expect(answer.status == 200)
        }
        #expect(try pushgateway.samples(of: "a").count == 8)
    }

    @Test(arguments: [429, 503])
    func `a Pushgateway that is busy is 503`(status: Int) throws {
        let fake = try FakePushgateway { connection, _ in
            _ = connection.request()
            connection.answer("HTTP/1.1 \(status) Busy\r\nContent-Length: 0\r\n\r\n")
        }
        let gate = try Gate(upstream: fake.port)
        let answer = try gate.send("POST", "/metrics/job/x", body: "a 1\n")
        #expect(answer.status == 503)
        #expect(answer.fields["retry-after"] != nil)
    }

    @Test(arguments: ["/-/healthy", "/healthz", "/-/ready", "/readyz"])
    func `health is told to everyone, without a login`(path: String) throws {
        let answer = try gate.send("GET", path, login: nil)
        #expect(answer.status == 200)
        #expect(answer.body == "OK\n")
        #expect(try gate.send("HEAD", path, login: nil).status == 200)
    }
}
