import Foundation
import Testing

/// System calls that fail, one kind of failure after another, while pushes go through a gate to a real
/// Pushgateway: what is accepted is there, nothing else is, and once the fault is over nothing is left of it.
@Suite(
    .enabled(if: Strace.isUsable, "strace is not installed, or may not take hold of processes"),
    .timeLimit(.minutes(60)))
struct FaultTests {
    static let isWhole = ProcessInfo.processInfo.environment["KANMON_FAULT_CELLS"] == "all"

    /// A system call and how it may fail.
    struct Row: Sendable {
        let call: String
        /// Nobody notices these.
        var harmless: [String] = []
        /// After these a push may be refused or cut.
        var harmful: [String] = []
        var moments = ["1", "3+5", "7+7"]
        /// What has to fail too, so that the call is made at all.
        var companion: String?
    }

    /// Connections to the Pushgateway are kept; one that breaks again and again has to be made again.
    private static let reconnects = "recvfrom:error=ECONNRESET:when=1+2"

    static let rows = [
        Row(
            call: "accept4",
            harmless: [
                "EMFILE", "EPERM", "ECONNABORTED", "EINTR", "EPROTO", "ENETDOWN", "ENFILE",
                "ENOBUFS", "ENOMEM",
            ]),
        Row(call: "epoll_wait", harmless: ["EINTR"]),
        Row(call: "epoll_ctl", harmless: ["EINTR"], harmful: ["ENOMEM", "ENOSPC"]),
        Row(
            call: "read", harmless: ["EINTR", "EAGAIN"],
            harmful: ["ECONNRESET", "ETIMEDOUT", "ENOMEM", "EIO"]),
        // Never the first: what a thread rings a bell with cannot fail but by a fault of the kernel.
        Row(
            call: "write", harmless: ["EINTR", "EAGAIN"],
            harmful: ["EPIPE", "ECONNRESET", "ENOBUFS", "ENOMEM"], moments: ["3+5", "7+7"]),
        Row(
            call: "recvfrom", harmless: ["EINTR", "EAGAIN"],
            harmful: ["ECONNRESET", "ETIMEDOUT", "ENOMEM", "EIO"]),
        Row(
            call: "sendto", harmless: ["EINTR", "EAGAIN"],
            harmful: ["EPIPE", "ECONNRESET", "ETIMEDOUT", "ENOBUFS", "ENOMEM"]),
        Row(
            call: "sendmsg", harmless: ["EINTR", "EAGAIN"],
            harmful: ["EPIPE", "ECONNRESET", "ETIMEDOUT", "ENOBUFS", "ENOMEM"]),
        Row(
            call: "connect",
            harmful: [
                "ECONNREFUSED", "EINTR", "ETIMEDOUT", "EADDRNOTAVAIL", "ENETUNREACH", "EACCES",
                "EAGAIN",
            ], companion: reconnects),
        Row(
            call: "socket", harmless: ["EINTR"],
            harmful: ["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EACCES"], companion: reconnects),
        Row(
            call: "setsockopt", harmless: ["EINTR"], harmful: ["ENOBUFS", "ENOMEM", "EINVAL"],
            companion: reconnects),
        Row(call: "getsockopt", harmful: ["ENOBUFS", "ENOTSOCK"], companion: reconnects),
        Row(call: "futex", harmless: ["EINTR", "EAGAIN"]),
        Row(call: "clock_nanosleep", harmless: ["EINTR"]),
        Row(call: "getrandom", harmless: ["EINTR"]),
        Row(call: "madvise", harmless: ["EINVAL", "ENOMEM"]),
    ]

    /// One failure: what fails, how, and when.
    struct Cell: CustomStringConvertible {
        let injections: [String]
        let isHarmless: Bool
        var description: String { injections.joined(separator: " and ") }

        /// All of them, or of each row one that is harmless and one that is not.
        static var chosen: [Cell] {
            rows.flatMap { row -> [Cell] in
                let few = row.moments.contains("3+5") ? ["3+5"] : Array(row.moments.prefix(1))
                let moments = isWhole ? row.moments : few
                return cells(of: row, row.harmless, moments, areHarmless: row.companion == nil)
                    + cells(of: row, row.harmful, moments, areHarmless: false)
            }
        }

        private static func cells(
            of row: Row, _ errors: [String], _ moments: [String], areHarmless: Bool
        ) -> [Cell] {
            (isWhole ? errors : Array(errors.prefix(1))).flatMap { error in
                moments.map { moment in
                    let injection = "\(row.call):error=\(error):when=\(moment)"
                    return Cell(
                        injections: [injection] + (row.companion.map { [$0] } ?? []),
                        isHarmless: areHarmless)
                }
            }
        }
    }

