import Foundation
import Testing

/// The time of day jumps while the gate runs. Only what people read follows it.
@Suite(
    .enabled(if: Faketime.library != nil, "libfaketime is not installed"),
    .timeLimit(.minutes(10)))
struct ClockTests {
    /// A gate whose time of day the test sets; the clock of deadlines stays as it is.
    private final class Clockwork {
        let gate: Gate
        private let folder: TemporaryFolder

        init(upstream: UInt16, settings: String = "", users: String = Gate.users) throws {
            folder = TemporaryFolder()
            folder.write("offset", "+0\n")
            let environment = [
                "LD_PRELOAD": Faketime.library ?? "",
                "FAKETIME_TIMESTAMP_FILE": folder.path + "/offset", "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
            ]
            gate = try Gate(
                upstream: upstream, settings: settings, users: users,
                // The library writes into the environment of the first program that it is loaded into,
                // and Swift does not find its arguments behind one that has been moved.
                launcher: ["/usr/bin/env"], environment: environment)
        }

        /// It shares memory with the programs that this one might start, and leaves it behind.
        deinit {
            gate.program.signal(SIGKILL)
            for kind in ["faketime_shm", "sem.faketime_sem"] {
                unsafe unlink("/dev/shm/\(kind)_\(gate.program.processID)")
            }
        }

        func jump(_ offset: String) { folder.write("offset", offset + "\n") }
    }

    /// How far the clock jumps, and by how many years that changes the date.
    static let jumps: [(offset: String, years: Int)] = [("+1h", 0), ("-30y", -30), ("+10y", 10)]

    @Test(arguments: jumps)
    func `a jump changes dates and nothing else`(offset: String, years: Int) throws {
        let pushgateway = try Pushgateway()
        let auth =
            "auth: {users_file: htpasswd, users: {few: {limits: {pushes_per_minute: 2}}, \"*\": {}}}"
        let clock = try Clockwork(
            upstream: pushgateway.port,
            settings: auth + "\nlimits: {head_timeout: 20s, handshake_timeout: 2s}",
            users: AccessTests.users("prom", "few"))
        let gate = clock.gate
        let client = try gate.connect()
        #expect(try client.send("POST", "/metrics/job/x", body: "m 1\n").status == 200)
        for expected in [200, 200, 429] {
            let answer = try gate.send("POST", "/metrics/job/x", body: "m 1\n", login: "few:secret")
            #expect(answer.status == expected)
        }
        #expect(try gate.handshake(as: gate.folder, session: "-sess_out") == "New")
        let slow = try gate.connect()
        try slow.send("GET /-/healthy HTTP/1.1\r\nHost: ")

        clock.jump(offset)
        usleep(300_000)
        // Half a head has its time, and a connection that says nothing ends at its own.
        let silent = try BlockingSocket(port: gate.port)
        try slow.send("localhost\r\n\r\n")
        #expect(try slow.answer(to: "GET").status == 200)
        #expect(silent.receiveAll().isEmpty)

        let answer = try client.send("POST", "/metrics/job/x", body: "m 1\n")
        #expect(answer.status == 200)
        let year = Calendar(identifier: .gregorian).component(.year, from: Date())
        // The test's own year may end, or begin an hour later, in between.
        let dates = [-1, 0, 1].map { " \(year + years + $0) " }
        let date = answer.fields["date"] ?? ""
        #expect(dates.contains { date.contains($0) }, "\(date)")
        let id = answer.fields["x-request-id"] ?? "none"
        let line = try #require(gate.log(holding: "id=\(id)")).split(separator: "\n")
            .first { $0.contains("id=\(id)") }
        #expect(line?.hasPrefix("ts=\(date.split(separator: " ")[3])-") == true, "\(line ?? "")")

        // What was used up stays used up, and sessions are resumed or made anew, but never refused.
        #expect(
            try gate.send("POST", "/metrics/job/x", body: "m 1\n", login: "few:secret").status
                == 429)
        #expect(try gate.handshake(as: gate.folder, session: "-sess_in") != nil)
        #expect(try gate.handshake(as: gate.folder, session: "-sess_out") != nil)
        #expect(try gate.handshake(as: gate.folder, session: "-sess_in") == "Reused")
    }

    @Test func `a login that was verified needs no second verification after a jump`() throws {
        let pushgateway = try Pushgateway()
        let folder = TemporaryFolder()
        let made = try run(
            Programs.kanmon, ["passwd", "--cost", "12", folder.path + "/users", "prom"],
            input: "secret\n")
        #expect(made.status == 0, "\(made.errors)")
        let users = String(decoding: folder.read("users"), as: UTF8.self)
        let clock = try Clockwork(upstream: pushgateway.port, users: users)
        let vitals = Vitals(of: clock.gate.program)
        func push() throws -> Int {
            try clock.gate.send("POST", "/metrics/job/x", body: "m 1\n").status
        }
        #expect(try push() == 200)
        let used = vitals.processorSeconds(ofThreads: "kanmon-password")
        #expect(used > 0.1)
        for (offset, _) in Self.jumps {
            clock.jump(offset)
            usleep(100_000)
            #expect(try push() == 200)
        }
        #expect(vitals.processorSeconds(ofThreads: "kanmon-password") - used < used / 2)
    }

    @Test func `a certificate that runs out is told once a day, and pushes go on`() throws {
        let pushgateway = try Pushgateway()
        let clock = try Clockwork(upstream: pushgateway.port)
        let gate = clock.gate
        clock.jump("+20d")
        #expect(gate.log(holding: "msg=\"the certificate expires soon\" days=9", within: 25) != nil)
        clock.jump("+31d")
        let expired = "level=error msg=\"the certificate has expired\" days=-2"
        #expect(gate.log(holding: expired, within: 25) != nil)
        #expect(try gate.send("POST", "/metrics/job/x", body: "m 1\n").status == 200)
        #expect(gate.reload(expecting: "users=1"))
        sleep(11)
        #expect(gate.program.output.matches(of: /level=\w+ msg="the certificate/).count == 2)
    }
}

/// The library that makes up the time of day for the program it is loaded into.
private enum Faketime {
    /// Debian has it in a folder named after the architecture.
    static let library: String? = {
        let folders = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib")) ?? []
        return folders.map { "/usr/lib/\($0)/faketime/libfaketimeMT.so.1" }
            .first { FileManager.default.fileExists(atPath: $0) }
    }()
}
