import ArgumentParser
import Bytes
import Console
import Glibc
import TLS

struct Cert: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a self-signed certificate and its key.",
        discussion: """
            Example: kanmon cert --out tls --host push.example --host 203.0.113.5

            Writes tls.crt and tls.key. With --renew it makes a new certificate for the key that is there, \
            and writes the old and the new one together as ca-bundle.crt: give that to the clients first.
            """)

    @Option(help: "The folder to write to; it is made if it is not there.")
    var out: String

    @Option(help: "A name or an address that clients use for the gate; may be given several times.")
    var host: [String] = []

    @Option(help: "How many days it is valid.")
    var days = 365

    @Flag(help: "Overwrite what is there.")
    var force = false

    @Flag(help: "Make a new certificate for the same key.")
    var renew = false

    private static let fileBytesMax = 1 << 20

    func validate() throws {
        guard (1...36_500).contains(days) else {
            throw ValidationError("--days must be from 1 to 36500.")
        }
        for host in host where Cert.host(host) == nil {
            throw ValidationError("--host \(host) is neither a host name nor an address.")
        }
        if renew && force { throw ValidationError("--renew keeps the key; --force would not.") }
    }

    func run() throws {
        Library.prepare()
        do {
            if renew { try renewCertificate() } else { try makeCertificate() }
        } catch let error as AtomicFile.Failure {
            throw refusal(error.description)
        } catch let error as IdentityError {
            throw refusal("\(out): \(error)")
        }
    }

    private func makeCertificate() throws {
        for path in [certificatePath, keyPath] where !force && RegularFile.mode(of: path) != nil {
            throw refusal("\(path) exists; --renew keeps its key, --force replaces both")
        }
        try makeFolder()
        let made = try SelfSignedCertificate(for: hosts(from: host), days: days)
        try AtomicFile.write(made.keyPEM, to: keyPath, newMode: 0o600)
        try AtomicFile.write(made.certificatePEM, to: certificatePath, newMode: 0o644)
        try tell(made.certificatePEM)
    }

    private func renewCertificate() throws {
        let old = try contents(of: certificatePath)
        let key = try contents(of: keyPath)
        let names = try Certificate(pem: old).names.compactMap(Cert.plainName)
        let made = try SelfSignedCertificate(
            for: hosts(from: host.isEmpty ? names : host), days: days, keyPEM: key)
        try AtomicFile.write(old + made.certificatePEM, to: bundlePath, newMode: 0o644)
        try AtomicFile.write(made.certificatePEM, to: certificatePath, newMode: 0o644)
        try tell(made.certificatePEM)
        Console.say("For the clients, until all have it: \(bundlePath) (old and new certificate)")
    }

    private func tell(_ pem: [UInt8]) throws {
        let certificate = try Certificate(pem: pem)
        Console.say(
            """
            Certificate: \(certificatePath)
            Key:         \(keyPath) (mode 0600; keep it secret)
            Names:       \(certificate.names.joined(separator: ", "))
            SHA-256:     \(certificate.fingerprint)

            In the configuration:   tls: {cert_file: \(certificatePath), key_file: \(keyPath)}
            At a client:            curl --cacert \(certificatePath) ...
            """)
    }

    // MARK: Hosts

    private func hosts(from texts: [String]) -> [SelfSignedCertificate.Host] {
        let texts = texts.isEmpty ? ["localhost", "127.0.0.1", "::1"] : texts
        return texts.compactMap(Cert.host)
    }

    /// An address, or a host name as in RFC 1123 section 2.1, with a wildcard at most as its first label.
    private static func host(_ text: String) -> SelfSignedCertificate.Host? {
        if let address = IPAddress(text) { return .address(address) }
        var labels = text.split(separator: ".", omittingEmptySubsequences: false)
        if labels.count > 2 && labels[0] == "*" { labels.removeFirst() }
        let isName = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                && label.utf8.allSatisfy { $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "-") }
        }
        return isName && text.utf8.count <= 253 ? .name(text) : nil
    }

    /// The name in what OpenSSL calls it: `DNS:localhost`, `IP Address:127.0.0.1`.
    private static func plainName(_ text: String) -> String? {
        guard let colon = text.firstIndex(of: ":") else { return nil }
        return String(text[text.index(after: colon)...])
    }

    // MARK: Files

    private var certificatePath: String { "\(out)/tls.crt" }
    private var keyPath: String { "\(out)/tls.key" }
    private var bundlePath: String { "\(out)/ca-bundle.crt" }

    private func contents(of path: String) throws -> [UInt8] {
        do throws(FileFault) {
            return try RegularFile.contents(of: path, bytesMax: Cert.fileBytesMax)
        } catch {
            throw refusal("\(path) \(error.text)")
        }
    }

    private func makeFolder() throws {
        guard unsafe mkdir(out, 0o755) != 0, errno != EEXIST else { return }
        throw refusal(AtomicFile.Failure(path: out, code: errno).description)
    }

    private func refusal(_ text: String) -> ExitCode {
        Console.complain("kanmon: \(text)")
        return .negative
    }
}
