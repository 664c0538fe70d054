import Foundation
import Testing

/// What `make install` leaves, and where.
@Suite struct InstallationTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func install(prefix: String) throws -> String {
        let result = try run(
            "deploy/package/install.sh",
            environment: [
                "DESTDIR": folder.path, "PREFIX": prefix, "KANMON_PROGRAM": Repository.kanmon,
            ])
        try #require(result.status == 0, "\(result.output)")
        return result.output
    }

    /// Every file and the folders of the configuration, each with its mode.
    private func listing() throws -> Set<String> {
        let result = try run(
            "find",
            [folder.path, "(", "-type", "f", "-o", "-path", "*/etc/*", ")", "-printf", "%m /%P\n"])
        return Set(result.output.split(separator: "\n").map(String.init))
    }

    static let examples = [
        "443.conf", "backoff.conf", "credentials.conf", "gateway.yml", "kanmon.sample.yml",
        "own-socket.conf", "upstream.conf", "watch.yml",
    ]

    static func expected(_ prefix: String, zsh: String) -> Set<String> {
        Set(
            [
                "755 \(prefix)/bin/kanmon", "755 \(prefix)/bin/kanmon-ops",
                "755 \(prefix)/lib/kanmon/prometheus-push.sh",
                "644 \(prefix)/lib/systemd/system/kanmon.service",
                "644 \(prefix)/lib/systemd/system/kanmon.socket",
                "644 \(prefix)/lib/systemd/system/kanmon-watch.path",
                "644 \(prefix)/lib/systemd/system/kanmon-watch.service",
                "644 \(prefix)/lib/systemd/system/kanmon-watch.timer",
                "644 \(prefix)/lib/sysusers.d/kanmon.conf",
                "644 \(prefix)/lib/sysusers.d/kanmon-watch.conf",
                "644 \(prefix)/lib/tmpfiles.d/kanmon.conf",
                "644 \(prefix)/lib/tmpfiles.d/kanmon-watch.conf",
                "644 \(prefix)/share/man/man5/kanmon.yml.5.gz",
                "644 \(prefix)/share/doc/kanmon/README.ja.md",
                "644 \(prefix)/share/doc/kanmon/README.md",
                "644 \(prefix)/share/doc/kanmon/RUNBOOK.ja.md",
                "644 \(prefix)/share/doc/kanmon/RUNBOOK.md",
                "750 /etc/kanmon", "750 /etc/kanmon/auth", "750 /etc/kanmon/tls",
                "640 /etc/kanmon/kanmon.yml",
            ] + examples.map { "644 \(prefix)/share/doc/kanmon/examples/\($0)" }
                + ["kanmon", "kanmon-ops"].flatMap { program in
                    [
                        "644 \(prefix)/share/bash-completion/completions/\(program)",
                        "644 \(prefix)/share/fish/vendor_completions.d/\(program).fish",
                        "644 \(prefix)/share/zsh/\(zsh)/_\(program)",
                        "644 \(prefix)/share/man/man1/\(program).1.gz",
                    ]
                })
    }

    @Test func `an administrator's installation is these files with these modes`() throws {
        _ = try install(prefix: "/usr/local")
        #expect(try listing() == Self.expected("/usr/local", zsh: "site-functions"))
        let unit = try folder.read("usr/local/lib/systemd/system/kanmon.service")
        #expect(unit.contains("ExecStart=/usr/local/bin/kanmon serve"))
        #expect(unit.contains("ExecReload=/usr/local/bin/kanmon check"))
        #expect(unit.contains("ExecPaths=/usr/local/bin /usr/bin -/usr/lib"))
        #expect(!unit.contains(" /usr/bin/kanmon") && !unit.contains("=/usr/bin/kanmon"))
        let watchdog = try folder.read("usr/local/lib/systemd/system/kanmon-watch.service")
        #expect(watchdog.contains("ExecStart=/usr/local/bin/kanmon-ops watch"))
        #expect(
            try folder.read("usr/local/share/doc/kanmon/examples/watch.yml")
                .contains("push_script: /usr/local/lib/kanmon/prometheus-push.sh"))
    }

    @Test func `a package's installation is these files with these modes`() throws {
        _ = try install(prefix: "/usr")
        #expect(try listing() == Self.expected("/usr", zsh: "vendor-completions"))
        #expect(
            try folder.read("usr/lib/systemd/system/kanmon.service")
                == Repository.text("deploy/systemd/kanmon.service"))
    }

    @Test func `a configuration that is there stays, and so do its folders' modes`() throws {
        _ = try install(prefix: "/usr/local")
        try folder.write("etc/kanmon/kanmon.yml", "mine\n")
        let manager = FileManager.default
        try manager.setAttributes(
            [.posixPermissions: 0o700], ofItemAtPath: folder.path + "/etc/kanmon")
        #expect(try install(prefix: "/usr/local").contains("stays as it is"))
        #expect(try folder.read("etc/kanmon/kanmon.yml") == "mine\n")
        #expect(try listing().contains("700 /etc/kanmon"))
    }

    @Test func `without a program that was built it says what to do`() throws {
        let result = try run(
            "deploy/package/install.sh",
            environment: ["DESTDIR": folder.path, "KANMON_PROGRAM": folder.path + "/none"])
        #expect(result.status == 66)
        #expect(result.output.contains("make static"))
        #expect(try listing().isEmpty)
    }

    @Test func `the shells can read their completions`() throws {
        _ = try install(prefix: "/usr")
        let bash = folder.path + "/usr/share/bash-completion/completions/kanmon"
        #expect(try run("bash", ["-n", bash]).status == 0)
        for file in ["zsh/vendor-completions/_kanmon", "fish/vendor_completions.d/kanmon.fish"] {
            #expect(try folder.read("usr/share/" + file).contains("passwd"))
        }
    }

    @Test(arguments: ["postinst", "prerm", "postrm"])
    func `a script of the package can be read, and refuses what it does not know`(
        script: String
    ) throws {
        #expect(try run("sh", ["-n", "deploy/package/\(script)"]).status == 0)
        let result = try run("deploy/package/\(script)", ["nonsense"])
        #expect(result.status == 1)
        #expect(result.output.contains("does not know \"nonsense\""))
    }

    @Test func `the watchdog's configurations are good`() throws {
        for file in ["deploy/watchdog/watch.yml", "deploy/watchdog/examples/gateway.yml"] {
            let text = try Repository.text(file)
                .replacing(#/(?:/var/lib|/home/bot/\.local/state)\//#, with: folder.path + "/")
            try folder.write("watch.yml", text)
            for secret in ["discord-webhook", "line-token", "kick-token"] {
                try folder.write(secret, "https://discord.example/a-secret-of-the-test\n")
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o600], ofItemAtPath: "\(folder.path)/\(secret)")
            }
            let result = try run(
                Repository.kanmon + "-ops", ["check", "--config", folder.path + "/watch.yml"])
            #expect(result.status == 0, "\(file): \(result.output)")
        }
    }

    @Test func `the configuration of the service is good where there are a key and users`() throws {
        let text = try Repository.text("deploy/systemd/kanmon.yml")
            .replacing("/var/log/kanmon", with: folder.path)
        try folder.write("kanmon.yml", text)
        let certificate = try run(
            Repository.kanmon, ["cert", "--out", folder.path + "/tls", "--host", "push.example"])
        #expect(certificate.status == 0, "\(certificate.output)")
        try folder.write("auth/.keep", "")
        let user = try run(
            Repository.kanmon, ["passwd", folder.path + "/auth/htpasswd", "prom"],
            input: Data("a password\n".utf8))
        #expect(user.status == 0, "\(user.output)")
        let result = try run(
            Repository.kanmon, ["check", "--strict", "--config", folder.path + "/kanmon.yml"],
            environment: ["MAINPID": "1"])
        #expect(result.status == 0, "\(result.output)")
    }
}
