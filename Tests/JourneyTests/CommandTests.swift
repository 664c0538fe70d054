import Foundation
import Testing

/// The verbs as a person or a script meets them: what they print, what they leave, how they end.
@Suite struct CommandTests {
    let folder = TemporaryFolder()

    private func kanmon(
        _ arguments: String..., input: String = ""
    ) throws -> (status: Int32, output: String, errors: String) {
        try run(Programs.kanmon, arguments, input: input)
    }

    /// A folder with everything a good configuration needs.
    private func prepare(_ settings: String = "", users: String = Gate.users) throws -> String {
        try CertificateKey.ecdsa.writeCertificate(to: folder)
        folder.write("htpasswd", users)
        let port = try freePort()
        return folder.write(
            "kanmon.yml",
            """
            listen: 127.0.0.1:\(port)
            allow: [127.0.0.1]
            tls: {cert_file: tls.crt, key_file: tls.key}
            auth: {users_file: htpasswd}
            upstream: {url: "http://127.0.0.1:\(try freePort())"}
            \(settings)
            """)
    }

    @Test func `the version names what the program was built with`() throws {
        let result = try kanmon("--version")
        #expect(result.status == 0)
        for text in [
            "kanmon 0.", "revision", "Swift 6.", "OpenSSL built against: OpenSSL 3",
            "OpenSSL loaded: OpenSSL 3", "nghttp2 built against: 1.", "nghttp2 loaded: 1.",
        ] {
            #expect(result.output.contains(text))
        }
    }

    @Test(arguments: ["serve", "check", "lint", "passwd", "cert", "explain", "status", "health"])
    func `every verb has help with an example`(verb: String) throws {
        let result = try kanmon(verb, "--help")
        #expect(result.status == 0)
        #expect(result.output.contains("Example"))
    }

    @Test(arguments: [
        ["serve"], ["nothing"], ["check", "--config"], ["passwd", "f", "u", "--cost", "3"],
    ])
    func `wrong usage ends with 64`(arguments: [String]) throws {
        #expect(try run(Programs.kanmon, arguments).status == 64)
    }

    // MARK: check and serve

