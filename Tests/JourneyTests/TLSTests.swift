import Foundation
import Testing

/// What the gate speaks under HTTP, as OpenSSL's own client sees it.
@Suite struct TLSJourneyTests {
    private func connect(
        to gate: Gate, _ options: String..., input: String = ""
    ) throws -> String {
        try connect(to: gate, options, input: input)
    }

    private func connect(to gate: Gate, _ options: [String], input: String = "") throws -> String {
        let arguments =
            [
                "s_client", "-connect", "localhost:\(gate.port)", "-CAfile",
                gate.folder.path + "/tls.crt",
            ] + options
        let result = try run("/usr/bin/openssl", arguments, input: input, within: 10)
        return result.output + result.errors
    }

    @Test(arguments: [
        ["-tls1_3"], ["-tls1_2"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"], ["-groups", "P-256"],
        ["-groups", "X25519"],
        ["-alpn", "http/1.1"],
    ])
    func `what is modern is spoken`(options: [String]) throws {
        let gate = try Gate(upstream: try freePort())
        let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        let seen = try connect(to: gate, options + ["-ign_eof"], input: request)
        #expect(seen.contains("Verification: OK"), "\(seen)")
        #expect(seen.contains("HTTP/1.1 200 OK"), "\(seen)")
    }

    @Test(arguments: [
        ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], ["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
        ["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"],
        ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"],
    ])
    func `old versions, static keys and ciphers without authentication are refused`(
        options: [String]
    ) throws {
        let gate = try Gate(upstream: try freePort())
        let seen = try connect(to: gate, options)
        #expect(seen.contains("alert"), "\(seen)")
        #expect(seen.contains("Cipher is (NONE)"))
    }

    @Test func `a client that speaks HTTP 2 is answered in it, whatever it likes better`() throws {
        let gate = try Gate(upstream: try freePort())
        let seen = try connect(to: gate, "-alpn", "http/1.1,h2")
        #expect(seen.contains("ALPN protocol: h2"), "\(seen)")
    }

    @Test func `a client that speaks no protocol of ours is told so`() throws {
        let gate = try Gate(upstream: try freePort())
        let seen = try connect(to: gate, "-alpn", "smtp")
        #expect(seen.contains("alert no application protocol"), "\(seen)")
    }

    @Test func `nothing is compressed and no early data is taken`() throws {
        let gate = try Gate(upstream: try freePort())
        let seen = try connect(to: gate, "-tls1_3")
        #expect(seen.contains("Compression: NONE"))
        #expect(!seen.contains("Max Early Data: 1"))
        #expect(try connect(to: gate, "-tls1_2").contains("Compression: NONE"))
    }

    @Test(arguments: ["-tls1_2", "-tls1_3"])
    func `a session is resumed, whichever worker the client meets`(version: String) throws {
        let gate = try Gate(upstream: try freePort(), settings: "workers: 2")
        let session = gate.folder.path + "/session"
        // TLS 1.3 sends its ticket after the handshake, so the first client stays for an answer.
        let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        let first = try connect(to: gate, version, "-sess_out", session, "-ign_eof", input: request)
        #expect(first.contains("New, TLSv1"))
        for _ in 0..<4 {
            let next = try connect(to: gate, version, "-sess_in", session)
            #expect(next.contains("Reused, TLSv1"), "\(next)")
        }
    }

    /// A client of TLS 1.3 uses a ticket once.
    @Test func `a session that was resumed brings the ticket for the next one`() throws {
        let gate = try Gate(upstream: try freePort())
        let session = gate.folder.path + "/session"
        let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        _ = try connect(to: gate, "-tls1_3", "-sess_out", session, "-ign_eof", input: request)
        for _ in 0..<3 {
            let before = gate.folder.read("session")
            let next = try connect(
                to: gate, "-tls1_3", "-sess_in", session, "-sess_out", session, "-ign_eof",
                input: request)
            #expect(next.contains("Reused, TLSv1"), "\(next)")
            #expect(gate.folder.read("session") != before)
        }
    }

    @Test func `with min_version TLS13 nothing older is spoken`() throws {
        let gate = try Gate(
            upstream: try freePort(),
            settings: "tls: {cert_file: tls.crt, key_file: tls.key, min_version: TLS13}")
        #expect(try connect(to: gate, "-tls1_2").contains("alert protocol version"))
        #expect(try connect(to: gate, "-tls1_3").contains("New, TLSv1.3"))
    }

    @Test func `with client_ca_file a client shows its certificate or is refused`() throws {
        let clients = TemporaryFolder()
        let made = try run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-days", "2",
                "-subj", "/CN=pusher", "-keyout", clients.path + "/key", "-out",
                clients.path + "/crt",
            ])
        #expect(made.status == 0, "\(made.errors)")
        let gate = try Gate(
            upstream: try freePort(),
            settings:
                "tls: {cert_file: tls.crt, key_file: tls.key, client_ca_file: \(clients.path)/crt}")
        let request = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        let known = try connect(
            to: gate, "-cert", clients.path + "/crt", "-key", clients.path + "/key", "-ign_eof",
            input: request)
        #expect(known.contains("HTTP/1.1 200 OK"), "\(known)")
        let unknown = try connect(to: gate, "-ign_eof", input: request)
        #expect(!unknown.contains("HTTP/1.1 200 OK"))
        #expect(unknown.contains("alert"))
        #expect(gate.log(holding: "reason=handshake_failed") != nil)
    }
}
