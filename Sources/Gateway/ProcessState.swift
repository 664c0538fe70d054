import Configuration
import Reactor
import Synchronization
import TLS

/// What the threads of one gate have in common. Everything in it may be used from any of them.
final class ProcessState: Sendable {
    let log: Log
    let budgets = Budgets()
    let digestKey = KeyedDigest.Key()
    let ticketKeys = TicketKeys()
    /// One for each worker, by its index.
    let mailboxes: [Mailbox<WorkerLetter>]
    /// How many connections each worker has, or is about to have.
    let loads: [WorkerLoad]
    let controlMailbox: Mailbox<ControlLetter>
    let watchMailbox: Mailbox<WatchLetter>
    let store = StoreState()

    init(log: Log, workers: Int, limits: Limits) throws(Errno) {
        self.log = log
        // An arrival for each connection, a verdict for each that waits, and a few words besides.
        let lettersMax = limits.connectionsMax * 2 + 64
        var mailboxes: [Mailbox<WorkerLetter>] = []
        for _ in 0..<workers { mailboxes.append(try Mailbox(lettersMax: lettersMax)) }
        self.mailboxes = mailboxes
        loads = mailboxes.map { _ in WorkerLoad() }
        controlMailbox = try Mailbox(lettersMax: workers * 4 + 64)
        // One that waits is as good as many.
        watchMailbox = try Mailbox(lettersMax: 1)
    }

    func serverContext(for snapshot: Snapshot) throws(IdentityError) -> ServerContext {
        try ServerContext(
            identity: snapshot.identity,
            minimumVersion: snapshot.configuration.tls.versionMin.minimumVersion,
            ticketKeys: ticketKeys)
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
    case drained(worker: Int)
}