    @Test func `a good configuration is good, and says whether the Pushgateway answers`() throws {
        let file = try prepare()
        let result = try kanmon("check", "--config", file)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output.contains("does not answer"))
        #expect(result.output.contains("kanmon.yml: good"))
        let pushgateway = try Pushgateway()
        let other = folder.write(
            "other.yml",
            try String(contentsOfFile: file, encoding: .utf8)
                .replacing(/http:[^"]*/, with: pushgateway.url))
        #expect(try kanmon("check", "--config", other).output.contains("answers."))
    }

    @Test(arguments: ["serve", "check"])
    func `every problem of a bad configuration is shown with its place, and nothing starts`(
        verb: String
    ) throws {
        let file = folder.write(
            "bad.yml",
            """
            lisen: 127.0.0.1:9443
            allow: []
            tls: {cert_file: nowhere.crt}
            upstream: {url: "ftp://x", timeout: 5 seconds}
            limits: {head_bytes_max: 1}
            """)
        let result = try kanmon(verb, "--config", file)
        #expect(result.status == 78)
        for text in [
            "bad.yml:1:1: error: ", "listen", "bad.yml:2:8: error: ", "bad.yml:4:", "bad.yml:5:",
            "key_file", "users_file",
        ] { #expect(result.errors.contains(text), "\(text) in \(result.errors)") }
        #expect(result.errors.contains("errors"))
    }

    @Test func `every file that cannot be used is shown, each with a remedy`() throws {
        let file = try prepare(users: "prom:$apr1$abc$def\nnobody\n")
        let other = try SelfSigned.key()
        folder.write("tls.key", other)
        let result = try kanmon("check", "--config", file)
        #expect(result.status == 78)
        for text in [
            "htpasswd:1:", "htpasswd:2:", "kanmon passwd", "is not the key of", "kanmon.yml:3:",
        ] {
            #expect(result.errors.contains(text), "\(text) in \(result.errors)")
        }
    }

    @Test func `networks that are none are shown with their place`() throws {
        let file = try prepare().replacingOccurrences(of: "x", with: "x")
        let text = try String(contentsOfFile: file, encoding: .utf8)
            .replacingOccurrences(
                of: "allow: [127.0.0.1]", with: "allow: [10.0.0.1/8, 127.0.0.1, nonsense]")
        let bad = folder.write("allow.yml", text)
        let result = try kanmon("check", "--config", bad)
        #expect(result.status == 78)
        #expect(
            result.errors.contains("allow.yml:2:9: error: ") && result.errors.contains("10.0.0.0/8")
        )
        #expect(result.errors.contains("allow.yml:2:32: error: "))
    }

    @Test(arguments: ["serve", "check"])
    func `a port in use names the process that holds it`(verb: String) throws {
        let pushgateway = try Pushgateway()
        let text = try String(contentsOfFile: try prepare(), encoding: .utf8)
            .replacing(/listen: .*/, with: "listen: 127.0.0.1:\(pushgateway.port)")
        let result = try kanmon(verb, "--config", folder.write("used.yml", text))
        #expect(result.status == (verb == "serve" ? 69 : 78))
        #expect(result.errors.contains("used.yml:1:9: error: "))
        #expect(
            result.errors.contains("(pid \(pushgateway.program.processID)) holds the port"),
            "\(result.errors)")
    }

    @Test func `check may run while our own gate holds the port`() throws {
        let gate = try Gate(upstream: try freePort())
        let file = gate.folder.path + "/kanmon.yml"
        let text = try String(contentsOfFile: file, encoding: .utf8)
            .replacing(/listen: .*/, with: "listen: 127.0.0.1:\(gate.port)")
        gate.folder.write("running.yml", text)
        let result = try kanmon("check", "--config", gate.folder.path + "/running.yml")
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test func `check before a reload asks for no port, whoever may see its holder`() throws {
        let pushgateway = try Pushgateway()
        let text = try String(contentsOfFile: try prepare(), encoding: .utf8)
            .replacing(/listen: .*/, with: "listen: 127.0.0.1:\(pushgateway.port)")
        let file = folder.write("held.yml", text)
        let result = try run(
            "/usr/bin/env", ["MAINPID=1", Programs.kanmon, "check", "--config", file])
        #expect(result.status == 0, "\(result.errors)")
    }

    @Test func `what nginx serves today starts here with warnings`() throws {
        let hash = try #require(Gate.users.split(separator: ":").last).trimmingCharacters(
            in: .newlines)
        let users =
            "# users of nginx\n\nprom:\(hash)\nold:\(hash.replacingOccurrences(of: "$2b$", with: "$2y$"))\n"
        try CertificateKey.writeExpiredCertificateWithoutNames(to: folder)
        folder.write("htpasswd", users, mode: 0o644)
        folder.write(
            "tls.key", try #require(String(bytes: folder.read("tls.key"), encoding: .utf8)),
            mode: 0o644)
        let file = folder.write(
            "kanmon.yml",
            """
            listen: 127.0.0.1:0
            allow: [127.0.0.1]
            tls: {cert_file: tls.crt, key_file: tls.key}
            auth: {users_file: htpasswd}
            upstream: {url: "http://127.0.0.1:9091"}
            """)
        let program = try RunningProgram(Programs.kanmon, ["serve", "--config", file])
        defer { program.signal(SIGKILL) }
        #expect(program.waitForOutput { $0.contains("msg=listening") ? $0 : nil } != nil)
        let readable = ["htpasswd", "tls.key"].map { "chmod o-r \(folder.path)/\($0)" }
        for text in ["expired", "no subject alternative name", "cost"] + readable {
            #expect(program.output.contains(text), "\(text) in \(program.output)")
        }
        let strict = try kanmon("check", "--config", file, "--strict")
        #expect(strict.status == 78)
        #expect(strict.errors.contains("This would start; --strict has no warnings."))
    }

    @Test func `who allows Cloudflare's proxy is told that this allows everybody behind it`() throws
    {
        let text = try String(contentsOfFile: try prepare(), encoding: .utf8)
            .replacing("allow: [127.0.0.1]", with: "allow: [127.0.0.1, 172.64.0.0/13]")
        let result = try kanmon("check", "--config", folder.write("proxied.yml", text))
        #expect(result.status == 0, "\(result.errors)")
        #expect(
            result.errors.contains("proxied.yml:2:20: warning: 172.64.0.0/13 is Cloudflare's")
                && result.errors.contains("DNS only"), "\(result.errors)")
    }

