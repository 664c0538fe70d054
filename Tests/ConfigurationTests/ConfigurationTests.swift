import Bytes
import Configuration
import Testing

/// The four required keys, with `more` behind them.
func file(_ more: String = "", listen: String = "", url: String = "http://127.0.0.1:9091") -> String
{
    """
    allow: 127.0.0.1
    tls: {cert_file: tls.crt, key_file: tls.key}
    auth: {users_file: htpasswd}
    upstream: {url: "\(url)"}
    \(listen)
    \(more)

    """
}

func read(_ text: String, named file: String = "gate.yml") -> Configuration.Reading {
    Configuration.read(Array(text.utf8), named: file)
}

@Suite struct ConfigurationTests {
    @Test func `the four required keys are enough and everything else has its default`() throws {
        let configuration = try #require(read(file()).configuration)
        #expect(configuration.environment == .dev)
        #expect(configuration.listen.map(\.value.description) == [":9443"])
        #expect(configuration.listen.map(\.position) == [.none])
        #expect(configuration.tls.versionMin == .tls12)
        #expect(configuration.tls.clientAuthorityFile == nil)
        #expect(configuration.upstream.connectionsMax == 32)
        #expect(configuration.upstream.connectTimeout == .seconds(1))
        #expect(configuration.upstream.firstByteTimeout == .seconds(30))
        #expect(configuration.upstream.timeout == .seconds(30))
        #expect(!configuration.upstream.takesUTF8Names)
        #expect(configuration.labelConflicts == .refuse)
        #expect(configuration.auth.users == nil)
        #expect(configuration.upstream.authorityFile == nil && configuration.upstream.login == nil)
        #expect(configuration.admin == nil && configuration.audit == nil)
        #expect(configuration.workers == 0)
        #expect(configuration.limits == Limits())
        #expect(configuration.log.level == .info && configuration.log.format == .logfmt)
    }

    @Test func `what is written is what is read`() throws {
        let bytes = try CorpusTests.bytes("everything.good.yml")
        let configuration = try #require(
            Configuration.read(bytes, named: "/etc/kanmon/kanmon.yml").configuration)
        #expect(configuration.file == "/etc/kanmon/kanmon.yml")
        #expect(configuration.environment == .production)
        #expect(
            configuration.listen.map(\.value.description)
                == ["192.0.2.7:9443", "[2001:db8::7]:9443", ":9444"])
        #expect(configuration.allow.map(\.value) == ["203.0.113.7", "2001:db8::/32"])
        #expect(configuration.tls.certificateFile.value == .path("/etc/kanmon/tls/tls.crt"))
        #expect(configuration.tls.keyFile.value == .path("/etc/kanmon/../secrets/tls.key"))
        #expect(configuration.tls.versionMin == .tls13)
        #expect(configuration.tls.clientAuthorityFile?.value == .path("/etc/kanmon/ca.crt"))
        #expect(configuration.auth.usersFile.value == .path("/etc/kanmon/htpasswd"))
        #expect(configuration.upstream.url.value.description == "https://[::1]:9091/push/gate")
        #expect(configuration.upstream.authorityFile?.value == .credential("pushgateway.crt"))
        #expect(configuration.upstream.login?.username.value == "gate")
        #expect(
            configuration.upstream.login?.passwordFile.value
                == .path("/etc/kanmon/secrets/pushgateway"))
        #expect(configuration.admin?.listen.value.description == "[::1]:9445")
        #expect(configuration.audit?.file.value == "/etc/kanmon/audit.jsonl")
        #expect(configuration.audit?.bytesMax == 1 << 20 && configuration.audit?.retain == 0)
        #expect(configuration.upstream.connectionsMax == 4)
        #expect(configuration.upstream.connectTimeout == .milliseconds(250))
        #expect(configuration.upstream.firstByteTimeout == .seconds(2))
        #expect(configuration.upstream.timeout == .seconds(90))
        #expect(configuration.workers == 2)
        #expect(configuration.log.level == .debug && configuration.log.format == .json)

        var limits = Limits()
        limits.headBytesMax = 4096
        limits.targetBytesMax = 1024
        limits.bodyRateMin.after = .seconds(60)
        limits.bodyTimeout = .seconds(3600)
        limits.failedLoginsPerMinuteMax.user = 3
        limits.drainTimeout = .zero
        #expect(configuration.limits == limits)
    }

    @Test func `a value that others check later keeps its place`() throws {
        let bytes = try CorpusTests.bytes("everything.good.yml")
        let configuration = try #require(Configuration.read(bytes, named: "x").configuration)
        #expect(configuration.listen.map(\.line) == [4, 5, 6])
        #expect(configuration.listen.map(\.column) == [5, 5, 5])
        #expect(configuration.allow.map(\.line) == [8, 9])
        #expect(configuration.tls.keyFile.position == Position(line: 12, column: 13))
        #expect(configuration.auth.usersFile.position == Position(line: 15, column: 20))
        #expect(configuration.upstream.url.position == Position(line: 17, column: 8))
        let problem = configuration.problem(
            .error, at: configuration.listen[1], "the port is taken")
        #expect(problem.description == "x:5:5: error: the port is taken")
    }

    @Test func `a problem of the file as a whole has no line`() {
        let problem = Problem(.warning, file: "x.yml", "is old")
        #expect(problem.description == "x.yml: warning: is old")
    }

    @Test(arguments: [
        ("gate.yml", "tls.crt", "tls.crt"), ("./gate.yml", "tls.crt", "./tls.crt"),
        ("/gate.yml", "tls.crt", "/tls.crt"), ("/etc/kanmon/gate.yml", "a/b", "/etc/kanmon/a/b"),
        ("etc/gate.yml", "../b", "etc/../b"), ("/etc/gate.yml", "/run/b", "/run/b"),
        ("/etc/関門/gate.yml", "鍵", "/etc/関門/鍵"),
    ])
    func `a relative path is relative to the folder of the file`(
        file: String, path: String, resolved: String
    ) throws {
        let text = """
            allow: a
            tls: {cert_file: "\(path)", key_file: k}
            auth: {users_file: u}
            upstream: {url: http://h:1}
            """
        let configuration = try #require(read(text, named: file).configuration)
        #expect(configuration.tls.certificateFile.value == .path(resolved))
    }

    @Test func `a path longer than the system takes is refused`() {
        let text = file().replacing("htpasswd", with: String(repeating: "a", count: 4096))
        let problems = read(text).problems
        #expect(problems.count == 1)
        #expect(problems.first?.message.hasSuffix("is longer than a path can be") == true)
    }

    @Test func `every mistake is reported at once and in the order of the file`() {
        let (configuration, problems) = read(
            """
            log: {level: loud}
            workers: many
            upstream: {url: ftp://h}
            zzz: 1
            tls: {cert_file: a}
            """)
        #expect(configuration == nil)
        #expect(problems.map(\.position) == problems.map(\.position).sorted())
        #expect(problems.map(\.line) == [1, 1, 1, 2, 3, 4, 5])
    }

    @Test func `a first byte later than the end is a warning where it was written`() throws {
        let (configuration, problems) = read(
            file().replacing("9091\"", with: "9091\", timeout: 5s, first_byte_timeout: 10s"))
        #expect(configuration != nil)
        #expect(
            problems.map(\.message) == [
                "upstream.first_byte_timeout (10s) is larger than upstream.timeout (5s); it will "
                    + "never be reached"
            ])
        #expect(problems.map(\.severity) == [.warning])
        let silent = read(file().replacing("9091\"", with: "9091\", timeout: 5s"))
        #expect(silent.configuration != nil && silent.problems == [])
    }
}

