import Admission
package import Configuration
import Bytes
import Reactor
package import TLS

/// Everything a request is decided by, read and checked as a whole, then never changed.
///
/// A request keeps the snapshot it began with; the next one may see another.
package final class Snapshot: Sendable {
    package let configuration: Configuration
    let limits: Limits
    let timeouts: Timeouts
    let allowlist: Allowlist
    let users: UserFile
    let rights: Rights
    package let identity: Identity
    package let certificate: Certificate

    private init(
        configuration: Configuration, allowlist: Allowlist, users: UserFile, rights: Rights,
        identity: Identity, certificate: Certificate
    ) {
        self.configuration = configuration
        limits = configuration.limits
        timeouts = Timeouts(configuration.limits, configuration.upstream)
        (self.allowlist, self.users, self.rights) = (allowlist, users, rights)
        (self.identity, self.certificate) = (identity, certificate)
    }

    package var userCount: Int { users.userCount }

    /// Which line of the configuration lists `entry` of the allowlist.
    func allowLine(_ entry: Int) -> Int { configuration.allow[entry].line }
}

extension Snapshot {
    /// What checking came to: nil exactly when there is an error among the problems.
    package typealias Reading = (snapshot: Snapshot?, problems: [Problem])

    /// Reads the configuration file at `path`, and everything it names.
    package static func load(_ path: String) -> Reading {
        let (configuration, problems) = Configuration.load(path: path)
        guard let configuration else { return (nil, problems) }
        let (snapshot, found) = read(configuration, now: WallClock.now().seconds)
        return (snapshot, problems + found)
    }

    /// Reads the files that `configuration` names and checks everything that can be checked without
    /// a socket. All problems at once, errors and warnings.
    /// - Parameter now: seconds since 1970, for the certificate's dates.
    package static func read(_ configuration: Configuration, now: Int) -> Reading {
        var files = ConfiguredFiles(configuration)
        let allowlist = files.allowlist()
        let users = files.users()
        let identity = files.identity(now: now)
        let rights = files.rights(of: users, allowlist: allowlist)
        let problems = files.problems
        guard let allowlist, let users, let rights, let identity,
            !problems.contains(where: { $0.severity == .error })
        else { return (nil, problems) }
        let snapshot = Snapshot(
            configuration: configuration, allowlist: allowlist, users: users, rights: rights,
            identity: identity.identity, certificate: identity.certificate)
        return (snapshot, problems)
    }
}

/// The files and networks a configuration names, and what is wrong with them.
private struct ConfiguredFiles {
    let configuration: Configuration
    var problems: [Problem] = []

    private static let certificateBytesMax = 1 << 20
    private static let userFileBytesMax = 16 << 20

    init(_ configuration: Configuration) { self.configuration = configuration }

    mutating func allowlist() -> Allowlist? {
        var ranges: [AddressRange] = []
        for entry in configuration.allow {
            do throws(AddressRangeError) {
                ranges.append(try AddressRange(parsing: entry.value))
            } catch {
                complain(
                    .error, at: entry, "allow: \"\(entry.value.prefix(60))\" \(error.sentence)")
            }
        }
        return ranges.count == configuration.allow.count ? Allowlist(ranges) : nil
    }

    mutating func users() -> UserFile? {
        let location = configuration.auth.usersFile
        guard let bytes = contents(of: location, bytesMax: ConfiguredFiles.userFileBytesMax) else {
            return nil
        }
        let (file, found) = UserFile.parse(bytes.span)
        for problem in found {
            problems.append(
                Problem(
                    problem.severity == .error ? .error : .warning, file: location.value,
                    at: Position(line: problem.line, column: problem.column), problem.sentence))
        }
        warnIfOthersMayRead(location)
        return file
    }

    mutating func rights(of users: UserFile?, allowlist: Allowlist?) -> Rights? {
        guard let users, let allowlist else { return nil }
        var found: [Problem] = []
        let rights = Rights(configuration, users: users, allowlist: allowlist) {
            severity, position, text in
            found.append(Problem(severity, file: configuration.file, at: position, text))
        }
        problems += found
        return rights
    }