    @Test(arguments: [
        ("127.0.0.1:9443", "http://127.0.0.1:9443"), (":9443", "https://localhost:9443/prefix"),
        ("\"[::]:9443\"", "http://[::1]:9443"), ("192.0.2.7:80", "http://192.0.2.7"),
    ])
    func `a gate that would push to itself does not start`(listen: String, url: String) throws {
        let text = try String(contentsOfFile: try prepare(), encoding: .utf8)
            .replacing(/listen: .*/, with: "listen: \(listen)")
            .replacing(/url: "[^"]*"/, with: "url: \"\(url)\"")
        let file = folder.write("circle.yml", text)
        for verb in ["check", "serve"] {
            let result = try kanmon(verb, "--config", file)
            #expect(result.status == 78)
            #expect(
                result.errors.contains("is this gate itself, which listens there by line 1"),
                "\(result.errors)")
        }
    }

    @Test func `production is warned of a development certificate and of private networks`() throws
    {
        let file = try prepare("environment: production")
        let text = try String(contentsOfFile: file, encoding: .utf8)
            .replacingOccurrences(
                of: "allow: [127.0.0.1]", with: "allow: [127.0.0.1, 172.16.0.0/12]")
        let result = try kanmon("check", "--config", folder.write("production.yml", text))
        #expect(result.status == 0)
        #expect(result.errors.contains("kanmon cert --out DIR --host NAME"))
        #expect(result.errors.contains("172.16.0.0/12 is a private network"))
    }

    // MARK: passwd

    @Test func `a user is added, verified, replaced and deleted, and the file keeps its rights`()
        throws
    {
        let file = folder.path + "/users"
        #expect(try kanmon("passwd", file, "prom", "--cost", "4", input: "one\n").status == 0)
        #expect(try mode(of: file) == 0o600)
        #expect(try kanmon("passwd", file, "prom", "--verify", input: "one\n").status == 0)
        #expect(try kanmon("passwd", file, "prom", "--verify", input: "two\n").status == 1)
        #expect(try kanmon("passwd", file, "nobody", "--verify", input: "one\n").status == 1)

        try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: file)
        #expect(
            try kanmon("passwd", file, "prom", "--add", "--cost", "4", input: "two\n").status == 0)
        #expect(try mode(of: file) == 0o640)
        for password in ["one", "two"] {
            #expect(
                try kanmon("passwd", file, "prom", "--verify", input: password + "\n").status == 0)
        }
        #expect(
            try kanmon("passwd", file, "prom", "--add", "--cost", "4", input: "three\n").status == 1
        )
        #expect(try kanmon("passwd", file, "prom", "--cost", "4", input: "four\n").status == 0)
        #expect(try kanmon("passwd", file, "prom", "--verify", input: "two\n").status == 1)
        #expect(try kanmon("passwd", file, "prom", "--delete").status == 0)
        #expect(try kanmon("passwd", file, "prom", "--delete").status == 1)
        let left = String(decoding: folder.read("users"), as: UTF8.self)
        #expect(left == "# kanmon passwd adds users here.\n")
    }

    @Test func `ten who change the same file at once all find their user in it`() async throws {
        let file = folder.path + "/users"
        let program = Programs.kanmon
        try await withThrowingTaskGroup(of: Int32.self) { group in
            for number in 1...10 {
                group.addTask {
                    try run(
                        program, ["passwd", file, "user\(number)", "--cost", "4"],
                        input: "a password\n"
                    ).status
                }
            }
            for try await status in group { #expect(status == 0) }
        }
        let lines = folder.read("users").split(separator: UInt8(ascii: "\n"))
        let names = Set(lines.compactMap { $0.split(separator: UInt8(ascii: ":")).first })
        #expect(names.count == 10)
    }

    @Test func `a password that bcrypt cannot hold is refused, and no password is ever printed`()
        throws
    {
        let file = folder.path + "/users"
        for password in ["", String(repeating: "x", count: 73)] {
            let result = try kanmon("passwd", file, "prom", "--cost", "4", input: password + "\n")
            #expect(result.status == 1)
            #expect(!FileManager.default.fileExists(atPath: file))
        }
        let result = try kanmon("passwd", file, "prom", "--cost", "4", input: "topsecret\n")
        #expect(!(result.output + result.errors).contains("topsecret"))
    }

    // MARK: cert

    @Test func `a certificate is made, never overwritten, and renewed with its key`() throws {
        let out = folder.path + "/made"
        let made = try kanmon(
            "cert", "--out", out, "--host", "push.example", "--host", "192.0.2.7", "--days", "10")
        #expect(made.status == 0, "\(made.errors)")
        #expect(
            made.output.contains("DNS:push.example") && made.output.contains("IP Address:192.0.2.7")
        )
        #expect(try mode(of: out + "/tls.key") == 0o600)
        let key = folder.read("made/tls.key")
        let old = folder.read("made/tls.crt")

        #expect(try kanmon("cert", "--out", out).status == 1)
        #expect(folder.read("made/tls.crt") == old)

        #expect(try kanmon("cert", "--out", out, "--renew").status == 0)
        let new = folder.read("made/tls.crt")
        #expect(new != old)
        #expect(folder.read("made/tls.key") == key)
        #expect(folder.read("made/ca-bundle.crt") == old + new)
        let shown = try run(
            "/usr/bin/openssl",
            ["x509", "-in", out + "/tls.crt", "-noout", "-ext", "subjectAltName"])
        #expect(shown.output.contains("push.example") && shown.output.contains("192.0.2.7"))

        #expect(try kanmon("cert", "--out", out, "--force").status == 0)
        #expect(folder.read("made/tls.key") != key)
    }

    @Test(arguments: ["bad,DNS:evil", "-x", "a..b", "", "a b"])
    func `a host that is none is refused`(host: String) throws {
        #expect(try kanmon("cert", "--out", folder.path + "/made", "--host=\(host)").status == 64)
    }

    // MARK: lint

    @Test func `lint shows every problem with its place, as text and as JSON`() throws {
        let good = folder.write("good.prom", "# TYPE a counter\na 1\n")
        let bad = folder.write("bad.prom", "a 1\nb x\nc{d=\"e} 1\n")
        #expect(try kanmon("lint", good).status == 0)
        let result = try kanmon("lint", good, bad)
        #expect(result.status == 1)
        #expect(result.output.contains("\(bad):2:3: error: "))
        #expect(result.output.contains("\(bad):3:"))
        let json = try kanmon("lint", bad, "--format", "json")
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        #expect(object["valid"] as? Bool == false)
        let errors = try #require(object["errors"] as? [[String: Any]])
        #expect(errors.first?["line"] as? Int == 2)
        #expect(errors.first?["column"] as? Int == 3)
    }

    @Test func `lint reads protobuf when told to, and names message, byte and metric`() throws {
        // Two messages: gauge `a` with a sample, and gauge `b` with a metric that has no value.
        let good: [UInt8] = [
            0x12, 0x0A, 0x01, 0x61, 0x18, 0x01, 0x22, 0x0B, 0x12, 0x09, 0x09,
            0, 0, 0, 0, 0, 0, 0xF0, 0x3F,
        ]
        let bad: [UInt8] = [0x07, 0x0A, 0x01, 0x62, 0x18, 0x01, 0x22, 0x00]
        let file = folder.path + "/body.pb"
        try Data(good).write(to: URL(filePath: file))
        let result = try kanmon("lint", "--protobuf", file)
        #expect(result.status == 0)
        #expect(result.output.contains("good, 1 samples in 1 families"))
        #expect(try kanmon("lint", file).status == 1)

        try Data(good + bad).write(to: URL(filePath: file))
        let refused = try kanmon("lint", "--protobuf", file)
        #expect(refused.status == 1)
        #expect(refused.output.contains("\(file):2:7: error: "))
        #expect(refused.output.contains("\"b\""))
        let json = try kanmon("lint", "--protobuf", file, "--format", "json")
        let object = try #require(
            try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
        let errors = try #require(object["errors"] as? [[String: Any]])
        #expect(errors.first?["line"] as? Int == 2)
        #expect(errors.first?["column"] as? Int == 7)
    }

    @Test func `lint reads standard input, and says which file it cannot read`() throws {
        #expect(try kanmon("lint", input: "a 1\n").status == 0)
        #expect(try kanmon("lint", input: "a 1").status == 1)
        let result = try kanmon("lint", folder.path + "/nowhere")
        #expect(result.status == 66)
        #expect(result.errors.contains("nowhere does not exist"))
    }

    private func mode(of path: String) throws -> Int {
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        return (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
    }
}

private enum SelfSigned {
    /// A key that belongs to no certificate of the test.
    static func key() throws -> String {
        let made = try run(
            "/usr/bin/openssl",
            ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"])
        return made.output
    }
}
