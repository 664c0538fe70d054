import Bytes
import HTTP

/// Everything a connection said and how it was understood, for bytes that arrive in pieces.
struct Transcript: Equatable {
    struct Request: Equatable {
        var head: RequestHead
        var path: String
        var body: [UInt8]
    }

    enum Refusal: Equatable {
        case head(HeadError)
        case chunk(ChunkError)

        var status: Status {
            switch self {
            case .head(let error): error.status
            case .chunk(let error): error.status
            }
        }
    }

    var requests: [Request] = []
    var refusal: Refusal?
    /// Bytes that belong to complete requests, or to the part of a body that was taken.
    var consumed = 0
    /// No request is half read.
    var isIdle = true
}

/// Reads `bytes` as a connection would that gets them in pieces, each ending where `ends` says, and
/// the rest in the last. Stops at a refusal, and behind a request that ends the connection.
func converse(
    _ bytes: [UInt8], ends: [Int] = [], limits: HeadLimits = HeadLimits(),
    bodyBytesMax: Int = 4 << 20
) -> Transcript {
    var conversation = Conversation(limits: limits, bodyBytesMax: bodyBytesMax)
    for end in ends + [bytes.count] {
        conversation.receive(bytes.span.extracting(0..<end))
    }
    return conversation.transcript
}

/// Every byte in a piece of its own.
func converseByBytes(_ bytes: [UInt8]) -> Transcript {
    converse(bytes, ends: Array(0..<bytes.count))
}

private struct Conversation: ~Copyable {
    private enum Phase { case head, length(Int), chunked, over }

    private(set) var transcript = Transcript()
    private var parser: RequestParser
    private var decoder = ChunkedDecoder()
    private var body = ByteBuffer()
    private var phase = Phase.head
    private let limits: HeadLimits
    private let bodyBytesMax: Int

    init(limits: HeadLimits, bodyBytesMax: Int) {
        self.limits = limits
        self.bodyBytesMax = bodyBytesMax
        parser = RequestParser(limits: limits)
    }

    mutating func receive(_ bytes: Span<UInt8>) {
        while step(bytes.extracting(transcript.consumed..<bytes.count)) {}
    }

    /// True when it is worth asking again.
    private mutating func step(_ bytes: Span<UInt8>) -> Bool {
        switch phase {
        case .head: return readHead(bytes)
        case .length(let length):
            guard bytes.count >= length else { return false }
            body.append(bytes.extracting(0..<length))
            transcript.consumed += length
            finishRequest()
            return true
        case .chunked: return readChunks(bytes)
        case .over: return false
        }
    }

    private mutating func readHead(_ bytes: Span<UInt8>) -> Bool {
        do throws(HeadError) {
            transcript.isIdle = bytes.count == 0
            guard let head = try parser.parse(bytes) else { return false }
            transcript.isIdle = false
            let path = String(decoding: bytes.extracting(head.path))
            transcript.requests.append(.init(head: head, path: path, body: []))
            transcript.consumed += head.length
            switch head.body {
            case .none: finishRequest()
            case .length(let length): phase = .length(length)
            case .chunked:
                decoder = ChunkedDecoder(limits: limits)
                phase = .chunked
            }
            return true
        } catch {
            transcript.refusal = .head(error)
            phase = .over
            return false
        }
    }

    private mutating func readChunks(_ bytes: Span<UInt8>) -> Bool {
        do throws(ChunkError) {
            let progress = try decoder.decode(bytes, into: &body, bodyBytesMax: bodyBytesMax)
            transcript.consumed += progress.consumed
            if progress.isComplete { finishRequest() }
            return progress.isComplete
        } catch {
            transcript.refusal = .chunk(error)
            // Where in a piece the bad byte stood is not part of the verdict.
            transcript.consumed = 0
            phase = .over
            return false
        }
    }

    private mutating func finishRequest() {
        let last = transcript.requests.count - 1
        transcript.requests[last].body = bytes(of: body.span)
        body.removeAll()
        transcript.isIdle = true
        phase = transcript.requests[last].head.keepsAlive ? .head : .over
    }
}

func bytes(of span: Span<UInt8>) -> [UInt8] { span.indices.map { span[$0] } }

/// The text of a head with one Host, for tables that vary a line or two.
func head(_ requestLine: String = "POST /metrics/job/x HTTP/1.1", _ fields: String...) -> [UInt8] {
    Array(
        (([requestLine, "Host: gate.example"] + fields).joined(separator: "\r\n") + "\r\n\r\n").utf8
    )
}

func headError(_ bytes: [UInt8], limits: HeadLimits = HeadLimits()) -> HeadError? {
    var parser = RequestParser(limits: limits)
    do throws(HeadError) {
        _ = try parser.parse(bytes.span)
        return nil
    } catch {
        return error
    }
}

func parsedHead(_ bytes: [UInt8]) throws -> RequestHead? {
    var parser = RequestParser()
    return try parser.parse(bytes.span)
}

/// The same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
