import Foundation
import Synchronization
import Testing

/// One process takes over from another while clients push.
@Suite struct UpgradeTests {
    @Test(arguments: [1, 2])
    func `ten upgrades in a row cost nobody a push`(workers: Int) throws {
        let pushgateway = try Pushgateway()
        let gate = try UpgradingGate(upstream: pushgateway.port, settings: "workers: \(workers)")
        let load = Load(on: gate.gate, keptAlive: 4, new: 2)
        for number in 1...10 {
            gate.upgrade()
            #expect(gate.waits(for: "handed over, draining", times: number), "\(gate.log)")
            usleep(100_000)
        }
        let (pushes, failures) = load.end()
        #expect(failures.isEmpty, "\(failures.prefix(5))")
        #expect(pushes > 100)
        // Each of the old ones ends when the last of its clients has been told.
        #expect(gate.waits(for: "drained, going down", times: 10))
        #expect(gate.processes.count == 11)
        #expect(gate.processes.dropLast().allSatisfy { !UpgradingGate.isRunning($0) })
        #expect(!gate.log.contains("connections cut"))
    }

    @Test func `a connection without a request is kept until its next one, which is answered`()
        throws
    {
        let fake = try FakePushgateway { connection, _ in
            while connection.request() != nil { connection.answer(FakeConnection.ok) }
        }
        let gate = try UpgradingGate(upstream: fake.port)
        let client = try gate.gate.connect()
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        gate.upgrade()
        #expect(gate.waits(for: "handed over, draining"))
        #expect(!client.waitForEnd(within: 4).ended)
        #expect(gate.gate.program.isRunning)
        // The gate as a whole is well, whichever of the two is asked.
        let health = try client.send("GET", "/readyz", login: nil)
        #expect(health.status == 200 && health.isLast)
        // Nobody else has its socket open: so it ends.
        #expect(client.waitForEnd().ended)
        #expect(gate.gate.program.exitStatus() == 0)
        let push = try gate.gate.send("POST", "/metrics/job/x", body: "a 1\n")
        #expect(push.status == 200 && !push.isLast)
    }

    @Test func `a push that is under way is answered by the process that took it`() throws {
        let fake = try FakePushgateway { connection, count in
            _ = connection.request()
            if count == 1 { sleep(2) }
            connection.answer(FakeConnection.ok)
        }
        let gate = try UpgradingGate(upstream: fake.port)
        let client = try gate.gate.connect()
        try client.send(TestClient.request("POST", "/metrics/job/x", body: "a 1\n"))
        usleep(300_000)
        gate.upgrade()
        #expect(gate.waits(for: "handed over, draining"))
        #expect(try gate.gate.send("POST", "/metrics/job/y", body: "a 1\n").status == 200)
        let answer = try client.answer()
        #expect(answer.status == 200 && answer.isLast)
        #expect(gate.gate.program.exitStatus() == 0)
    }

    @Test func `an idle connection ends at its time, and the old process with it`() throws {
        let gate = try UpgradingGate(upstream: 9, settings: "limits: {idle_timeout: 3s}")
        let client = try gate.gate.connect()
        #expect(try client.send("GET", "/healthz", login: nil).status == 200)
        gate.upgrade()
        #expect(gate.waits(for: "handed over, draining"))
        #expect(client.waitForEnd().ended)
        #expect(gate.gate.program.exitStatus() == 0)
        #expect(!gate.log.contains("drain timeout"))
    }

    @Test func `told to end, the new process ends, and so does the old one at once`() throws {
        let gate = try UpgradingGate(upstream: 9)
        let client = try gate.gate.connect()
        gate.upgrade()
        #expect(gate.waits(for: "handed over, draining"))
        for process in gate.processes { kill(process, SIGTERM) }
        #expect(gate.gate.program.exitStatus(within: 10) == 0)
        #expect(client.waitForEnd(within: 1).ended)
        #expect(gate.waits(for: "drained, going down", times: 2))
        #expect(throws: (any Error).self) { try BlockingSocket(port: gate.gate.port) }
    }

