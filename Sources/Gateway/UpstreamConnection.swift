import Bytes
import HTTP
import Reactor
import TLS

/// One connection to the Pushgateway: a request out, a response in, and again.
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

    /// The request that is on its way.
    private(set) var exchange: ExchangeID?
    private(set) var method = Method.other
    /// Has this connection carried a request before?
    private(set) var isReused = false
    /// When the request was handed to the kernel, or began to be.
    var sentAt = Instant(nanoseconds: 0)
    private var head = ByteBuffer()
    private var bodySent = 0
    private var isSent = false
    /// TLS has to hear or to say something of its own before it can go on.
    private(set) var sendingWantsRead = false
    private(set) var readingWantsWrite = false

    private var input = ByteBuffer()
    private var parser = ResponseParser()
    private var response: ResponseHead?
    private var chunks = ChunkedDecoder()
    private var answer = ByteBuffer()
    private var interimCount = 0

    /// A push's answer is a line or two. More than this is not one.
    static let answerBytesMax = 64 << 10
    private static let interimMax = 8
    /// A body up to this size goes out in one piece with its head: copying it costs less than gathering.
    private static let copiedBodyMax = 4096

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

    /// Takes a request on: `writeHead` writes all of it that stands before the body.
    func begin(_ exchange: Exchange, at now: Instant, _ writeHead: (inout ByteBuffer) -> Void) {
        self.exchange = exchange.id
        method = exchange.method
        head.removeAll()
        writeHead(&head)
        bodySent = 0
        if exchange.body.count <= UpstreamConnection.copiedBodyMax {
            exchange.body.withSpan { head.append($0) }
            bodySent = exchange.body.count
        }
        isSent = false
        sentAt = now
        response = nil
        interimCount = 0
        answer.removeAll()
        if state == .idle { state = .busy }
    }

    /// Lets go of the request; the connection may carry another.
    func finish() {
        exchange = nil
        isReused = true
        state = .idle
    }

    /// Sends once. True when all of the request has been sent.
    func send(body: Span<UInt8>) throws(TLSError) -> Bool {
        let rest = body.extracting(min(bodySent, body.count)..<body.count)
        if head.isEmpty && rest.isEmpty { return true }
        let step = try head.withSpan { (head) throws(TLSError) in try channel.write(head, rest) }
        sendingWantsRead = step == .wantsRead
        guard case .moved(let count) = step else { return false }
        let ofHead = min(count, head.count)
        head.consume(ofHead)
        bodySent += count - ofHead
        isSent = head.isEmpty && bodySent == body.count
        return isSent
    }

    /// What the poller has to watch for while the request is on its way.
    var sendingInterest: Poller.Interest {
        isSent || sendingWantsRead ? .reading : [.reading, .writing]
    }

    /// Has any byte of an answer arrived?
    var hasAnswerBytes: Bool { !input.isEmpty || response != nil || interimCount > 0 }

    /// Reads once.
    func read() throws(TLSError) -> Channel.Step {
        let step = try input.append(upTo: 16 << 10) { (output) throws(TLSError) in
            try channel.read(into: &output)
        }
        readingWantsWrite = step == .wantsWrite
        return step
    }

    /// Whether what has come while nothing was asked for is TLS's own business, such as a ticket.
    func isStillQuiet() -> Bool {
        do throws(TLSError) { return try read() == .wantsRead } catch { return false }
    }

    /// A whole response, read from what has arrived.
    struct Response {
        let status: Int
        /// May the connection carry another request?
        let isKept: Bool
    }

    /// The response, once it is complete. `isEnd` says that nothing more will come. Its body is
    /// shown by `withAnswer`.
    func response(isEnd: Bool) throws(UpstreamError) -> Response? {
        guard let head = try responseHead() else {
            if isEnd { throw .closed }
            return nil
        }
        guard try readBody(head, isEnd: isEnd) else {
            if isEnd { throw .malformed("it ends before its body does") }
            return nil
        }
        // Bytes behind the response belong to no request, and an answer that came before the request
        // was sent leaves the rest of it: such a connection is not used again.
        let isKept = head.keepsAlive && input.isEmpty && isSent && !isEnd
        return Response(status: head.status, isKept: isKept)
    }

    func withAnswer<R>(_ body: (Span<UInt8>) -> R) -> R { answer.withSpan(body) }

    /// The head of the final response; interim ones are skipped (RFC 9110 section 15.2).
    private func responseHead() throws(UpstreamError) -> ResponseHead? {
        while response == nil {
            guard let head = try parsedHead() else { return nil }
            input.consume(head.length)
            if head.status >= 200 {
                response = head
                chunks = ChunkedDecoder()
            } else {
                interimCount += 1
                guard interimCount <= UpstreamConnection.interimMax else {
                    throw .malformed("there are too many interim answers before it")
                }
            }
        }
        return response
    }

    private func parsedHead() throws(UpstreamError) -> ResponseHead? {
        do throws(ResponseError) {
            return try input.withSpan { (bytes) throws(ResponseError) in
                try parser.parse(bytes, requestMethod: method)
            }
        } catch {
            throw .malformed(error.sentence)
        }
    }

    private func readBody(_ head: ResponseHead, isEnd: Bool) throws(UpstreamError) -> Bool {
        let bytesMax = UpstreamConnection.answerBytesMax
        switch head.body {
        case .none: return true
        case .length(let length):
            guard length <= bytesMax else { throw .tooLong }
            let count = min(input.count, length - answer.count)
            answer.append(input.span.extracting(0..<count))
            input.consume(count)
            return answer.count == length
        case .chunked:
            do throws(ChunkError) {
                let progress = try input.withSpan { (bytes) throws(ChunkError) in
                    try chunks.decode(bytes, into: &answer, bodyBytesMax: bytesMax)
                }
                input.consume(progress.consumed)
                return progress.isComplete
            } catch {
                throw .malformed(error.sentence)
            }
        case .untilClose:
            guard answer.count + input.count <= bytesMax else { throw .tooLong }
            answer.append(input.span)
            input.removeAll()
            return isEnd
        }
    }
}

/// Why a response cannot be had from a connection.
enum UpstreamError: Error {
    /// It ended before a byte of it came, or in the middle of its head.
    case closed
    /// What is wrong with it, for the log.
    case malformed(StaticString)

    static let tooLong = UpstreamError.malformed("it is longer than the answer to a push can be")
}
