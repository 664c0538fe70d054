import Foundation
import Testing

/// A Pushgateway that is reached by https or through a unix socket, or that asks for a login: nginx stands
/// in front of a real one.
@Suite struct UpstreamAccessTests {
    private let pushgateway: Pushgateway

    init() throws { pushgateway = try Pushgateway() }

    private func gate(_ upstream: String, _ more: String = "") throws -> Gate {
        try Gate(upstream: 0, settings: "upstream: {url: \"\(upstream)\"\(more)}")
    }

    private func check(_ gate: Gate) throws -> String {
        let result = try run(
            Programs.kanmon, ["check", "--config", gate.folder.path + "/kanmon.yml"])
        return result.output + result.errors
    }

    // MARK: https

    @Test(arguments: [Nginx.Certificate.good, .signedByAnother])
    func `over https pushes of any size are stored, on one kept connection`(
        certificate: Nginx.Certificate
    ) throws {
        let nginx = try Nginx(before: pushgateway, .tls(certificate))
        let authority = certificate == .good ? "tls.crt" : "ca.crt"
        let gate = try gate(nginx.url("https"), ", ca_file: \(nginx.folder.path)/\(authority)")
        let client = try gate.connect()
        for number in 1...3 {
            let answer = try client.send("PUT", "/metrics/job/x", body: "a \(number)\n")
            #expect(answer.status == 200, "\(answer)")
        }
        #expect(try pushgateway.samples(of: "a") == ["a{instance=\"\",job=\"x\"} 3"])
        let large = (0..<13_000).map { "m{l=\"\($0)\",filler=\"\(Self.filler)\"} 1\n" }.joined()
        #expect(large.utf8.count > 1 << 20)
        #expect(try client.send("PUT", "/metrics/job/large", body: large).status == 200)
        #expect(try pushgateway.samples(of: "m").count == 13_000)
        #expect(try client.send("DELETE", "/metrics/job/large").status == 202)
        #expect(nginx.pushConnections() == 1)
        #expect(try check(gate).contains("answers."))
    }

    private static let filler = String(repeating: "x", count: 64)

    struct Stranger: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let certificate: Nginx.Certificate
        var host = "localhost"
        /// Whom to trust: nginx's own certificate, another's, or whom the system trusts.
        var authority = Authority.own
        /// What the log and `check` say.
        let reason: String
        let remedy: String

