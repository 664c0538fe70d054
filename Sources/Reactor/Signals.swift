import CLinux
import Glibc

/// The signals the process is steered by, taken as events of the loop that owns this.
package struct Signals: ~Copyable {
    private let descriptor: FileDescriptor

    /// Signals that some send to any daemon, to reopen its files or by mistake, and that end a process which
    /// does not know them.
    private static var strays: [Int32] {
        let realTime = __libc_current_sigrtmin()...__libc_current_sigrtmax()
        return [SIGUSR1, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT] + realTime
    }

    /// Blocks `numbers` in the calling thread, and so in every thread it starts later: call it before
    /// any. SIGPIPE is ignored, since a peer that has gone is told by the write itself, and so is
    /// SIGXFSZ, since a file that may not grow is.
    package init(taking numbers: [Int32]) throws(Errno) {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in numbers { unsafe sigaddset(&set, number) }
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
        signal(SIGXFSZ, SIG_IGN)
        // A shell ignores it for what it starts in the background.
        signal(SIGQUIT, SIG_DFL)
        for number in Signals.strays where !numbers.contains(number) { signal(number, SIG_IGN) }
        let flags = Int32(SFD_NONBLOCK | SFD_CLOEXEC)
        descriptor = FileDescriptor(
            taking: try retryingOnInterrupt { unsafe signalfd(-1, &set, flags) })
    }

    /// The next signal that has come, if any.
    package func next() -> Int32? {
        var information = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        let count = unsafe Glibc.read(descriptor.number, &information, size)
        return count == size ? Int32(bitPattern: information.ssi_signo) : nil
    }

    package func watch(by poller: Poller, ticket: Ticket) throws(Errno) {
        try poller.add(descriptor, for: .reading, ticket: ticket)
    }
}
