import Foundation
import Testing

/// The units, as far as they can be judged without a running systemd. `make package-test` runs them.
@Suite(.enabled(if: isInstalled("systemd-analyze"), "systemd-analyze is not installed"))
struct UnitTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A root in which the units find what they name: systemd's own targets, and programs.
    private func stage(dropIn: String? = nil) throws {
        let units = "usr/lib/systemd/system/"
        for unit in ["kanmon.service", "kanmon.socket"] {
            try folder.write(units + unit, Repository.text("deploy/systemd/" + unit))
        }
        for unit in Self.watchdog {
            try folder.write(units + unit, Repository.text("deploy/watchdog/" + unit))
        }
        let copied = try run(
            "sh",
            [
                "-c",
                """
                cd "$1" && ln -s usr/bin bin && ln -s usr/lib lib && mkdir usr/bin
                cp -a /usr/lib/systemd/system/*.target /usr/lib/systemd/system/*.slice \(units)
                for program in kanmon kanmon-ops kill; do install -m 0755 /bin/true "usr/bin/$program"; done
                """, "sh", folder.path,
            ])
        try #require(copied.status == 0, "\(copied.output)")
        guard let dropIn else { return }
        let unit = dropIn == "443.conf" ? "kanmon.socket" : "kanmon.service"
        try folder.write(
            "etc/systemd/system/\(unit).d/\(dropIn)",
            Repository.text("deploy/systemd/examples/\(dropIn)"))
    }

    private func verify() throws -> (status: Int32, output: String) {
        try run(
            "systemd-analyze",
            [
                "verify", "--man=no", "--root=\(folder.path)", "kanmon.service",
                "kanmon.socket",
            ] + Self.watchdog)
    }

    static let watchdog = ["kanmon-watch.service", "kanmon-watch.timer", "kanmon-watch.path"]

    @Test func `systemd finds nothing wrong with the units`() throws {
        try stage()
        let result = try verify()
        #expect(result.status == 0 && result.output.isEmpty, "\(result.output)")
    }

    /// Not among them what a later systemd has.
    @Test(arguments: ["443.conf", "upstream.conf", "own-socket.conf", "credentials.conf"])
    func `nor with the units as an example changes them`(example: String) throws {
        try stage(dropIn: example)
        let result = try verify()
        #expect(result.status == 0 && result.output.isEmpty, "\(result.output)")
    }

    @Test func `systemd rates the exposure of the service at 1_0 or less`() throws {
        let result = try run(
            "systemd-analyze",
            [
                "security", "--offline=true", "--threshold=10", "--no-pager",
                "deploy/systemd/kanmon.service",
            ])
        #expect(result.status == 0, "\(result.output)")
        #expect(result.output.contains("Overall exposure level"))
    }

    @Test func `of root's rights the watchdog has one, to read what belongs to others`() throws {
        let unit = try Repository.settings("deploy/watchdog/kanmon-watch.service")
        #expect(unit.contains("CapabilityBoundingSet=CAP_DAC_READ_SEARCH"))
        #expect(unit.contains("NoNewPrivileges=yes") && unit.contains("ProtectSystem=strict"))
        let result = try run(
            "systemd-analyze",
            [
                "security", "--offline=true", "--threshold=20", "--no-pager",
                "deploy/watchdog/kanmon-watch.service",
            ])
        #expect(result.status == 0, "\(result.output)")
    }

    @Test func `the filter allows the one call that makes password checks give way`() throws {
        let unit = try Repository.settings("deploy/systemd/kanmon.service")
        #expect(
            unit.filter { $0.hasPrefix("SystemCallFilter=") } == [
                "SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources",
                "SystemCallFilter=setpriority",
            ])
    }

    @Test func `a port is the same wherever it is written`() throws {
        let service = try Repository.settings("deploy/systemd/kanmon.service")
        let socket = try Repository.settings("deploy/systemd/kanmon.socket")
        let configuration = try Repository.settings("deploy/systemd/kanmon.yml")
        let image = try Repository.settings("deploy/docker/Dockerfile")
        #expect(socket.contains("ListenStream=9443"))
        #expect(configuration.contains("listen: \":9443\""))
        #expect(configuration.contains("  listen: 127.0.0.1:9444"))
        #expect(service.contains("SocketBindAllow=tcp:9443"))
        #expect(service.contains("SocketBindAllow=tcp:9444"))
        #expect(image.contains("EXPOSE 9443 9444"))
    }
}
