import Configuration
import Glibc
import Reactor
import Synchronization
import TLS

/// What the threads of one gate have in common. Everything in it may be used from any of them.
final class ProcessState: Sendable {
    let program: ProgramVersion
    let log: Log
    let audit: AuditLog
    let budgets = Budgets()
    let digestKey = KeyedDigest.Key()
    let ticketKeys = TicketKeys()
    /// One for each worker, by its index.
    let mailboxes: [Mailbox<WorkerLetter>]
    /// How many connections each worker has, or is about to have.
    let loads: [WorkerLoad]
    let heartbeats: Heartbeats
    let controlMailbox: Mailbox<ControlLetter>
    let watchMailbox: Mailbox<WatchLetter>
    let resolverMailbox: Mailbox<ResolverLetter>
    let store = StoreState()
    let serviceManager: ServiceManager
    let reloads = ReloadState()
    let metrics: Metrics
    private let inForce: Mutex<Snapshot>

    init(
        _ program: ProgramVersion, log: Log, audit: AuditLog, workers: Int, snapshot: Snapshot,
        descriptors: Int
    ) throws(Errno) {
        (self.program, self.log, self.audit) = (program, log, audit)
        serviceManager = ServiceManager(log: log)
        metrics = Metrics(workers: workers, for: snapshot.configuration)
        inForce = Mutex(snapshot)
        // An arrival for each connection there can be, a verdict for each that waits, and a few words
        // besides.
        let lettersMax = descriptors * 2 + 64
        var mailboxes: [Mailbox<WorkerLetter>] = []
        for _ in 0..<workers { mailboxes.append(try Mailbox(lettersMax: lettersMax)) }
        self.mailboxes = mailboxes
        loads = mailboxes.map { _ in WorkerLoad() }
        heartbeats = Heartbeats(workers: workers)
        controlMailbox = try Mailbox(lettersMax: workers * 4 + 64)
        // Of each kind one that waits is as good as many.
        watchMailbox = try Mailbox(lettersMax: 2)
        resolverMailbox = try Mailbox(lettersMax: 1)
    }

    /// What is in force, for threads that are no loops; each loop has a copy of its own.
    var snapshot: Snapshot { inForce.withLock { $0 } }

    func use(_ snapshot: Snapshot) { inForce.withLock { $0 = snapshot } }

    func serverContext(for snapshot: Snapshot) throws(IdentityError) -> ServerContext {
        try ServerContext(
            identity: snapshot.identity,
            minimumVersion: snapshot.configuration.tls.versionMin.minimumVersion,
            ticketKeys: ticketKeys)
    }

    /// How many connections to the Pushgateway each worker may have.
    func upstreamShare(of snapshot: Snapshot) -> Int {
        snapshot.configuration.upstream.connectionsMax / mailboxes.count
    }

    /// A worker's loop turns and has read its first letter.
    func greeted() { controlMailbox.post(.greeted) }

    /// Ends the process, since a thread cannot have what it needs: half a gate is none.
    func end(because reason: StaticString, _ error: Errno) -> Never {
        log.write(.error, reason) { $0.add("error", error.description) }
        log.writePending()
        exit(71)  // EX_OSERR
    }

    /// A worker that is draining serves nobody any more.
    func drained(_ worker: Int) { controlMailbox.post(.drained(worker: worker)) }
}

/// How busy a worker is.
final class WorkerLoad: Sendable {
    private let connections = Atomic<Int>(0)

    var count: Int { connections.load(ordering: .relaxed) }
    func add() { connections.wrappingAdd(1, ordering: .relaxed) }
    func remove() { connections.wrappingSubtract(1, ordering: .relaxed) }
}

/// What other threads write to the control.
enum ControlLetter: Sendable {
    case greeted
    case drained(worker: Int)
    case reloaded(Reload.Outcome)
    /// A worker decides by the snapshot of a reload from now on.
    case snapshotTaken
}