@Suite struct ListenTests {
    @Test(arguments: [
        ("\":9443\"", ":9443"), (":9443", ":9443"), ("0.0.0.0:1", "0.0.0.0:1"),
        ("\"[::]:65535\"", "[::]:65535"), ("\"[2001:DB8::0:7]:9443\"", "[2001:db8::7]:9443"),
        ("127.0.0.1:0", "127.0.0.1:0"), ("[\":9443\"]", ":9443"),
        ("127.0.0.1:09443", "127.0.0.1:9443"),
    ])
    func `an address is read`(text: String, canonical: String) throws {
        let configuration = try #require(read(file(listen: "listen: \(text)")).configuration)
        #expect(configuration.listen.map(\.value.description) == [canonical])
    }

    @Test func `colon-port is both families and bracketed zero is IPv6 only`() throws {
        let both = try #require(read(file(listen: "listen: :9443")).configuration)
        let six = try #require(read(file(listen: "listen: \"[::]:9443\"")).configuration)
        #expect(both.listen[0].value == ListenAddress(host: .everyFamily, port: 9443))
        #expect(
            six.listen[0].value
                == ListenAddress(host: .address(IPAddress(high: 0, low: 0)), port: 9443))
    }

    @Test(arguments: [
        (":1", ":1", true), (":1", ":2", false), (":1", "127.0.0.1:1", true),
        (":1", "[::1]:1", true), ("0.0.0.0:1", "127.0.0.1:1", true),
        ("0.0.0.0:1", "[::]:1", false), ("0.0.0.0:1", "[::1]:1", false),
        ("[::]:1", "[::1]:1", true), ("[::]:1", "127.0.0.1:1", false),
        ("127.0.0.1:1", "127.0.0.1:1", true), ("127.0.0.1:1", "127.0.0.2:1", false),
        (":0", ":0", false), ("127.0.0.1:0", "127.0.0.1:0", false),
    ])
    func `two addresses that want one port are refused`(
        first: String, second: String, overlap: Bool
    ) {
        for (one, other) in [(first, second), (second, first)] {
            let text = file(listen: "listen: [\"\(one)\", \"\(other)\"]")
            #expect((read(text).configuration == nil) == overlap, "\(one) \(other)")
        }
    }

    @Test func `more than 64 addresses are refused`() {
        let addresses = { (count: Int) in (1...count).map { "\":\($0)\"" }.joined(separator: ", ") }
        #expect(read(file(listen: "listen: [\(addresses(64))]")).configuration != nil)
        let (configuration, problems) = read(file(listen: "listen: [\(addresses(65))]"))
        #expect(configuration == nil)
        #expect(problems.map(\.message) == ["listen has over 64 addresses"])
    }
}

