import CLinux
import Glibc

/// Another program that does one thing for us, and the bounds it has to keep to. Whatever it is told in
/// confidence goes to its standard input: arguments and environment can be seen by others.
package struct Errand: Sendable {
    /// A path, or a name to be looked for on `PATH`.
    package var program: String
    package var arguments: [String]
    package var input: [UInt8]
    package var environment: [String]
    /// Afterwards its whole process group is killed.
    package var timeout: Interval
    /// Of standard output, and as much of standard error. A program that writes more is killed.
    package var outputBytesMax: Int

    package init(
        _ program: String, _ arguments: [String] = [], input: [UInt8] = [],
        environment: [String] = ProcessEnvironment.assignments, timeout: Interval,
        outputBytesMax: Int = 64 << 10
    ) {
        (self.program, self.arguments, self.input) = (program, arguments, input)
        (self.environment, self.timeout) = (environment, timeout)
        self.outputBytesMax = outputBytesMax
    }

    package enum End: Equatable, Sendable, CustomStringConvertible {
        case ended(ChildProcess.End)
        case overdue
        case wroteTooMuch
        case notStarted(Errno)

        package var description: String {
            switch self {
            case .ended(let end): "\(end)"
            case .overdue: "took too long and was killed"
            case .wroteTooMuch: "wrote too much and was killed"
            case .notStarted(let error): "could not be started: \(error)"
            }
        }
    }

    /// What came of it.
    package struct Report: Sendable {
        package var end: End
        package var output: [UInt8] = []
        package var errors: [UInt8] = []

        package var isSuccess: Bool { end == .ended(.exited(0)) }
    }

    package func run() -> Report { Errand.run([self])[0] }

    /// Does all of them at once, and gives their reports in the same order when the last one is over.
    package static func run(_ errands: [Errand]) -> [Report] {
        // A program that does not read what it is told is no reason to die.
        signal(SIGPIPE, SIG_IGN)
        var all = errands.map { ErrandUnderWay($0) }
        while all.contains(where: { !$0.isOver }) {
            waitBriefly(for: all)
            let now = Instant.now()
            for index in all.indices where !all[index].isOver { all[index].goOn(at: now) }
        }
        return all.map(\.report)
    }

    /// Until something can be read or written, but never long: the end of a process wakes nobody.
    private static func waitBriefly(for all: [ErrandUnderWay]) {
        var wanted = all.flatMap(\.wanted)
        let count = nfds_t(wanted.count)
        let hasQuietOne = all.contains { !$0.isOver && $0.wanted.isEmpty }
        _ = unsafe poll(&wanted, count, hasQuietOne ? 5 : 20)
    }

    /// Where the program is: the path itself, or the first of `PATH` that can be run.
    fileprivate var path: String {
        guard !program.contains("/") else { return program }
        let folders = ProcessEnvironment.value(of: "PATH") ?? "/usr/bin:/bin"
        return folders.split(separator: ":").map { "\($0)/\(program)" }
            .first { unsafe access($0, X_OK) == 0 } ?? "/usr/bin/\(program)"
    }
}

/// An errand from its start to its end.
private struct ErrandUnderWay {
    private(set) var report = Errand.Report(end: .overdue)
    private(set) var isOver = false
    private let outputBytesMax: Int
    private let deadline: Instant
    private var child: ChildProcess?
    private var unsent: ArraySlice<UInt8>
    /// -1 once it is closed.
    private var input: Int32 = -1
    private var output: Int32 = -1
    private var errors: Int32 = -1

    init(_ errand: Errand) {
        unsent = errand.input[...]
        outputBytesMax = errand.outputBytesMax
        deadline = Instant.now() + errand.timeout
        do throws(Errno) {
            try start(errand)
        } catch {
            finish(.notStarted(error))
        }
    }

    private mutating func start(_ errand: Errand) throws(Errno) {
        let (theirInput, ourInput) = try ErrandUnderWay.pipe()
        input = ourInput
        defer { _ = close(theirInput) }
        let (ourOutput, theirOutput) = try ErrandUnderWay.pipe()
        output = ourOutput
        defer { _ = close(theirOutput) }
        let (ourErrors, theirErrors) = try ErrandUnderWay.pipe()
        errors = ourErrors
        defer { _ = close(theirErrors) }
        for number in [input, output, errors] { _ = fcntl(number, F_SETFL, O_NONBLOCK) }
        child = try ChildProcess(
            errand.path, arguments: [errand.program] + errand.arguments,
            environment: errand.environment, passing: [],
            streams: ChildProcess.Streams(
                input: theirInput, output: theirOutput, errors: theirErrors))
    }

    private static func pipe() throws(Errno) -> (reading: Int32, writing: Int32) {
        var ends: [Int32] = [-1, -1]
        _ = try retryingOnInterrupt { unsafe pipe2(&ends, O_CLOEXEC) }
        return (ends[0], ends[1])
    }

    /// What there is to wait for.
    var wanted: [pollfd] {
        var wanted: [pollfd] = []
        if input >= 0 { wanted.append(pollfd(fd: input, events: Int16(POLLOUT), revents: 0)) }
        for number in [output, errors] where number >= 0 {
            wanted.append(pollfd(fd: number, events: Int16(POLLIN), revents: 0))
        }
        return wanted
    }

    mutating func goOn(at now: Instant) {
        // Asked first: whatever it wrote before its end can then still be read.
        let end = child?.reap()
        send()
        let isWithinBounds =
            ErrandUnderWay.read(&output, into: &report.output, bytesMax: outputBytesMax)
            && ErrandUnderWay.read(&errors, into: &report.errors, bytesMax: outputBytesMax)
        if let end {
            finish(.ended(end))
        } else if !isWithinBounds {
            kill(because: .wroteTooMuch)
        } else if now >= deadline {
            kill(because: .overdue)
        }
    }

    private mutating func send() {
        while input >= 0 {
            guard !unsent.isEmpty else { return ErrandUnderWay.shut(&input) }
            let count = unsafe unsent.withUnsafeBytes {
                unsafe write(input, $0.baseAddress, $0.count)
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return }
            guard count > 0 else { return ErrandUnderWay.shut(&input) }
            unsent = unsent.dropFirst(count)
        }
    }

    /// False when there is more than may be.
    private static func read(
        _ number: inout Int32, into bytes: inout [UInt8], bytesMax: Int
    ) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 16 << 10)
        while number >= 0 {
            let count = unsafe Glibc.read(number, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN { return true }
            guard count > 0 else {
                shut(&number)
                return true
            }
            bytes += chunk[..<min(count, bytesMax - bytes.count)]
            if bytes.count >= bytesMax { return false }
        }
        return true
    }

    private mutating func kill(because end: Errand.End) {
        child?.killGroup()
        child?.awaitEnd()
        finish(end)
    }

    private mutating func finish(_ end: Errand.End) {
        report.end = end
        isOver = true
        ErrandUnderWay.shut(&input)
        ErrandUnderWay.shut(&output)
        ErrandUnderWay.shut(&errors)
    }

    private static func shut(_ number: inout Int32) {
        if number >= 0 { _ = close(number) }
        number = -1
    }
}
