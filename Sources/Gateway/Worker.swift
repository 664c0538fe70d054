import Admission
import Configuration
import Bytes
import Catalogue
import HTTP
import Reactor
import TLS

/// What other threads write to a worker.
enum WorkerLetter: Sendable {
    case arrival(Arrival)
    case password(PasswordDesk.Verdict)
    /// Credentials were found right, whichever worker had asked.
    case verified(Digest)
    case upstreamAddresses([PeerAddress], of: UpstreamURL)
    /// The configuration was read anew; `addresses` is where the Pushgateway is, if that is known.
    case snapshot(Snapshot, ServerContext, addresses: [PeerAddress]?)
    case catalogue(FamilyCatalogue, askedAt: Instant)
    case drain(Drain)
    /// The time to drain is over.
    case cut
    /// Nothing to do but to turn once: a loop that can, is alive.
    case beat
    /// The first letter. Its answer says that this loop turns and hears.
    case greeting
}

/// Why a worker lets its clients go.
enum Drain: Sendable {
    /// The gate ends: who is idle is given a moment, and then cut.
    case goingDown
    /// Another process is the gate from now on: who is idle is told with the next answer, and not before.
    case handedOver
}

/// A connection that was accepted and let in. The descriptor has no owner while it is on its way.
struct Arrival: Sendable {
    let socket: Int32
    let peer: SocketAddress
    let share: NetworkShare
    /// Its address has more connections than it may: one of them has to go.
    let isOverAddressLimit: Bool
}

/// Why a connection ended without an answer being its end.
enum Departure: Error {
    /// It said farewell, or had nothing more to ask.
    case finished
    case peerGone
    case handshakeFailed(TLSError)
    case handshakeTooSlow
    case connectionFailed(TLSError)
    case idleTooLong
    case writeTooSlow
    case madeRoom
    case drained
    /// It broke the protocol, or flooded.
    case cutOff

    var word: StaticString {
        switch self {
        case .finished: "finished"
        case .peerGone: "peer_gone"
        case .handshakeFailed: "handshake_failed"
        case .handshakeTooSlow: "handshake_too_slow"
        case .connectionFailed: "connection_failed"
        case .idleTooLong: "idle_too_long"
        case .writeTooSlow: "write_too_slow"
        case .madeRoom: "made_room"
        case .drained: "drained"
        case .cutOff: "cut_off"
        }
    }

    var error: TLSError? {
        switch self {
        case .handshakeFailed(let error), .connectionFailed(let error): error
        default: nil
        }
    }
}

/// One thread's clients, their exchanges and its share of the upstream. Nothing here is shared;
/// nothing locks.
///
/// The turn of the loop is a contract that everything below is written against:
///
///     wait    sleep, but never past the nearest deadline
///     serve   let each ready connection read or be read; replies are queued, not sent
///     expire  end what is past its deadline, however busy the others keep us
///     flush   send what serve and expire queued
///     bury    free who departed; no other step frees anybody
///
/// `serve` is called for each event, the other three once a turn; `Loop` does the waiting.
struct Worker: ~Copyable {
    let index: Int
    let poller: Poller
    let mailbox: Mailbox<WorkerLetter>
    let process: ProcessState
    var snapshot: Snapshot
    var tls: ServerContext
    var ticketDemand = TicketDemand()
    let logins: Logins
    /// What happens here, counted.
    let tally: Tally
    var jobs: KnownJobs

    var clients = Table<Client>(of: .client)
    var deadlines: Deadlines
    var upstream: Upstream
    var exchanges = ExchangePool()
    var inspections = InspectionPool()
    /// Which group holds which family, by the last listing and by what passed here since.
    var catalogue = FamilyCatalogue()
    var learned = LearnedFamilies()
    /// Counts the listings.
    var catalogueNumber = 0
    var checkpoints = Checkpoints()
    /// Who waits for a fresh listing.
    var confirming: [ExchangeID] = []
    var buffers = BufferPool(bufferBytes: 16 << 10, keptMax: 256)
    /// What frames of HTTP/2 meant, while it is acted on.
    let inbox = FrameInbox()

    /// Who has something to send; clients and upstream connections alike.
    var unflushed: [Ticket] = []
    /// Who has bytes at hand that the poller knows nothing of.
    var resumed: [Ticket] = []
    private var departed: [Client] = []
    private var departedUpstream: [UpstreamConnection] = []
    private var expired: [Int] = []

    /// Read once a turn: every decision in it agrees on the time.
    private(set) var now: Instant
    var date = DateField()
    var requestIDs = RequestIDs()
    var path = ByteBuffer()
    var text = ByteBuffer()
    var record = ByteBuffer()
    var drain: Drain?
    var isDraining: Bool { drain != nil }
    /// Addresses with more wrong passwords than may be, which would fill the log.
    var slowed = RefusedAddresses()
    var drainIdleEnd = Instant.distantFuture
    private var patience = Patience()
    private var turns: UInt32 = 0
    /// What this thread had cost when the turn began; nil in turns that are not measured.
    private var costBefore: Instant?

