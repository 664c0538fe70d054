import Bytes
import HTTP
import Reactor
import TLS

/// One connection to the Pushgateway: a lot of requests out, their responses in, and again.
///
/// Mostly a lot is one request. Small pushes that are ready in the same turn go out together, in one
/// piece, and are answered one after another (RFC 9112 section 9.3.2, which lets go on behind a
/// request that may be sent twice; a push may). That saves most of their system calls.
final class UpstreamConnection {
    enum State { case connecting, shakingHands, idle, busy }

    let ticket: Ticket
    private var channel: Channel
    /// Which of the Pushgateway's addresses this is.
    let address: PeerAddress
    /// Which of the ways to reach the Pushgateway it was made by.
    let generation: Int
    var state = State.connecting
    var interest: Poller.Interest

    /// The requests that went out together, in the order of their answers.
    private var lot: [Request] = []
    private var answeredCount = 0
    /// Has this connection carried a request before the one whose answer is next?
    private(set) var isReused = false
    /// When the lot was handed to the kernel, or began to be.
    var sentAt = Instant(nanoseconds: 0)
    private var output = ByteBuffer()
    /// How much of a body that was not copied is not sent yet; such a request is a lot of its own.
    private var bodyBytesLeft = 0
    private var isBegun = false
    private var isSent: Bool { output.isEmpty && bodyBytesLeft == 0 }
    /// TLS has to hear or to say something of its own before it can go on.
    private(set) var sendingWantsRead = false
    private(set) var readingWantsWrite = false

    private let reader = ResponseReader()

    private struct Request {
        /// Nil when nobody waits for its answer any more.
        var exchange: ExchangeID?
        let method: Method
    }

    /// A body up to this size goes out in one piece with its head: copying it costs less than gathering.
    static let copiedBodyMax = 4096
    /// How many requests are a lot. Those behind wait for those before, so it is not many.
    private static let lotMax = 8

    init(ticket: Ticket, channel: consuming Channel, address: PeerAddress, generation: Int) {
        (self.ticket, self.address, self.generation) = (ticket, address, generation)
        self.channel = channel
        interest = .writing
    }

    func watch(by poller: Poller) throws(Errno) {
        try poller.add(channel.socket, for: interest, ticket: ticket)
    }

    func watch(by poller: Poller, for interest: Poller.Interest) throws(Errno) {
        guard interest != self.interest else { return }
        try poller.change(channel.socket, to: interest, ticket: ticket)
        self.interest = interest
    }

    /// Why the connection did not come about; nil when it did.
    var connectionError: Errno? { Socket.connectionError(of: channel.socket) }

    func handshake() throws(TLSError) -> Channel.Step { try channel.handshake() }

    func sayFarewell() { channel.sayFarewell() }

    // MARK: The lot

    /// May a small request join those that are about to be sent?
    var takesAnother: Bool {
        state == .busy && !isBegun && bodyBytesLeft == 0
            && lot.count < UpstreamConnection.lotMax
    }

    /// Takes a request on: `writeHead` writes all of it that stands before the body.
    func begin(_ exchange: Exchange, _ writeHead: (inout ByteBuffer) -> Void) {
        lot.append(Request(exchange: exchange.id, method: exchange.method))
        writeHead(&output)
        if exchange.body.count <= UpstreamConnection.copiedBodyMax {
            exchange.body.withSpan { output.append($0) }
        } else {
            bodyBytesLeft = exchange.body.count
        }
        if state == .idle { state = .busy }
    }

    /// Whose answer is next; nil when nobody waits for it.
    var exchange: ExchangeID? {
        answeredCount < lot.count ? lot[answeredCount].exchange : nil
    }

    /// Shows those whose answers are still to come.
    var unanswered: [ExchangeID] { lot[answeredCount...].compactMap(\.exchange) }

    /// Goes on to the next answer. False when that was the last one.
    func advance() -> Bool {
        reader.reset()
        isReused = true
        answeredCount += 1
        return answeredCount < lot.count
    }

    /// Nobody waits for this answer any more. False when nobody waits for any.
    func forget(_ exchange: ExchangeID) -> Bool {
        for index in answeredCount..<lot.count where lot[index].exchange == exchange {
            lot[index].exchange = nil
        }
        return lot[answeredCount...].contains { $0.exchange != nil }
    }

    /// All of the lot has been answered, and nothing is in the way of the next one.
    var mayGoOn: Bool { isSent && reader.isEmpty }

    /// Lets go of the lot; the connection may carry another.
    func finish() {
        lot.removeAll(keepingCapacity: true)
        answeredCount = 0
        isBegun = false
        state = .idle
    }

    // MARK: Out and in

    /// Sends once; `body` is the first request's.
    func send(_ body: Span<UInt8>) throws(TLSError) {
        guard !isSent else { return }
        isBegun = true
        let rest = body.extracting(last: bodyBytesLeft)
        let step = try output.withSpan { (head) throws(TLSError) in try channel.write(head, rest) }
        sendingWantsRead = step == .wantsRead
        guard case .moved(let count) = step else { return }
        let ofHead = min(count, output.count)
        output.consume(ofHead)
        bodyBytesLeft -= count - ofHead
    }

    /// What the poller has to watch for while the lot is on its way.
    var sendingInterest: Poller.Interest {
        isSent || sendingWantsRead ? .reading : [.reading, .writing]
    }

    /// Has any byte of the next answer arrived?
    var hasAnswerBytes: Bool { reader.hasBegun }

    /// Reads once.
    func read() throws(TLSError) -> Channel.Step {
        let step = try reader.input.append(upTo: 16 << 10) { (output) throws(TLSError) in
            try channel.read(into: &output)
        }
        readingWantsWrite = step == .wantsWrite
        return step
    }

    /// Whether what has come while nothing was asked for is TLS's own business, such as a ticket.
    func isStillQuiet() -> Bool {
        do throws(TLSError) { return try read() == .wantsRead } catch { return false }
    }

    /// The next response, once it is complete. `isEnd` says that nothing more will come. Its body is
    /// shown by `withAnswer`, until `advance`.
    func response(isEnd: Bool) throws(UpstreamError) -> ResponseReader.Response? {
        guard answeredCount < lot.count else { return nil }
        return try reader.response(to: lot[answeredCount].method, isEnd: isEnd)
    }

    func withAnswer<R>(_ body: (Span<UInt8>) -> R) -> R { reader.answer.withSpan(body) }
}
