import CLinux
import Glibc

/// One epoll instance, level-triggered.
///
/// Level-triggered, because then a socket that is read only when there is something to do with the
/// bytes costs no system call for the end of its data: whatever is left is told again. Interest
/// changes only when it must, which on a kept-alive connection is never.
@safe
package final class Poller {
    private let descriptor: FileDescriptor
    private let events: UnsafeMutablePointer<epoll_event>

    /// How many events one turn may bring.
    package static let eventsMax = 256

    package struct Interest: OptionSet, Sendable {
        package let rawValue: UInt8
        package init(rawValue: UInt8) { self.rawValue = rawValue }
        package static let reading = Interest(rawValue: 1)
        package static let writing = Interest(rawValue: 2)
    }

    /// What the kernel said about one descriptor.
    package struct Readiness: Sendable {
        package let ticket: Ticket
        package let isReadable: Bool
        package let isWritable: Bool
        /// Both directions are closed or broken: nothing sent now would arrive.
        package let isGone: Bool
    }

    package init() throws(Errno) {
        descriptor = FileDescriptor(
            taking: try retryingOnInterrupt { epoll_create1(Int32(EPOLL_CLOEXEC)) })
        unsafe events = .allocate(capacity: Poller.eventsMax)
    }

    deinit { unsafe events.deallocate() }

    /// Begins to watch. Closing the descriptor ends it, unless another process has it open too.
    package func add(
        _ descriptor: borrowing FileDescriptor, for interest: Interest, ticket: Ticket
    ) throws(Errno) {
        try control(EPOLL_CTL_ADD, descriptor, interest, ticket)
    }

    package func change(
        _ descriptor: borrowing FileDescriptor, to interest: Interest, ticket: Ticket
    ) throws(Errno) {
        try control(EPOLL_CTL_MOD, descriptor, interest, ticket)
    }

    /// Ends watching. Needed only for what another process has open: there closing ends nothing, and
    /// the kernel would go on telling (epoll(7)).
    package func remove(_ descriptor: borrowing FileDescriptor) throws(Errno) {
        try control(EPOLL_CTL_DEL, descriptor, [], Ticket(bits: 0))
    }

    /// Sleeps until something is ready or `deadline` has come, whichever is first, and gives how
    /// many events there are to look at. A signal that interrupts brings none.
    package func wait(until deadline: Instant, from now: Instant) -> Int {
        let count = unsafe epoll_wait(
            descriptor.number, events, Int32(Poller.eventsMax), now.milliseconds(until: deadline))
        // EINTR is the one error a live epoll descriptor can give (epoll_wait(2)).
        return Int(max(count, 0))
    }

    package subscript(index: Int) -> Readiness {
        precondition((0..<Poller.eventsMax).contains(index))
        let event = unsafe events[index]
        let flags = unsafe event.events
        return unsafe Readiness(
            ticket: Ticket(bits: event.data.u64),
            isReadable: flags & (EPOLLIN.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0,
            isWritable: flags & (EPOLLOUT.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0,
            isGone: flags & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0)
    }

    private func control(
        _ operation: Int32, _ watched: borrowing FileDescriptor, _ interest: Interest,
        _ ticket: Ticket
    ) throws(Errno) {
        var event = unsafe epoll_event()
        if interest.contains(.reading) { unsafe event.events |= EPOLLIN.rawValue }
        if interest.contains(.writing) { unsafe event.events |= EPOLLOUT.rawValue }
        unsafe event.data.u64 = ticket.bits
        let number = watched.number
        _ = try retryingOnInterrupt {
            unsafe epoll_ctl(descriptor.number, operation, number, &event)
        }
    }
}

extension Instant {
    /// How long epoll and poll are to wait, which count in milliseconds; rounded up, so that a deadline
    /// has come when it is looked at. -1 is for ever.
    func milliseconds(until deadline: Instant) -> Int32 {
        if deadline == .distantFuture { return -1 }
        return Int32(clamping: (deadline.nanoseconds(since: self) + 999_999) / 1_000_000)
    }
}
