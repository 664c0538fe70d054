import Foundation
import Synchronization
import Testing

/// What a client is told when the Pushgateway is not there, or not itself.
@Suite struct UpstreamTests {
    @Test func `a Pushgateway that is not there is 503, and served again as soon as it is`() throws
    {
        let port = try freePort()
        let gate = try Gate(upstream: port)
        let answer = try gate.send("POST", "/metrics/job/x", body: "a 1\n")
        #expect(answer.status == 503)
        #expect(answer.body.contains("cannot be reached"))
        #expect(gate.log(holding: "reason=upstream_unreachable") != nil)
        #expect(answer.fields["retry-after"] != nil)
        let fake = try FakePushgateway(port: port) { connection, _ in
            while connection.request() != nil { connection.answer(FakeConnection.ok) }
        }
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        fake.stop()
    }

    @Test func `one that never answers is 504`() throws {
        let fake = try FakePushgateway { connection, _ in
            _ = connection.request()
            sleep(5)
        }
        let gate = try Gate(
            upstream: fake.port,
            settings:
                "upstream: {url: \"http://127.0.0.1:\(fake.port)\", first_byte_timeout: 500ms}")
        let answer = try gate.send("POST", "/metrics/job/x", body: "a 1\n")
        #expect(answer.status == 504)
        #expect(answer.body.contains("sending it again is safe"))
        #expect(gate.log(holding: "reason=upstream_too_late") != nil)
    }

