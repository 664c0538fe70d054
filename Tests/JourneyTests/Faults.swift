import Foundation
import Testing

/// Makes system calls of a running gate fail, as strace can do it to any program of one's own.
final class Strace {
    private static let path = "/usr/bin/strace"
    private let program: RunningProgram

    /// Whether it is installed, and whether this machine lets it take hold of what another process started.
    static let isUsable: Bool = {
        guard FileManager.default.isExecutableFile(atPath: path),
            let sleeper = try? RunningProgram("/bin/sleep", ["20"])
        else { return false }
        defer { sleeper.signal(SIGKILL) }
        return (try? Strace(["epoll_wait:error=EINTR"], of: sleeper))?.finish() != nil
    }()

    /// - Parameters:
    ///   - injections: each as strace takes them: `read:error=EINTR:when=3+5`; every thread counts for itself.
    ///   - file: only calls that have to do with this file.
    init(_ injections: [String], of victim: RunningProgram, file: String? = nil) throws {
        program = try RunningProgram(
            Strace.path,
            ["-f", "-o", "/dev/null"] + Strace.options(injections)
                + (file.map { ["-P", $0] } ?? []) + ["-p", "\(victim.processID)"])
        guard program.waitForOutput({ $0.contains("attached") ? $0 : nil }) != nil else {
            throw RunningProgram.CannotStart(description: "strace: \(program.output)")
        }
    }

    /// Starts a program whose calls fail from the first on. It keeps the process that was started for it.
    static func launching(_ injections: [String]) -> [String] {
        [path, "-D", "-f", "-qq", "-o", "/dev/null"] + options(injections)
    }

    /// How often a program's first thread, which with one worker is its loop, makes which call while
    /// `body` runs.
    static func counting(
        callsOf program: RunningProgram, while body: () throws -> Void
    ) throws -> [String: Int] {
        let folder = TemporaryFolder()
        let arguments = ["-c", "-o", folder.path + "/calls", "-p", "\(program.processID)"]
        let strace = try RunningProgram(path, arguments)
        guard strace.waitForOutput({ $0.contains("attached") ? $0 : nil }) != nil else {
            throw RunningProgram.CannotStart(description: "strace: \(strace.output)")
        }
        try body()
        strace.signal(SIGTERM)
        _ = strace.exitStatus()
        // Lines are: share, seconds, microseconds a call, calls, errors if there were any, name.
        let lines = String(decoding: folder.read("calls"), as: UTF8.self).split(separator: "\n")
        return lines.reduce(into: [:]) { counts, line in
            let fields = line.split(separator: " ")
            guard fields.count >= 5, let name = fields.last, name != "total" else { return }
            counts[String(name)] = Int(fields[3])
        }
    }

    private static func options(_ injections: [String]) -> [String] {
        let calls = injections.compactMap { $0.split(separator: ":").first }.joined(separator: ",")
        return ["-e", "trace=\(calls)"] + injections.flatMap { ["-e", "inject=\($0)"] }
    }

    /// Lets go: from here on every call does again what it should.
    func finish() {
        program.signal(SIGTERM)
        _ = program.exitStatus()
    }
}

/// What a process holds and uses.
struct Vitals {
    private let folder: String

    init(of program: RunningProgram) { folder = "/proc/\(program.processID)" }

    var descriptors: Int { descriptorNumbers.count }

    var descriptorNumbers: Set<Int> {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder + "/fd")) ?? []
        return Set(names.compactMap { Int($0) })
    }

    var addressSpaceBytes: Int {
        let status = (try? String(contentsOfFile: folder + "/status", encoding: .utf8)) ?? ""
        return (status.firstMatch(of: /VmSize:\s+(\d+)/).flatMap { Int($0.1) } ?? 0) << 10
    }

    /// How long it has had a processor, in seconds; of the threads of that name only, if one is given.
    func processorSeconds(ofThreads name: String? = nil) -> Double {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: folder + "/task")) ?? []
        let files = name == nil ? ["/stat"] : tasks.map { "/task/\($0)/stat" }
        return files.reduce(0) { sum, file in
            let text = (try? String(contentsOfFile: folder + file, encoding: .utf8)) ?? ""
            guard let end = text.lastIndex(of: ")") else { return sum }
            if let name, !text[..<end].hasSuffix("(" + name) { return sum }
            let fields = text[end...].split(separator: " ")
            let ticks = [12, 13].compactMap { fields.count > $0 ? Double(fields[$0]) : nil }
            return sum + ticks.reduce(0, +) / Double(sysconf(Int32(_SC_CLK_TCK)))
        }
    }

    /// Whether it comes to hold no more than `count` descriptors: those of connections that have ended go
    /// when their farewell is over.
    func comesDown(to count: Int, within seconds: Double = 10) -> Bool {
        let end = Date().addingTimeInterval(seconds)
        while descriptors > count {
            guard Date() < end else { return false }
            usleep(20_000)
        }
        return true
    }
}

/// Pushes that are made while something fails, each to a group of its own and with a value of its own, and
/// what became of them.
struct Pushes {
    private let gate: Gate
    private let name: String
    private var client: TestClient?
    private var count = 0
    private(set) var accepted: [String: Int] = [:]
    /// The gate said that they may have been stored, or nothing at all.
    private(set) var unclear: Set<String> = []
    private(set) var refused: [String: Answer] = [:]
    /// Those that nothing came of in time.
    private(set) var hung: [String] = []

    init(to gate: Gate, named name: String) { (self.gate, self.name) = (gate, name) }

    var areAllAccepted: Bool { accepted.count == count }
    var summary: String {
        "\(accepted.count) accepted, \(unclear.count) unclear, \(hung) hung, refused: \(refused)"
    }

    /// One push, on the connection there is or on a new one.
    mutating func push(onNewConnection isNew: Bool = false, bytes: Int = 0) {
        count += 1
        let (job, value) = ("\(name)-\(count)", count)
        let body = "# " + String(repeating: "x", count: bytes) + "\nm \(value)\n"
        if isNew { client = nil }
        do {
            let current = try client ?? gate.connect()
            client = current
            let answer = try current.send("PUT", "/metrics/job/\(job)", body: body)
            if answer.isLast { client = nil }
            switch answer.status {
            case 200: accepted[job] = value
            case 502, 504: unclear.insert(job)
            default: refused[job] = answer
            }
        } catch {
            client = nil
            if case TestClient.Failure.tooLate = error { hung.append(job) }
            unclear.insert(job)
        }
    }

    /// What is wrong with what the Pushgateway holds of these pushes.
    func violations(in pushgateway: Pushgateway) throws -> [String] {
        var held: [String: Int] = [:]
        for line in try pushgateway.samples(of: "m") {
            guard let match = line.firstMatch(of: /job="([^"]+)"\} (\d+)/),
                match.1.hasPrefix(name + "-")
            else { continue }
            held[String(match.1)] = Int(match.2)
        }
        let lost = accepted.filter { held[$0.key] != $0.value }
        let strange = held.keys.filter { accepted[$0] == nil && !unclear.contains($0) }
        return lost.map { "accepted, but not there: \($0.key)" }
            + strange.map { "there, but not accepted: \($0)" }
    }
}
