import Bytes
import Glibc
import Reactor

/// A process of the same program, perhaps of another version, that is to take over from this one. It has
/// the listening sockets and must prove itself before anything changes here.
final class Successor {
    private let child: ChildProcess
    private let line: FileDescriptor
    private(set) var deadline: Instant
    private var heard = ByteBuffer()
    /// Set once it is to be ended.
    private var isSilent = false

    /// How long it may take to read its configuration and start its loops.
    static let patience = Interval.seconds(5)

    var processID: Int32 { child.processID }

    /// Starts it with what this process was started with.
    static func start(
        _ program: String, with listeners: [Listener], watchedBy poller: Poller, at now: Instant
    ) throws(Errno) -> Successor {
        let ends = try Socket.makeLine()
        try poller.add(ends.near, for: .reading, ticket: Party.successor.ticket())
        let passed = listeners.map { $0.socket.number } + [ends.far.number]
        let lineNumber = PassedSocket.firstNumber + Int32(listeners.count)
        let child = try ChildProcess(
            program, arguments: CommandLine.arguments,
            environment: environment(listeners, lineNumber: lineNumber), passing: passed)
        return Successor(
            child: child, line: ends.takeNear(), deadline: now + Successor.patience)
    }

    private init(child: ChildProcess, line: consuming FileDescriptor, deadline: Instant) {
        (self.child, self.deadline) = (child, deadline)
        self.line = line
    }

    /// Ours, except for what was meant for this process alone. LISTEN_PID cannot be known before the
    /// child is there; the name of its predecessor takes its place.
    private static func environment(_ listeners: [Listener], lineNumber: Int32) -> [String] {
        let own = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"]
        let kept = ProcessEnvironment.assignments.filter { assignment in
            !(own + [Predecessor.variable]).contains { assignment.hasPrefix($0 + "=") }
        }
        let names = listeners.map { $0.name.text(isHeldOutside: $0.isHeldOutside) }
        return kept + [
            "LISTEN_FDS=\(listeners.count)", "LISTEN_FDNAMES=\(names.joined(separator: ":"))",
            "\(Predecessor.variable)=\(lineNumber):\(getpid())",
        ]
    }

    /// Has it said that it is ready? What else it may say, or its falling silent, is not an answer: how it
    /// ends will be told by a signal.
    func isReady(heardBy poller: Poller) -> Bool {
        let step = try? heard.append(upTo: 64) { (output) throws(Errno) in
            try line.read(into: &output)
        }
        switch step {
        case .moved where heard.count < Predecessor.ready.utf8CodeUnitCount: return false
        case .moved where heard.span.isEqual(to: Predecessor.ready): return true
        case .wouldBlock: return false
        case .moved, .finished, nil:
            try? poller.remove(line)
            // It may have closed the line and go on without a word.
            child.kill()
            return false
        }
    }

    /// Its time is over: from here on only its end is waited for.
    func giveUp(heardBy poller: Poller) {
        isSilent = true
        deadline = .distantFuture
        // A word that comes now comes too late.
        try? poller.remove(line)
        child.kill()
    }

    /// This process is told to end: nobody takes over from it.
    func kill() { child.kill() }

    /// Why it did not become the gate.
    func failure(_ end: ChildProcess.End) -> String {
        isSilent ? "did not say within 5 s that it can serve" : end.description
    }
}
