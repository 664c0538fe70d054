import Bytes
import Catalogue
import HTTP

/// What the gate says to a request.
struct GateAnswer {
    let status: Int
    /// Its clock, in seconds since 1970; nil when it does not tell.
    let date: Int?
    /// The word that its log uses for a refusal; nil when it has accepted, or is no gate.
    let reason: String?
    /// What a person is told.
    let sentence: String

    private static let sentenceBytesMax = 500

    /// Nil while its body is not complete.
    init?(_ head: ResponseHead, _ bytes: Span<UInt8>) throws(GateClient.Failure) {
        let length: Int
        switch head.body {
        case .none: length = 0
        case .length(let count): length = count
        // The gate always says how long its answers are.
        case .chunked, .untilClose: throw .malformed
        }
        guard bytes.count - head.length >= length else { return nil }
        status = head.status
        date = AnswerFields.value(of: "date", in: bytes.extracting(0..<head.length)).flatMap {
            HTTPDate.secondsSince1970(bytes.extracting($0))
        }
        let body = bytes.extracting(head.length..<head.length + length)
        let problem = try? JSONValue(parsing: body)
        reason = problem?["reason"]?.text
        var shown = ByteBuffer()
        if let detail = problem?["detail"]?.text {
            let detail = Array(detail.utf8)
            shown.append(
                escaping: detail.span, bytesMax: GateAnswer.sentenceBytesMax, isQuoted: false)
        } else {
            let line = body.extracting(0..<(body.firstIndex(of: UInt8(ascii: "\n")) ?? body.count))
            shown.append(
                escaping: line, bytesMax: GateAnswer.sentenceBytesMax, isQuoted: false)
        }
        sentence = String(decoding: shown.span)
    }
}

/// The fields of a head that was found to be well-formed.
enum AnswerFields {
    /// Where the value of the first field of that name is.
    static func value(of name: StaticString, in head: Span<UInt8>) -> Range<Int>? {
        let length = name.utf8CodeUnitCount
        var start = 0
        while let end = head.firstIndex(of: UInt8(ascii: "\r"), from: start) {
            let colon = start + length
            if colon < end, head[colon] == UInt8(ascii: ":"),
                head.extracting(start..<colon).isEqualIgnoringCase(to: name)
            {
                return head.trimmingBlanks(colon + 1..<end)
            }
            start = min(end + 2, head.count)
        }
        return nil
    }
}