        enum Authority { case own, another, system }
    }

    @Test(arguments: [
        Stranger(
            testDescription: "signed by nobody the system trusts", certificate: .good,
            authority: .system, reason: "self-signed certificate", remedy: "upstream.ca_file"),
        Stranger(
            testDescription: "not the one that ca_file holds", certificate: .good,
            authority: .another, reason: "certificate verify failed", remedy: "upstream.ca_file"),
        Stranger(
            testDescription: "for another name", certificate: .otherName,
            reason: "hostname mismatch", remedy: "as its certificate does"),
        Stranger(
            testDescription: "for a name, where upstream.url has an address", certificate: .good,
            host: "127.0.0.1", reason: "IP address mismatch", remedy: "as its certificate does"),
        Stranger(
            testDescription: "expired", certificate: .expired, reason: "certificate has expired",
            remedy: "renewed"),
    ])
    func `a certificate that is not good enough stops every push, and says why`(
        stranger: Stranger
    ) throws {
        let nginx = try Nginx(before: pushgateway, .tls(stranger.certificate))
        let other = TemporaryFolder()
        try CertificateKey.ecdsa.writeCertificate(to: other)
        let file =
            switch stranger.authority {
            case .own: ", ca_file: \(nginx.certificatePath)"
            case .another: ", ca_file: \(other.path)/tls.crt"
            case .system: ""
            }
        let gate = try gate(nginx.url("https", host: stranger.host), file)
        let answer = try gate.send("PUT", "/metrics/job/x", body: "a 1\n")
        #expect(answer.status == 503)
        #expect(answer.body.contains("was not stored"))
        let log = try #require(gate.log(holding: "reason=upstream_unreachable"))
        #expect(log.contains(stranger.reason) && log.contains(stranger.remedy), "\(log)")
        let checked = try check(gate)
        #expect(
            checked.contains(stranger.reason) && checked.contains(stranger.remedy), "\(checked)")
        #expect(try pushgateway.pushRequests() == 0)
    }

    @Test func `an address is good where the certificate has it`() throws {
        let folder = TemporaryFolder()
        let made = try run(
            Programs.kanmon, ["cert", "--out", folder.path, "--host", "127.0.0.1"])
        #expect(made.status == 0, "\(made.errors)")
        let nginx = try Nginx(before: pushgateway, .given(folder: folder.path))
        let gate = try gate(
            nginx.url("https", host: "127.0.0.1"), ", ca_file: \(folder.path)/tls.crt")
        #expect(try gate.send("PUT", "/metrics/job/x", body: "a 1\n").status == 200)
    }

    @Test func `https asked of a server without TLS is 503 and says so`() throws {
        let gate = try gate("https://127.0.0.1:\(pushgateway.port)")
        #expect(try gate.send("PUT", "/metrics/job/x", body: "a 1\n").status == 503)
        let log = try #require(gate.log(holding: "reason=upstream_unreachable"))
        #expect(log.contains("does it speak TLS?"))
        #expect(try check(gate).contains("does it speak TLS?"))
        #expect(try pushgateway.pushRequests() == 0)
    }

    @Test func `plain http spoken to a server with TLS is 502 and says so`() throws {
        let nginx = try Nginx(before: pushgateway, .tls(.good))
        let gate = try gate(nginx.url("http"))
        let answer = try gate.send("PUT", "/metrics/job/x", body: "a 1\n")
        #expect(answer.status == 502)
        #expect(answer.body.contains("upstream.url"))
        let log = try #require(gate.log(holding: "reason=upstream_unclear"))
        #expect(log.contains("https://"))
        #expect(try pushgateway.pushRequests() == 0)
    }

    // MARK: A login

    @Test(arguments: [Nginx.Door.plain, .tls(.good)])
    func `with its login the gate pushes, and can see what is there`(door: Nginx.Door) throws {
        let nginx = try Nginx(before: pushgateway, door, login: "gate:open sesame")
        nginx.folder.write("password", "open sesame\r\nnot this\n")
        var more = ", username: gate, password_file: \(nginx.folder.path)/password"
        var scheme = "http"
        if case .tls = door {
            scheme = "https"
            more += ", ca_file: \(nginx.certificatePath)"
        }
        let gate = try gate(nginx.url(scheme), more)
        #expect(try gate.send("PUT", "/metrics/job/x", body: "a 1\n").status == 200)
        let status = try run(
            Programs.kanmon, ["status", "--config", gate.folder.path + "/kanmon.yml"])
        #expect(status.status == 0, "\(status)")
        #expect(status.output.contains("groups           1"))
        #expect(try check(gate).contains("answers."))
        let told = try check(gate) + gate.program.output
        #expect(!told.contains("open sesame"))
        #expect(!told.contains(Data("gate:open sesame".utf8).base64EncodedString()))
    }

    @Test(arguments: ["wrong", nil])
    func `a login that is refused is 502, and the log names what to mend`(password: String?) throws
    {
        let nginx = try Nginx(before: pushgateway, .plain, login: "gate:open sesame")
        var more = ""
        if let password {
            nginx.folder.write("password", password)
            more = ", username: gate, password_file: \(nginx.folder.path)/password"
        }
        let gate = try gate(nginx.url("http"), more)
        let answer = try gate.send("PUT", "/metrics/job/x", body: "a 1\n")
        #expect(answer.status == 502)
        #expect(answer.body.contains("does not let the gate in"))
        #expect(answer.body.contains("was not stored"))
        #expect(answer.fields["www-authenticate"] == nil)
        let log = try #require(gate.log(holding: "reason=upstream_unclear"))
        #expect(log.contains("upstream.username"))
        #expect(try check(gate).contains("upstream.username"))
        let status = try run(
            Programs.kanmon, ["status", "--config", gate.folder.path + "/kanmon.yml"])
        #expect(status.status == 1)
        #expect(status.output.contains("upstream.username"))
        #expect(try pushgateway.pushRequests() == 0)
    }

    @Test func `a password that is mended is used after a reload, for clients that are there too`()
        throws
    {
        let nginx = try Nginx(before: pushgateway, .plain, login: "gate:open sesame")
        nginx.folder.write("password", "wrong")
        let gate = try gate(
            nginx.url("http"),
            ", username: gate, password_file: \(nginx.folder.path)/password")
        let client = try gate.connect()
        #expect(try client.send("PUT", "/metrics/job/x", body: "a 1\n").status == 502)
        nginx.folder.write("password", "open sesame")
        gate.program.signal(SIGHUP)
        #expect(gate.log(holding: "configuration reloaded") != nil)
        #expect(try client.send("PUT", "/metrics/job/x", body: "a 1\n").status == 200)
    }

    // MARK: What cannot be used

    @Test(arguments: [
        (", username: gate, password_file: FILE", "", "no password"),
        (", username: gate, password_file: FILE", "\nsecond line", "no password"),
        (", username: gate, password_file: FILE", "a\tb\n", "control character"),
        (
            ", username: gate, password_file: FILE", String(repeating: "x", count: 2000),
            "larger than"
        ),
        (", username: gate, password_file: FILE-that-is-not-there", "x", "does not exist"),
        (", ca_file: FILE", "nonsense", "no certificate"),
        (", ca_file: FILE-that-is-not-there", "x", "does not exist"),
    ])
    func `a file that cannot be used is an error at its line, and nothing starts`(
        more: String, content: String, text: String
    ) throws {
        let folder = TemporaryFolder()
        try CertificateKey.ecdsa.writeCertificate(to: folder)
        folder.write("htpasswd", Gate.users)
        folder.write("given", content)
        let settings = more.replacing("FILE", with: "given")
        let file = folder.write(
            "kanmon.yml",
            """
            allow: [127.0.0.1]
            tls: {cert_file: tls.crt, key_file: tls.key}
            auth: {users_file: htpasswd}
            listen: "127.0.0.1:0"
            upstream: {url: "https://127.0.0.1:9"\(settings)}
            """)
        for verb in ["check", "serve"] {
            let result = try run(Programs.kanmon, [verb, "--config", file])
            #expect(result.status == 78)
            let told = result.output + result.errors
            let line = told.split(separator: "\n").first { $0.contains("kanmon.yml:5:") }
            #expect(line?.contains("error:") == true && line?.contains(text) == true, "\(told)")
        }
    }

    // MARK: A unix socket

    @Test func `a socket that comes, goes and is another's is used as it is there`() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/pushgateway.sock"
        let gate = try gate("unix:\(path)")
        let client = try gate.connect()
        let push = { try client.send("PUT", "/metrics/job/x", body: "a 1\n").status }
        #expect(try push() == 503)
        let log = try #require(gate.log(holding: "reason=upstream_unreachable"))
        #expect(log.contains("is this its socket?"))
        #expect(try check(gate).contains("is this its socket?"))
        for _ in 0..<2 {
            let nginx = try Nginx(before: pushgateway, .socket(path: path))
            for _ in 0..<3 { #expect(try push() == 200) }
            #expect(try check(gate).contains("answers."))
            nginx.program.signal(SIGKILL)
            _ = nginx.program.exitStatus()
            // Its file is still there, and nobody listens behind it.
            #expect(try push() == 503)
            try FileManager.default.removeItem(atPath: path)
            #expect(try push() == 503)
        }
        #expect(try pushgateway.samples(of: "a") == ["a{instance=\"\",job=\"x\"} 1"])
    }

    @Test func `a socket that the gate may not write to is named with what to mend`() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/pushgateway.sock"
        let nginx = try Nginx(before: pushgateway, .socket(path: path))
        let gate = try gate("unix:\(path)")
        #expect(try gate.send("PUT", "/metrics/job/x", body: "a 1\n").status == 200)
        unsafe chmod(path, 0o600)
        for name in ["kanmon.yml", "tls.crt", "tls.key", "htpasswd"] {
            unsafe chmod(gate.folder.path + "/" + name, 0o644)
        }
        var command = [Programs.kanmon, "check", "--config", gate.folder.path + "/kanmon.yml"]
        if geteuid() == 0 {
            command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] + command
        } else {
            unsafe chmod(path, 0)
        }
        let result = try run("/usr/bin/env", command)
        #expect(result.output.contains("Permission denied"), "\(result)")
        #expect(result.output.contains("let the gate's user write"))
        _ = nginx
    }
}
