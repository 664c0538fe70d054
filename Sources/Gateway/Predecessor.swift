import Bytes
import Glibc
import Reactor

/// The gate that this one was started by to take over from it. It goes on as if nothing had been until
/// it hears that this one can do the work.
final class Predecessor {
    /// Where it listens, as it says in the environment.
    struct Name {
        fileprivate let line: Int32

        /// Nil when nobody is taken over from. A process that merely inherited the variable is not the
        /// child of the one it names.
        init?() {
            let parts = (ProcessEnvironment.value(of: Predecessor.variable) ?? "").split(
                separator: ":")
            guard parts.count == 2, let line = Int32(parts[0]), line >= PassedSocket.firstNumber,
                Int32(parts[1]) == getppid()
            else { return nil }
            self.line = line
        }
    }

    static let variable = "KANMON_UPGRADE"
    static let ready: StaticString = "ready\n"

    private let line: FileDescriptor

    static func meet(_ name: Name, watchedBy poller: Poller) throws(Errno) -> Predecessor {
        let predecessor = Predecessor(try Socket.adoptLine(name.line))
        // The end of the line is told whatever is watched for.
        try poller.add(predecessor.line, for: [], ticket: Party.predecessor.ticket())
        return predecessor
    }

    private init(_ line: consuming FileDescriptor) { self.line = line }

    /// Says that this process can serve. When nobody hears it, there is nobody left to take over from.
    func tellReady() { _ = try? line.write(Predecessor.ready.span) }
}
