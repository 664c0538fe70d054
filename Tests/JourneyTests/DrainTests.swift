import Foundation
import Synchronization
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

    @Test func `who waits in the queue of its own socket is still let in`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        gate.program.signal(SIGSTOP)
        let statuses = Mutex<[Int]>([])
        let everybody = DispatchGroup()
        for number in 0..<20 {
            everybody.enter()
            Thread.detachNewThread {
                let path = "/metrics/job/queue/number/\(number)"
                let answer = try? gate.send("POST", path, body: "a 1\n")
                statuses.withLock { $0.append(answer?.isLast == true ? answer?.status ?? 0 : 0) }
                everybody.leave()
            }
        }
        // By now the kernel has connected them, and the gate knows of none.
        sleep(1)
        gate.program.signal(SIGTERM)
        gate.program.signal(SIGCONT)
        everybody.wait()
        #expect(statuses.withLock { $0 } == Array(repeating: 200, count: 20))
        #expect(gate.program.exitStatus() == 0)
    }

    @Test func `a request of which a part has come is waited for`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let (client, idle) = (try gate.connect(), try gate.connect())
        let request = Array(TestClient.request("POST", "/metrics/job/x", body: "a 1\n").utf8)
        try client.send(Array(request[..<40]))
        usleep(200_000)
        gate.program.signal(SIGTERM)
        #expect(idle.waitForEnd(within: 10).ended)
        usleep(500_000)
        try client.send(Array(request[40...]))
        let answer = try client.answer()
        #expect(answer.status == 200 && answer.isLast)
        #expect(gate.program.exitStatus() == 0)
    }

    @Test func `told a second time it ends at once`() throws {
        let fake = try FakePushgateway { connection, _ in
            _ = connection.request()
            sleep(20)
        }
        let gate = try Gate(upstream: fake.port)
        let client = try gate.connect()
        try client.send(TestClient.request("POST", "/metrics/job/x", body: "a 1\n"))
        usleep(200_000)
        gate.program.signal(SIGTERM)
        _ = gate.log(holding: "draining")
        usleep(3_000_000)
        #expect(gate.program.isRunning)
        gate.program.signal(SIGTERM)
        #expect(gate.program.exitStatus(within: 5) == 0)
        #expect(gate.program.output.contains("told to end a second time, connections cut"))
    }
}
