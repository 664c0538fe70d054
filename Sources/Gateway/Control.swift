import Admission
import Bytes
import Configuration
import Glibc
import Reactor

/// The part of the gate that is there once: it opens the door to those on the list, hands each
/// connection to the worker with the fewest, and takes the process down when it is told to.
struct Control: ~Copyable {
    let poller: Poller
    let process: ProcessState
    let desk: PasswordDesk
    private(set) var snapshot: Snapshot
    private(set) var listeners: [Listener]
    private let signals: Signals
    /// How many descriptors the process may have open.
    private let descriptors: Int
    private(set) var connectionsMax: Int
    private var refused = RefusedAddresses()
    /// Who has more connections than an address may.
    private var crowding = RefusedAddresses()
    private(set) var strangers = Strangers()
    /// Nil when the configuration asks for none.
    var admin: AdminServer?

    /// Connections for the worker on this very loop, when there is only that one.
    private(set) var arrivals: [Arrival] = []

    private var pause = Pause()
    private var certificateWatch: CertificateWatch
    private var isGoingDown = false
    private var nextBeat = Instant.distantFuture
    var drainEnd = Instant.distantFuture
    var isDraining: Bool { drainEnd != .distantFuture }
    var reloading = Reloading()
    private var workersLeft: Int
    private var isCut = false
    private(set) var isDone = false

    /// Loops that have yet to begin to turn; nobody is let in before.
    var workersToCome: Int
    var isReady = false
    /// When the service manager is due a word: a sign of life, or a request for more time.
    var nextSign = Instant.distantFuture
    var nextPlea = Instant.distantFuture

    /// What this gate takes over from, until that knows it.
    var predecessor: Predecessor?
    /// What is to take over from this gate, until it can or has failed.
    var successor: Successor?
    /// What to start for that. The file under this path may be another by then, which is the point.
    let programPath = ProcessEnvironment.programPath()

    /// How often loops of their own are asked for a sign of life.
    private static let beatPeriod = Interval.seconds(1)

    init(
        poller: Poller, process: ProcessState, desk: PasswordDesk, snapshot: Snapshot,
        listeners: [Listener], signals: consuming Signals, predecessor: Predecessor.Name?,
        descriptors: Int
    ) throws(Errno) {
        (self.poller, self.process, self.desk) = (poller, process, desk)
        self.snapshot = snapshot
        self.listeners = listeners.filter { $0.party == .listener }
        self.descriptors = descriptors
        connectionsMax = Control.connectionsMax(snapshot.limits, descriptors, process.log)
        workersLeft = process.mailboxes.count
        certificateWatch = CertificateWatch(snapshot.certificate, at: .now())
        workersToCome = workersLeft > 1 ? workersLeft : 0
        if workersLeft > 1 {
            nextBeat = .now() + Control.beatPeriod
            for mailbox in process.mailboxes { mailbox.post(.greeting) }
        }
        self.signals = signals
        try self.signals.watch(by: poller, ticket: Party.signals.ticket())
        try process.controlMailbox.watch(by: poller, ticket: Party.controlMailbox.ticket())
        if let listener = listeners.first(where: { $0.party == .adminListener }) {
            admin = try AdminServer(listener, poller: poller, log: process.log)
        }
        for listener in self.listeners {
            try listener.boundSending(by: snapshot.timeouts)
            try poller.add(listener.socket, for: [], ticket: listener.ticket)
        }
        if let predecessor {
            self.predecessor = try Predecessor.meet(predecessor, watchedBy: poller)
        }
    }

    /// The first turn does not sleep if nobody is to be waited for.
    var nextDeadline: Instant {
        guard isReady || workersToCome > 0 else { return Instant(nanoseconds: 0) }
        let calendar = min(refused.due, crowding.due, certificateWatch.due)
        let own = min(min(pause.end, drainEnd), min(nextBeat, calendar))
        let others = min(
            admin?.nextDeadline ?? .distantFuture, successor?.deadline ?? .distantFuture)
        return min(min(own, others), min(nextSign, nextPlea))
    }

    mutating func serve(_ event: Poller.Readiness, at now: Instant) {
        switch Party(rawValue: event.ticket.kind) {
        case .listener:
            if let listener = listeners.first(where: { $0.ticket == event.ticket }) {
                accept(on: listener, at: now)
            }
        case .signals: while let number = signals.next() { obey(number, at: now) }
        case .controlMailbox: for letter in process.controlMailbox.collect() { read(letter) }
        case .successor: hearSuccessor(at: now)
        case .predecessor: predecessorIsDone()
        case .adminListener, .admin: serveAdmin(event, at: now)
        // The workers' parties never reach the control.
        case .workerMailbox, .client, .upstream, nil: break
        }
    }

