import Bytes

/// Everything an operator may set, read once, strictly, into a value that never changes.
///
/// A configuration that exists is a good one: every value is within its bounds, every required key
/// was there, nothing in the file went unread. Whether its files exist, its addresses are free and
/// its networks make sense is for those who use them to find out; `problem(_:at:_:)` lets them say
/// so in the same form.
package struct Configuration: Sendable {
    /// The configuration file as the operator named it.
    package let file: String
    package let environment: Environment
    /// At least one, at most 64; no two ask for the same port.
    package let listen: [Located<ListenAddress>]
    /// Addresses and networks as written, not yet checked; at least one, none empty.
    package let allow: [Located<String>]
    package let tls: TLS
    package let auth: Auth
    package let upstream: Upstream
    package let labelConflicts: LabelConflicts
    /// Nil when nobody is to ask the gate about itself.
    package let admin: Admin?
    /// Event loops; 0 leaves the number to the machine.
    package let workers: Int
    package let limits: Limits
    /// Nil when no trail is kept.
    package let audit: Audit?
    package let log: Log

    /// What this gate is there for. It is shown, and what is a warning may depend on it.
    package enum Environment: String, CaseIterable, Sendable { case dev, staging, production }

    /// The gate's own certificate, and what it asks of its clients.
    package struct TLS: Sendable {
        package let certificateFile: Located<FileLocation>
        package let keyFile: Located<FileLocation>
        package let versionMin: Version
        /// With it, a client has to show a certificate from one of these authorities.
        package let clientAuthorityFile: Located<FileLocation>?

        package enum Version: String, CaseIterable, Sendable {
            case tls12 = "TLS12"
            case tls13 = "TLS13"
        }
    }

    /// Who may log in.
    package struct Auth: Sendable {
        package let usersFile: Located<FileLocation>
        /// Who may do what, each user at most once. Nil when every user may do everything.
        package let users: Located<[UserRules]>?
    }

    /// The Pushgateway behind the gate.
    package struct Upstream: Sendable {
        package let url: Located<UpstreamURL>
        /// Whom to trust there; without it, whom the system trusts. Only with https.
        package let authorityFile: Located<FileLocation>?
        /// How to log in there. Nil when nobody asks.
        package let login: Login?
        /// Of the whole process.
        package let connectionsMax: Int
        package let connectTimeout: Duration
        /// From the request sent to the first byte of its answer.
        package let firstByteTimeout: Duration
        /// From the request sent to the end of its answer.
        package let timeout: Duration
        /// Whether the Pushgateway takes names beyond letters, digits, `_` and `:`.
        package let takesUTF8Names: Bool

        package struct Login: Sendable {
            /// Not empty, without a colon.
            package let username: Located<String>
            /// Its first line is the password.
            package let passwordFile: Located<FileLocation>
        }
    }

    /// Where the gate tells about itself, in plain HTTP.
    package struct Admin: Sendable {
        /// No port that `listen` has.
        package let listen: Located<ListenAddress>
    }

    /// The trail of every push.
    package struct Audit: Sendable {
        /// Resolved against the configuration file's folder.
        package let file: Located<String>
        /// How large the file grows before it makes room for a new one.
        package let bytesMax: Int
        /// How many full files are kept beside it.
        package let retain: Int
    }

    /// What happens to a label in a body that contradicts the grouping key.
    package enum LabelConflicts: String, CaseIterable, Sendable {
        case refuse
        /// The Pushgateway puts the value of the key in its place, and the gate counts it.
        case overwrite
    }

    /// The operational log.
    package struct Log: Sendable {
        package let level: Level
        package let format: Format

        package enum Level: String, CaseIterable, Sendable { case debug, info, warn, error }
        package enum Format: String, CaseIterable, Sendable { case logfmt, json }
    }
}

extension Configuration {
    /// What reading a file came to: the configuration, nil exactly when there is an error among
    /// the problems, and all problems in the order of the file.
    package typealias Reading = (configuration: Configuration?, problems: [Problem])

    /// Reads the bytes of a configuration file. `file` is its path: problems name it, and relative
    /// paths inside are relative to its folder.
    package static func read(_ bytes: [UInt8], named file: String) -> Reading {
        let reading = SettingsFile.read(bytes, named: file) { Configuration($0, complaints: $1) }
        return (reading.value, reading.problems)
    }

    /// The same for the file at `path`.
    package static func load(path: String) -> Reading {
        let reading = SettingsFile.load(path: path) { Configuration($0, complaints: $1) }
        return (reading.value, reading.problems)
    }

    /// Every key there is, as a dotted path, sections before what is in them.
    package static var keys: [String] {
        let complaints = Complaints(file: "")
        let top = Section(
            root: Node(content: .mapping([]), position: .start), complaints: complaints)
        _ = Configuration(top, complaints: complaints)
        return top.knownKeys.map(\.path)
    }

    /// A problem with a value of this configuration, found by someone who used it.
    package func problem<Value>(
        _ severity: Problem.Severity, at value: Located<Value>, _ message: String
    ) -> Problem {
        Problem(severity, file: file, at: value.position, message)
    }
}

