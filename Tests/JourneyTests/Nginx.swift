import Foundation
import TLS
import Testing

/// A real nginx in front of a Pushgateway: it speaks TLS, asks for a login, listens on a unix socket, all
/// of which a Pushgateway of Debian's age cannot.
final class Nginx: Sendable {
    let program: RunningProgram
    let folder = TemporaryFolder()
    private let address: String

    /// Where it listens, and how.
    enum Door: Sendable {
        case tls(Certificate)
        /// With a certificate and key that are in a folder already.
        case given(folder: String)
        case plain
        case socket(path: String)
    }

    /// What it shows over TLS.
    enum Certificate: Sendable, CaseIterable { case good, otherName, expired, signedByAnother }

    static let path = ["/usr/sbin/nginx", "/usr/bin/nginx"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    /// - Parameter login: `user:password` to ask for.
    init(
        before pushgateway: Pushgateway, _ door: Door, login: String? = nil
    ) throws {
        guard let path = Nginx.path else {
            throw RunningProgram.CannotStart(
                description: "nginx is not installed; make test installs it")
        }
        var server: [String]
        switch door {
        case .tls(let certificate):
            try Nginx.write(certificate, to: folder)
            address = "127.0.0.1:\(try freePort())"
            server = [
                "listen \(address) ssl;", "ssl_certificate \(folder.path)/tls.crt;",
                "ssl_certificate_key \(folder.path)/tls.key;",
            ]
        case .given(let folder):
            address = "127.0.0.1:\(try freePort())"
            server = [
                "listen \(address) ssl;", "ssl_certificate \(folder)/tls.crt;",
                "ssl_certificate_key \(folder)/tls.key;",
            ]
        case .plain:
            address = "127.0.0.1:\(try freePort())"
            server = ["listen \(address);"]
        case .socket(let socket):
            address = "unix:\(socket)"
            server = ["listen \(address);"]
        }
        if let login {
            folder.write("users", login.replacing(":", with: ":{PLAIN}") + "\n")
            server += ["auth_basic metrics;", "auth_basic_user_file \(folder.path)/users;"]
        }
        server.append(
            "location / { proxy_pass \(pushgateway.url); proxy_set_header Authorization \"\"; }")
        let file = folder.write("nginx.conf", Nginx.configuration(server, in: folder.path))
        program = try RunningProgram(
            path, ["-p", folder.path, "-e", "stderr", "-c", file], environment: [:])
        let end = Date().addingTimeInterval(20)
        while !isListening {
            guard Date() < end, program.isRunning else {
                throw RunningProgram.CannotStart(description: "no nginx: \(program.output)")
            }
            usleep(20_000)
        }
    }

    deinit { program.signal(SIGKILL) }

    /// The host is `localhost` or an address.
    func url(_ scheme: String, host: String = "localhost") -> String {
        "\(scheme)://\(host):\(address.split(separator: ":").last ?? "")"
    }

    var certificatePath: String { folder.path + "/tls.crt" }

    /// On how many connections it was asked to take a push.
    func pushConnections() -> Int {
        let lines = String(decoding: folder.read("access.log"), as: UTF8.self).split(
            separator: "\n")
        let pushes = lines.filter { !$0.hasSuffix("GET") }
        return Set(pushes.compactMap { $0.split(separator: " ").first }).count
    }

    private var isListening: Bool {
        if address.hasPrefix("unix:") {
            return FileManager.default.fileExists(atPath: String(address.dropFirst(5)))
        }
        guard let port = address.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            return false
        }
        return (try? BlockingSocket(port: port)) != nil
    }

    private static func configuration(_ server: [String], in folder: String) -> String {
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map { "\($0)_temp_path \(folder)/\($0);" }.joined(separator: "\n")
        return """
            daemon off;
            master_process off;
            pid \(folder)/nginx.pid;
            error_log stderr;
            events { worker_connections 256; }
            http {
                log_format pushes '$connection $status $request_method';
                access_log \(folder)/access.log pushes;
                client_max_body_size 10m;
                \(temporary)
                server { \(server.joined(separator: "\n")) }
            }
            """
    }

    private static func write(_ certificate: Certificate, to folder: TemporaryFolder) throws {
        switch certificate {
        case .good: try CertificateKey.ecdsa.writeCertificate(to: folder)
        case .otherName:
            let made = try SelfSignedCertificate(for: [.name("another.example")], days: 30)
            folder.write("tls.crt", String(decoding: made.certificatePEM, as: UTF8.self))
            folder.write("tls.key", String(decoding: made.keyPEM, as: UTF8.self))
        case .expired:
            try CertificateKey.ecdsa.writeCertificate(to: folder)
            let file = folder.path + "/tls"
            let made = try run(
                "/usr/bin/openssl",
                [
                    "x509", "-in", file + ".crt", "-signkey", file + ".key", "-days", "-1",
                    "-out", file + ".crt",
                ])
            #expect(made.status == 0, "\(made.errors)")
        case .signedByAnother: try writeChain(to: folder)
        }
    }

    /// `ca.crt` is whom to trust; `tls.crt` is signed by it, for localhost.
    private static func writeChain(to folder: TemporaryFolder) throws {
        folder.write("names", "subjectAltName=DNS:localhost\n")
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        let steps = [
            ["req", "-x509"] + key
                + ["-subj", "/CN=authority", "-keyout", "ca.key", "-out", "ca.crt"],
            ["req"] + key + ["-subj", "/CN=localhost", "-keyout", "tls.key", "-out", "tls.csr"],
            [
                "x509", "-req", "-in", "tls.csr", "-CA", "ca.crt", "-CAkey", "ca.key",
                "-CAcreateserial", "-extfile", "names", "-out", "tls.crt",
            ],
        ]
        for step in steps {
            let made = try run(
                "/bin/sh", ["-c", "cd '\(folder.path)' && openssl \"$@\"", "openssl"] + step)
            #expect(made.status == 0, "\(made.errors)")
        }
    }
}
