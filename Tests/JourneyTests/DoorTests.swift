import Foundation
import Synchronization
import Testing

/// Who may connect, and what becomes of those who connect and then do not behave.
@Suite struct DoorTests {
    @Test func `an address that is not listed is closed without a byte, and told of with its line`()
        throws
    {
        let gate = try Gate(upstream: try freePort(), settings: "allow: [127.0.0.2, \"::1\"]")
        let socket = try BlockingSocket(port: gate.port)
        try? socket.send(Array("x".utf8))
        #expect(socket.receiveAll().isEmpty)
        let log = try #require(gate.log(holding: "address not allowed"))
        #expect(log.contains("from=127.0.0.1 count=1"))
        #expect(log.contains("kanmon.yml:7"))
    }

    @Test func `a listed address is let in, through IPv4 and IPv6`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, settings: "listen: \":0\"\nallow: [127.0.0.1, \"::1\"]")
        for address in ["127.0.0.1", "::1"] {
            let client = try TestClient(
                port: gate.port, certificate: gate.certificate, address: address)
            #expect(
                try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200, "\(address)"
            )
        }
    }

    /// Limits that let a test see in a second what takes longer in life.
    static let hurried = """
        limits:
          handshake_timeout: 1s
          head_timeout: 1s
          body_timeout: 2s
          idle_timeout: 1s
          write_timeout: 1s
        """

    @Test func `garbage, silence and half a handshake are gone at the deadline`() throws {
        let gate = try Gate(upstream: try freePort(), settings: Self.hurried)
        let silent = try BlockingSocket(port: gate.port)
        let halfway = try BlockingSocket(port: gate.port)
        try halfway.send([22, 3, 1])
        let garbage = try BlockingSocket(port: gate.port)
        try garbage.send(Array("GET / HTTP/1.1\r\nHost: x\r\n\r\n".utf8))
        let began = Date()
        _ = garbage.receiveAll()
        #expect(Date().timeIntervalSince(began) < 0.9)
        #expect(silent.receiveAll().isEmpty)
        #expect(halfway.receiveAll().isEmpty)
        let elapsed = Date().timeIntervalSince(began)
        #expect(elapsed > 0.8 && elapsed < 3)
        #expect(gate.program.isRunning)
    }

    @Test func `who comes while handshakes are at their limit waits and is served`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, settings: "limits:\n  handshakes_max: 4")
        let statuses = Mutex<[Int?]>([])
        for number in 0..<40 {
            Thread.detachNewThread {
                let answer = try? gate.send("POST", "/metrics/job/herd\(number)", body: "a 1\n")
                statuses.withLock { $0.append(answer?.status) }
            }
        }
        let end = Date().addingTimeInterval(30)
        while statuses.withLock({ $0.count }) < 40, Date() < end { usleep(20_000) }
        #expect(statuses.withLock { $0 } == Array(repeating: 200, count: 40))
    }

    @Test func `handshakes at their limit that nobody goes on with give way`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, settings: "limits:\n  handshakes_max: 4")
        let stalled = try (0..<4).map { _ in try BlockingSocket(port: gate.port) }
        let began = Date()
        #expect(try gate.send("POST", "/metrics/job/herd", body: "a 1\n").status == 200)
        #expect(Date().timeIntervalSince(began) < 4, "only the deadline of 5 s made room")
        #expect(gate.log(holding: "reason=made_room") != nil)
        withExtendedLifetime(stalled) {}
    }

    @Test func `an address with more connections than it may is told of`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, settings: "limits: {connections_per_address_max: 4}")
        let crowd = try (0..<6).map { _ in try gate.connect() }
        let log = try #require(gate.log(holding: "connections_per_address_max reached"))
        #expect(log.contains("from=127.0.0.1 count=1"))
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        withExtendedLifetime(crowd) {}
    }

    @Test func `half a head ends with 408, and others never notice`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port, settings: Self.hurried)
        let slow = try gate.connect()
        try slow.send("POST /metrics/job/x HTTP/1.1\r\nHost: local")
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        let answer = try slow.answer(within: 5)
        #expect(answer.status == 408)
        #expect(slow.waitForEnd(within: 5).ended)
        #expect(gate.log(holding: "reason=head_too_slow") != nil)
    }

    @Test func `a head that drips in does not move its deadline`() throws {
        let gate = try Gate(upstream: try freePort(), settings: Self.hurried)
        let slow = try gate.connect()
        let began = Date()
        for byte in "POST /metrics/job/x HTTP/1.1\r\n".utf8
        where Date().timeIntervalSince(began) < 5 {
            usleep(200_000)
            do { try slow.send([byte]) } catch { break }
        }
        #expect(Date().timeIntervalSince(began) < 5)
    }

    @Test func `half a body ends with 408 and is not forwarded`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port, settings: Self.hurried)
        let slow = try gate.connect()
        try slow.send(
            TestClient.request("POST", "/metrics/job/half", fields: ["Content-Length: 8"]) + "a 1\n"
        )
        let answer = try slow.answer(within: 6)
        #expect(answer.status == 408)
        #expect(try pushgateway.samples(of: "a").isEmpty)
        #expect(gate.log(holding: "reason=body_too_slow") != nil)
    }

    @Test func `a body below the least pace ends with 408 before its deadline`() throws {
        let gate = try Gate(
            upstream: try freePort(),
            settings: "limits: {body_rate_min: {bytes_per_second: 1KiB, after: 1s}}")
        let slow = try gate.connect()
        let began = Date()
        try slow.send(
            TestClient.request("POST", "/metrics/job/half", fields: ["Content-Length: 80000"])
                + "a 1\n")
        #expect(try slow.answer(within: 10).status == 408)
        #expect(Date().timeIntervalSince(began) < 5)
    }

    @Test func `a body that is cut is not forwarded`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        #expect(try gate.send("PUT", "/metrics/job/cut", body: "a 1\nb 1\n").status == 200)
        for fields in [["Content-Length: 100"], ["Transfer-Encoding: chunked"]] {
            let client = try gate.connect()
            let sent = fields[0].hasPrefix("T") ? "4\r\na 2\n\r\n" : "a 2\n"
            try client.send(TestClient.request("PUT", "/metrics/job/cut", fields: fields) + sent)
            client.finishSending()
            #expect(client.waitForEnd(within: 5).ended)
        }
        #expect(try pushgateway.samples(of: "a") == ["a{instance=\"\",job=\"cut\"} 1"])
    }

    @Test func `an idle connection ends at its time, one that never asked sooner`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, settings: "limits: {idle_timeout: 3s, head_timeout: 1s}")
        let fresh = try gate.connect()
        let used = try gate.connect()
        #expect(try used.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        #expect(fresh.waitForEnd(within: 2.5).ended)
        #expect(!used.waitForEnd(within: 0.2).ended)
        #expect(used.waitForEnd(within: 5).ended)
    }

    @Test func `a client that never reads is gone, and others never notice`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port, settings: Self.hurried)
        let deaf = try gate.connect()
        // Long answers pile up until the kernel's buffers are full; then nothing more is read from it.
        let invalid = String(repeating: "a b\n", count: 20)
        let request = TestClient.request("POST", "/metrics/job/deaf", body: invalid)
        let many = String(repeating: request, count: 200)
        let began = Date()
        while Date().timeIntervalSince(began) < 40 {
            do { try deaf.send(Array(many.utf8), within: 3) } catch { break }
        }
        #expect(Date().timeIntervalSince(began) < 40)
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        #expect(gate.log(holding: "reason=write_too_slow") != nil)
    }

    @Test func `an address at its limit loses the oldest that never logged in`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, settings: "limits: {connections_per_address_max: 3}")
        let known = try gate.connect()
        #expect(try known.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        let oldest = try gate.connect()
        let newer = try gate.connect()
        let newest = try gate.connect()
        #expect(oldest.waitForEnd(within: 3).ended)
        for client in [known, newer, newest] {
            #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        }
    }

    @Test func `after its last request a connection is closed with a word`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, settings: "limits: {requests_per_connection_max: 2}")
        let client = try gate.connect()
        #expect(try !client.send("POST", "/metrics/job/x", body: "a 1\n").isLast)
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").isLast)
        #expect(client.waitForEnd(within: 5).ended)
    }

    @Test func `a client that is still sending gets to read why it is refused`() throws {
        let gate = try Gate(upstream: try freePort())
        let client = try gate.connect()
        let body = String(repeating: "x", count: 50_000)
        try client.send(
            TestClient.request(
                "POST", "/metrics/job/x", login: nil, fields: ["Content-Length: 4000000"]) + body)
        #expect(try client.answer().status == 401)
    }
}