extension Configuration {
    /// Asks for every key, in the order of the sample. Nil when a required one is not there.
    fileprivate init?(_ top: Section, complaints: Complaints) {
        file = complaints.file
        environment = top.choice("environment", default: .dev)
        listen = top.listenAddresses("listen", complaints)
        allow = top.texts("allow", example: "[127.0.0.1, \"::1\"]")
        let tls = TLS(top.section("tls"), folderOf: file)
        let auth = Auth(top.section("auth"), folderOf: file)
        let upstream = Upstream(top.section("upstream"), complaints, folderOf: file)
        labelConflicts = top.choice("label_conflicts", default: .refuse)
        admin = Admin(
            top.section("admin"), isGiven: top.holds("admin"), beside: listen, complaints)
        workers = top.value("workers", .count, default: 0, in: 0...256)
        limits = Limits(top.section("limits"), complaints: complaints)
        audit = Audit(top.section("audit"), isGiven: top.holds("audit"), folderOf: file)
        log = Log(top.section("log"))
        guard let tls, let auth, let upstream else { return nil }
        if !top.section("limits").isFaulty("series_max") {
            for rules in auth.users?.value ?? [] { rules.warn(about: limits, complaints) }
        }
        (self.tls, self.auth, self.upstream) = (tls, auth, upstream)
        let url = upstream.url
        if let own = ([admin?.listen].compactMap(\.self) + listen)
            .first(where: { url.value.leads(to: $0.value) })
        {
            complaints.add(
                "upstream.url: \(url.value) is this gate itself, which listens there by line "
                    + "\(own.line); give the address of the Pushgateway", at: url.position)
        }
    }
}

extension Configuration.TLS {
    fileprivate init?(_ section: Section, folderOf file: String) {
        let certificate = section.location(
            "cert_file", besides: file, requiredAs: "/etc/kanmon/tls/tls.crt")
        let key = section.location(
            "key_file", besides: file, requiredAs: "/etc/kanmon/tls/tls.key")
        versionMin = section.choice("min_version", default: .tls12)
        clientAuthorityFile = section.location("client_ca_file", besides: file)
        guard let certificate, let key else { return nil }
        (certificateFile, keyFile) = (certificate, key)
    }
}

extension Configuration.Auth {
    fileprivate init?(_ section: Section, folderOf file: String) {
        let location = section.location(
            "users_file", besides: file, requiredAs: "/etc/kanmon/auth/htpasswd")
        users = UserRules.read(section.section("users"), isGiven: section.holds("users"))
        guard let location else { return nil }
        usersFile = location
    }
}

extension Configuration.Upstream {
    fileprivate init?(_ section: Section, _ complaints: Complaints, folderOf file: String) {
        let bounds = Duration.milliseconds(10)...Duration.seconds(600)
        let url = section.upstreamURL("url", complaints)
        connectionsMax = section.value("connections_max", .count, default: 32, in: 1...10_000)
        connectTimeout = section.value(
            "connect_timeout", .time, default: .seconds(1), in: bounds)
        firstByteTimeout = section.value(
            "first_byte_timeout", .time, default: .seconds(30), in: bounds)
        timeout = section.value("timeout", .time, default: .seconds(30), in: bounds)
        takesUTF8Names = section.flag("utf8_names", default: false)
        authorityFile = section.location("ca_file", besides: file)
        login = Login(section, complaints, folderOf: file)
        if firstByteTimeout > timeout, !section.isFaulty("timeout"),
            let position = section.position(of: "first_byte_timeout")
        {
            let text = Quantity.time.text
            complaints.add(
                "upstream.first_byte_timeout (\(text(firstByteTimeout))) is larger than "
                    + "upstream.timeout (\(text(timeout))); it will never be reached",
                at: position, .warning)
        }
        guard let url else { return nil }
        self.url = url
        if let authorityFile, url.value.scheme != .https {
            complaints.add(
                "upstream.ca_file is of no use: upstream.url is not https",
                at: authorityFile.position, .warning)
        }
        if let login, url.value.crossesNetworkInTheClear {
            complaints.add(
                "upstream.username: the password goes to \(url.value) in the clear; use https, a "
                    + "unix socket or an address of this machine", at: login.username.position,
                .warning)
        }
    }
}

extension Configuration.Upstream.Login {
    /// Nil when there is neither a user nor a password; one without the other is an error.
    fileprivate init?(_ section: Section, _ complaints: Complaints, folderOf file: String) {
        let username = section.read("username") { scalar throws(ScalarFault) in
            guard !scalar.text.isEmpty else { throw ScalarFault("is empty") }
            guard !scalar.text.contains(":") else {
                throw ScalarFault("has a colon, which no user name can have (RFC 7617 section 2)")
            }
            guard scalar.text.utf8.count <= 255, scalar.text.utf8.allSatisfy({ !$0.isControl })
            else { throw ScalarFault("is over 255 bytes long or holds a control character") }
            return Located(scalar.text, at: scalar.position)
        }
        let passwordFile = section.location("password_file", besides: file)
        if let position = section.position(of: "username"), !section.holds("password_file") {
            complaints.add("upstream.username needs upstream.password_file beside it", at: position)
        }
        if let position = section.position(of: "password_file"), !section.holds("username") {
            complaints.add("upstream.password_file needs upstream.username beside it", at: position)
        }
        guard let username, let passwordFile else { return nil }
        (self.username, self.passwordFile) = (username, passwordFile)
    }
}

