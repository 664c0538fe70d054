import CLinux
import Glibc

/// A process that this one started.
package struct ChildProcess: Sendable {
    package let processID: Int32

    /// How a child ended.
    package enum End: Equatable, Sendable, CustomStringConvertible {
        case exited(Int32)
        case killed(signal: Int32)

        package var description: String {
            switch self {
            case .exited(let status): "exited with \(status)"
            case .killed(let signal): "was ended by signal \(signal)"
            }
        }
    }

    /// What a child has in the place of our first three descriptors; none of these is one of them.
    package struct Streams: Sendable {
        let input: Int32
        let output: Int32
        let errors: Int32
    }

    /// Starts `program`. It finds `passed` at 3 and upwards, in this order, and of our other descriptors
    /// only the first three, or `streams` in their place; it blocks and ignores no signal. With streams of
    /// its own it leads a process group of its own.
    package init(
        _ program: String, arguments: [String], environment: [String], passing passed: [Int32],
        streams: Streams? = nil
    ) throws(Errno) {
        let above = PassedSocket.firstNumber + Int32(passed.count)
        var sources: [Int32] = []
        defer { for source in sources { _ = close(source) } }
        // Out of the way first: a descriptor may stand where another one has to go.
        for number in passed {
            sources.append(try retryingOnInterrupt { fcntl(number, F_DUPFD_CLOEXEC, above) })
        }
        processID = try ChildProcess.spawn(program, arguments, environment, sources, streams)
    }

    private static func spawn(
        _ program: String, _ arguments: [String], _ environment: [String], _ sources: [Int32],
        _ streams: Streams?
    ) throws(Errno) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        try check(unsafe posix_spawn_file_actions_init(&actions))
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        try check(unsafe posix_spawnattr_init(&attributes))
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        if let streams {
            for (target, source) in [streams.input, streams.output, streams.errors].enumerated() {
                try check(unsafe posix_spawn_file_actions_adddup2(&actions, source, Int32(target)))
            }
        }
        for (index, source) in sources.enumerated() {
            let target = PassedSocket.firstNumber + Int32(index)
            try check(unsafe posix_spawn_file_actions_adddup2(&actions, source, target))
        }
        // Nor what this process was given by others and knows nothing of.
        let firstUnused = PassedSocket.firstNumber + Int32(sources.count)
        try check(unsafe posix_spawn_file_actions_addclosefrom_np(&actions, firstUnused))
        try resetSignals(&attributes, inGroupOfItsOwn: streams != nil)

        let arguments = CStrings(arguments)
        let environment = CStrings(environment)
        var processID: pid_t = 0
        try check(
            unsafe posix_spawn(
                &processID, program, &actions, &attributes, arguments.pointers,
                environment.pointers))
        return processID
    }

    private static func resetSignals(
        _ attributes: inout posix_spawnattr_t, inGroupOfItsOwn: Bool
    ) throws(Errno) {
        var none = sigset_t()
        var all = sigset_t()
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        try check(unsafe posix_spawnattr_setsigmask(&attributes, &none))
        try check(unsafe posix_spawnattr_setsigdefault(&attributes, &all))
        let flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        let group = inGroupOfItsOwn ? POSIX_SPAWN_SETPGROUP : 0
        try check(unsafe posix_spawnattr_setflags(&attributes, Int16(flags | group)))
    }

    /// These functions return their error, and leave errno alone.
    private static func check(_ code: Int32) throws(Errno) {
        if code != 0 { throw Errno(code) }
    }

    package func kill() { _ = Glibc.kill(processID, SIGKILL) }

    /// Kills it and all that it started, as far as those did not leave its process group.
    package func killGroup() { _ = Glibc.kill(-processID, SIGKILL) }

    /// How it ended, which the kernel forgets with this. Nil while it has not.
    package func reap() -> End? { ChildProcess.reap(processID, WNOHANG)?.end }

    /// Waits for the end of one that was killed, a second at most: a disk can hold it up for longer.
    package func awaitEnd() {
        for _ in 0..<1000 where reap() == nil { usleep(1000) }
    }

    /// The next child that has ended, which the kernel forgets with this. Nil when none has.
    package static func reapNext() -> (processID: Int32, end: End)? { reap(-1, WNOHANG) }

    private static func reap(_ which: Int32, _ options: Int32) -> (processID: Int32, end: End)? {
        var status: Int32 = 0
        let processID = unsafe waitpid(which, &status, options)
        guard processID > 0 else { return nil }
        // wait(2): the low seven bits are the signal, the second byte is the status.
        let signal = status & 0x7F
        return (processID, signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: signal))
    }
}

/// An array of strings as execve(2) takes it.
@safe
private final class CStrings {
    let pointers: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    init(_ strings: [String]) {
        count = strings.count
        unsafe pointers = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() {
            unsafe (pointers + index).initialize(to: strdup(string))
        }
        unsafe (pointers + count).initialize(to: nil)
    }

    deinit {
        for index in 0..<count { unsafe free(pointers[index]) }
        unsafe pointers.deallocate()
    }
}
