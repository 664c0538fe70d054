import Bytes
import HTTP

/// Reads the Pushgateway's responses, one after another, from what has arrived.
final class ResponseReader {
    /// What has arrived and belongs to no response yet.
    var input = ByteBuffer()
    /// The body of the response that is being read, or was read last.
    private(set) var answer = ByteBuffer()
    private var parser = ResponseParser()
    private var head: ResponseHead?
    private var chunks = ChunkedDecoder()
    private var interimCount = 0

    /// A push's answer is a line or two. More than this is not one.
    static let answerBytesMax = 64 << 10
    private static let interimMax = 8

    /// A whole response.
    struct Response {
        let status: Int
        /// May the connection carry more, as the response says?
        let keepsAlive: Bool
    }

    /// Nothing has arrived that was not read.
    var isEmpty: Bool { input.isEmpty }

    /// Has any byte of the response arrived?
    var hasBegun: Bool { !input.isEmpty || head != nil || interimCount > 0 }

    /// Makes ready for the next response.
    func reset() {
        head = nil
        interimCount = 0
        answer.removeAll()
    }

    /// The response, once it is complete. `isEnd` says that nothing more will come.
    func response(
        to method: Method, isEnd: Bool
    ) throws(UpstreamError) -> Response? {
        guard let head = try readHead(to: method) else {
            if isEnd { throw .closed }
            return nil
        }
        guard try readBody(head, isEnd: isEnd) else {
            if isEnd { throw .malformed("it ends before its body does") }
            return nil
        }
        return Response(status: head.status, keepsAlive: head.keepsAlive)
    }

    /// The head of the final response; interim ones are skipped (RFC 9110 section 15.2).
    private func readHead(to method: Method) throws(UpstreamError) -> ResponseHead? {
        while head == nil {
            guard let next = try parsedHead(to: method) else { return nil }
            input.consume(next.length)
            if next.status >= 200 {
                head = next
                chunks = ChunkedDecoder()
            } else {
                interimCount += 1
                guard interimCount <= ResponseReader.interimMax else {
                    throw .malformed("there are too many interim answers before it")
                }
            }
        }
        return head
    }

    private func parsedHead(to method: Method) throws(UpstreamError) -> ResponseHead? {
        do throws(ResponseError) {
            return try input.withSpan { (bytes) throws(ResponseError) in
                try parser.parse(bytes, requestMethod: method)
            }
        } catch {
            throw .malformed(error.sentence)
        }
    }

    private func readBody(
        _ head: ResponseHead, isEnd: Bool
    ) throws(UpstreamError) -> Bool {
        let bytesMax = ResponseReader.answerBytesMax
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
