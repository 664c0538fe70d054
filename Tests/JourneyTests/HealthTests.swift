import Foundation
import Testing

/// `kanmon health`: one line and 0 or 1, for whoever restarts what is not alive.
@Suite struct HealthTests {
    private func health(_ file: String) throws -> (status: Int32, output: String, errors: String) {
        try run(Programs.kanmon, ["health", "--config", file])
    }

    @Test func `it asks the admin listener, and ends with 1 when nobody answers`() throws {
        let gate = try AdministeredGate(upstream: try freePort())
        let alive = try health(gate.configuration)
        #expect(alive.status == 0 && alive.errors.isEmpty, "\(alive)")
        #expect(alive.output == "the gate at http://127.0.0.1:\(gate.adminPort) is alive\n")
        gate.gate.program.signal(SIGKILL)
        _ = gate.gate.program.exitStatus()
        let dead = try health(gate.configuration)
        #expect(dead.status == 1 && dead.output.isEmpty, "\(dead)")
        #expect(
            dead.errors.split(separator: "\n").count == 1 && dead.errors.contains("is it running?"))
    }

    @Test(arguments: ["127.0.0.1", "", "0.0.0.0"], CertificateKey.allCases)
    func `without an admin listener it asks at the gate's own door, by TLS`(
        host: String, key: CertificateKey
    ) throws {
        let gate = try Gate(
            upstream: try freePort(), settings: "listen: \"\(host):\(try freePort())\"", key: key)
        let alive = try health(gate.folder.path + "/kanmon.yml")
        #expect(alive.status == 0, "\(alive)")
        #expect(alive.output == "the gate at https://127.0.0.1:\(gate.port) is alive\n")
    }

    @Test func `who shows another certificate is not taken for the gate`() throws {
        let gate = try Gate(
            upstream: try freePort(), settings: "listen: 127.0.0.1:\(try freePort())")
        try CertificateKey.ecdsa.writeCertificate(to: gate.folder)
        let other = try health(gate.folder.path + "/kanmon.yml")
        #expect(other.status == 1 && other.errors.contains("another certificate"), "\(other)")
        gate.program.signal(SIGHUP)
        _ = gate.log(holding: "configuration reloaded")
        #expect(try health(gate.folder.path + "/kanmon.yml").status == 0)
    }

    @Test func `where this machine may not connect, it says what to do`() throws {
        let gate = try Gate(
            upstream: try freePort(),
            settings: "listen: 127.0.0.1:\(try freePort())\nallow: [127.0.0.2]")
        let closed = try health(gate.folder.path + "/kanmon.yml")
        #expect(closed.status == 1 && closed.errors.contains("in allow?"), "\(closed)")
        let admin = try AdministeredGate(upstream: try freePort(), settings: "allow: [127.0.0.2]")
        #expect(try health(admin.configuration).status == 0)
    }

    @Test func `a gate that is stopped is not alive`() throws {
        let gate = try AdministeredGate(upstream: try freePort())
        gate.gate.program.signal(SIGSTOP)
        defer { gate.gate.program.signal(SIGCONT) }
        let stopped = try health(gate.configuration)
        #expect(stopped.status == 1 && stopped.errors.contains("in time"), "\(stopped)")
    }

    @Test func `a configuration that cannot be read, or says nothing of use, is one line and 1`()
        throws
    {
        let folder = TemporaryFolder()
        let missing = try health(folder.path + "/none.yml")
        #expect(missing.status == 1 && missing.errors.contains("kanmon check"), "\(missing)")
        try CertificateKey.ecdsa.writeCertificate(to: folder)
        folder.write("htpasswd", Gate.users)
        let file = folder.write(
            "kanmon.yml",
            """
            listen: 127.0.0.1:\(try freePort())
            allow: [127.0.0.1]
            tls: {cert_file: tls.crt, key_file: tls.key, client_ca_file: tls.crt}
            auth: {users_file: htpasswd}
            upstream: {url: "http://127.0.0.1:9"}
            """)
        let closed = try health(file)
        #expect(closed.status == 1 && closed.errors.contains("client_ca_file"), "\(closed)")
    }
}
