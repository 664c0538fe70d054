import Admission
import Bytes
import Configuration
import TLS

/// The files and networks a configuration names, and what is wrong with them.
struct ConfiguredFiles {
    private let configuration: Configuration
    private let purpose: Snapshot.Purpose
    private(set) var problems: [Problem] = []

    private static let certificateBytesMax = 1 << 20
    private static let userFileBytesMax = 16 << 20
    private static let passwordBytesMax = 1024

    init(_ configuration: Configuration, for purpose: Snapshot.Purpose) {
        (self.configuration, self.purpose) = (configuration, purpose)
    }

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

    /// - Parameter usersBefore: how many could log in until now.
    mutating func users(after usersBefore: Int) -> UserFile? {
        let location = configuration.auth.usersFile
        guard let path = path(of: location),
            let bytes = contents(of: path, at: location, ConfiguredFiles.userFileBytesMax)
        else { return nil }
        // While a file is written anew, and on a full disk, it is like this for a moment or for good.
        guard !bytes.isEmpty || usersBefore == 0 else {
            problems.append(
                Problem(
                    .error, file: path, at: Position(line: 1, column: 1),
                    "the file is empty, while \(usersBefore) could log in until now; a file without "
                        + "users is meant when it holds a comment, such as # nobody"))
            return nil
        }
        let (file, found) = UserFile.parse(bytes.span)
        for problem in found {
            problems.append(
                Problem(
                    problem.severity == .error ? .error : .warning, file: path,
                    at: Position(line: problem.line, column: problem.column), problem.sentence))
        }
        warnIfOthersMayRead(path, at: location)
        return file
    }

    /// - Parameter quotas: what was counted until now.
    mutating func rights(
        of users: UserFile?, allowlist: Allowlist?, keeping quotas: Quotas?
    ) -> Rights? {
        guard let users, let allowlist else { return nil }
        var found: [Problem] = []
        let rights = Rights(
            configuration, users: users, allowlist: allowlist, keeping: quotas
        ) { severity, position, text in
            found.append(Problem(severity, file: configuration.file, at: position, text))
        }
        problems += found
        return rights
    }

