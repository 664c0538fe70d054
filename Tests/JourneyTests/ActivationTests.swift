import Foundation
import Testing

/// Listening sockets that were open before the gate: whoever holds them keeps the queue.
@Suite struct ActivationTests {
    private static let hasSocketActivate = FileManager.default.isExecutableFile(
        atPath: "/usr/bin/systemd-socket-activate")

    @Test func `a socket that was passed is used, and other addresses are bound beside it`() throws
    {
        let pushgateway = try Pushgateway()
        let (passed, bound) = (try freePort(), try freePort())
        let gate = try Gate(
            upstream: pushgateway.port,
            settings: "listen: [\"127.0.0.1:\(bound)\", \"127.0.0.1:\(passed)\"]",
            launcher: Launcher.passing([.init(port: passed)]))
        for port in [passed, bound] {
            let client = try TestClient(port: port, certificate: gate.certificate)
            #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        }
        gate.program.signal(SIGTERM)
        #expect(gate.program.exitStatus() == 0)
    }

    @Test func `sockets that are announced to another process are not touched`() throws {
        let gate = try Gate(
            upstream: try freePort(),
            launcher: Launcher.passing([.init(kind: "file")], isForOther: true))
        #expect(try gate.send("GET", "/healthz", login: nil).status == 200)
    }

    /// What is passed, and what the gate says to it.
    private static let mistakes: [(kind: String, complaint: String)] = [
        ("file", "descriptor 3 was passed as a listening socket and is no socket"),
        ("unix", "descriptor 3 was passed and is no socket for IPv4 or IPv6"),
        ("datagram", "was passed and is no TCP socket"),
        ("bound", "was passed and does not listen"),
        ("connection", "was passed and does not listen"),
    ]

    @Test(arguments: mistakes.indices)
    func `a descriptor that cannot be listened on is a mistake of the configuration`(_ index: Int)
        throws
    {
        let (kind, complaint) = Self.mistakes[index]
        let errors = try start(passing: [.init(kind: kind)], listen: "127.0.0.1:\(try freePort())")
        #expect(errors.contains(complaint), "\(errors)")
    }

    @Test func `a socket at an address that nobody asked for is named, with what was asked for`()
        throws
    {
        let (passed, asked) = (try freePort(), try freePort())
        let errors = try start(passing: [.init(port: passed)], listen: "127.0.0.1:\(asked)")
        #expect(
            errors.contains(
                "descriptor 3 (kanmon.socket) was passed to listen on 127.0.0.1:\(passed), and the "
                    + "configuration listens on 127.0.0.1:\(asked)"), "\(errors)")
    }

    @Test func `a port the system is to choose is not what was passed`() throws {
        let port = try freePort()
        let errors = try start(passing: [.init(port: port)], listen: "127.0.0.1:0")
        #expect(errors.contains("was passed to listen on 127.0.0.1:\(port)"), "\(errors)")
    }

    /// What the gate says before it ends with 78.
    private func start(passing passed: [Launcher.Passed], listen: String) throws -> String {
        let gate = try? Gate(
            upstream: 9, settings: "listen: \"\(listen)\"", launcher: Launcher.passing(passed))
        #expect(gate == nil)
        let folder = TemporaryFolder()
        try CertificateKey.ecdsa.writeCertificate(to: folder)
        folder.write("htpasswd", Gate.users)
        let file = folder.write(
            "kanmon.yml",
            """
            listen: "\(listen)"
            allow: [127.0.0.1]
            tls: {cert_file: tls.crt, key_file: tls.key}
            auth: {users_file: htpasswd}
            upstream: {url: "http://127.0.0.1:9"}
            """)
        let command =
            try Launcher.passing(passed) + [Programs.kanmon, "serve", "--config", file]
        let result = try run(command[0], Array(command.dropFirst()))
        #expect(result.status == 78)
        return result.errors
    }

    @Test func `who knocks while no gate runs is served by the next one`() throws {
        let pushgateway = try Pushgateway()
        let port = try freePort()
        let gate = try Gate(
            upstream: pushgateway.port, settings: "listen: \"127.0.0.1:\(port)\"",
            launcher: Launcher.holding(port: port, pauseSeconds: 1))
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        for (count, kill) in zip(1..., [SIGKILL, SIGTERM, SIGKILL]) {
            #expect(gate.hasStarted(times: count))
            let processID = try #require(gate.currentProcessID)
            #expect(Glibc.kill(processID, kill) == 0)
            while Glibc.kill(processID, 0) == 0 { usleep(1000) }
            #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        }
        #expect(gate.hasStarted(times: 4))
    }

    @Test func `a gate that drains leaves the queue of a passed socket to the next`() throws {
        let fake = try FakePushgateway { connection, count in
            _ = connection.request()
            if count == 1 { sleep(3) }
            connection.answer(FakeConnection.ok)
        }
        let port = try freePort()
        let gate = try Gate(
            upstream: fake.port, settings: "listen: \"127.0.0.1:\(port)\"",
            launcher: Launcher.holding(port: port, pauseSeconds: 0))
        let busy = try gate.connect()
        try busy.send(TestClient.request("POST", "/metrics/job/x", body: "a 1\n"))
        usleep(300_000)
        let processID = try #require(gate.currentProcessID)
        kill(processID, SIGTERM)
        _ = gate.log(holding: "draining")
        // Waits in the queue until the next process is there.
        #expect(try gate.send("POST", "/metrics/job/y", body: "a 1\n").status == 200)
        #expect(gate.currentProcessID != processID)
        let answer = try busy.answer()
        #expect(answer.status == 200 && answer.isLast)
    }

    @Test(.enabled(if: hasSocketActivate))
    func `started by the first connection, it serves that connection`() throws {
        let pushgateway = try Pushgateway()
        let folder = TemporaryFolder()
        try CertificateKey.ecdsa.writeCertificate(to: folder)
        folder.write("htpasswd", Gate.users)
        let port = try freePort()
        folder.write(
            "kanmon.yml",
            """
            listen: "127.0.0.1:\(port)"
            allow: [127.0.0.1]
            tls: {cert_file: tls.crt, key_file: tls.key}
            auth: {users_file: htpasswd}
            upstream: {url: "http://127.0.0.1:\(pushgateway.port)"}
            """)
        // It hands on no environment but what it is told to.
        let confined = Programs.confined.map { ["--setenv=KANMON_CONFINED=\($0)"] } ?? []
        let program = try RunningProgram(
            "/usr/bin/systemd-socket-activate",
            confined + [
                "--listen=127.0.0.1:\(port)", Programs.kanmon, "serve", "--config",
                folder.path + "/kanmon.yml",
            ])
        _ = program.waitForOutput { $0.contains("Listening on") ? $0 : nil }
        #expect(!program.output.contains("starting kanmon"))
        let client = try TestClient(port: port, certificate: folder.read("tls.crt"))
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        program.signal(SIGTERM)
        #expect(program.exitStatus() == 0, "\(program.output)")
    }
}

extension Gate {
    /// Whether a holding launcher has started so many, which is read later than the last may serve.
    func hasStarted(times: Int) -> Bool {
        let found = program.waitForOutput(within: 10) { output in
            let starts = output.matches(of: /starting kanmon/).count
            return starts == times && output.matches(of: /(?m)^gate \d+$/).count == times
                ? output : nil
        }
        return found != nil
    }

    /// The gate that it started last.
    var currentProcessID: Int32? {
        program.output.matches(of: /(?m)^gate (\d+)$/).last.flatMap { Int32($0.1) }
    }
}