    /// What the program is replaced by, and what the log says to it.
    private static let broken: [(script: String?, complaint: String)] = [
        ("#!/bin/sh\nexit 1\n", "exited with 1"),
        ("#!/bin/sh\nkill -SEGV $$\n", "was ended by signal 11"),
        ("#!/bin/sh\nexec sleep 60\n", "did not say within 5 s that it can serve"),
        ("#!/bin/sh\nprintf 'nonsense' >&4; exec sleep 60\n", "was ended by signal 9"),
        ("#!/bin/sh\nexec 4>&-; exec sleep 60\n", "was ended by signal 9"),
        ("nothing that can be run", "cannot be started: Exec format error"),
        (nil, "cannot be started: No such file or directory"),
    ]

    @Test(arguments: broken.indices)
    func `a program that is broken changes nothing`(_ index: Int) throws {
        let (script, complaint) = Self.broken[index]
        let gate = try UpgradingGate(upstream: 9)
        let client = try gate.gate.connect()
        gate.replace(with: script)
        gate.upgrade()
        #expect(gate.waits(for: "upgrade failed, this gate goes on"))
        #expect(gate.log.contains(complaint), "\(gate.log)")
        for _ in 0..<2 {
            let answer = try client.send("GET", "/healthz", login: nil)
            #expect(answer.status == 200 && !answer.isLast)
        }
        #expect(try gate.gate.send("GET", "/healthz", login: nil).status == 200)
        // What failed once need not fail again.
        gate.replace(with: gate.program)
        gate.upgrade()
        #expect(gate.waits(for: "handed over, draining"))
    }

    @Test func `a file that may not be run changes nothing`() throws {
        let gate = try UpgradingGate(upstream: 9)
        gate.replace(with: "#!/bin/sh\n", mode: 0o644)
        gate.upgrade()
        #expect(gate.waits(for: "upgrade failed, this gate goes on"))
        #expect(gate.log.contains("cannot be started: Permission denied"))
        #expect(try gate.gate.send("GET", "/healthz", login: nil).status == 200)
    }

    @Test(arguments: ["listn: x\n", "listen: \"127.0.0.2:0\"\n"])
    func `a configuration that is no good for the new process changes nothing`(settings: String)
        throws
    {
        let gate = try UpgradingGate(upstream: 9)
        let file = gate.gate.folder.path + "/kanmon.yml"
        let before = try String(contentsOfFile: file, encoding: .utf8)
        let lines = before.split(separator: "\n").filter { !$0.hasPrefix("listen") }
        gate.gate.folder.write("kanmon.yml", lines.joined(separator: "\n") + "\n" + settings)
        gate.upgrade()
        #expect(gate.waits(for: "upgrade failed, this gate goes on"))
        #expect(gate.log.contains("exited with 78"), "\(gate.log)")
        #expect(try gate.gate.send("GET", "/healthz", login: nil).status == 200)
        gate.gate.folder.write("kanmon.yml", before)
        gate.upgrade()
        #expect(gate.waits(for: "handed over, draining"))
    }

    @Test func `a second wish while an upgrade is under way is not followed`() throws {
        let gate = try UpgradingGate(upstream: 9)
        gate.replace(with: "#!/bin/sh\nexec sleep 60\n")
        gate.upgrade()
        #expect(gate.waits(for: "upgrade begins"))
        gate.upgrade()
        #expect(gate.waits(for: "no upgrade now"))
        gate.gate.program.signal(SIGHUP)
        #expect(gate.waits(for: "configuration reloaded"))
        gate.gate.program.signal(SIGTERM)
        #expect(gate.gate.program.exitStatus() == 0)
        // Whoever had not taken over by then never will.
        #expect(gate.processes.allSatisfy { !UpgradingGate.isRunning($0) })
    }

    @Test func `the service manager hears of the new process from the old one, then from itself`()
        throws
    {
        let folder = TemporaryFolder()
        let notify = try NotifySocket(in: folder)
        let gate = try UpgradingGate(
            upstream: 9,
            environment: ["NOTIFY_SOCKET": notify.name, "WATCHDOG_USEC": "1000000"])
        let (old, client) = (gate.gate.program.processID, try gate.gate.connect())
        #expect(notify.next(saying: "READY")?["MAINPID"] == String(old))
        gate.upgrade()
        let message = try #require(notify.next(saying: "MAINPID"))
        let new = try #require(gate.processes.last)
        #expect(new != old && message["MAINPID"] == String(new))
        #expect(message["STATUS"] == "upgraded; process \(old) drains")
        #expect(message["WATCHDOG"] == "1")
        let word = try #require(notify.next(saying: "READY"))
        #expect(word["MAINPID"] == String(new))
        // The old process says nothing any more, not even that it ends.
        #expect(try client.send("GET", "/healthz", login: nil).isLast)
        #expect(gate.gate.program.exitStatus() == 0)
        kill(new, SIGSTOP)
        while notify.next(within: 0) != nil {}
        #expect(notify.next(within: 1.5) == nil)
        kill(new, SIGCONT)
        #expect(notify.next(saying: "WATCHDOG") != nil)
    }
}

