import Foundation
import Testing

/// A file system of a few kilobytes, which only root can make; gone with the test.
final class TinyDisk: Sendable {
    let path: String
    private let folder = TemporaryFolder()

    static let isPossible: Bool = {
        guard geteuid() == 0 else { return false }
        return (try? TinyDisk(kilobytes: 16)) != nil
    }()

    struct NotPossible: Error {}

    init(kilobytes: Int) throws {
        path = folder.path
        let arguments = ["-t", "tmpfs", "-o", "size=\(kilobytes)k", "kanmon-test", path]
        guard try JourneyTests.run("/usr/bin/mount", arguments).status == 0 else {
            throw NotPossible()
        }
    }

    deinit { _ = try? JourneyTests.run("/usr/bin/umount", ["--lazy", path]) }

    func grow(toKilobytes size: Int) throws {
        let result = try JourneyTests.run(
            "/usr/bin/mount", ["-o", "remount,size=\(size)k", path])
        #expect(result.status == 0, "\(result.errors)")
    }
}

/// strace, which makes system calls of a running program fail.
enum Injection {
    static let isPossible: Bool =
        geteuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/strace")

    /// Injects `fault` into calls that concern `path`, until what is returned is let go of.
    static func begin(_ fault: String, on path: String, into program: RunningProgram) throws
        -> RunningProgram
    {
        let call = String(fault.prefix { $0 != ":" })
        let strace = try RunningProgram(
            "/usr/bin/strace",
            [
                "-f", "-p", "\(program.processID)", "-P", path, "-e", "trace=\(call)", "-e",
                "inject=\(fault)",
            ])
        _ = strace.waitForOutput { $0.contains("attached") ? $0 : nil }
        return strace
    }

    static func end(_ strace: RunningProgram) {
        strace.signal(SIGINT)
        _ = strace.exitStatus()
    }
}

/// What disks do to the audit trail, and that no push suffers from it.
@Suite struct DiskFaultTests {
    private static let failing = "the audit log cannot be written; pushes go on"
    private static let resumed = "the audit log is written again"

    @Test(.enabled(if: TinyDisk.isPossible, "only root can make a small file system"))
    func `a full disk stops no push, is told once, and all is well when there is room`() throws {
        let pushgateway = try Pushgateway()
        let disk = try TinyDisk(kilobytes: 64)
        let trail = Trail(path: disk.path + "/audit.jsonl")
        let gate = try Gate(
            upstream: pushgateway.port, settings: "audit: {file: \(trail.path), max_bytes: 1MiB}")
        let client = try gate.connect()
        for _ in 0..<600 {
            #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        }
        let log = try #require(gate.log(holding: Self.failing))
        #expect(log.contains("error=\"No space left on device\""))
        let full = trail.lines() ?? []
        #expect(full.count > 200 && full.count < 400)
        #expect(full.allSatisfy { (try? Trail.record($0)) != nil })
        sleep(2)
        #expect(gate.program.output.components(separatedBy: Self.failing).count == 2)

        try disk.grow(toKilobytes: 1024)
        let after = try #require(gate.log(holding: Self.resumed, within: 10))
        #expect(after.contains("lost=0"))
        #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        #expect(gate.stop() == 0)
        #expect(try trail.records().count == 601)
    }

    @Test func `a folder that is removed stops no push, and what came meanwhile is kept`() throws {
        let pushgateway = try Pushgateway()
        let shelf = TemporaryFolder()
        let trail = Trail(path: shelf.path + "/audit.jsonl")
        let gate = try Gate(upstream: pushgateway.port, settings: "audit: {file: \(trail.path)}")
        #expect(try gate.push("before") == 200)
        #expect(trail.waitForLines(1).count == 1)
        try FileManager.default.removeItem(atPath: shelf.path)
        for _ in 0..<20 { #expect(try gate.push("meanwhile") == 200) }
        let log = try #require(gate.log(holding: Self.failing))
        #expect(log.contains("error=\"No such file or directory\""))
        // Rights can be taken from a user while the trail is broken.
        gate.program.signal(SIGHUP)
        #expect(gate.log(holding: "configuration reloaded") != nil)
        try FileManager.default.createDirectory(
            atPath: shelf.path, withIntermediateDirectories: true)
        #expect(gate.log(holding: Self.resumed, within: 10)?.contains("lost=0") == true)
        #expect(trail.waitForLines(20).count == 20)
    }

    @Test func `a writer that is stuck holds nobody up`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port, settings: AuditTests.settings)
        #expect(try gate.push() == 200)
        #expect(gate.trail.waitForLines(1).count == 1)
        let file = unsafe open(gate.trail.path, O_RDONLY)
        defer { close(file) }
        #expect(flock(file, LOCK_EX) == 0)
        for _ in 0..<50 { #expect(try gate.push() == 200) }
        #expect(gate.log(holding: Self.failing) != nil)
        #expect(gate.trail.lines()?.count == 1)
        #expect(flock(file, LOCK_UN) == 0)
        #expect(gate.log(holding: Self.resumed, within: 10) != nil)
        #expect(gate.trail.waitForLines(51).count == 51)
    }

    @Test(
        .enabled(if: Injection.isPossible, "strace as root makes system calls fail"),
        arguments: ["EIO", "EDQUOT", "EROFS"])
    func `whatever a write fails with, it is told, and later made good`(fault: String) throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port, settings: AuditTests.settings)
        #expect(try gate.push() == 200)
        #expect(gate.trail.waitForLines(1).count == 1)
        let strace = try Injection.begin(
            "write:error=\(fault)", on: gate.trail.path, into: gate.program)
        for _ in 0..<10 { #expect(try gate.push() == 200) }
        #expect(gate.log(holding: Self.failing) != nil)
        #expect(gate.trail.lines()?.count == 1)
        Injection.end(strace)
        #expect(gate.log(holding: Self.resumed, within: 10)?.contains("lost=0") == true)
        #expect(gate.trail.waitForLines(11).count == 11)
        #expect(try gate.trail.records().count == 11)
    }

    @Test(.enabled(if: Injection.isPossible, "strace as root makes system calls slow"))
    func `a disk that takes its time delays no push`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port, settings: AuditTests.settings)
        #expect(try gate.push() == 200)
        #expect(gate.trail.waitForLines(1).count == 1)
        let strace = try Injection.begin(
            "write:delay_enter=3000000", on: gate.trail.path, into: gate.program)
        #expect(try gate.push() == 200)
        // The writer is inside its write; what comes now is answered before that ends.
        for _ in 0..<20 { #expect(try gate.push() == 200) }
        let written = gate.trail.lines()?.count ?? 0
        #expect(written < 22)
        Injection.end(strace)
        #expect(gate.trail.waitForLines(22, within: 20).count == 22)
    }

    @Test func `a full file that cannot be put aside grows, and that is told`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port,
            settings: "audit: {file: audit.jsonl, max_bytes: 4KiB, retain: 1}")
        // A folder that is not empty is in the way, which no right changes.
        try FileManager.default.createDirectory(
            atPath: gate.trail.path + ".1/x", withIntermediateDirectories: true)
        for _ in 0..<40 { #expect(try gate.push() == 200) }
        #expect(gate.log(holding: "cannot be put aside; it grows") != nil)
        #expect(gate.trail.waitForLines(40).count == 40)
    }
}
