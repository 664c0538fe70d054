import CLinux
import Glibc

/// The signals the process is steered by, taken as events of the loop that owns this.
package struct Signals: ~Copyable {
    private let descriptor: FileDescriptor

    /// Blocks `numbers` in the calling thread, and so in every thread it starts later: call it before
    /// any. SIGPIPE is ignored, since a peer that has gone is told by the write itself.
    package init(taking numbers: [Int32]) throws(Errno) {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in numbers { unsafe sigaddset(&set, number) }
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
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
