import Foundation
import Synchronization

/// A peer that has gone is told by the write; it must not end the tests.
let brokenPipesAreIgnored: Void = { signal(SIGPIPE, SIG_IGN) }()

/// A program under test, started for it and ended with it.
final class RunningProgram: Sendable {
    let processID: Int32
    private let process: Process
    private let collected = Collected()
    private let ended = DispatchSemaphore(value: 0)

    /// Bytes, since a character may come in two pieces.
    private final class Collected: Sendable {
        let bytes = Mutex<[UInt8]>([])
    }

    struct CannotStart: Error, CustomStringConvertible {
        let description: String
    }

    init(_ path: String, _ arguments: [String], environment: [String: String]? = nil) throws {
        _ = brokenPipesAreIgnored
        process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        if let environment { process.environment = environment }
        let output = Pipe()
        process.standardError = output
        process.standardOutput = output
        process.standardInput = FileHandle.nullDevice
        process.terminationHandler = { [ended] _ in ended.signal() }
        try startWithNoSignalBlocked(process)
        processID = process.processIdentifier
        // A thread that waits: a readability handler may still run when its descriptor is another's.
        Thread.detachNewThread { [collected, reading = output.fileHandleForReading] in
            while case let data = reading.next, !data.isEmpty {
                collected.bytes.withLock { $0 += data }
            }
        }
    }

    deinit { if process.isRunning { kill(processID, SIGKILL) } }

    /// What it has written so far, on either stream.
    var output: String { String(decoding: collected.bytes.withLock { $0 }, as: UTF8.self) }
    var isRunning: Bool { process.isRunning }

    func signal(_ number: Int32) { kill(processID, number) }

    /// Its exit status; nil when it does not end in time.
    func exitStatus(within seconds: Double = 20) -> Int32? {
        guard ended.wait(timeout: .now() + seconds) == .success else { return nil }
        ended.signal()
        // What it wrote last may still be in the pipe.
        usleep(50_000)
        return process.terminationStatus
    }

    /// Waits until what it has written matches; nil when it never does.
    func waitForOutput(within seconds: Double = 20, _ match: (String) -> String?) -> String? {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            if let found = match(output) { return found }
            if !isRunning { return match(output) }
            usleep(10_000)
        }
        return nil
    }
}

/// A program inherits which signals are blocked; it must not depend on what the tests block.
private func startWithNoSignalBlocked(_ process: Process) throws {
    var none = sigset_t()
    var before = sigset_t()
    unsafe sigemptyset(&none)
    unsafe pthread_sigmask(SIG_SETMASK, &none, &before)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &before, nil) }
    try process.run()
}

/// Where the programs are that the tests run.
enum Programs {
    /// The binary that was built with these tests, or another one that is to be tested.
    static let kanmon: String = {
        if let other = ProcessInfo.processInfo.environment["KANMON_PROGRAM"] { return other }
        let folder = Bundle.main.executableURL?.deletingLastPathComponent().path
        let candidates = [folder ?? "", packageRoot + "/.build/debug"].map { $0 + "/kanmon" }
        return candidates.first { FileManager.default.isExecutableFile(atPath: $0) } ?? "kanmon"
    }()

    /// The gate that `kanmon` runs under a system-call filter, where it does.
    static let confined = ProcessInfo.processInfo.environment["KANMON_CONFINED"]

    static let pushgateway = find("prometheus-pushgateway")
    static let prometheus = find("prometheus")
    static let curl = find("curl")
    static let promtool = find("promtool")

    static let packageRoot: String = {
        let file = URL(fileURLWithPath: #filePath)
        return file.deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().path
    }()

    private static func find(_ name: String) -> String? {
        ["/usr/bin/", "/usr/local/bin/", "/usr/sbin/"].map { $0 + name }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}

/// A folder for one test, gone with it.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        path = NSTemporaryDirectory() + "kanmon-test-" + UUID().uuidString
        try? FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @discardableResult
    func write(_ name: String, _ text: String, mode: Int = 0o600) -> String {
        let file = path + "/" + name
        _ = FileManager.default.createFile(
            atPath: file, contents: Data(text.utf8), attributes: [.posixPermissions: mode])
        return file
    }

    func read(_ name: String) -> [UInt8] {
        [UInt8](FileManager.default.contents(atPath: path + "/" + name) ?? Data())
    }
}

/// Reading and writing that a signal may interrupt: Foundation's own end the tests when one does.
extension FileHandle {
    /// What comes next; empty at the end.
    var next: Data {
        var bytes = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = unsafe Glibc.read(fileDescriptor, &bytes, bytes.count)
            if count >= 0 { return Data(bytes.prefix(count)) }
            guard errno == EINTR else { return Data() }
        }
    }

    var rest: Data {
        var data = Data()
        while case let next = next, !next.isEmpty { data += next }
        return data
    }

    /// As far as somebody takes it.
    func writeAll(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { bytes in
                unsafe Glibc.write(fileDescriptor, bytes.baseAddress, bytes.count)
            }
            if count > 0 { rest = rest.dropFirst(count) }
            guard count >= 0 || errno == EINTR else { return }
        }
    }
}

/// Runs a program to its end.
func run(
    _ path: String, _ arguments: [String], input: String = "", within seconds: Double = 30
) throws -> (status: Int32, output: String, errors: String) {
    _ = brokenPipesAreIgnored
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
    process.standardInput = stdin
    process.standardOutput = stdout
    process.standardError = stderr
    try process.run()
    stdin.fileHandleForWriting.writeAll(Array(input.utf8))
    try stdin.fileHandleForWriting.close()
    let id = process.processIdentifier
    let guardian = DispatchWorkItem { kill(id, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + seconds, execute: guardian)
    let output = String(decoding: stdout.fileHandleForReading.rest, as: UTF8.self)
    let errors = String(decoding: stderr.fileHandleForReading.rest, as: UTF8.self)
    process.waitUntilExit()
    guardian.cancel()
    return (process.terminationStatus, output, errors)
}

/// A port of the loopback interface that nobody has right now.
func freePort() throws -> UInt16 {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
            unsafe bind(listener, address, length) == 0
                && getsockname(listener, address, &length) == 0
        }
    }
    guard result else { throw RunningProgram.CannotStart(description: "no free port") }
    return UInt16(bigEndian: address.sin_port)
}
