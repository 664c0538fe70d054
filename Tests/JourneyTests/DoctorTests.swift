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

    // MARK: What the gate decides

    @Test func `a wrong password is named, and one that only the running gate does not know`()
        throws
    {
        let gate = try Gate(upstream: pushgateway.port)
        let wrong = try doctor(gate, password: "another")
        #expect(wrong.broken == "login", "\(wrong)")
        #expect(wrong.remedy.contains("kanmon passwd \(gate.folder.path)/htpasswd USER"))
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
        let port = try freePort()
        let answer =
            "HTTP/1.1 401 Unauthorized\\r\\nDate: Sun, 06 Nov 1994 08:49:37 GMT\\r\\n"
            + "Content-Length: 0\\r\\n\\r\\n"
        let server = try RunningProgram(
            "/bin/sh",
            [
                "-c",
                "(printf '\(answer)'; exec sleep 30) | exec openssl s_server -quiet -accept \(port) "
                    + "-cert '\(gate.folder.path)/tls.crt' -key '\(gate.folder.path)/tls.key'",
            ])
        defer { server.signal(SIGKILL) }
        var walk = try doctor(gate, url: "https://localhost:\(port)")
        for _ in 0..<50 where walk.broken == "TCP" {
            usleep(100_000)
            walk = try doctor(gate, url: "https://localhost:\(port)")
        }
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