    mutating func expire(at now: Instant) {
        if !isReady && workersToCome == 0 { becomeReady(at: now) }
        if now >= pause.end { resume(at: now) }
        if now >= certificateWatch.due {
            certificateWatch.look(at: snapshot.certificate, at: now, telling: process.log)
        }
        tellServiceManager(at: now)
        if now >= successor?.deadline ?? .distantFuture { successor?.giveUp(heardBy: poller) }
        if now >= nextBeat { wakeWorkers(at: now) }
        if now >= refused.due { for notice in refused.tellAll(at: now) { tell(notice) } }
        if now >= crowding.due { for notice in crowding.tellAll(at: now) { tellOfCrowd(notice) } }
        admin?.expire(at: now)
        if now >= drainEnd { cut(at: now) }
    }

    /// Takes what has arrived for the worker on this loop.
    mutating func takeArrivals() -> [Arrival] {
        if arrivals.isEmpty { return [] }
        return exchange(&arrivals, with: [])
    }

    /// A worker with nothing to do would sleep for ever, and nobody could tell it from one that hangs.
    private mutating func wakeWorkers(at now: Instant) {
        nextBeat = now + Control.beatPeriod
        for (index, mailbox) in process.mailboxes.enumerated()
        where process.heartbeats.mustAsk(index, at: now) {
            mailbox.post(.beat)
        }
    }

    // MARK: The door

    private mutating func accept(on listener: Listener, at now: Instant) {
        for _ in 0..<Listener.acceptsPerTurn {
            guard acceptNext(on: listener, at: now) else { return }
        }
    }

    /// False when nobody waits any more, or nobody can be let in.
    private mutating func acceptNext(on listener: Listener, at now: Instant) -> Bool {
        guard process.budgets.connectionCount < connectionsMax else {
            pause(because: "connections_max reached", at: now)
            return false
        }
        guard process.budgets.handshakesUnderWay < snapshot.limits.handshakesMax else {
            pause(because: "handshakes_max reached", at: now)
            return false
        }
        do throws(Errno) {
            guard let accepted = try Socket.accept(on: listener.socket) else { return false }
            pause.noteArrival()
            letIn(accepted, at: now)
        } catch {
            if pause.isNeeded(after: error) {
                pause(because: error.description, at: now)
                return false
            }
        }
        return true
    }

