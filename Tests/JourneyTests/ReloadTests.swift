import Foundation
import Testing

/// A change of the configuration while the gate serves: all of it or nothing, and nobody loses a
/// connection by it.
@Suite struct ReloadTests {
    static let other = "other:$2b$04$P5vHrE.Rp7Dlp1KClwYlce80qHVA6aIh8yKXmvGOo2.1psxDx4ckK\n"

    @Test(arguments: [1, 2])
    func `a user who was taken out is refused at his next request, one who came in is let in`(
        workers: Int
    ) throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, settings: "workers: \(workers)", users: Gate.users)
        let clients = try (0..<4).map { _ in try gate.connect() }
        for client in clients {
            #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        }
        let fresh = try gate.connect()
        gate.folder.write("htpasswd", Self.other)
        #expect(gate.reload(expecting: "users=1"))
        for client in clients {
            let answer = try client.send("POST", "/metrics/job/x", body: "a 1\n")
            #expect(answer.status == 403 && answer.isLast, "\(answer)")
            #expect(answer.body.contains("not on the gate's lists any more"))
            #expect(client.waitForEnd().ended)
        }
        #expect(gate.log(holding: "reason=revoked") != nil)
        // Whoever has not logged in here before learns nothing.
        #expect(try fresh.send("POST", "/metrics/job/x", body: "a 1\n").status == 401)
        let answer = try gate.send(
            "POST", "/metrics/job/x", body: "a 1\n", login: "other:secret")
        #expect(answer.status == 200)
    }

    @Test func `when the last user is taken out nobody is let in any more`() throws {
        let gate = try Gate(upstream: try freePort())
        let client = try gate.connect()
        #expect(try client.send("GET", "/-/healthy").status == 200)
        let file = gate.folder.path + "/htpasswd"
        #expect(try run(Programs.kanmon, ["passwd", file, "prom", "--delete"]).status == 0)
        #expect(gate.reload(expecting: "users=0"))
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 401)
    }

    @Test func `an address that was taken out is refused on the connection that is open`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let client = try gate.connect()
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        gate.reconfigure("allow: [127.0.0.0/8]", "allow: [127.0.0.2]")
        #expect(gate.reload(expecting: "users=1"))
        let answer = try client.send("POST", "/metrics/job/x", body: "a 1\n")
        #expect(answer.status == 403 && answer.isLast, "\(answer)")
        #expect(throws: (any Error).self) { try gate.connect() }
        gate.reconfigure("allow: [127.0.0.2]", "allow: [127.0.0.1]")
        #expect(gate.reload(expecting: "users=1", times: 2))
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
    }

    @Test func `a new certificate is for new connections, and the old ones go on`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let (before, client) = (gate.certificate, try gate.connect())
        try CertificateKey.ecdsa.writeCertificate(to: gate.folder)
        #expect(gate.reload(expecting: "certificate="))
        #expect(gate.certificate != before)
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        #expect(throws: (any Error).self) {
            try TestClient(port: gate.port, certificate: before)
        }
        let shown = try run(
            "/usr/bin/openssl",
            ["x509", "-noout", "-fingerprint", "-sha256", "-in", gate.folder.path + "/tls.crt"])
        let fingerprint = shown.output.split(separator: "=").last?.trimmingCharacters(
            in: .whitespacesAndNewlines)
        #expect(gate.log(holding: "certificate=\(fingerprint ?? "none")") != nil)
        #expect(gate.program.output.contains(/configuration reloaded.* expires=20\d\d-/))
    }

    @Test func `a session goes on after a reload, except when other clients are trusted`() throws {
        let gate = try Gate(upstream: try freePort())
        let (one, two) = (try Self.clientCertificate(), try Self.clientCertificate())
        let authority = String(decoding: one.read("tls.crt"), as: UTF8.self)
        gate.folder.write("clients.crt", authority)
        gate.reconfigure("key_file: tls.key", "key_file: tls.key, client_ca_file: clients.crt")
        #expect(gate.reload(expecting: "users=1"))
        #expect(try gate.handshake(as: one, session: "-sess_out") == "New")
        #expect(try gate.handshake(as: one, session: "-sess_in") == "Reused")
        #expect(gate.reload(expecting: "users=1", times: 2))
        #expect(try gate.handshake(as: one, session: "-sess_in") == "Reused")
        gate.folder.write(
            "clients.crt", authority + String(decoding: two.read("tls.crt"), as: UTF8.self))
        #expect(gate.reload(expecting: "users=1", times: 3))
        #expect(try gate.handshake(as: one, session: "-sess_in") == "New")
        #expect(try gate.handshake(as: two, session: "-sess_out") == "New")
    }

    /// A folder with the certificate and key of a client.
    static func clientCertificate() throws -> TemporaryFolder {
        let folder = TemporaryFolder()
        let made = try run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2", "-subj", "/CN=pusher-\(UUID().uuidString)", "-keyout",
                folder.path + "/tls.key", "-out", folder.path + "/tls.crt",
            ])
        #expect(made.status == 0, "\(made.errors)")
        return folder
    }

    /// What makes a reload fail, and what the log says to it.
    static let mistakes: [(file: String, text: String?, complaint: String)] = [
        ("kanmon.yml", "listn: x\n", "kanmon.yml:1:1: error: unknown key"),
        ("kanmon.yml", nil, "does not exist"),
        ("tls.crt", "-----BEGIN CERTIFICATE-----\nMIIB", "holds no certificate"),
        ("tls.key", "", "holds no private key"),
        ("tls.key", nil, "does not exist"),
        ("htpasswd", "prom:secret\n", "htpasswd:1:"),
        ("htpasswd", nil, "does not exist"),
        ("htpasswd", "", "the file is empty, while 1 could log in"),
    ]

    @Test(arguments: mistakes)
    func `what is wrong leaves what was in force, and is told with its place`(
        file: String, text: String?, complaint: String
    ) throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let client = try gate.connect()
        let good = String(decoding: gate.folder.read(file), as: UTF8.self)
        let certificate = gate.certificate
        if let text {
            gate.folder.write(file, text)
        } else {
            try FileManager.default.removeItem(atPath: gate.folder.path + "/" + file)
        }
        gate.program.signal(SIGHUP)
        #expect(gate.log(holding: "reload refused") != nil)
        #expect(gate.program.output.contains(complaint), "\(gate.program.output)")
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        let second = try TestClient(port: gate.port, certificate: certificate)
        #expect(try second.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        gate.folder.write(file, good)
        #expect(gate.reload(expecting: "users=1"))
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
    }

    @Test(arguments: [
        ("listen: \"127.0.0.1:0\"", "listen: \"127.0.0.2:0\"", "listen cannot change"),
        ("workers: 1", "workers: 2", "workers cannot change"),
        ("workers: 1", "workers: 1\nadmin: {listen: 127.0.0.1:1}", "admin.listen cannot change"),
    ])
    func `what needs a restart is refused by its name`(
        old: String, new: String, complaint: String
    ) throws {
        let gate = try Gate(upstream: try freePort())
        gate.folder.write("htpasswd", Self.other)
        gate.reconfigure(old, new)
        gate.program.signal(SIGHUP)
        #expect(gate.log(holding: "reload refused") != nil)
        #expect(gate.program.output.contains(complaint), "\(gate.program.output)")
        // Nothing of it, not even what could have changed.
        let answer = try gate.send("POST", "/metrics/job/x", body: "a 1\n")
        #expect(answer.status == 503)
    }

    @Test func `a key that came before its certificate waits for it`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let before = gate.certificate
        let next = TemporaryFolder()
        try CertificateKey.ecdsa.writeCertificate(to: next)
        gate.folder.replace("tls.key", by: next.path + "/tls.key")
        gate.program.signal(SIGHUP)
        #expect(gate.log(holding: "is not the key of") != nil)
        _ = try TestClient(port: gate.port, certificate: before)
        gate.folder.replace("tls.crt", by: next.path + "/tls.crt")
        #expect(gate.reload(expecting: "users=1"))
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
    }

    @Test func `limits hold for the next request on an open connection`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let client = try gate.connect()
        let body = "a{l=\"\(String(repeating: "x", count: 600))\"} 1\n"
        #expect(try client.send("POST", "/metrics/job/x", body: body).status == 200)
        gate.reconfigure("workers: 1", "workers: 1\nlimits: {body_bytes_max: 512}")
        #expect(gate.reload(expecting: "users=1"))
        #expect(try client.send("POST", "/metrics/job/x", body: body).status == 413)
        gate.reconfigure("body_bytes_max: 512", "head_bytes_max: 256, target_bytes_max: 64")
        #expect(gate.reload(expecting: "users=1", times: 2))
        let another = try gate.connect()
        let long = "/metrics/job/" + String(repeating: "j", count: 80)
        #expect(try another.send("POST", long, body: "a 1\n").status == 414)
    }

    @Test func `what a user has used up stays used up`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        gate.reconfigure(
            "auth: {users_file: htpasswd}",
            "auth: {users_file: htpasswd, users: {prom: {limits: {pushes_per_minute: 2}}}}")
        #expect(gate.reload(expecting: "users=1"))
        for _ in 0..<2 {
            #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        }
        #expect(gate.reload(expecting: "users=1", times: 2))
        #expect(try gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 429)
    }

    @Test func `the log is written in another way from then on`() throws {
        let gate = try Gate(upstream: try freePort())
        gate.reconfigure("log: {level: debug}", "log: {level: debug, format: json}")
        gate.program.signal(SIGHUP)
        #expect(gate.log(holding: "\"msg\":\"configuration reloaded\"") != nil)
    }

    @Test func `pushes go to another Pushgateway, those under way to the one they began with`()
        throws
    {
        let (old, new) = (try Pushgateway(), try Pushgateway())
        let gate = try Gate(upstream: old.port)
        let client = try gate.connect()
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        gate.reconfigure("127.0.0.1:\(old.port)", "127.0.0.1:\(new.port)")
        #expect(gate.reload(expecting: "users=1"))
        #expect(try client.send("POST", "/metrics/job/y", body: "a 1\n").status == 200)
        #expect(try old.groups() == [["job": "x"]])
        #expect(try new.groups() == [["job": "y"]])
    }

    @Test func `many wishes at once become few readings, and no push is lost`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port, settings: "workers: 2")
        let client = try gate.connect()
        for number in 0..<300 {
            gate.program.signal(SIGHUP)
            if number % 10 == 0 {
                #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
            }
        }
        #expect(gate.log(holding: "configuration reloaded") != nil)
        let readings = gate.program.output.components(separatedBy: "configuration reloaded").count
        #expect(readings <= 300)
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
    }

    @Test func `a reload while the gate goes down changes nothing`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let client = try gate.connect()
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        gate.program.signal(SIGTERM)
        #expect(gate.log(holding: "draining") != nil)
        gate.program.signal(SIGHUP)
        #expect(gate.program.exitStatus() == 0)
        #expect(!gate.program.output.contains("configuration reloaded"))
    }
}