/// A gate whose program can be replaced, with all processes that come of it; none of them is left.
final class UpgradingGate: Sendable {
    let gate: Gate
    private let folder = TemporaryFolder()
    private let path: String
    /// The contents of the real program, to put it back.
    let program = "real"

    /// What is replaced is the gate itself, never what confines it.
    private static var binary: String { Programs.confined ?? Programs.kanmon }

    init(upstream: UInt16, settings: String = "", environment: [String: String] = [:]) throws {
        path = folder.path + "/kanmon"
        try FileManager.default.copyItem(atPath: Self.binary, toPath: path)
        var environment = environment
        if Programs.confined != nil { environment["KANMON_CONFINED"] = path }
        gate = try Gate(
            upstream: upstream, settings: settings,
            path: Programs.confined == nil ? path : Programs.kanmon, environment: environment)
        #expect(gate.log(holding: "msg=ready") != nil)
    }

    deinit { for process in processes { kill(process, SIGKILL) } }

    var log: String { gate.program.output }

    /// Every process there has been, the first one first.
    var processes: [Int32] {
        [gate.program.processID]
            + log.matches(of: /upgrade begins.* pid=(\d+)/).compactMap { Int32($0.1) }
    }

    /// One that has ended and is not waited for yet does not run either.
    static func isRunning(_ process: Int32) -> Bool {
        let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
        return status.map { !$0.contains(") Z ") } ?? false
    }

    /// Asks the newest process that serves.
    func upgrade() {
        let serving = log.matches(of: /handed over, draining.* pid=(\d+)/).last
        kill(serving.flatMap { Int32($0.1) } ?? gate.program.processID, SIGUSR2)
    }

    /// Puts another file in the program's place, as an installation does: by renaming.
    func replace(with script: String?, mode: Int = 0o755) {
        let new = folder.path + "/new"
        if script == program {
            try? FileManager.default.copyItem(atPath: Self.binary, toPath: new)
        } else if let script {
            folder.write("new", script, mode: mode)
        } else {
            try? FileManager.default.removeItem(atPath: path)
            return
        }
        let result = unsafe rename(new, path)
        #expect(result == 0)
    }

    func waits(for text: String, times: Int = 1) -> Bool {
        let end = Date().addingTimeInterval(30)
        while log.components(separatedBy: text).count <= times {
            guard Date() < end else { return false }
            usleep(10_000)
        }
        return true
    }
}

/// Clients that push without a pause and never try again, each on a thread of its own.
final class Load: Sendable {
    private struct Outcome {
        var isOver = false
        var pushes = 0
        var failures: [String] = []
    }

    private let outcome = Mutex(Outcome())
    private let clients = DispatchGroup()

    /// - Parameters:
    ///   - keptAlive: how many keep their connection for as long as they are not told to leave.
    ///   - new: how many make a connection for each push.
    init(on gate: Gate, keptAlive: Int, new: Int) {
        for number in 0..<keptAlive + new {
            clients.enter()
            Thread.detachNewThread { [self] in
                push(to: gate, as: number, keepsAlive: number < keptAlive)
                clients.leave()
            }
        }
    }

    private func push(to gate: Gate, as number: Int, keepsAlive: Bool) {
        var connection: TestClient?
        while !outcome.withLock({ $0.isOver }) {
            do {
                let client = try connection ?? gate.connect()
                let answer = try client.send("POST", "/metrics/job/load/c/\(number)", body: "a 1\n")
                connection = keepsAlive && !answer.isLast ? client : nil
                outcome.withLock { outcome in
                    outcome.pushes += 1
                    if answer.status != 200 { outcome.failures.append("\(answer)") }
                }
            } catch {
                connection = nil
                outcome.withLock { $0.failures.append("\(keepsAlive): \(error)") }
            }
            usleep(5_000)
        }
    }

    func end() -> (pushes: Int, failures: [String]) {
        outcome.withLock { $0.isOver = true }
        clients.wait()
        return outcome.withLock { ($0.pushes, $0.failures) }
    }
}