@Suite struct UpstreamURLTests {
    @Test(arguments: [
        ("http://127.0.0.1:9091", "127.0.0.1:9091", ""),
        ("http://127.0.0.1:9091/", "127.0.0.1:9091", ""),
        ("HTTP://PushGateway:9091/a/b/", "pushgateway:9091", "/a/b"),
        ("http://push_gateway.internal:9091", "push_gateway.internal:9091", ""),
        ("http://[2001:DB8::1]:9091/~x", "[2001:db8::1]:9091", "/~x"),
        ("http://host:80/p", "host", "/p"),
        ("http://1host.2net.example:65535", "1host.2net.example:65535", ""),
    ])
    func `host, port and prefix are taken apart`(text: String, authority: String, prefix: String)
        throws
    {
        let (configuration, problems) = read(file(url: text))
        let url = try #require(configuration?.upstream.url.value)
        #expect(problems == [])
        #expect(url.authority == authority)
        #expect(url.prefix == prefix)
    }

    @Test func `https has a port of its own and a socket has none`() throws {
        let named = try #require(
            read(file(url: "https://pushgateway:9091/p")).configuration?.upstream.url.value)
        #expect(named.description == "https://pushgateway:9091/p" && named.port == 9091)
        let (configuration, problems) = read(file(url: "https://pushgateway"))
        #expect(configuration?.upstream.url.value.port == 443)
        #expect(configuration?.upstream.url.value.authority == "pushgateway")
        #expect(problems.map(\.severity) == [.warning])
        let socket = try #require(
            read(file(url: "unix:///run/x.sock")).configuration?.upstream.url.value)
        #expect(socket.host == .socket(path: "/run/x.sock") && socket.authority == "localhost")
        #expect(socket.description == "unix:/run/x.sock")
        let longest = "unix:/" + String(repeating: "a", count: 106)
        #expect(read(file(url: longest)).problems == [])
        #expect(read(file(url: longest + "a")).configuration == nil)
    }

    @Test(arguments: [
        ("http://192.0.2.7:9091", true), ("http://pushgateway:9091", true),
        ("http://127.0.0.1:9091", false), ("http://[::1]:9091", false),
        ("http://localhost:9091", false), ("https://192.0.2.7:9091", false),
        ("unix:/run/x.sock", false),
    ])
    func `a password that would cross a network in the clear is a warning`(
        url: String, isWarned: Bool
    ) {
        let login = "http://x:1\", username: gate, password_file: secret, ca_file: \"x"
        let text = file(url: login).replacing("http://x:1", with: url)
        let (configuration, problems) = read(text)
        #expect(configuration != nil)
        #expect(problems.contains { $0.message.contains("in the clear") } == isWarned)
    }

    @Test func `without a port it is 80 and a warning`() throws {
        let (configuration, problems) = read(file(url: "http://pushgateway"))
        #expect(configuration?.upstream.url.value.port == 80)
        #expect(problems.map(\.severity) == [.warning])
        #expect(problems.first?.message.contains("9091") == true)
    }

    @Test(arguments: ["/metrics", "/metrics/job/x", "/a/metrics/"])
    func `a prefix with the push path in it is a warning`(prefix: String) {
        let (configuration, problems) = read(file(url: "http://h:9091\(prefix)"))
        #expect(configuration != nil)
        #expect(problems.map(\.severity) == [.warning])
        #expect(read(file(url: "http://h:9091/metrics2")).problems == [])
    }

    @Test func `a host name and a path have their longest length`() {
        let label = String(repeating: "a", count: 63)
        let longest = "\(label).\(label).\(label).\(String(repeating: "a", count: 61))"
        #expect(read(file(url: "http://\(longest):1")).configuration != nil)
        #expect(read(file(url: "http://\(longest)a:1")).configuration == nil)
        #expect(read(file(url: "http://\(label)a:1")).configuration == nil)
        let path = "/" + String(repeating: "p", count: 1023)
        #expect(read(file(url: "http://h:1\(path)")).configuration != nil)
        #expect(read(file(url: "http://h:1\(path)p")).configuration == nil)
    }

    @Test(arguments: [
        "http://user:hunter2@host", "https://user:hunter2@host", "http:/user:hunter2@host",
        "user:hunter2@host:9091", "http://u:hunter2@h/@x", "unix:hunter2@h",
    ])
    func `a login in the URL is never repeated`(url: String) {
        let problems = read(file(url: url)).problems
        #expect(problems.count == 1)
        #expect(problems.allSatisfy { !$0.description.contains("hunter2") })
    }
}
