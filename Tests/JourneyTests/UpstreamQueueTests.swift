import Foundation
import Synchronization
import Testing

/// Pushes that wait for a Pushgateway which is slow, stands still or is started anew.
@Suite struct UpstreamQueueTests {
    /// A Pushgateway that takes its time for the first push, until it is let go on.
    private final class Slow: Sendable {
        let jobs = Mutex<[String]>([])
        private let barrier = DispatchSemaphore(value: 0)

        func serve(_ connection: FakeConnection) {
            while let request = connection.request() {
                let job = request.firstMatch(of: /job\/(\w+)/).map { String($0.1) } ?? "?"
                let isFirst = jobs.withLock { jobs in
                    jobs.append(job)
                    return jobs.count == 1
                }
                if isFirst { barrier.wait() }
                connection.answer(FakeConnection.ok)
            }
        }

        func goOn() { barrier.signal() }

        func hasFirst() -> Bool {
            let end = Date().addingTimeInterval(10)
            while jobs.withLock(\.isEmpty), Date() < end { usleep(5_000) }
            return !jobs.withLock(\.isEmpty)
        }
    }

    private func gate(before port: UInt16, _ more: String = "") throws -> Gate {
        try Gate(
            upstream: port,
            settings: "upstream: {url: \"http://127.0.0.1:\(port)\", connections_max: 1\(more)}")
    }

    @Test func `who waits longest goes first, and who has gone gives up his place`() throws {
        let slow = Slow()
        let fake = try FakePushgateway { connection, _ in slow.serve(connection) }
        let gate = try gate(before: fake.port)
        let names = (0..<12).map { "job\($0)" }
        let clients = try names.map { _ in try gate.connect() }
        for (name, client) in zip(names, clients) {
            try client.send(TestClient.request("POST", "/metrics/job/\(name)", body: "a 1\n"))
            if name == names[0] { #expect(slow.hasFirst()) }
            // So that they come in this order, however busy this machine is.
            usleep(100_000)
        }
        clients[3].reset()
        clients[7].reset()
        usleep(500_000)
        slow.goOn()
        for (index, client) in clients.enumerated() where index != 3 && index != 7 {
            #expect(try client.answer().status == 200)
        }
        #expect(slow.jobs.withLock { $0 } == names.filter { $0 != "job3" && $0 != "job7" })
        #expect(fake.connectionCount == 1)
    }

    @Test func `clients that go away leave no connection to the Pushgateway behind`() throws {
        let fake = try FakePushgateway { connection, number in
            guard number > 40 else {
                _ = connection.request()
                // Until the gate lets go of it.
                _ = connection.request()
                return
            }
            while connection.request() != nil { connection.answer(FakeConnection.ok) }
        }
        let gate = try Gate(
            upstream: fake.port,
            settings: "upstream: {url: \"http://127.0.0.1:\(fake.port)\", connections_max: 4}")
        for round in 1...10 {
            let clients = try (0..<4).map { _ in try gate.connect() }
            for client in clients {
                try client.send(TestClient.request("POST", "/metrics/job/x", body: "a 1\n"))
            }
            #expect(waitUntil { fake.connectionCount == 4 * round })
            #expect(TCPTable.connections(to: fake.port).count <= 5)
            for client in clients { client.reset() }
            #expect(waitUntil { TCPTable.connections(to: fake.port).count <= 1 })
        }
        #expect(gate.log(holding: "client gone before its answer") != nil)
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        #expect(fake.connectionCount == 41)
    }

    @Test func `one that stands still costs a bounded time and bounded memory, and is used again`()
        throws
    {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port,
            settings: """
                upstream: {url: "\(pushgateway.url)", connections_max: 2, first_byte_timeout: 2s}
                limits: {buffered_bytes_max: 1MiB, body_bytes_max: 256KiB}
                """)
        let filler = String(repeating: "x", count: 2000)
        let body = (0..<50).map { "a{l=\"\($0)\",filler=\"\(filler)\"} 1\n" }.joined()
        let push = TestClient.request("PUT", "/metrics/job/x", body: body)
        #expect(try gate.send("PUT", "/metrics/job/x", body: "a 1\n").status == 200)
        pushgateway.program.signal(SIGSTOP)
        let before = residentBytes(of: gate.program)
        var statuses: [Int: Int] = [:]
        for _ in 0..<3 {
            let clients = try (0..<30).map { _ in try gate.connect() }
            for client in clients { try client.send(push) }
            for client in clients { statuses[try client.answer().status, default: 0] += 1 }
        }
        #expect(Set(statuses.keys).isSubset(of: [503, 504]), "\(statuses)")
        #expect(statuses[503, default: 0] > 0 && statuses[504, default: 0] > 0, "\(statuses)")
        #expect(gate.log(holding: "reason=memory_short") != nil)
        #expect(gate.log(holding: "reason=upstream_busy") != nil)
        #expect(residentBytes(of: gate.program) - before < 16 << 20)
        pushgateway.program.signal(SIGCONT)
        let isBack = waitUntil {
            (try? gate.send("PUT", "/metrics/job/x", body: "a 2\n").status) == 200
        }
        #expect(isBack)
    }

