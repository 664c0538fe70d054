import Admission
import Bytes
import Configuration
import Glibc
import Reactor

/// The part of the gate that is there once: it opens the door to those on the list, hands each
/// connection to the worker with the fewest, and takes the process down when it is told to.
struct Control: ~Copyable {
    private let poller: Poller
    private let process: ProcessState
    private let snapshot: Snapshot
    private var listeners: [Listener]
    private let signals: Signals
    private let connectionsMax: Int
    private var refused = RefusedAddresses()

    /// Connections for the worker on this very loop, when there is only that one.
    private(set) var arrivals: [Arrival] = []

    private var isPaused = false
    private var resumeAt = Instant.distantFuture
    private var drainEnd = Instant.distantFuture
    private var workersLeft: Int
    private(set) var isDone = false

    /// How long nobody is let in after descriptors ran out or the gate was full.
    private static let pause = Interval.milliseconds(100)

    init(
        poller: Poller, process: ProcessState, snapshot: Snapshot, listeners: [Listener],
        signals: consuming Signals, connectionsMax: Int
    ) throws(Errno) {
        (self.poller, self.process, self.snapshot) = (poller, process, snapshot)
        (self.listeners, self.connectionsMax) = (listeners, connectionsMax)
        workersLeft = process.mailboxes.count
        self.signals = signals
        try self.signals.watch(by: poller, ticket: Party.signals.ticket())
        try process.controlMailbox.watch(by: poller, ticket: Party.controlMailbox.ticket())
        for listener in listeners {
            try poller.add(listener.socket, for: .reading, ticket: listener.ticket)
        }
    }

    var nextDeadline: Instant { min(resumeAt, drainEnd) }

    mutating func serve(_ event: Poller.Readiness, at now: Instant) {
        switch Party(rawValue: event.ticket.kind) {
        case .listener:
            if let listener = listeners.first(where: { $0.ticket == event.ticket }) {
                accept(on: listener, at: now)
            }
        case .signals: while let number = signals.next() { obey(number, at: now) }
        case .controlMailbox: for letter in process.controlMailbox.collect() { read(letter) }
        // The workers' parties never reach the control.
        case .workerMailbox, .client, .upstream, nil: break
        }
    }

    mutating func expire(at now: Instant) {
        if now >= resumeAt { resume() }
        if now >= drainEnd {
            process.log.write(.warn, "drain timeout, connections cut") { line in
                line.add("connections", process.budgets.connectionCount)
            }
            isDone = true
        }
    }

    /// Takes what has arrived for the worker on this loop.
    mutating func takeArrivals() -> [Arrival] {
        if arrivals.isEmpty { return [] }
        return exchange(&arrivals, with: [])
    }

    // MARK: The door

    private mutating func accept(on listener: Listener, at now: Instant) {
        for _ in 0..<Listener.acceptsPerTurn {
            guard process.budgets.connectionCount < connectionsMax else {
                return pause(because: "connections_max reached", at: now)
            }
            do throws(Errno) {
                guard let accepted = try Socket.accept(on: listener.socket) else { return }
                letIn(accepted, at: now)
            } catch {
                if error.isExhaustion { return pause(because: error.description, at: now) }
                // Anything else is that one connection's trouble (accept(2)): on to the next.
            }
        }
    }

    /// Decided by the address alone, before a byte is read or sent.
    private mutating func letIn(_ accepted: consuming Socket.Accepted, at now: Instant) {
        let peer = accepted.peer
        guard snapshot.allowlist.contains(peer.address) else {
            return tellOfRefusal(of: peer.address, at: now)
        }
        let ofAddress = process.budgets.open(from: peer.address)
        let arrival = Arrival(
            socket: accepted.takeSocket().relinquish(), peer: peer,
            isOverAddressLimit: ofAddress > snapshot.limits.connectionsPerAddressMax)
        hand(arrival)
    }

    private mutating func hand(_ arrival: Arrival) {
        let loads = process.loads
        let index = loads.indices.min { loads[$0].count < loads[$1].count } ?? 0
        loads[index].add()
        if loads.count == 1 {
            arrivals.append(arrival)
        } else {
            process.mailboxes[index].post(.arrival(arrival))
        }
    }

    private mutating func tellOfRefusal(of address: IPAddress, at now: Instant) {
        guard let notice = refused.note(address, at: now) else { return }
        let configuration = snapshot.configuration
        process.log.write(.warn, "address not allowed, connection closed") { line in
            line.add("from", address.description)
            line.add("count", notice.count)
            line.add("allow", "\(configuration.file):\(configuration.allow.first?.line ?? 0)")
            if notice.untold > 0 { line.add("others_untold", notice.untold) }
        }
    }

    private mutating func pause(because reason: String, at now: Instant) {
        resumeAt = now + Control.pause
        guard !isPaused else { return }
        isPaused = true
        process.log.write(.error, "nobody is let in for a moment") { line in
            line.add("reason", reason)
        }
        watchListeners(for: [])
    }

    private mutating func resume() {
        resumeAt = .distantFuture
        isPaused = false
        watchListeners(for: .reading)
    }

    private func watchListeners(for interest: Poller.Interest) {
        for listener in listeners {
            do throws(Errno) {
                try poller.change(listener.socket, to: interest, ticket: listener.ticket)
            } catch {
                process.log.write(.error, "listener cannot be watched") { line in
                    line.add("error", error.description)
                }
            }
        }
    }

    // MARK: Going down

    private mutating func obey(_ signal: Int32, at now: Instant) {
        switch signal {
        case SIGTERM, SIGINT: if drainEnd == .distantFuture { drain(at: now) }
        default: break  // No other signal was asked for.
        }
    }

    private mutating func drain(at now: Instant) {
        process.log.write(.info, "draining") { line in
            line.add("connections", process.budgets.connectionCount)
            line.add("label_conflicts", process.store.labelConflicts)
            line.add("pushgateway_refused", process.store.refusedPushes)
        }
        listeners.removeAll()
        resumeAt = .distantFuture
        drainEnd = now + snapshot.timeouts.drain
        for mailbox in process.mailboxes { mailbox.post(.drain) }
    }

    private mutating func read(_ letter: ControlLetter) {
        switch letter {
        case .drained:
            workersLeft -= 1
            if workersLeft == 0 { isDone = true }
        }
    }
}