    init(
        index: Int, poller: Poller, process: ProcessState, desk: PasswordDesk, snapshot: Snapshot
    ) throws(Errno) {
        now = .now()
        (self.index, self.poller, self.process) = (index, poller, process)
        self.snapshot = snapshot
        mailbox = process.mailboxes[index]
        do throws(IdentityError) {
            tls = try process.serverContext(for: snapshot)
        } catch {
            // The same identity was accepted when the snapshot was read.
            preconditionFailure("a checked identity was refused")
        }
        logins = Logins(worker: index, key: process.digestKey, desk: desk)
        tally = process.metrics.tallies[index]
        jobs = KnownJobs(process.metrics.jobs)
        deadlines = Deadlines(now: now)
        upstream = Upstream(
            snapshot.upstream, share: process.upstreamShare(of: snapshot), now: now)
        try mailbox.watch(by: poller, ticket: Party.workerMailbox.ticket())
    }

    // MARK: The turn

    /// The moment this worker must be woken at the latest.
    var nextDeadline: Instant {
        if !resumed.isEmpty { return now }
        let nearest = min(
            min(deadlines.earliest(), upstream.deadlines.earliest()), min(drainIdleEnd, slowed.due))
        return max(nearest, patience.end)
    }

    /// - Parameter due: when the turn was to begin at the latest.
    mutating func begin(turn now: Instant, due: Instant) {
        self.now = now
        patience.note(turn: now, due: due)
        turns &+= 1
        costBefore = turns % 32 == 0 ? ProcessorTime.ofThisThread() : nil
    }

    mutating func serve(_ event: Poller.Readiness) {
        switch Party(rawValue: event.ticket.kind) {
        case .client: serveClient(event)
        case .upstream: serveUpstream(event)
        case .workerMailbox: for letter in mailbox.collect() { read(letter) }
        // The control's parties never reach a worker.
        case .listener, .signals, .controlMailbox, .successor, .predecessor, .adminListener,
            .admin, nil:
            break
        }
    }

    /// What remains of a turn once its events are served.
    mutating func finishTurn() {
        resume()
        expire()
        flush()
        bury()
        process.heartbeats.beat(index, at: now)
        if let costBefore {
            let cost = ProcessorTime.ofThisThread().nanoseconds(since: costBefore)
            tally.observe(.turn, nanoseconds: cost)
        }
    }

    private mutating func resume() {
        // Who is appended meanwhile is for the next turn. (A copy to go through would cost an allocation.)
        let count = resumed.count
        for index in 0..<count {
            if let client = clients[resumed[index]] { receive(client) }
        }
        resumed.removeFirst(count)
    }

    private mutating func expire() {
        if now >= slowed.due { tellOfSlowed() }
        guard !patience.lasts(at: now) else { return }
        deadlines.expire(at: now, into: &expired)
        for slot in expired {
            if let client = clients.member(inSlot: slot) { expire(client) }
        }
        expired.removeAll(keepingCapacity: true)
        upstream.deadlines.expire(at: now, into: &expired)
        for slot in expired {
            if let connection = upstream.connections.member(inSlot: slot) { expire(connection) }
        }
        expired.removeAll(keepingCapacity: true)
        if now >= drainIdleEnd { cutIdleClients() }
    }

    private mutating func flush() {
        var position = 0
        // Flushing may queue more, such as a retry; each exchange does so once at most.
        while position < unflushed.count {
            let ticket = unflushed[position]
            position += 1
            if let client = clients[ticket] {
                flush(client)
            } else if let connection = upstream.connections[ticket] {
                flush(connection)
            }
        }
        unflushed.removeAll(keepingCapacity: true)
    }

    private mutating func bury() {
        exchanges.settle()
        departed.removeAll(keepingCapacity: true)
        departedUpstream.removeAll(keepingCapacity: true)
    }

    private mutating func read(_ letter: WorkerLetter) {
        switch letter {
        case .arrival(let arrival): admit(arrival)
        case .password(let verdict): conclude(verdict)
        case .verified(let digest): logins.remember(digest, at: now)
        case .upstreamAddresses(let addresses, let url): learn(addresses, of: url)
        case .snapshot(let snapshot, let context, let addresses):
            take(snapshot, context, addresses)
        case .catalogue(let catalogue, let moment): take(catalogue, askedAt: moment)
        case .drain(let drain): begin(drain)
        case .cut: cutAll()
        case .beat: break
        case .greeting:
            process.heartbeats.beat(index, at: now)
            process.greeted()
        }
    }

    /// Decides by `snapshot` from the next request on. Sessions of TLS go on under the context they
    /// began with; a connection between two requests keeps nothing of what was in force.
    private mutating func take(
        _ snapshot: Snapshot, _ context: ServerContext, _ addresses: [PeerAddress]?
    ) {
        (self.snapshot, tls) = (snapshot, context)
        exchanges.removeAll()
        useUpstream(addresses)
        process.controlMailbox.post(.snapshotTaken)
    }

    /// Keeps a connection that left until nobody above can still be inside it.
    mutating func buryLater(_ client: Client) { departed.append(client) }
    mutating func buryLater(_ connection: UpstreamConnection) {
        departedUpstream.append(connection)
    }
}