    @Test func `one whose answer never ends is 504`() throws {
        let fake = try FakePushgateway { connection, _ in
            _ = connection.request()
            connection.answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx")
            sleep(5)
        }
        let gate = try Gate(
            upstream: fake.port,
            settings:
                "upstream: {url: \"http://127.0.0.1:\(fake.port)\", first_byte_timeout: 500ms, timeout: 1s}"
        )
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 504)
    }

    @Test(arguments: [
        "nonsense\r\n\r\n", "HTTP/1.1 2OO OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        "HTTP/1.1 301 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "",
        String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 9) + FakeConnection.ok,
    ])
    func `an answer that makes no sense is 502, and nothing of it is passed on`(answer: String)
        throws
    {
        let fake = try FakePushgateway { connection, _ in
            _ = connection.request()
            connection.answer(answer)
            connection.finish()
        }
        let gate = try Gate(upstream: fake.port)
        let told = try gate.send("POST", "/metrics/job/x", body: "a 1\n")
        #expect(told.status == 502, "\(told)")
        #expect(told.fields["location"] == nil)
        #expect(told.body.contains("Pushgateway"))
        #expect(gate.log(holding: "reason=upstream_unclear") != nil)
    }

    @Test(arguments: [204, 201])
    func `any other success is 200`(status: Int) throws {
        let fake = try FakePushgateway { connection, _ in
            while connection.request() != nil {
                connection.answer(
                    "HTTP/1.1 \(status) X\r\n\(status == 204 ? "" : "Content-Length: 0\r\n")\r\n")
            }
        }
        let gate = try Gate(upstream: fake.port)
        for _ in 0..<2 {
            #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        }
        #expect(fake.connectionCount == 1)
    }

    @Test func `a kept connection that was closed meanwhile costs one quiet retry`() throws {
        let fake = try FakePushgateway { connection, number in
            _ = connection.request()
            connection.answer(FakeConnection.ok)
            guard number == 1 else { return }
            // Reads the next request and closes without an answer: exactly the race there is.
            _ = connection.request()
            connection.finish()
        }
        let gate = try Gate(upstream: fake.port)
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 2\n").status == 200)
        #expect(fake.connectionCount == 2)
    }

    @Test func `a new connection that is closed is not tried again`() throws {
        let fake = try FakePushgateway { connection, _ in
            _ = connection.request()
            connection.finish()
        }
        let gate = try Gate(upstream: fake.port)
        let answer = try gate.send("POST", "/metrics/job/x", body: "a 1\n")
        #expect(answer.status == 502)
        #expect(fake.connectionCount == 1)
    }

    @Test func `a push without an answer in time is not sent twice`() throws {
        let requests = Mutex(0)
        let fake = try FakePushgateway { connection, _ in
            while connection.request() != nil {
                let count = requests.withLock { count in
                    count += 1
                    return count
                }
                if count == 1 { connection.answer(FakeConnection.ok) } else { sleep(3) }
            }
        }
        let gate = try Gate(
            upstream: fake.port,
            settings:
                "upstream: {url: \"http://127.0.0.1:\(fake.port)\", first_byte_timeout: 300ms}")
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 504)
        #expect(requests.withLock { $0 } == 2)
    }

    @Test func `the request is written anew, with nothing of the client's besides the push`() throws
    {
        let seen = Mutex("")
        let fake = try FakePushgateway { connection, _ in
            if let request = connection.request() { seen.withLock { $0 = request } }
            connection.answer(FakeConnection.ok)
        }
        let gate = try Gate(
            upstream: fake.port,
            settings: "upstream: {url: \"http://127.0.0.1:\(fake.port)/prefix\"}")
        let answer = try gate.send(
            "PUT", "/metrics/job/%61/z/1/b/2", body: "a 1\n",
            fields: ["X-Forwarded-For: 1.2.3.4", "Content-Type: application/json", "Cookie: a=b"])
        #expect(answer.status == 200)
        let expected = [
            "PUT /prefix/metrics/job/a/b/2/z/1 HTTP/1.1", "Host: 127.0.0.1:\(fake.port)",
            "Content-Type: text/plain; version=0.0.4; charset=utf-8", "Content-Length: 4", "",
            "a 1\n",
        ]
        #expect(seen.withLock { $0 } == expected.joined(separator: "\r\n"))
    }

    @Test func `more pushes than connections wait for their turn`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port,
            settings: "upstream: {url: \"\(pushgateway.url)\", connections_max: 2}")
        let clients = try (0..<30).map { _ in try gate.connect() }
        for (number, client) in clients.enumerated() {
            try client.send(TestClient.request("POST", "/metrics/job/q\(number)", body: "a 1\n"))
        }
        for client in clients { #expect(try client.answer().status == 200) }
        #expect(try pushgateway.samples(of: "a").count == 30)
    }

    @Test func `a push that waits too long for a connection is 503 and was not stored`() throws {
        let requests = Mutex(0)
        let fake = try FakePushgateway { connection, _ in
            while connection.request() != nil {
                requests.withLock { $0 += 1 }
                sleep(3)
            }
        }
        let gate = try Gate(
            upstream: fake.port,
            settings:
                "upstream: {url: \"http://127.0.0.1:\(fake.port)\", connections_max: 1, first_byte_timeout: 1s}"
        )
        let first = try gate.connect()
        try first.send(TestClient.request("POST", "/metrics/job/first", body: "a 1\n"))
        usleep(200_000)
        // Their time is over before the connection is free, or at the same moment.
        let waiting = try (0..<3).map { _ in try gate.connect() }
        for client in waiting {
            try client.send(TestClient.request("POST", "/metrics/job/second", body: "a 1\n"))
        }
        #expect(try first.answer().status == 504)
        let statuses = try waiting.map { try $0.answer().status }
        #expect(statuses.contains(503))
        #expect(gate.log(holding: "reason=upstream_busy") != nil)
    }

    @Test func `the Pushgateway's name is resolved`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port,
            settings: "upstream: {url: \"http://localhost:\(pushgateway.port)\"}")
        // However soon it comes: a push waits until the name is resolved.
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
    }

    @Test func `a name that cannot be resolved is 503`() throws {
        let gate = try Gate(
            upstream: 0, settings: "upstream: {url: \"http://no.such.invalid:9091\"}")
        let answer = try gate.send("POST", "/metrics/job/x", body: "a 1\n")
        #expect(answer.status == 503)
        #expect(gate.log(holding: "reason=upstream_unreachable")?.contains("resolved") == true)
    }
}
