import Foundation
import Synchronization
import Testing

/// Signals, standing still, sudden death, and surroundings that mean no good.
@Suite(.timeLimit(.minutes(10))) struct LifetimeTests {
    @Test func `signals that are meant for others change nothing`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let client = try gate.connect()
        let strays =
            [
                SIGPIPE, SIGUSR1, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGWINCH,
                SIGURG, SIGCHLD, SIGCONT, SIGXFSZ,
            ] + [34, 40, 64]
        for number in strays {
            gate.program.signal(number)
            let answer = try client.send("POST", "/metrics/job/x", body: "m \(number)\n")
            #expect(answer.status == 200, "signal \(number)")
        }
        #expect(!gate.program.output.contains("configuration reloaded"))
        #expect(!gate.program.output.contains("draining"))
    }

    @Test func `SIGQUIT ends it at once`() throws {
        let gate = try Gate(upstream: try freePort())
        let client = try gate.connect()
        gate.program.signal(SIGQUIT)
        #expect(gate.program.exitStatus(within: 5) == SIGQUIT)
        _ = client
    }

    /// What each client has done before the gate stands still, and does while it does.
    private enum Errand: CaseIterable { case handshake, head, body, login }

    @Test func `whoever sent in time while the gate stood still is answered`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port,
            settings: """
                limits: {handshake_timeout: 1s, head_timeout: 1s, body_timeout: 1s}
                """)
        #expect(try gate.send("POST", "/metrics/job/x", body: "m 1\n").status == 200)
        let (begun, standing) = (DispatchGroup(), DispatchSemaphore(value: 0))
        let done = DispatchGroup()
        let statuses = Mutex<[String]>([])
        for number in 0..<24 {
            let errand = Errand.allCases[number % Errand.allCases.count]
            begun.enter()
            done.enter()
            Thread.detachNewThread {
                let status = try? run(errand, number, gate) {
                    begun.leave()
                    standing.wait()
                }
                statuses.withLock { $0.append("\(errand) \(status ?? 0)") }
                done.leave()
            }
        }
        begun.wait()
        usleep(100_000)
        gate.program.signal(SIGSTOP)
        for _ in 0..<24 { standing.signal() }
        sleep(4)
        gate.program.signal(SIGCONT)
        #expect(done.wait(timeout: .now() + 60) == .success)
        let expected = (0..<24).map { "\(Errand.allCases[$0 % 4]) 200" }.sorted()
        #expect(statuses.withLock { $0.sorted() } == expected)
        // Deadlines count again.
        let silent = try BlockingSocket(port: gate.port)
        #expect(silent.receiveAll().isEmpty)
    }

    /// One push of which a part is sent before `pause` and the rest after it.
    private func run(
        _ errand: Errand, _ number: Int, _ gate: Gate, pause: () -> Void
    ) throws -> Int {
        if errand == .handshake {
            let client = try TestClient(
                port: gate.port, certificate: gate.certificate, within: 30, beforeHandshake: pause)
            return try client.send("POST", "/metrics/job/h\(number)", body: "m 1\n").status
        }
        let client = try gate.connect()
        // Longer than what is read in one turn.
        let body = "# " + String(repeating: "x", count: 60_000) + "\nm 1\n"
        let request = Array(
            TestClient.request("POST", "/metrics/job/h\(number)", body: body).utf8)
        let cut = errand == .head ? 30 : errand == .body ? 1000 : 0
        try client.send(Array(request[..<cut]))
        pause()
        try client.send(Array(request[cut...]), within: 30)
        return try client.answer(within: 30).status
    }

    @Test func `killed under load it starts again at once, and nothing that was accepted is lost`()
        throws
    {
        let pushgateway = try Pushgateway()
        let port = try freePort()
        let gate = try Gate(upstream: pushgateway.port, settings: "listen: \"127.0.0.1:\(port)\"")
        let accepted = Mutex<Set<String>>([])
        let isOver = Mutex(false)
        let threads = DispatchGroup()
        for number in 0..<4 {
            threads.enter()
            Thread.detachNewThread {
                var (client, count): (TestClient?, Int) = (nil, 0)
                while !isOver.withLock({ $0 }) {
                    count += 1
                    let job = "k\(number)-\(count)"
                    do {
                        let current = try client ?? gate.connect()
                        client = current
                        let answer = try current.send("PUT", "/metrics/job/\(job)", body: "m 1\n")
                        if answer.status == 200 { accepted.withLock { _ = $0.insert(job) } }
                    } catch {
                        client = nil
                        usleep(5_000)
                    }
                }
                threads.leave()
            }
        }
        var current = gate.program
        for round in 0..<5 {
            usleep(300_000 + UInt32(round) * 37_000)
            let before = accepted.withLock { $0.count }
            current.signal(SIGKILL)
            #expect(current.exitStatus() == SIGKILL)
            current = try RunningProgram(
                Programs.kanmon, ["serve", "--config", gate.folder.path + "/kanmon.yml"])
            #expect(current.waitForOutput { $0.contains("msg=ready") ? $0 : nil } != nil)
            let end = Date().addingTimeInterval(10)
            while accepted.withLock({ $0.count }) == before, Date() < end { usleep(10_000) }
            #expect(accepted.withLock { $0.count } > before, "\(current.output)")
        }
        isOver.withLock { $0 = true }
        #expect(threads.wait(timeout: .now() + 60) == .success)
        current.signal(SIGKILL)
        let held = Set(try pushgateway.groups().compactMap { $0["job"] })
        let lost = accepted.withLock { $0.subtracting(held) }
        #expect(lost.isEmpty, "\(lost)")
    }

    @Test func `the environment cannot change what is spoken, shown or written`() throws {
        let pushgateway = try Pushgateway()
        let folder = TemporaryFolder()
        folder.write(
            "openssl.cnf",
            """
            openssl_conf = all
            [all]
            ssl_conf = ssl
            engines = engines
            [ssl]
            system_default = default
            [default]
            MaxProtocol = TLSv1.1
            [engines]
            none = none
            [none]
            dynamic_path = /nonexistent/engine.so
            init = 1

            """)
        let gate = try Gate(
            upstream: pushgateway.port, launcher: ["/usr/bin/env", "-u", "HOME", "-u", "PATH"],
            environment: [
                "OPENSSL_CONF": folder.path + "/openssl.cnf", "SSL_CERT_FILE": "/nonexistent",
                "SSL_CERT_DIR": "/nonexistent", "SSLKEYLOGFILE": folder.path + "/keys",
                "OPENSSL_MODULES": "/nonexistent", "OPENSSL_ENGINES": "/nonexistent",
                "TZ": "Asia/Tokyo", "LC_ALL": "tr_TR.UTF-8", "LANG": "ar_EG.UTF-8",
                "MALLOC_PERTURB_": "165", "MALLOC_ARENA_MAX": "1", "MALLOC_TOP_PAD_": "1",
                "http_proxy": "http://127.0.0.1:1", "ALL_PROXY": "http://127.0.0.1:1",
                "RES_OPTIONS": "timeout:1", "GODEBUG": "x",
            ])
        let client = try gate.connect()
        #expect(client.isVersion13)
        let answer = try client.send("POST", "/metrics/job/x", body: "m 1.5\n")
        #expect(answer.status == 200)
        #expect(try pushgateway.samples(of: "m") == ["m{instance=\"\",job=\"x\"} 1.5"])
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/keys"))

        let id = answer.fields["x-request-id"] ?? "none"
        let log = try #require(gate.log(holding: "id=\(id)"))
        let format = ISO8601DateFormatter()
        format.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        let written = log.firstMatch(of: /ts=(\S+Z) level=info msg="push accepted"/).flatMap {
            format.date(from: String($0.1))
        }
        #expect(abs(try #require(written).timeIntervalSinceNow) < 600)
    }

    @Test(.enabled(if: NetworkNamespace.isUsable, "no namespace of its own can be had here"))
    func `where IPv6 is switched off a listener for everybody serves IPv4`() throws {
        let gate = try Gate(
            upstream: try freePort(), settings: "listen: \":0\"",
            launcher: NetworkNamespace.launcher)
        #expect(gate.log(holding: "msg=ready") != nil)
        let asked = try NetworkNamespace.run(
            in: gate.program,
            [
                Programs.curl ?? "curl", "-sS", "--cacert", gate.folder.path + "/tls.crt",
                "https://localhost:\(gate.port)/-/healthy", "-4",
            ])
        #expect(asked.output == "OK\n", "\(asked.errors)")
        // The interface goes down and comes again; who listens on every address never notices.
        let flap = "/sbin/ip link set lo down && /sbin/ip link set lo up"
        #expect(try NetworkNamespace.run(in: gate.program, ["/bin/sh", "-c", flap]).status == 0)
        let again = try NetworkNamespace.run(
            in: gate.program,
            [
                Programs.curl ?? "curl", "-sS", "--cacert", gate.folder.path + "/tls.crt",
                "https://localhost:\(gate.port)/-/healthy", "-4",
            ])
        #expect(again.output == "OK\n", "\(again.errors)")
    }
}

/// A network of a program's own, which has nothing but a loopback interface without IPv6.
private enum NetworkNamespace {
    private static let prepare =
        "/sbin/ip link set lo up && echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"

    static let launcher = [
        "/usr/bin/unshare", "--net", "/bin/sh", "-c", prepare + " && exec \"$@\"", "sh",
    ]

    static let isUsable: Bool = {
        let command = launcher + ["/bin/true"]
        let done = try? JourneyTests.run(command[0], Array(command.dropFirst()))
        return done?.status == 0
    }()

    static func run(
        in program: RunningProgram, _ command: [String]
    ) throws -> (status: Int32, output: String, errors: String) {
        try JourneyTests.run(
            "/usr/bin/nsenter", ["--target", "\(program.processID)", "--net"] + command)
    }
}
