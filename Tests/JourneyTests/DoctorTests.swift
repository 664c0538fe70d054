import Foundation
import Testing

/// `kanmon doctor`: with each hop broken in turn, that hop is the one it names, and the Pushgateway holds
/// nothing of it afterwards.
@Suite struct DoctorTests {
    let pushgateway: Pushgateway
    let files = TemporaryFolder()

    init() throws { pushgateway = try Pushgateway() }

    private struct Walk: CustomStringConvertible {
        let status: Int32
        let lines: [String]
        let errors: String
        var description: String { "\(status)\n\(lines.joined(separator: "\n"))\n\(errors)" }

        /// What stands behind a hop's name; nil when it was not found to be so.
        func finding(_ mark: String, _ hop: String) -> String? {
            let start = mark.padding(toLength: 8, withPad: " ", startingAt: 0) + hop
            let line = lines.first { $0.hasPrefix(start + " ") }
            return line.map { $0.dropFirst(start.count).trimmingCharacters(in: .whitespaces) }
        }

        /// The hop it names, if it stands there alone.
        var broken: String? {
            let failed = lines.filter { $0.hasPrefix("FAILED") }
            let named = lines.first { $0.hasPrefix("first broken: ") }?.dropFirst(14)
            guard status == 1, failed.count == 1, let named,
                failed[0].hasPrefix("FAILED  \(named) ")
            else { return nil }
            return String(named)
        }

        var remedy: String { lines.last { $0.hasPrefix("  to mend it: ") } ?? "" }
    }

    private func arguments(
        _ gate: Gate, url: String?, user: String, password: String, _ more: [String]
    ) -> [String] {
        let file = files.write("password-\(UUID().uuidString)", password + "\n")
        return [
            "doctor", "--config", gate.folder.path + "/kanmon.yml", "--user", user,
            "--password-file", file, "--url", url ?? "https://localhost:\(gate.port)",
        ] + more
    }

    private func doctor(
        _ gate: Gate, url: String? = nil, user: String = "prom", password: String = "secret",
        _ more: String...
    ) throws -> Walk {
        let result = try run(
            Programs.kanmon, arguments(gate, url: url, user: user, password: password, more),
            within: 120)
        #expect(!(result.output + result.errors).contains("secret"))
        return Walk(
            status: result.status, lines: result.output.split(separator: "\n").map(String.init),
            errors: result.errors)
    }

    private func holdsNothing(_ walk: Walk) throws -> Bool {
        try pushgateway.groups().allSatisfy { $0["kanmon_doctor"] == nil }
    }

    // MARK: All well

