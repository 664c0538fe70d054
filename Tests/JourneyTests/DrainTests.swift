import Foundation
import Testing

/// Going down without losing a push.
@Suite struct DrainTests {
    @Test(arguments: [SIGTERM, SIGINT], [1, 2])
    func `a request in flight is answered, then the gate ends with 0`(signal: Int32, workers: Int)
        throws
    {
        let fake = try FakePushgateway { connection, _ in
            _ = connection.request()
            sleep(1)
            connection.answer(FakeConnection.ok)
        }
        let gate = try Gate(upstream: fake.port, settings: "workers: \(workers)")
        let idle = try gate.connect()
        let client = try gate.connect()
        try client.send(TestClient.request("POST", "/metrics/job/x", body: "a 1\n"))
        usleep(300_000)
        gate.program.signal(signal)
        let answer = try client.answer()
        #expect(answer.status == 200)
        #expect(answer.isLast)
        #expect(gate.program.exitStatus(within: 10) == 0)
        #expect(idle.waitForEnd(within: 1).ended)
        #expect(gate.program.output.contains("drained, going down"))
    }

    @Test func `nobody new is let in while it goes down`() throws {
        let gate = try Gate(upstream: try freePort())
        let idle = try gate.connect()
        gate.program.signal(SIGTERM)
        _ = gate.log(holding: "draining")
        #expect(throws: (any Error).self) { try BlockingSocket(port: gate.port) }
        _ = idle
    }

    @Test func `health says that the gate goes down, on a connection that is still there`() throws {
        let fake = try FakePushgateway { connection, _ in
            _ = connection.request()
            sleep(2)
            connection.answer(FakeConnection.ok)
        }
        let gate = try Gate(upstream: fake.port)
        let busy = try gate.connect()
        try busy.send(TestClient.request("POST", "/metrics/job/x", body: "a 1\n"))
        let prober = try gate.connect()
        #expect(try prober.send("GET", "/readyz", login: nil).status == 200)
        gate.program.signal(SIGTERM)
        _ = gate.log(holding: "draining")
        let answer = try prober.send("GET", "/readyz", login: nil)
        #expect(answer.status == 503)
        #expect(answer.isLast)
        #expect(gate.log(holding: "reason=draining") != nil)
        #expect(try busy.answer().status == 200)
    }

    @Test func `with nothing to do it ends at once`() throws {
        let gate = try Gate(upstream: try freePort())
        let began = Date()
        gate.program.signal(SIGTERM)
        #expect(gate.program.exitStatus(within: 5) == 0)
        #expect(Date().timeIntervalSince(began) < 1)
    }

    @Test func `who is in flight for too long is cut at the drain timeout`() throws {
        let fake = try FakePushgateway { connection, _ in
            _ = connection.request()
            sleep(20)
        }
        let gate = try Gate(upstream: fake.port, settings: "limits: {drain_timeout: 3s}")
        let client = try gate.connect()
        try client.send(TestClient.request("POST", "/metrics/job/x", body: "a 1\n"))
        usleep(200_000)
        gate.program.signal(SIGTERM)
        #expect(gate.program.exitStatus(within: 8) == 0)
    }
}
