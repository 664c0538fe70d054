import Bytes
import Configuration
import HTTP

/// How the bytes of one connection are requests of HTTP/1.1, one strictly after another.
///
/// This is the seam of the protocols: it turns bytes into a head and into pieces of a body, and an
/// answer into bytes. What a request means, and what becomes of it, is decided in `Passage`.
struct HTTP1Session: ~Copyable {
    /// A head of which a part has come. Most come whole, so that a connection between two requests
    /// holds no parser.
    private var unfinished: UnfinishedHead?
    /// How much of a body of known length is still to come.
    private(set) var bodyBytesLeft = 0
    private var isChunked = false
    /// Has the last byte of the body been taken?
    private(set) var isBodyComplete = false
    private(set) var requestCount: UInt32 = 0

    /// The head at the front of `input`, once it is all there. It stays there, for its ranges to be
    /// read, until it is consumed.
    /// - Parameter limits: of a head that begins; one that has begun keeps those it began with.
    mutating func head(
        in input: Span<UInt8>, _ limits: Limits
    ) throws(HeadError) -> RequestHead? {
        guard let head = try parse(input, limits) else { return nil }
        requestCount += 1
        isBodyComplete = head.body == .none || head.body == .length(0)
        switch head.body {
        case .none: (bodyBytesLeft, isChunked) = (0, false)
        case .length(let length): (bodyBytesLeft, isChunked) = (length, false)
        case .chunked: (bodyBytesLeft, isChunked) = (0, true)
        }
        return head
    }

    private mutating func parse(
        _ input: Span<UInt8>, _ limits: Limits
    ) throws(HeadError) -> RequestHead? {
        if let unfinished {
            let head = try unfinished.parser.parse(input)
            if head != nil { self.unfinished = nil }
            return head
        }
        var parser = RequestParser(limits: HeadLimits(limits))
        let head = try parser.parse(input)
        if head == nil { unfinished = UnfinishedHead(parser) }
        return head
    }

    /// May the body be read from the connection straight into its place, past `input`?
    var takesBodyDirectly: Bool { !isChunked && bodyBytesLeft > 0 }

    /// Counts bytes that were read straight into the body.
    mutating func tookBody(_ count: Int) {
        bodyBytesLeft -= min(count, bodyBytesLeft)
        isBodyComplete = bodyBytesLeft == 0
    }

    /// Moves what `input` holds of the body to where it belongs. True when the body is complete.
    mutating func moveBody(
        from input: inout ByteBuffer, to body: inout ByteBuffer, _ chunks: inout ChunkedDecoder,
        bodyBytesMax: Int
    ) throws(ChunkError) -> Bool {
        if isChunked {
            let progress = try chunks.decode(input.span, into: &body, bodyBytesMax: bodyBytesMax)
            input.consume(progress.consumed)
            isBodyComplete = progress.isComplete
            return isBodyComplete
        }
        let count = min(input.count, bodyBytesLeft)
        body.append(input.span.extracting(0..<count))
        input.consume(count)
        tookBody(count)
        return isBodyComplete
    }

    /// Drops a body that nobody will look at, when all of it has come with the head. False when it
    /// has not: then the connection cannot be used again.
    mutating func dropBody(from input: inout ByteBuffer) -> Bool {
        guard !isBodyComplete else { return true }
        guard !isChunked, bodyBytesLeft <= input.count else { return false }
        input.consume(bodyBytesLeft)
        tookBody(bodyBytesLeft)
        return true
    }

    /// Writes an answer as HTTP/1.1 does.
    func append(
        _ answer: Answer, of exchange: Exchange, body: Span<UInt8>, date: Span<UInt8>,
        requestID: Span<UInt8>, to output: inout ByteBuffer
    ) {
        let persistence: ResponseWriter.Persistence =
            !exchange.isKept ? .closed : exchange.isHTTP10 ? .keptForHTTP10 : .kept
        ResponseWriter.append(
            answer, persistence: persistence, date: date, requestId: requestID, to: &output)
        if exchange.method != .head { output.append(body) }
    }
}

/// Has a place of its own, which only such a head takes.
private final class UnfinishedHead {
    var parser: RequestParser

    init(_ parser: RequestParser) { self.parser = parser }
}

extension HeadLimits {
    init(_ limits: Limits) {
        self.init(
            headBytesMax: limits.headBytesMax, targetBytesMax: limits.targetBytesMax,
            fieldsMax: limits.headerFieldsMax)
    }
}