    mutating func identity(now: Int) -> (identity: Identity, certificate: Certificate)? {
        let bytesMax = ConfiguredFiles.certificateBytesMax
        let tls = configuration.tls
        let chain = contents(of: tls.certificateFile, bytesMax: bytesMax)
        let keyPath = path(of: tls.keyFile)
        let key = keyPath.flatMap { contents(of: $0, at: tls.keyFile, bytesMax) }
        if key != nil, let keyPath { warnIfOthersMayRead(keyPath, at: tls.keyFile) }
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

    /// The audit trail has to be possible where it begins. What happens to its disk later stops no push,
    /// nor a reload that may take somebody's rights away. A file that holds no records is somebody
    /// else's, for instance the users' or the key's: it would be spoilt, and rotated away.
    mutating func checkAudit(after previous: Configuration.Audit?) {
        guard let location = configuration.audit?.file,
            let fault = RegularFile.faultOfAppending(
                to: location.value, whoseFirstByteIs: UInt8(ascii: "{"))
        else { return }
        let isKept = location.value == previous?.file.value
        complain(isKept ? .warning : .error, at: location, "\(location.value) \(fault.text)")
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
        let key = tls.keyFile.value.description
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

    // MARK: The Pushgateway

    /// What reaches the Pushgateway; nil when some of what that needs cannot be had.
    mutating func dialer(now: Int) -> Dialer? {
        let upstream = configuration.upstream
        let authorities = upstream.authorityFile.map { readAuthorities($0) }
        let login = upstream.login.map { readLogin($0) }
        guard authorities.map({ $0 != nil }) ?? true, login.map({ $0 != nil }) ?? true else {
            return nil
        }
        let access = UpstreamAccess(
            url: upstream.url.value, authorities: authorities ?? nil, login: login ?? nil)
        do throws(IdentityError) {
            let dialer = try Dialer(access)
            if let authorities = access.authorities { try judge(authorities, now: now) }
            return dialer
        } catch {
            if let location = upstream.authorityFile {
                complain(
                    .error, at: location,
                    "\(location.value) holds no certificate in PEM form, so nobody would be trusted"
                )
            } else {
                complain(.error, at: upstream.url, "OpenSSL cannot be used for https (\(error))")
            }
            return nil
        }
    }

    private mutating func readAuthorities(
        _ location: Located<FileLocation>
    ) -> UpstreamAccess.Authorities? {
        guard let path = path(of: location),
            let pem = contents(of: path, at: location, ConfiguredFiles.certificateBytesMax)
        else { return nil }
        return UpstreamAccess.Authorities(path: path, certificates: pem)
    }

    private mutating func judge(
        _ authorities: UpstreamAccess.Authorities, now: Int
    ) throws(IdentityError) {
        guard let location = configuration.upstream.authorityFile,
            try Certificate(pem: authorities.certificates).notAfter <= now
        else { return }
        complain(
            .warning, at: location,
            "the first certificate in \(authorities.path) has expired; the Pushgateway may have a "
                + "new one")
    }

    private mutating func readLogin(
        _ login: Configuration.Upstream.Login
    ) -> UpstreamLogin? {
        let location = login.passwordFile
        guard let path = path(of: location),
            let bytes = contents(of: path, at: location, ConfiguredFiles.passwordBytesMax)
        else { return nil }
        warnIfOthersMayRead(path, at: location)
        var password = bytes.prefix { $0 != UInt8(ascii: "\n") }
        if password.last == UInt8(ascii: "\r") { password.removeLast() }
        guard !password.isEmpty else {
            complain(.error, at: location, "\(path) has no password in its first line")
            return nil
        }
        let username = Array(login.username.value.utf8)
        guard
            let value = BasicCredentials.fieldValue(user: username, password: Array(password))
        else {
            complain(
                .error, at: location,
                "the password in \(path) holds a control character, which no login can have "
                    + "(RFC 7617 section 2)")
            return nil
        }
        return UpstreamLogin(username: login.username.value, fieldValue: value)
    }

    // MARK: Files

    private mutating func contents(
        of location: Located<FileLocation>, bytesMax: Int
    ) -> [UInt8]? {
        path(of: location).flatMap { contents(of: $0, at: location, bytesMax) }
    }

    private mutating func contents(
        of path: String, at location: Located<FileLocation>, _ bytesMax: Int
    ) -> [UInt8]? {
        do throws(FileFault) {
            return try RegularFile.contents(of: path, bytesMax: bytesMax)
        } catch {
            complain(.error, at: location, "\(path) \(error.text)")
            return nil
        }
    }

    /// Where the file is. A credential that is nowhere to be found is an error, except for somebody who
    /// only checks and to whom nobody would give it.
    private mutating func path(of location: Located<FileLocation>) -> String? {
        switch location.value {
        case .path(let path): return path
        case .credential(let name):
            let (path, places) = Credentials.find(name)
            guard path == nil else { return path }
            let looked = "looked at \(places.joined(separator: ", "))"
            if purpose == .check && !Credentials.areProvided {
                complain(
                    .warning, at: location,
                    "\(location.value) cannot be found outside of the service (\(looked)), so what "
                        + "is in it was not checked; to check it: CREDENTIALS_DIRECTORY=FOLDER "
                        + "kanmon check --config \(configuration.file)")
            } else {
                complain(
                    .error, at: location,
                    "\(location.value) is not provided (\(looked)); in a unit of systemd: "
                        + "LoadCredential=\(name):/path/of/the/file")
            }
            return nil
        }
    }

    private mutating func warnIfOthersMayRead(
        _ path: String, at location: Located<FileLocation>
    ) {
        guard let mode = RegularFile.mode(of: path), mode & 0o004 != 0 else { return }
        complain(
            .warning, at: location, "\(path) can be read by everyone; to mend it: chmod o-r \(path)"
        )
    }

    private mutating func complain(
        _ severity: Problem.Severity, at location: Located<some Sendable>, _ message: String
    ) {
        problems.append(configuration.problem(severity, at: location, message))
    }
}
