import CLinux
import Glibc
import Synchronization

/// Letters from any thread to the one that owns the mailbox; a descriptor wakes it.
package final class Mailbox<Letter: Sendable>: Sendable {
    private let letters: Mutex<[Letter]>
    private let lettersMax: Int
    private let bell: EventCounter

    /// - Parameter lettersMax: how many may lie there unread; one more is not taken.
    package init(lettersMax: Int) throws(Errno) {
        self.lettersMax = lettersMax
        letters = Mutex([])
        bell = try EventCounter(wakes: .all)
    }

    /// Leaves a letter and rings, unless a bell that was not answered yet is ringing already.
    /// False when the mailbox is full.
    @discardableResult
    package func post(_ letter: Letter) -> Bool {
        let before = letters.withLock { letters -> Int? in
            guard letters.count < lettersMax else { return nil }
            letters.append(letter)
            return letters.count - 1
        }
        if before == 0 { bell.add() }
        return before != nil
    }

    /// Takes every letter, in the order in which they came. Only for the owner's thread.
    package func collect() -> [Letter] {
        bell.take()
        return letters.withLock { letters in
            let taken = letters
            letters = []
            return taken
        }
    }

    package func watch(by poller: Poller, ticket: Ticket) throws(Errno) {
        try bell.watch(by: poller, ticket: ticket)
    }
}

/// An eventfd: a count in the kernel that one thread raises and others wait for.
package final class EventCounter: Sendable {
    /// Whether taking from the count takes all of it, or one, so that each addition lets one waiting
    /// thread go on.
    package enum Wakes: Sendable { case all, one }

    private let descriptor: FileDescriptor

    package init(wakes: Wakes) throws(Errno) {
        // Whoever waits for one blocks; a loop never does.
        let flags = wakes == .one ? EFD_SEMAPHORE : EFD_NONBLOCK
        let number = try retryingOnInterrupt { eventfd(0, Int32(flags | EFD_CLOEXEC)) }
        descriptor = FileDescriptor(taking: number)
    }

    package func add() {
        var one: UInt64 = 1
        // Can only fail when 2^64 - 1 additions were never taken.
        _ = try? retryingOnInterrupt { unsafe Glibc.write(descriptor.number, &one, 8) }
    }

    package func take() {
        var count: UInt64 = 0
        _ = try? retryingOnInterrupt { unsafe Glibc.read(descriptor.number, &count, 8) }
    }

    /// Sleeps until something was added that is not taken yet. False when `deadline` comes first.
    package func wait(until deadline: Instant) -> Bool {
        while true {
            var watched = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
            let count = unsafe poll(&watched, 1, Instant.now().milliseconds(until: deadline))
            // Without an event and without an interruption it is late enough.
            if count >= 0 { return count > 0 }
        }
    }

    package func watch(by poller: Poller, ticket: Ticket) throws(Errno) {
        try poller.add(descriptor, for: .reading, ticket: ticket)
    }
}
