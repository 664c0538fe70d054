internal import Bytes

/// How the end of a request's body is found.
package enum BodyFraming: Equatable, Sendable {
    /// No framing field: there is no body (RFC 9112 section 6.3 rule 7). Whether that will do is the
    /// caller's question.
    case none
    case length(Int)
    /// In pieces, the last of which says that it is: chunks, or in HTTP/2 frames.
    case chunked
}

/// The two fields that say where a body ends, and the only reading of them that cannot differ from
/// a neighbour's (RFC 9112 section 6). Section 6.3 lets a server repair some contradictions; nothing
/// is repaired here.
struct FramingFields: Sendable {
    private enum Coding { case none, chunked, unsupported }

    private(set) var contentLength: Int?
    private var coding = Coding.none

    var hasTransferEncoding: Bool { coding != .none }

    /// Takes a Content-Length: `0`, or digits that do not begin with 0 (RFC 9110 section 8.6). Not a
    /// list, even of equal members: whoever sends one has merged two messages' fields.
    mutating func take(contentLength value: Span<UInt8>) throws(FramingError) {
        let digits = value.extracting(value.trimmingSpaces)
        guard let length = digits.decimal, digits.count == 1 || digits[0] != UInt8(ascii: "0")
        else { throw .badContentLength }
        contentLength = length
    }

    /// Takes a Transfer-Encoding. `chunked` must be its last coding, and there once; any other coding
    /// is one that we do not know how to undo, which `resolve` says.
    mutating func take(transferEncoding value: Span<UInt8>) throws(FramingError) {
        guard value.firstIndex(of: ASCII.tab) == nil else { throw .badTransferEncoding }
        var start = 0
        var codings = 0
        while start <= value.count {
            let end = value.firstIndex(of: ASCII.comma, from: start) ?? value.count
            let element = value.extracting(start..<end)
            let name = element.extracting(element.trimmingSpaces)
            guard name.count > 0 else { throw .badTransferEncoding }
            guard coding != .chunked else { throw .badTransferEncoding }
            coding = name.isEqualIgnoringCase(to: "chunked") ? .chunked : .unsupported
            codings += 1
            start = end + 1
        }
        if codings > 1 { coding = .unsupported }
    }

    /// Decides, once all fields are in (section 6.3 rules 3 to 7).
    func resolve(isHTTP10: Bool) throws(FramingError) -> BodyFraming {
        if hasTransferEncoding {
            guard !isHTTP10 else { throw .transferEncodingInHTTP10 }
            guard contentLength == nil else { throw .lengthAndTransferEncoding }
            guard coding == .chunked else { throw .unsupportedTransferCoding }
            return .chunked
        }
        return contentLength.map { .length($0) } ?? .none
    }
}

/// What may be wrong with a message's framing. Each is one step of a smuggled request.
package enum FramingError: Error, Equatable, Sendable {
    case badContentLength
    case badTransferEncoding
    case unsupportedTransferCoding
    case lengthAndTransferEncoding
    case transferEncodingInHTTP10

    package var status: Status {
        self == .unsupportedTransferCoding ? .notImplemented : .badRequest
    }

    package var sentence: StaticString {
        switch self {
        case .badContentLength: "Content-Length is not a plain decimal number"
        case .badTransferEncoding: "Transfer-Encoding is not a well-formed list ending in chunked"
        case .unsupportedTransferCoding: "the only transfer coding supported is chunked"
        case .lengthAndTransferEncoding: "Content-Length and Transfer-Encoding stand together"
        case .transferEncodingInHTTP10: "HTTP/1.0 has no Transfer-Encoding"
        }
    }
}

extension Span where Element == UInt8 {
    /// All but the spaces at both ends. Fields that frame a message, or hold one back, know no HTAB:
    /// no client writes one there, and peers disagree about what it means.
    var trimmingSpaces: Range<Int> {
        var (lower, upper) = (0, count)
        while lower < upper, self[lower] == ASCII.space { lower &+= 1 }
        while lower < upper, self[upper &- 1] == ASCII.space { upper &-= 1 }
        return lower..<upper
    }
}