    @Test func `whatever call fails, what is accepted is there and nothing is left of the fault`()
        throws
    {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let vitals = Vitals(of: gate.program)
        #expect(try gate.send("POST", "/metrics/job/warm", body: "m 0\n").status == 200)
        usleep(300_000)
        let descriptors = vitals.descriptors
        let cells = Cell.chosen
        for (number, cell) in cells.enumerated() {
            var pushes = Pushes(to: gate, named: "cell\(number)")
            let strace = try Strace(cell.injections, of: gate.program)
            for turn in 0..<8 {
                pushes.push(onNewConnection: turn % 3 == 2, bytes: turn % 4 == 1 ? 8192 : 0)
            }
            strace.finish()
            #expect(pushes.hung.isEmpty, "\(cell): \(pushes.summary)")
            if cell.isHarmless { #expect(pushes.areAllAccepted, "\(cell): \(pushes.summary)") }
            let answer = try gate.send("PUT", "/metrics/job/after\(number)", body: "m 1\n")
            #expect(answer.status == 200, "\(cell): \(answer)")
            let violations = try pushes.violations(in: pushgateway)
            #expect(violations.isEmpty, "\(cell): \(violations)")
            // A connection to the Pushgateway, and one of those who look how it is.
            #expect(vitals.comesDown(to: descriptors + 2), "\(cell): \(vitals.descriptors)")
        }
        #expect(vitals.comesDown(to: descriptors + 1))
        print("faults: \(cells.count) kinds of failure, \(descriptors) descriptors")
    }

    /// Calls that a reload makes and a push does not.
    static let reloadInjections = [
        "openat:error=EMFILE:when=1", "openat:error=EINTR:when=1+2", "openat:error=ENOMEM:when=2",
        "openat:error=EACCES:when=3", "openat:error=ELOOP:when=4", "fstat:error=EIO:when=2",
        "newfstatat:error=EIO:when=2", "read:error=EIO:when=1+2", "read:error=EINTR:when=1+2",
        "clone3:error=EAGAIN", "clone3:error=ENOMEM", "mprotect:error=ENOMEM",
    ]

    @Test func `a reload whose calls fail is done or refused, and changes nothing when refused`()
        throws
    {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let client = try gate.connect()
        #expect(try client.send("POST", "/metrics/job/x", body: "m 0\n").status == 200)
        let descriptors = Vitals(of: gate.program).descriptors
        var endings = 0
        for injection in Self.reloadInjections {
            let strace = try Strace([injection], of: gate.program)
            gate.program.signal(SIGHUP)
            endings += 1
            #expect(gate.waitForReloads(endings), "\(injection): \(gate.program.output)")
            strace.finish()
            #expect(try client.send("POST", "/metrics/job/x", body: "m 0\n").status == 200)
            #expect(try gate.send("POST", "/metrics/job/x", body: "m 0\n").status == 200)
            gate.program.signal(SIGHUP)
            endings += 1
            #expect(gate.waitForReloads(endings), "\(injection)")
            let last = gate.program.output.split(separator: "\n").last { $0.contains("reload") }
            #expect(last?.contains("configuration reloaded") == true, "\(injection)")
        }
        #expect(Vitals(of: gate.program).comesDown(to: descriptors + 1))
    }

    /// What fails before anybody is served, and how the program ends then; nil when it starts all the same.
    static let starts: [(injection: String, status: Int32?)] = [
        ("getrandom:error=EINTR:when=1+2", nil),
        ("socket:error=EAFNOSUPPORT:when=1", nil), ("setpriority:error=EPERM", nil),
        ("prlimit64:error=EPERM", nil), ("sched_getaffinity:error=EPERM", nil),
        ("eventfd2:error=EMFILE:when=1", 71), ("eventfd2:error=ENFILE:when=4", 71),
        ("epoll_create1:error=EMFILE:when=1", 71), ("signalfd4:error=EMFILE", 71),
        ("epoll_ctl:error=ENOMEM:when=1", 71), ("clone3:error=EAGAIN:when=1", 71),
        ("clone3:error=EAGAIN:when=3", 71), ("socket:error=EMFILE:when=1", 69),
        ("bind:error=EACCES", 69), ("listen:error=EADDRINUSE", 69),
    ]

    @Test(arguments: starts)
    func `a start whose calls fail serves, or ends with a sentence and a status that says why`(
        injection: String, status: Int32?
    ) throws {
        let folder = TemporaryFolder()
        try CertificateKey.ecdsa.writeCertificate(to: folder)
        folder.write("htpasswd", Gate.users)
        let port = try freePort()
        folder.write(
            "kanmon.yml",
            """
            listen: ":\(port)"
            allow: [127.0.0.0/8]
            workers: 1
            tls: {cert_file: tls.crt, key_file: tls.key}
            auth: {users_file: htpasswd}
            upstream: {url: "http://127.0.0.1:\(try freePort())"}

            """)
        let command =
            Strace.launching([injection])
            + [Programs.kanmon, "serve", "--config", folder.path + "/kanmon.yml"]
        let program = try RunningProgram(command[0], Array(command.dropFirst()))
        defer { program.signal(SIGKILL) }
        guard let status else {
            let ready = program.waitForOutput { $0.contains("msg=ready") ? $0 : nil }
            #expect(ready != nil, "\(program.output)")
            let client = try TestClient(port: port, certificate: folder.read("tls.crt"))
            #expect(try client.send("GET", "/-/healthy", login: nil).status == 200)
            return
        }
        #expect(program.exitStatus() == status, "\(program.output)")
        #expect(program.output.contains(/kanmon: the system refuses|: error:/), "\(program.output)")
    }
}

extension Gate {
    /// Waits until so many readings of the configuration have ended, one way or the other.
    func waitForReloads(_ count: Int, within seconds: Double = 20) -> Bool {
        program.waitForOutput(within: seconds) { output in
            let ended = output.matches(of: /configuration reloaded|reload refused/).count
            return ended >= count ? output : nil
        } != nil
    }
}