    private func residentBytes(of program: RunningProgram) -> Int {
        let text = try? String(
            contentsOfFile: "/proc/\(program.processID)/statm", encoding: .utf8)
        let pages = text?.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return pages * 4096
    }

    private func waitUntil(_ isTrue: () -> Bool) -> Bool {
        let end = Date().addingTimeInterval(15)
        while !isTrue() {
            guard Date() < end else { return false }
            usleep(10_000)
        }
        return true
    }

    // MARK: A Pushgateway that is started anew

    /// What one client was told. It pushes one number after another, one at a time.
    private struct Told: Sendable {
        var statuses: [Int: Int] = [:]
        var lastStored = 0
        var lastTried = 0
    }

    @Test func `restarts under load are told as such, and no yes is a lie`() throws {
        let port = try freePort()
        var pushgateway = try Pushgateway(port: port)
        let gate = try Gate(upstream: port)
        let told = Mutex([Told](repeating: Told(), count: 4))
        let isOver = Mutex(false)
        let ended = DispatchSemaphore(value: 0)
        for index in 0..<4 {
            Thread.detachNewThread {
                while !isOver.withLock({ $0 }) {
                    let number = told.withLock { told in
                        told[index].lastTried += 1
                        return told[index].lastTried
                    }
                    let answer = try? gate.send(
                        "PUT", "/metrics/job/client\(index)", body: "a \(number)\n")
                    told.withLock { told in
                        let status = answer?.status ?? 0
                        told[index].statuses[status, default: 0] += 1
                        if status == 200 { told[index].lastStored = number }
                    }
                }
                ended.signal()
            }
        }
        for _ in 0..<5 {
            usleep(300_000)
            pushgateway.program.signal(SIGKILL)
            _ = pushgateway.program.exitStatus()
            usleep(100_000)
            pushgateway = try Pushgateway(port: port)
            let already = told.withLock { $0.map(\.lastStored) }
            let haveRecovered = waitUntil {
                told.withLock { zip($0, already).allSatisfy { $0.lastStored > $1 } }
            }
            #expect(haveRecovered)
        }
        isOver.withLock { $0 = true }
        for _ in 0..<4 { ended.wait() }
        for (index, client) in told.withLock({ $0 }).enumerated() {
            let seen = Set(client.statuses.keys)
            #expect(seen.isSubset(of: [200, 502, 503, 504]), "\(client.statuses)")
            let sample = try pushgateway.samples(of: "a")
                .first { $0.contains("job=\"client\(index)\"") }
            let stored = try #require(sample?.split(separator: " ").last.flatMap { Double($0) })
            #expect((client.lastStored...client.lastTried).contains(Int(stored)))
        }
        let refused = told.withLock { $0.map { $0.statuses[503, default: 0] }.reduce(0, +) }
        #expect(refused > 0)
    }
}
