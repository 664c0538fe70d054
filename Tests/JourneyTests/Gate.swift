import Bytes
import Foundation
import TLS
import Testing

/// A gate of the test's own: the real program, with a certificate, a user `prom` whose password is
/// `secret`, and whatever else the test configures.
final class Gate: Sendable {
    let port: UInt16
    let program: RunningProgram
    let folder = TemporaryFolder()

    /// bcrypt of `secret` at cost 4, so that tests do not wait for it.
    static let users = "prom:$2b$04$P5vHrE.Rp7Dlp1KClwYlce80qHVA6aIh8yKXmvGOo2.1psxDx4ckK\n"

    /// - Parameters:
    ///   - upstream: the port of what stands behind the gate.
    ///   - settings: further lines of the configuration; a key given here is left out of the usual ones.
    ///   - launcher: what starts the program, when it is not the test itself.
    ///   - environment: what it is told beside what the test is told.
    init(
        upstream: UInt16, settings: String = "", users: String = Gate.users,
        key: CertificateKey = .ecdsa, launcher: [String] = [], path: String = Programs.kanmon,
        environment: [String: String] = [:]
    ) throws {
        try key.writeCertificate(to: folder)
        folder.write("htpasswd", users)
        var lines = [
            "listen: \"127.0.0.1:0\"", "allow: [127.0.0.0/8]", "workers: 1",
            "tls: {cert_file: tls.crt, key_file: tls.key}", "auth: {users_file: htpasswd}",
            "upstream: {url: \"http://127.0.0.1:\(upstream)\"}", "log: {level: debug}",
        ]
        let given = settings.split(separator: "\n").compactMap { $0.split(separator: ":").first }
        lines.removeAll { line in given.contains { line.hasPrefix("\($0):") } }
        folder.write("kanmon.yml", lines.joined(separator: "\n") + "\n" + settings + "\n")
        let command = launcher + [path, "serve", "--config", folder.path + "/kanmon.yml"]
        program = try RunningProgram(
            command[0], Array(command.dropFirst()),
            environment: ProcessInfo.processInfo.environment.merging(environment) { $1 })
        let port = program.waitForOutput { output in
            output.firstMatch(of: /listening"?[ ,]"?address"?[=:][^ ,\n]*:(\d+)[" \n,]/)
                .map { String($0.1) }
        }
        guard let port = port.flatMap({ UInt16($0) }) else {
            throw RunningProgram.CannotStart(description: "no gate: \(program.output)")
        }
        self.port = port
    }

    deinit { program.signal(SIGKILL) }

    var certificate: [UInt8] { folder.read("tls.crt") }

    func connect() throws -> TestClient { try TestClient(port: port, certificate: certificate) }

    /// One request on a connection of its own.
    func send(
        _ method: String, _ path: String, body: String? = nil, login: String? = "prom:secret",
        fields: [String] = []
    ) throws -> Answer {
        let client = try connect()
        return try client.send(method, path, body: body, login: login, fields: fields)
    }

    /// What the log says, once it holds `text`.
    func log(holding text: String, within seconds: Double = 5) -> String? {
        program.waitForOutput(within: seconds) { $0.contains(text) ? $0 : nil }
    }
}

/// The kind of key a gate's certificate has.
enum CertificateKey: Sendable, CaseIterable {
    case ecdsa, rsa

    func writeCertificate(to folder: TemporaryFolder) throws {
        switch self {
        case .ecdsa:
            let made = try SelfSignedCertificate(for: [.name("localhost")], days: 30)
            folder.write(
                "tls.crt", String(decoding: made.certificatePEM, as: UTF8.self), mode: 0o644)
            folder.write("tls.key", String(decoding: made.keyPEM, as: UTF8.self))
        case .rsa:
            let arguments = [
                "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-subj",
                "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", folder.path + "/tls.key",
                "-out",
                folder.path + "/tls.crt",
            ]
            let made = try run("/usr/bin/openssl", arguments)
            #expect(made.status == 0, "\(made.errors)")
        }
    }

    /// An RSA certificate of 2020 for `CN=old` and nothing else, as old set-ups have them.
    static func writeExpiredCertificateWithoutNames(to folder: TemporaryFolder) throws {
        folder.write("index.txt", "")
        folder.write("serial", "01")
        let settings = folder.write(
            "ca.cnf",
            """
            [ca]
            default_ca = old
            [old]
            database = \(folder.path)/index.txt
            serial = \(folder.path)/serial
            new_certs_dir = \(folder.path)
            default_md = sha256
            policy = any
            [any]
            commonName = supplied
            """)
        let key = folder.path + "/tls.key"
        let request = folder.path + "/request"
        let steps = [
            [
                "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=old", "-keyout", key, "-out",
                request,
            ],
            [
                "ca", "-batch", "-selfsign", "-config", settings, "-keyfile", key, "-in", request,
                "-out",
                folder.path + "/tls.crt", "-notext", "-startdate", "20200101000000Z", "-enddate",
                "20210101000000Z",
            ],
        ]
        for step in steps {
            let result = try run("/usr/bin/openssl", step)
            try #require(result.status == 0, "\(result.errors)")
        }
    }
}

/// What the gate answered.
struct Answer: CustomStringConvertible {
    let status: Int
    /// Names in lower case.
    let fields: [String: String]
    let body: String

    var isLast: Bool { fields["connection"] == "close" }
    var description: String { "\(status) \(fields) \(body)" }
}
