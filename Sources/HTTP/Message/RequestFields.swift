internal import Bytes

/// What the fields of a request say, one after another and then all together, whatever version of HTTP
/// they were sent by.
struct RequestFields: Sendable {
    private(set) var head = RequestHead()
    private var seen = FieldNames()
    private var framing = FramingFields()
    private(set) var connection = ConnectionOptions()

    /// Takes a field that is known; its value lies in `bytes` with the blanks around it.
    mutating func take(
        _ name: FieldName, _ place: Range<Int>, in bytes: Span<UInt8>, hasNonASCII: Bool,
        isHTTP10: Bool
    ) throws(HeadError) {
        guard !hasNonASCII else { throw .nonASCII(name) }
        let isFirst = seen.insert(name)
        guard isFirst || name.isList else { throw .repeated(name) }

        let value = bytes.trimmingBlanks(place)
        switch name {
        case .accept: if isFirst { head.accept = value }
        case .authorization: head.authorization = value
        case .connection: connection.take(bytes.extracting(value))
        case .contentEncoding: head.contentEncoding = value
        case .contentType: head.contentType = value
        case .host:
            guard Authority.isWellFormed(bytes.extracting(value)) else { throw .badHost }
            head.host = value
        case .origin: head.hasOrigin = true
        case .expect: try takeExpectation(bytes.extracting(place), isHTTP10: isHTTP10)
        case .contentLength, .transferEncoding: try takeFraming(name, bytes.extracting(place))
        }
    }

    /// RFC 9110 section 10.1.1 defines this one expectation; a 1.0 client cannot mean it.
    private mutating func takeExpectation(
        _ value: Span<UInt8>, isHTTP10: Bool
    ) throws(HeadError) {
        guard value.extracting(value.trimmingSpaces).isEqualIgnoringCase(to: "100-continue") else {
            throw .unknownExpectation
        }
        head.expectsContinue = !isHTTP10
    }

    private mutating func takeFraming(
        _ name: FieldName, _ value: Span<UInt8>
    ) throws(HeadError) {
        do throws(FramingError) {
            if name == .contentLength {
                try framing.take(contentLength: value)
            } else {
                try framing.take(transferEncoding: value)
            }
        } catch {
            throw .framing(error)
        }
    }

    /// How the body's end is found in HTTP/1.
    func bodyFraming(isHTTP10: Bool) throws(HeadError) -> BodyFraming {
        do throws(FramingError) {
            return try framing.resolve(isHTTP10: isHTTP10)
        } catch {
            throw .framing(error)
        }
    }

    /// The length that was declared.
    var contentLength: Int? { framing.contentLength }

    /// The rule that needs the host of the target: it is the one of the Host field (RFC 9112 section
    /// 3.2.2, RFC 9113 section 8.3.1).
    func checkHost(against authority: Range<Int>?, in bytes: Span<UInt8>) throws(HeadError) {
        guard let authority else { return }
        guard let host = head.host,
            Authority.areEqual(bytes.extracting(authority), bytes.extracting(host))
        else { throw .hostMismatch }
    }
}

extension FieldName {
    /// May come in several lines, which mean one list (RFC 9110 section 5.3).
    fileprivate var isList: Bool { self == .accept || self == .connection || self == .origin }
}
