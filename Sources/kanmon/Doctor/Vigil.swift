import Glibc
import Reactor

/// Waits for a socket, and for a person who will not wait any longer: what was made has to be taken away
/// then, too, so the signals that end a process are taken as events.
final class Vigil {
    private let poller: Poller
    private let signals: Signals
    private static let signalTicket = Ticket(kind: 0, slot: 0, generation: 0)
    private static let socketTicket = Ticket(kind: 1, slot: 0, generation: 0)

    init() throws(Errno) {
        poller = try Poller()
        signals = try Signals(taking: [SIGINT, SIGTERM, SIGHUP])
        try signals.watch(by: poller, ticket: Vigil.signalTicket)
    }

    enum Outcome { case ready, late, interrupted }

    /// Begins to connect, so that `wait` tells when that is done.
    func connect(to address: SocketAddress) throws(Errno) -> FileDescriptor {
        let socket = try Socket.connect(to: address)
        try poller.add(socket, for: .writing, ticket: Vigil.socketTicket)
        return socket
    }

    /// Waits for a socket that `connect` has made; only one may be open at a time.
    func wait(
        for socket: borrowing FileDescriptor, _ interest: Poller.Interest, until deadline: Instant
    ) throws(Errno) -> Outcome {
        try poller.change(socket, to: interest, ticket: Vigil.socketTicket)
        return wait(until: deadline)
    }

    /// Lets time pass, while no socket is open. False when it was cut short.
    func pause(_ interval: Interval) -> Bool { wait(until: .now() + interval) != .interrupted }

    private func wait(until deadline: Instant) -> Outcome {
        while true {
            let now = Instant.now()
            let count = poller.wait(until: deadline, from: now)
            var isReady = false
            for index in 0..<count {
                if poller[index].ticket != Vigil.signalTicket {
                    isReady = true
                } else if signals.next() != nil {
                    return .interrupted
                }
            }
            if isReady { return .ready }
            if Instant.now() >= deadline { return .late }
        }
    }
}