extension Configuration.Admin {
    fileprivate init?(
        _ section: Section, isGiven: Bool, beside listeners: [Located<ListenAddress>],
        _ complaints: Complaints
    ) {
        if isGiven { section.require("listen", "127.0.0.1:9444") }
        let address = section.read("listen") { scalar throws(ScalarFault) in
            Located(try ListenAddress(scalar.text), at: scalar.position)
        }
        guard let address else { return nil }
        if let rival = listeners.first(where: { $0.value.overlaps(address.value) }) {
            complaints.add(
                "admin.listen: \"\(address.value)\" takes what listen has in line "
                    + "\(rival.line); give the two different ports", at: address.position)
        }
        listen = address
    }
}

extension Configuration.Audit {
    fileprivate init?(_ section: Section, isGiven: Bool, folderOf folder: String) {
        let example = "/var/log/kanmon/audit.jsonl"
        let path = section.path("file", besides: folder, requiredAs: isGiven ? example : nil)
        bytesMax = section.value("max_bytes", .bytes, default: 10 << 20, in: 4096...1 << 40)
        retain = section.value("retain", .count, default: 7, in: 0...1000)
        guard let path else { return nil }
        file = path
    }
}

extension Configuration.Log {
    fileprivate init(_ section: Section) {
        level = section.choice("level", default: .info)
        format = section.choice("format", default: .logfmt)
    }
}

extension Section {
    /// One text or a list of them, none empty; required.
    fileprivate func texts(_ key: String, example: String) -> [Located<String>] {
        require(key, example)
        return read(listOf: key) { scalar throws(ScalarFault) in
            guard !scalar.text.isEmpty else { throw ScalarFault("is empty") }
            return scalar.text
        }
    }

    /// One address or a list of them; port 9443 of every address when the key is absent.
    fileprivate func listenAddresses(
        _ key: String, _ complaints: Complaints
    ) -> [Located<ListenAddress>] {
        let addresses = read(listOf: key) { scalar throws(ScalarFault) in
            try ListenAddress(scalar.text)
        }
        guard addresses.count <= 64 else {
            complaints.add("\(key) has over 64 addresses", at: addresses[64].position)
            return []
        }
        for (index, address) in addresses.enumerated() {
            let rival = addresses[..<index].first { $0.value.overlaps(address.value) }
            guard let rival else { continue }
            complaints.add(
                "\(key): \"\(address.value)\" takes what \"\(rival.value)\" in line \(rival.line) "
                    + "already has; remove one of the two",
                at: address.position)
        }
        guard addresses.isEmpty else { return addresses }
        return [Located(ListenAddress(host: .everyFamily, port: 9443), at: .none)]
    }

    /// The Pushgateway's URL; required.
    fileprivate func upstreamURL(
        _ key: String, _ complaints: Complaints
    ) -> Located<UpstreamURL>? {
        require(key, "http://127.0.0.1:9091")
        let read = read(key, showing: UpstreamURL.withoutLogin) { scalar throws(ScalarFault) in
            (try UpstreamURL.read(scalar.text), scalar.position)
        }
        guard let ((url, hasPort), position) = read else { return nil }
        if !hasPort, let port = url.scheme.standardPort {
            complaints.add(
                "\(path(of: key)) names no port, so it is port \(port); a Pushgateway has 9091 "
                    + "unless told otherwise, and :\(port) says that \(port) is meant",
                at: position, .warning)
        }
        if "\(url.prefix)/".contains("/metrics/") {
            complaints.add(
                "\(path(of: key)) holds \"/metrics\", which the gate adds itself; leave it out "
                    + "unless the Pushgateway runs under such a prefix", at: position, .warning)
        }
        return Located(url, at: position)
    }

    /// A file to be read, by its path or as a credential; required with an example.
    package func location(
        _ key: String, besides file: String, requiredAs example: String? = nil
    ) -> Located<FileLocation>? {
        if let example { require(key, example) }
        return read(key) { scalar throws(ScalarFault) in
            Located(try FileLocation(scalar.text, besides: file), at: scalar.position)
        }
    }

    /// The path of a file to be written, resolved against the folder of the configuration file; required
    /// with an example.
    package func path(
        _ key: String, besides file: String, requiredAs example: String? = nil
    ) -> Located<String>? {
        if let example { require(key, example) }
        return read(key) { scalar throws(ScalarFault) in
            Located(try FileLocation.path(of: scalar.text, besides: file), at: scalar.position)
        }
    }
}