    /// Decided by the address alone, before a byte is read or sent.
    private mutating func letIn(_ accepted: consuming Socket.Accepted, at now: Instant) {
        let peer = accepted.peer
        guard snapshot.allowlist.contains(peer.address) else {
            return refuse(peer.address, at: now)
        }
        let network = process.budgets.open(from: peer.address)
        process.budgets.beginHandshake()
        let isOverLimit = network.connections > snapshot.limits.connectionsPerAddressMax
        if isOverLimit, let notice = crowding.note(peer.address, at: now) { tellOfCrowd(notice) }
        let arrival = Arrival(
            socket: accepted.takeSocket().relinquish(), peer: peer,
            share: network.share,
            isOverAddressLimit: isOverLimit)
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

    private mutating func refuse(_ address: IPAddress, at now: Instant) {
        strangers.note(address, at: .now())
        process.audit.count("address_not_allowed", of: address, at: now)
        if let notice = refused.note(address, at: now) { tell(notice) }
    }

    private func tell(_ notice: RefusedAddresses.Notice) {
        let configuration = snapshot.configuration
        process.log.write(.warn, "address not allowed, connection closed") { line in
            line.add("from", notice.address)
            line.add("count", notice.count)
            line.add("allow", "\(configuration.file):\(configuration.allow.first?.line ?? 0)")
            if notice.others > 0 { line.add("others_untold", notice.others) }
        }
    }

    private func tellOfCrowd(_ notice: RefusedAddresses.Notice) {
        process.log.write(
            .warn,
            "connections_per_address_max reached, one that never logged in is closed for each"
        ) { line in
            line.add("from", notice.address)
            line.add("count", notice.count)
            if notice.others > 0 { line.add("others_untold", notice.others) }
        }
    }

    private mutating func pause(because reason: String, at now: Instant) {
        let wasOn = pause.isOn
        if let count = pause.begin(at: now) {
            process.log.write(.error, "nobody is let in for a moment") { line in
                line.add("reason", reason)
                line.add("times", count)
            }
        }
        if !wasOn { _ = watchListeners(for: []) }
    }

    /// A listener that cannot be watched would be deaf for ever: then the pause goes on.
    mutating func resume(at now: Instant) {
        pause.finish()
        if !watchListeners(for: .reading) { _ = pause.begin(at: now) }
    }

    /// Lets nobody in any more. Another process may have the socket open, and its queue with it.
    mutating func leaveListeners() {
        pause.finish()
        for listener in listeners { try? poller.remove(listener.socket) }
        listeners.removeAll()
    }

    /// False when one of them could not be watched so.
    private func watchListeners(for interest: Poller.Interest) -> Bool {
        var isDone = true
        for listener in listeners {
            do throws(Errno) {
                try poller.change(listener.socket, to: interest, ticket: listener.ticket)
            } catch {
                isDone = false
                process.log.write(.error, "listener cannot be watched") { line in
                    line.add("error", error.description)
                }
            }
        }
        return isDone
    }

    /// From here on new connections are decided by `snapshot`.
    mutating func use(_ snapshot: Snapshot) {
        self.snapshot = snapshot
        process.use(snapshot)
        certificateWatch = CertificateWatch(snapshot.certificate, at: .now())
        connectionsMax = Control.connectionsMax(snapshot.limits, descriptors, process.log)
        // What has worked before.
        for listener in listeners { try? listener.boundSending(by: snapshot.timeouts) }
    }

    /// A connection takes a descriptor here and, while its push is forwarded, a share of one there.
    private static func connectionsMax(_ limits: Limits, _ descriptors: Int, _ log: Log) -> Int {
        let reserved = 128
        let possible = max(16, descriptors - reserved)
        guard possible < limits.connectionsMax else { return limits.connectionsMax }
        log.write(.warn, "the limit of descriptors is too low for connections_max") { line in
            line.add("descriptors", descriptors)
            line.add("connections_max", limits.connectionsMax)
            line.add("lowered_to", possible)
        }
        return possible
    }

    // MARK: What it is told

    private mutating func obey(_ signal: Int32, at now: Instant) {
        switch signal {
        case SIGHUP: reload()
        case SIGTERM, SIGINT: goDown(at: now)
        case SIGUSR2: startSuccessor(at: now)
        case SIGCHLD: while let (child, end) = ChildProcess.reapNext() { mourn(child, end) }
        default: break  // No other signal was asked for.
        }
    }

    // MARK: Going down

    /// The second time it is meant: no more waiting.
    private mutating func goDown(at now: Instant) {
        guard !isGoingDown else {
            process.log.write(.warn, "told to end a second time, connections cut") { line in
                line.add("connections", process.budgets.connectionCount)
            }
            isDone = true
            return
        }
        isGoingDown = true
        successor?.kill()
        successor = nil
        drain(at: now)
    }

    private mutating func drain(at now: Instant) {
        process.log.write(.info, "draining") { line in
            line.add("connections", process.budgets.connectionCount)
            line.add("label_conflicts", process.store.labelConflicts)
            line.add("pushgateway_refused", process.store.refusedPushes)
        }
        letInWhoWaits(at: now)
        for notice in refused.tellAll(at: now) { tell(notice) }
        for notice in crowding.tellAll(at: now) { tellOfCrowd(notice) }
        leaveListeners()
        drainEnd = now + snapshot.timeouts.drain
        for mailbox in process.mailboxes { mailbox.post(.drain(.goingDown)) }
        tellOfDrain(at: now)
    }

    /// Who is not done by now is cut off. Each worker has a moment to tell the audit trail of it.
    private mutating func cut(at now: Instant) {
        guard !isCut else {
            isDone = true
            return
        }
        process.log.write(.warn, "drain timeout, connections cut") { line in
            line.add("connections", process.budgets.connectionCount)
        }
        isCut = true
        drainEnd = now + .seconds(1)
        for mailbox in process.mailboxes { mailbox.post(.cut) }
    }

    /// Whoever waits in the queue of a socket that nobody else has open would be reset with it. Where
    /// somebody has, they wait for the next process.
    private mutating func letInWhoWaits(at now: Instant) {
        for listener in listeners where !listener.isHeldOutside {
            for _ in 0..<Socket.backlog {
                guard acceptNext(on: listener, at: now) else { break }
            }
        }
    }

    private mutating func read(_ letter: ControlLetter) {
        switch letter {
        case .greeted: workersToCome -= 1
        case .drained:
            workersLeft -= 1
            if workersLeft == 0 { isDone = true }
        case .reloaded(let outcome): conclude(outcome)
        case .snapshotTaken: noteTaken()
        }
    }
}