    @Test func `a sample is followed to Prometheus, and everything is well`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let prometheus = try Prometheus(scraping: pushgateway.port)
        #expect(try gate.send("POST", "/metrics/job/xserver-bot", body: "cpu 1\n").status == 200)
        let walk = try doctor(
            gate, "--prometheus", prometheus.url, "--job", "xserver-bot", "--metric", "cpu")
        #expect(walk.status == 0 && walk.errors == "", "\(walk)")
        for hop in [
            "name", "TCP", "allowlist", "TLS", "clock", "login", "push", "Pushgateway",
            "Prometheus", "job", "clean-up",
        ] { #expect(walk.finding("ok", hop) != nil, "\(hop): \(walk)") }
        #expect(walk.finding("ok", "Prometheus")?.contains("job=\"kanmon-doctor\"") == true)
        #expect(
            walk.finding("ok", "job")?.contains("cpu{job=\"xserver-bot\"}: 1 series") == true,
            "\(walk)")
        #expect(walk.finding("ok", "clean-up") == "deleted through the gate")
        #expect(walk.lines.last == "every hop is well")
        #expect(try holdsNothing(walk))
    }

    @Test func `without a Prometheus the walk ends at the Pushgateway, and says so`() throws {
        let port = try freePort()
        let gate = try Gate(upstream: pushgateway.port, settings: "listen: \"127.0.0.1:\(port)\"")
        let result = try run(
            Programs.kanmon,
            [
                "doctor", "--config", gate.folder.path + "/kanmon.yml", "--user", "prom",
                "--password-file", "-",
            ], input: "secret\n")
        #expect(result.status == 0, "\(result)")
        #expect(
            result.output.contains("ok      name         127.0.0.1: listen is 127.0.0.1:\(port)"))
        #expect(result.output.contains("--      Prometheus   not asked"))
        #expect(try pushgateway.groups().isEmpty)
    }

    // MARK: Up to the door

    @Test func `a gate that is down, or a wrong port, is refused at TCP`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let elsewhere = try doctor(gate, url: "https://127.0.0.1:\(try freePort())")
        #expect(elsewhere.broken == "TCP", "\(elsewhere)")
        gate.program.signal(SIGKILL)
        _ = gate.program.exitStatus()
        let walk = try doctor(gate)
        #expect(walk.broken == "TCP", "\(walk)")
        #expect(
            walk.finding("FAILED", "TCP")?.contains("127.0.0.1:\(gate.port): Connection refused")
                == true)
        #expect(walk.remedy.contains("systemctl status kanmon"))
        #expect(walk.finding("--", "login") == "not reached")
        #expect(walk.finding("--", "clean-up") == "nothing was made")
    }

    @Test func `an address that is not allowed is named, with the line of allow`() throws {
        let gate = try Gate(upstream: pushgateway.port, settings: "allow: [127.0.0.2, \"::1\"]")
        let walk = try doctor(gate, url: "https://127.0.0.1:\(gate.port)", "--host", "localhost")
        #expect(walk.broken == "allowlist", "\(walk)")
        let finding = walk.finding("FAILED", "allowlist") ?? ""
        #expect(finding.contains("127.0.0.1 is not in allow, which lists 127.0.0.2, ::1"))
        #expect(finding.contains("kanmon.yml:7:"))
        #expect(walk.remedy.contains("add it to allow"))
    }

    @Test func `an address that this file allows and the running gate does not is told apart`()
        throws
    {
        let gate = try Gate(upstream: pushgateway.port, settings: "allow: [127.0.0.2]")
        let text = String(decoding: gate.folder.read("kanmon.yml"), as: UTF8.self)
        gate.folder.write("kanmon.yml", text.replacing("[127.0.0.2]", with: "[127.0.0.1]"))
        let walk = try doctor(gate)
        #expect(walk.broken == "allowlist", "\(walk)")
        #expect(walk.remedy.contains("older configuration"))
    }

    @Test func `a certificate other than the configured one is found before anything is sent`()
        throws
    {
        let gate = try Gate(upstream: pushgateway.port)
        try CertificateKey.ecdsa.writeCertificate(to: gate.folder)
        let walk = try doctor(gate)
        #expect(walk.broken == "TLS", "\(walk)")
        #expect(walk.finding("FAILED", "TLS")?.contains("is not the one in") == true)
        #expect(walk.remedy.contains("systemctl reload kanmon"))
        #expect(gate.log(holding: "wrong_credentials", within: 0.2) == nil)
        #expect(try pushgateway.pushRequests() == 0)
    }

    @Test func `a certificate for another name is refused as clients would`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let walk = try doctor(gate, "--host", "push.example")
        #expect(walk.broken == "TLS", "\(walk)")
        #expect(
            walk.finding("FAILED", "TLS")
                == "the certificate is not for push.example but for DNS:localhost")
    }

    @Test func `a certificate that has expired is refused as clients would`() throws {
        try CertificateKey.writeExpiredCertificateWithoutNames(to: files)
        let gate = try Gate(
            upstream: pushgateway.port,
            settings: "tls: {cert_file: \(files.path)/tls.crt, key_file: \(files.path)/tls.key}")
        let walk = try doctor(gate)
        #expect(walk.broken == "TLS", "\(walk)")
        #expect(walk.finding("FAILED", "TLS")?.hasPrefix("the certificate expired ") == true)
        #expect(walk.remedy.contains("kanmon cert --renew"))
    }

    @Test func `something without TLS is told of, with who holds the port`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let walk = try doctor(gate, url: "https://localhost:\(pushgateway.port)")
        #expect(walk.broken == "TLS", "\(walk)")
        #expect(walk.finding("FAILED", "TLS")?.contains("prometheus-push") == true)
    }

    @Test func `a gate that demands certificates is walked with one, and named without`() throws {
        let made = try run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", "/CN=pusher", "-keyout", files.path + "/key", "-out",
                files.path + "/crt",
            ])
        #expect(made.status == 0, "\(made.errors)")
        let gate = try Gate(
            upstream: pushgateway.port,
            settings:
                "tls: {cert_file: tls.crt, key_file: tls.key, client_ca_file: \(files.path)/crt}")
        let known = try doctor(
            gate, "--cert", files.path + "/crt", "--key", files.path + "/key")
        #expect(known.status == 0, "\(known)")
        let unknown = try doctor(gate)
        #expect(unknown.status == 1)
        #expect(unknown.lines.contains("first broken: TLS"), "\(unknown)")
        #expect(unknown.remedy.contains("--cert and --key"))
    }

    // MARK: Behind a proxy

    /// A network that has an address of Cloudflare's, at which nobody listens, and a name for it.
    private static let proxiedNetwork = [
        "/usr/bin/unshare", "--net", "--mount", "/bin/sh", "-c",
        "ip link set lo up && ip address add 104.16.0.9/32 dev lo"
            + " && mount --bind \"$1\" /etc/hosts && shift && exec \"$@\"", "sh",
    ]

    private static let hasProxiedNetwork: Bool = {
        let command = proxiedNetwork + ["/dev/null", "/bin/true"]
        return (try? run(command[0], Array(command.dropFirst())))?.status == 0
    }()

    @Test(.enabled(if: hasProxiedNetwork, "needs root, and namespaces of network and mounts"))
    func `a name behind Cloudflare's proxy is to be DNS only, whatever is broken there`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let hosts = files.write("hosts", "104.16.0.9 push.example\n")
        let all = arguments(
            gate, url: "https://push.example:9443", user: "prom", password: "secret", [])
        let command = Self.proxiedNetwork + [hosts, Programs.kanmon] + all
        let result = try run(command[0], Array(command.dropFirst()))
        #expect(result.status == 1 && result.errors == "", "\(result)")
        #expect(
            result.output.contains(
                "warn    name         push.example is 104.16.0.9; that is Cloudflare's proxy"))
        #expect(result.output.contains("first broken: TCP\n  to mend it: the name that hosts push"))
        #expect(result.output.contains("must be \"DNS only\" at Cloudflare"), "\(result.output)")
    }

    /// With `isGate` it has the gate's own certificate, else another one.
    @Test(arguments: [
        ("HTTP/1.1 403 Forbidden", "Server: cloudflare", false),
        ("HTTP/1.1 521 Down", "CF-RAY: 8f2ab-NRT", false),
        ("HTTP/1.1 400 Bad Request", "Server: cloudflare", true),
    ])
    func `an answer of Cloudflare's in the gate's place says DNS only, and what it is told by`(
        status: String, field: String, isGate: Bool
    ) throws {
        let gate = try Gate(upstream: pushgateway.port)
        let folder = isGate ? gate.folder : files
        if !isGate { try CertificateKey.ecdsa.writeCertificate(to: files) }
        let walk = try doctor(
            gate,
            answeredBy:
                "\(status)\\r\\n\(field)\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n",
            with: folder)
        #expect(walk.broken == (isGate ? "login" : "TLS"), "\(walk)")
        #expect(walk.finding("FAILED", walk.broken ?? "")?.contains("Cloudflare") == true)
        #expect(walk.remedy.contains("\"DNS only\" at Cloudflare"))
    }

    @Test func `another server with another certificate is not taken for Cloudflare`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        try CertificateKey.ecdsa.writeCertificate(to: files)
        let walk = try doctor(
            gate,
            answeredBy: "HTTP/1.1 404 No\\r\\nServer: nginx\\r\\nContent-Length: 0\\r\\n\\r\\n",
            with: files)
        #expect(walk.broken == "TLS", "\(walk)")
        #expect(!walk.description.contains("Cloudflare"), "\(walk)")
    }

    /// Walks to somebody who gives the same answer to whatever comes, with the certificate of `folder`.
    private func doctor(
        _ gate: Gate, answeredBy answer: String, with folder: TemporaryFolder
    ) throws -> Walk {
        let port = try freePort()
        let server = try RunningProgram(
            "/bin/sh",
            [
                "-c",
                "(printf '\(answer)'; exec sleep 30) | exec openssl s_server -quiet -accept \(port) "
                    + "-cert '\(folder.path)/tls.crt' -key '\(folder.path)/tls.key'",
            ])
        defer { server.signal(SIGKILL) }
        var walk = try doctor(gate, url: "https://localhost:\(port)")
        for _ in 0..<50 where walk.broken == "TCP" {
            usleep(100_000)
            walk = try doctor(gate, url: "https://localhost:\(port)")
        }
        return walk
    }

    // MARK: What the gate decides

    @Test func `a wrong password is named, and one that only the running gate does not know`()
        throws
    {
        let gate = try Gate(upstream: pushgateway.port)
        let wrong = try doctor(gate, password: "another")
        #expect(wrong.broken == "login", "\(wrong)")
        #expect(wrong.remedy.contains("kanmon passwd \(gate.folder.path)/htpasswd prom"))
        #expect(wrong.finding("--", "clean-up") == "nothing was made")

        gate.folder.write("htpasswd", AccessTests.users("prom", "new"))
        let early = try doctor(gate, user: "new")
        #expect(early.broken == "login", "\(early)")
        #expect(early.remedy.contains("systemctl reload kanmon"))
    }

    private static let rules = """
        auth:
          users_file: htpasswd
          users:
            prom: {groups: [{job: xserver-bot}]}
        """

    @Test func `a user without the right is told which rule says so`() throws {
        let gate = try Gate(upstream: pushgateway.port, settings: Self.rules)
        let walk = try doctor(gate)
        #expect(walk.broken == "push", "\(walk)")
        #expect(walk.finding("FAILED", "push")?.hasPrefix("403: ") == true)
        #expect(walk.remedy.contains("pattern: none matches of {job: xserver-bot} in line "))
        #expect(try pushgateway.groups().isEmpty)
    }

    @Test func `where the user may not delete, the sample is deleted past the gate`() throws {
        let gate = try Gate(upstream: pushgateway.port, settings: Self.rules)
        try pushgateway.push("/metrics/job/xserver-bot", body: "cpu 1\n")
        let walk = try doctor(gate, "--group", "job=xserver-bot")
        #expect(walk.status == 0, "\(walk)")
        let finding = walk.finding("ok", "clean-up") ?? ""
        #expect(finding.contains("at the Pushgateway itself, since this user may not delete"))
        #expect(try pushgateway.groups() == [["job": "xserver-bot"]])
        #expect(try pushgateway.samples(of: "cpu").count == 1)
    }

    @Test func `a clock that differs is worth a warning`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let walk = try doctor(
            gate,
            answeredBy: "HTTP/1.1 401 Unauthorized\\r\\nDate: Sun, 06 Nov 1994 08:49:37 GMT\\r\\n"
                + "Content-Length: 0\\r\\n\\r\\n", with: gate.folder)
        #expect(walk.broken == "login", "\(walk)")
        #expect(walk.finding("warn", "clock")?.contains("seconds behind this machine's") == true)
    }

    // MARK: Behind the gate

    @Test func `a Pushgateway that is down is named, and not the gate`() throws {
        let gate = try Gate(upstream: try freePort())
        let walk = try doctor(gate)
        #expect(walk.broken == "Pushgateway", "\(walk)")
        #expect(walk.finding("ok", "push") != nil)
        let finding = walk.finding("FAILED", "Pushgateway") ?? ""
        #expect(finding.hasPrefix("503: the Pushgateway cannot be reached"))
        #expect(finding.contains("Connection refused"))
        #expect(walk.remedy.contains("upstream.url"))
    }

    @Test func `a gate that stores elsewhere than its file says is found out`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let other = try Pushgateway()
        let text = String(decoding: gate.folder.read("kanmon.yml"), as: UTF8.self)
        gate.folder.write(
            "kanmon.yml", text.replacing("\(pushgateway.port)", with: "\(other.port)"))
        let walk = try doctor(gate)
        #expect(walk.broken == "Pushgateway", "\(walk)")
        #expect(walk.remedy.contains("older configuration"))
        #expect(try holdsNothing(walk))
    }

    @Test func `a Pushgateway that cannot be scraped is named with the group to blame`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        try pushgateway.push("/metrics/job/%FF", body: "a 1\n")
        let walk = try doctor(gate)
        #expect(walk.broken == "Pushgateway", "\(walk)")
        #expect(walk.remedy.contains("curl"))
    }

    @Test func `a Prometheus that is down is named`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let walk = try doctor(gate, "--prometheus", "http://127.0.0.1:\(try freePort())")
        #expect(walk.broken == "Prometheus", "\(walk)")
        #expect(walk.finding("FAILED", "Prometheus")?.contains("Connection refused") == true)
        #expect(walk.finding("ok", "clean-up") != nil)
        #expect(try holdsNothing(walk))
    }

    @Test func `what answers and is no Prometheus is named`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let walk = try doctor(gate, "--prometheus", pushgateway.url)
        #expect(walk.broken == "Prometheus", "\(walk)")
        #expect(walk.finding("FAILED", "Prometheus")?.contains("it answers 404") == true)
    }

    @Test func `a Prometheus that does not scrape the Pushgateway is told what to add`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let prometheus = try Prometheus(scraping: nil)
        let walk = try doctor(gate, "--prometheus", prometheus.url, "--wait", "2s")
        #expect(walk.broken == "Prometheus", "\(walk)")
        #expect(walk.finding("FAILED", "Prometheus")?.contains("none of its 0 targets") == true)
        #expect(walk.remedy.contains("honor_labels: true"))
        #expect(walk.remedy.contains("127.0.0.1:\(pushgateway.port)"))
        #expect(try holdsNothing(walk))
    }

    @Test func `a target that is down is told of with its error`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let prometheus = try Prometheus(scraping: try freePort())
        let walk = try doctor(gate, "--prometheus", prometheus.url, "--wait", "9s")
        #expect(walk.broken == "Prometheus", "\(walk)")
        #expect(walk.finding("FAILED", "Prometheus")?.contains("connection refused") == true)
        #expect(try holdsNothing(walk))
    }

    @Test func `a scrape without honor_labels is found out`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let prometheus = try Prometheus(scraping: pushgateway.port, settings: "")
        let walk = try doctor(gate, "--prometheus", prometheus.url)
        #expect(walk.broken == "Prometheus", "\(walk)")
        #expect(
            walk.finding("FAILED", "Prometheus")?.contains("exported_job=\"kanmon-doctor\"") == true
        )
        #expect(walk.remedy.contains("honor_labels: true is missing"))
        #expect(try holdsNothing(walk))
    }

    @Test func `a job that Prometheus does not have is named`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let prometheus = try Prometheus(scraping: pushgateway.port)
        let walk = try doctor(gate, "--prometheus", prometheus.url, "--job", "nightly \"x\"")
        #expect(walk.broken == "job", "\(walk)")
        #expect(walk.finding("FAILED", "job")?.contains("{job=\"nightly \\\"x\\\"\"}") == true)
    }

    // MARK: Whatever happens

    @Test func `the sample is deleted when somebody will not wait any longer`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let prometheus = try Prometheus(scraping: nil)
        let program = try RunningProgram(
            Programs.kanmon,
            arguments(
                gate, url: nil, user: "prom", password: "secret",
                ["--prometheus", prometheus.url]))
        #expect(program.waitForOutput { $0.contains("ok      Pushgateway") ? $0 : nil } != nil)
        #expect(try pushgateway.groups().count == 1)
        program.signal(SIGINT)
        #expect(program.exitStatus() == 1)
        #expect(program.output.contains("ok      clean-up"))
        #expect(program.output.contains("interrupted"))
        #expect(try pushgateway.groups().isEmpty)
    }

    @Test func `a sample that cannot be deleted is named, with the command that does it`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let prometheus = try Prometheus(scraping: nil)
        let program = try RunningProgram(
            Programs.kanmon,
            arguments(
                gate, url: nil, user: "prom", password: "secret",
                ["--prometheus", prometheus.url]))
        #expect(program.waitForOutput { $0.contains("ok      Pushgateway") ? $0 : nil } != nil)
        pushgateway.program.signal(SIGKILL)
        _ = pushgateway.program.exitStatus()
        program.signal(SIGTERM)
        #expect(program.exitStatus() == 1)
        #expect(program.output.contains("FAILED  clean-up"))
        let command = "curl -X DELETE \(pushgateway.url)/metrics/job/kanmon-doctor/kanmon_doctor/"
        #expect(program.output.contains(command), "\(program.output)")
    }

    // MARK: Usage

    @Test func `help has an example, and what cannot be meant is refused`() throws {
        let gate = try Gate(upstream: pushgateway.port)
        let help = try run(Programs.kanmon, ["doctor", "--help"])
        #expect(help.status == 0 && help.output.contains("Example: kanmon doctor --config"))
        for wrong in [
            ["--group", "instance=x"], ["--group", "job"], ["--group", "job=a,job=b"],
            ["--group", "job=a,__x=b"], ["--wait", "90"], ["--prometheus", "localhost"],
            ["--job", "x"], ["--cert", "x"], ["--url", "http://localhost"],
            ["--url", "https://localhost/metrics/job/x"], ["--url", "unix:/run/x"],
            ["--prometheus", "http://localhost", "--metric", "a b"],
        ] {
            let all = arguments(gate, url: nil, user: "prom", password: "secret", wrong)
            #expect(try run(Programs.kanmon, all).status == 64, "\(wrong)")
        }
        let bad = files.write("bad.yml", "listen: x\n")
        let result = try run(
            Programs.kanmon,
            ["doctor", "--config", bad, "--user", "x", "--password-file", "/dev/null"])
        #expect(result.status == 78)
    }
}
