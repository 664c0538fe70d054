import Foundation
import Testing

/// What the service manager is told.
@Suite struct NotifyTests {
    let folder = TemporaryFolder()

    private func gate(
        _ notify: NotifySocket, _ further: [String: String] = [:], upstream: UInt16 = 9,
        settings: String = "", launcher: [String] = []
    ) throws -> Gate {
        let environment = further.merging(["NOTIFY_SOCKET": notify.name]) { $1 }
        return try Gate(
            upstream: upstream, settings: settings, launcher: launcher, environment: environment)
    }

    @Test(arguments: [false, true], [1, 2])
    func `it is ready when it serves, and says who it is`(isAbstract: Bool, workers: Int) throws {
        let notify = try NotifySocket(in: folder, isAbstract: isAbstract)
        let gate = try gate(notify, settings: "workers: \(workers)")
        let message = try #require(notify.next())
        #expect(message["READY"] == "1")
        #expect(message["MAINPID"] == String(gate.program.processID))
        #expect(message["STATUS"] == "serving on 127.0.0.1:\(gate.port), 1 users")
        #expect(try gate.send("GET", "/healthz", login: nil).status == 200)
        // Nobody asked for signs of life.
        #expect(notify.next(within: 0.5) == nil)
    }

    @Test(arguments: [
        "notify", "/no/such/socket", "@no-such-socket", "/" + String(repeating: "x", count: 200),
    ])
    func `a service manager that cannot be told is worth one warning`(name: String) throws {
        let gate = try Gate(
            upstream: try freePort(),
            environment: ["NOTIFY_SOCKET": name, "WATCHDOG_USEC": "100000"])
        #expect(try gate.send("GET", "/healthz", login: nil).status == 200)
        usleep(500_000)
        let warnings = gate.program.output.matches(of: /the service manager cannot be told/)
        #expect(warnings.count == 1)
        gate.program.signal(SIGTERM)
        #expect(gate.program.exitStatus() == 0)
    }

    @Test func `a reload has a beginning and an end, also when it is refused`() throws {
        let notify = try NotifySocket(in: folder)
        let gate = try gate(notify)
        #expect(notify.next()?["READY"] == "1")
        for isGood in [true, false] {
            if !isGood { gate.folder.write("htpasswd", "nonsense\n") }
            gate.program.signal(SIGHUP)
            let beginning = try #require(notify.next())
            #expect(beginning["RELOADING"] == "1")
            let moment = try #require(UInt64(beginning["MONOTONIC_USEC"] ?? ""))
            #expect(abs(Double(moment) / 1e6 - ProcessInfo.processInfo.systemUptime) < 20)
            let end = try #require(notify.next())
            #expect(end["READY"] == "1")
            #expect(end["STATUS"]?.hasPrefix("reload refused; ") == !isGood)
            #expect(end["STATUS"]?.hasSuffix("serving on 127.0.0.1:\(gate.port), 1 users") == true)
        }
    }

    @Test func `going down is told first, and more time asked for as long as it takes`() throws {
        let fake = try FakePushgateway { connection, _ in
            _ = connection.request()
            sleep(7)
            connection.answer(FakeConnection.ok)
        }
        let notify = try NotifySocket(in: folder)
        let gate = try gate(notify, upstream: fake.port)
        let client = try gate.connect()
        try client.send(TestClient.request("POST", "/metrics/job/x", body: "a 1\n"))
        usleep(300_000)
        #expect(notify.next()?["READY"] == "1")
        gate.program.signal(SIGTERM)
        #expect(notify.next()?["STOPPING"] == "1")
        for _ in 0..<2 {
            let plea = try #require(notify.next())
            #expect(plea["EXTEND_TIMEOUT_USEC"] == "10000000")
            #expect(plea["STATUS"] == "draining 1 connections")
        }
        #expect(try client.answer().status == 200)
        #expect(gate.program.exitStatus() == 0)
        #expect(notify.next(within: 0.2) == nil)
    }

    @Test(arguments: [1, 2])
    func `signs of life come as often as they are wanted, and from no process that stands still`(
        workers: Int
    ) throws {
        let notify = try NotifySocket(in: folder)
        let gate = try gate(
            notify, ["WATCHDOG_USEC": "400000"], settings: "workers: \(workers)")
        #expect(notify.next()?["READY"] == "1")
        let began = Date()
        for _ in 0..<5 { #expect(notify.next()?["WATCHDOG"] == "1") }
        #expect(Date().timeIntervalSince(began) > 0.7)
        gate.program.signal(SIGSTOP)
        while notify.next(within: 0.3) != nil {}
        #expect(notify.next(within: 1) == nil)
        gate.program.signal(SIGCONT)
        #expect(notify.next()?["WATCHDOG"] == "1")
    }

    @Test func `no sign of life is given for a loop that hangs, however the others turn`() throws {
        let notify = try NotifySocket(in: folder)
        let port = try freePort()
        let gate = try gate(
            notify, ["WATCHDOG_USEC": "1000000"],
            settings: "workers: 3\nlisten: \"127.0.0.1:\(port)\"",
            launcher: Launcher.holding(port: port, pauseSeconds: 0))
        #expect(notify.next(saying: "WATCHDOG") != nil)
        gate.program.signal(SIGUSR1)
        let stopped = gate.program.waitForOutput { output in
            output.firstMatch(of: /stopped (\S+ \S+)/).map { String($0.1) }
        }
        // Where one process may not stop another's thread there is nothing to see.
        guard stopped == "0 0" else { return }
        #expect(gate.log(holding: "a worker hangs, no sign of life is given", within: 20) != nil)
        while notify.next(within: 0) != nil {}
        #expect(notify.next(within: 3) == nil)
    }

    @Test func `signs of life that another process is to give are not given`() throws {
        let notify = try NotifySocket(in: folder)
        let gate = try gate(notify, ["WATCHDOG_USEC": "200000", "WATCHDOG_PID": "1"])
        #expect(notify.next()?["READY"] == "1")
        #expect(notify.next(within: 1) == nil)
        _ = gate
    }
}