extension Gate {
    /// Puts `new` where the configuration has `old`.
    func reconfigure(_ old: String, _ new: String) {
        let text = String(decoding: folder.read("kanmon.yml"), as: UTF8.self)
        #expect(text.contains(old))
        folder.write("kanmon.yml", text.replacingOccurrences(of: old, with: new))
    }

    /// Shakes hands as a client with the certificate in `client`, keeping the session or going on with it,
    /// and asks for health. Says whether the session was a new one.
    func handshake(as client: TemporaryFolder, session option: String) throws -> String? {
        let done = try run(
            "/usr/bin/openssl",
            [
                "s_client", "-connect", "127.0.0.1:\(port)", "-cert", client.path + "/tls.crt",
                "-key", client.path + "/tls.key", "-ign_eof", option, client.path + "/session",
            ], input: "GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        #expect(done.output.contains("HTTP/1.1 200"), "\(done.output) \(done.errors)")
        return done.output.firstMatch(of: /(New|Reused), TLSv1/).map { String($0.1) }
    }

    /// Asks for a reload and waits until it is told to be done, for the `times`th time in this gate's
    /// life, with `text` in its line.
    func reload(expecting text: String, times: Int = 1) -> Bool {
        program.signal(SIGHUP)
        return program.waitForOutput { output in
            let lines = output.split(separator: "\n").filter {
                $0.contains("configuration reloaded")
            }
            return lines.count >= times && lines.last?.contains(text) == true ? output : nil
        } != nil
    }
}

extension TemporaryFolder {
    /// Puts another file in the place of one, as a careful tool does: by renaming it.
    func replace(_ name: String, by other: String) {
        #expect(unsafe rename(other, path + "/" + name) == 0)
    }
}