    mutating func identity(now: Int) -> (identity: Identity, certificate: Certificate)? {
        let bytesMax = ConfiguredFiles.certificateBytesMax
        let tls = configuration.tls
        let chain = contents(of: tls.certificateFile, bytesMax: bytesMax)
        let key = contents(of: tls.keyFile, bytesMax: bytesMax)
        let authorities = tls.clientAuthorityFile.map { contents(of: $0, bytesMax: bytesMax) }
        guard let chain, let key, authorities.map({ $0 != nil }) ?? true else { return nil }
        let identity = Identity(
            certificates: chain, key: key, clientAuthorities: authorities ?? nil)
        do throws(IdentityError) {
            // The only way to know that OpenSSL takes it is to let it try.
            _ = try ServerContext(
                identity: identity, minimumVersion: tls.versionMin.minimumVersion,
                ticketKeys: TicketKeys())
            let certificate = try Certificate(pem: chain)
            judge(certificate, now: now)
            return (identity, certificate)
        } catch {
            complain(about: error)
            return nil
        }
    }

    private mutating func judge(_ certificate: Certificate, now: Int) {
        let location = configuration.tls.certificateFile
        let day = 86_400
        let renew = "to renew it: kanmon cert --renew --out DIR"
        if certificate.notAfter <= now {
            let days = (now - certificate.notAfter) / day
            complain(.warning, at: location, "the certificate expired \(days) days ago; \(renew)")
        } else if certificate.notAfter - now < 14 * day {
            let days = (certificate.notAfter - now) / day
            complain(.warning, at: location, "the certificate expires in \(days) days; \(renew)")
        }
        if certificate.notBefore > now {
            complain(
                .warning, at: location,
                "the certificate is not valid yet; is this machine's clock right?")
        }
        if certificate.names.isEmpty {
            complain(
                .warning, at: location,
                "the certificate has no subject alternative name, so most clients refuse it; "
                    + "to make one that has: kanmon cert --out DIR --host NAME")
        }
    }

    private mutating func complain(about error: IdentityError) {
        let tls = configuration.tls
        let key = tls.keyFile.value
        switch error {
        case .certificateUnreadable(let reason):
            complain(
                .error, at: tls.certificateFile,
                "\(tls.certificateFile.value) holds no certificate in PEM form (\(reason))")
        case .keyUnreadable(let reason):
            complain(.error, at: tls.keyFile, "\(key) holds no private key in PEM form (\(reason))")
        case .keyEncrypted:
            complain(
                .error, at: tls.keyFile,
                "\(key) is encrypted, and nobody is there to type the passphrase; "
                    + "to decrypt it: openssl pkey -in \(key) -out \(key).plain")
        case .keyDoesNotMatch:
            complain(
                .error, at: tls.keyFile,
                "\(key) is not the key of \(tls.certificateFile.value)")
        case .clientAuthoritiesUnreadable(let reason):
            guard let location = tls.clientAuthorityFile else { return }
            complain(.error, at: location, "\(location.value) cannot be used (\(reason))")
        case .refused(let reason):
            complain(.error, at: tls.certificateFile, "OpenSSL refuses the certificate (\(reason))")
        }
    }

    private mutating func contents(of location: Located<String>, bytesMax: Int) -> [UInt8]? {
        do throws(FileFault) {
            return try RegularFile.contents(of: location.value, bytesMax: bytesMax)
        } catch {
            complain(.error, at: location, "\(location.value) \(error.text)")
            return nil
        }
    }

    private mutating func warnIfOthersMayRead(_ location: Located<String>) {
        guard let mode = RegularFile.mode(of: location.value), mode & 0o004 != 0 else { return }
        let path = location.value
        complain(
            .warning, at: location, "\(path) can be read by everyone; to mend it: chmod o-r \(path)"
        )
    }

    private mutating func complain(
        _ severity: Problem.Severity, at location: Located<String>, _ message: String
    ) {
        problems.append(configuration.problem(severity, at: location, message))
    }
}

extension Configuration.TLS.Version {
    var minimumVersion: ServerContext.MinimumVersion {
        switch self {
        case .tls12: .tls12
        case .tls13: .tls13
        }
    }
}
