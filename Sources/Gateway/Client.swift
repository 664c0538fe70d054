import Bytes
import Catalogue
import HTTP
import Reactor
import TLS

/// One accepted connection: handshake, then requests, then a farewell.
final class Client {
    enum Phase { case handshaking, serving, lingering }

    let ticket: Ticket
    let socket: FileDescriptor
    let peer: SocketAddress
    let share: NetworkShare
    let acceptedAt: Instant
    private(set) var tls: TLSConnection
    var phase = Phase.handshaking
    /// Our part of the handshake has been sent.
    var hasAnsweredHandshake = false

    /// Decrypted bytes that are not understood yet. Has storage only while there are some.
    var input = ByteBuffer()
    /// Answers that are not sent yet.
    var output = ByteBuffer()
    var http = HTTP1Session()
    /// The request of HTTP/1.1 that is under way.
    var exchange: Exchange?
    private var exchangeCount: UInt32 = 0
    /// What the handshake has agreed on instead.
    private(set) var http2: HTTP2Connection?

    /// What the poller watches for.
    var interest = Poller.Interest.reading
    var hasEverLoggedIn: Bool { provenUser != nil }
    /// What the last push on this connection came to, which the next one most often comes to as well.
    var settled: SettledClaims?
    /// Where its job is counted, and for which group that was looked up.
    var job: PushedJob?
    var jobGroup = GroupKey()
    /// A hash of the first user who logged in here.
    var provenUser: Int?
    /// The snapshot by which its address was let in, or allowed to stay.
    var allowedBy: Int
    /// When the head that is coming in began; nil between requests.
    var headBeganAt: Instant?
    /// Until when it may wait for its next request; long past before the first one.
    var idleEnd = Instant(nanoseconds: 0)
    /// The turn in which the socket was last read, by its time.
    var hasReadThisTurn = Instant(nanoseconds: 0)
    /// TLS has to send something before it can read on.
    var readWantsWrite = false
    /// What came after the farewell.
    var lingerBytes = 0

    init(
        ticket: Ticket, socket: consuming FileDescriptor, peer: SocketAddress, share: NetworkShare,
        tls: consuming TLSConnection, snapshot: Snapshot, at now: Instant
    ) {
        self.ticket = ticket
        acceptedAt = now
        self.socket = socket
        (self.peer, self.share) = (peer, share)
        self.tls = tls
        allowedBy = snapshot.number
    }

    /// A name for the next request of HTTP/1.1.
    func nextExchangeID() -> ExchangeID {
        exchangeCount &+= 1
        return ExchangeID(client: ticket, stream: exchangeCount)
    }

    /// The exchange `id` names, unless it is over.
    func exchange(_ id: ExchangeID) -> Exchange? {
        if let http2 { return http2.exchange(on: id.stream) }
        return exchange?.id == id ? exchange : nil
    }

    /// Those under way.
    func forEachExchange(_ body: (Exchange) -> Void) {
        if let http2 { return http2.exchanges.forEach(body) }
        if let exchange { body(exchange) }
    }

    var hasNoExchange: Bool { exchange == nil && (http2?.exchanges.isEmpty ?? true) }

    /// Nothing of a request has come since the last answer.
    var isBetweenRequests: Bool { hasNoExchange && !hasBytesAtHand }

    /// Goes on in HTTP/2, if that is what the handshake has agreed on.
    func chooseProtocol(_ limits: HTTP2Limits, _ inbox: FrameInbox) {
        guard tls.isHTTP2 else { return }
        http2 = HTTP2Connection(HTTP2Session(limits: limits, inbox: inbox))
    }

    /// Are there bytes in memory, about which the poller will say nothing?
    var hasBytesAtHand: Bool { !input.isEmpty || tls.hasPending }
    var hasPendingRecord: Bool { tls.hasPending }

    /// Takes the storage of an empty buffer away, for another to use.
    func takeInput() -> ByteBuffer { Swift.exchange(&input, with: ByteBuffer()) }
    func takeOutput() -> ByteBuffer { Swift.exchange(&output, with: ByteBuffer()) }

    func handshake() throws(TLSError) -> TLSConnection.Step { try tls.handshake() }

    var hasSpoken: Bool { tls.hasSpoken }
    var hasResumed: Bool { tls.isResumed }
    func withholdTicket() { tls.withholdTicket() }
    var isVersion13: Bool { tls.isVersion13 }

    /// Reads once, at most one record and what fits.
    func read() throws(TLSError) -> TLSConnection.Step {
        // A head may be allowed to be larger than a buffer is: then the buffer grows, up to that limit.
        let room = max(input.freeCapacity, 1024)
        return try input.append(upTo: room) { (output) throws(TLSError) in
            try tls.read(into: &output)
        }
    }

    /// Reads once, straight into the body of an exchange, at most `limit` bytes.
    func readBody(
        of exchange: Exchange, upTo limit: Int
    ) throws(TLSError) -> TLSConnection.Step {
        try exchange.body.append(upTo: limit) { (output) throws(TLSError) in
            try tls.read(into: &output)
        }
    }

    /// Writes once. `.moved(0)` when nothing is left.
    func write() throws(TLSError) -> TLSConnection.Step {
        guard !output.isEmpty else { return .moved(0) }
        let step = try output.withSpan { (bytes) throws(TLSError) in try tls.write(bytes) }
        if case .moved(let count) = step { output.consume(count) }
        return step
    }

    /// Reads from the socket past TLS: only to throw it away.
    func readRaw() throws(Errno) -> FileDescriptor.Step {
        try input.append(upTo: input.freeCapacity) { (output) throws(Errno) in
            try socket.read(into: &output)
        }
    }

    /// Says that nothing more will be sent.
    func finishSending() {
        tls.finishSending()
        Socket.finishSending(socket)
    }
}
