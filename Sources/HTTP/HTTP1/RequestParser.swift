internal import Bytes

/// Reads the heads of HTTP/1.1 requests (RFC 9112, RFC 9110), one after another, from bytes that
/// somebody else holds. There is one reading of every head or none: what two servers could
/// understand differently is refused.
///
/// Remembers how far it has looked, so a head that drips in costs as much as one that comes at once,
/// and says no at the first byte that is wrong.
package struct RequestParser: Sendable {
    private let limits: HeadLimits
    private var line: RequestLine
    private var fields: FieldSection
    private var head = RequestHead()
    private var seen = FieldNames()
    private var host = 0..<0
    private var framing = FramingFields()
    private var connection = ConnectionOptions()

    package init(limits: HeadLimits = HeadLimits()) {
        self.limits = limits
        line = RequestLine(targetBytesMax: limits.targetBytesMax)
        fields = FieldSection(from: 0, fieldsMax: limits.fieldsMax)
    }

    /// Reads on, and gives the head once its last byte is there; nil says that more bytes are needed.
    /// `bytes` begin with the first byte of the request in every call, and only grow. When a head
    /// was given, the parser is ready for the next request, whose bytes begin behind this one's
    /// body; when an error was thrown, it is of no more use.
    package mutating func parse(_ bytes: Span<UInt8>) throws(HeadError) -> RequestHead? {
        let received = bytes.extracting(first: limits.headBytesMax)
        guard try readLine(received), try readFields(received) else {
            guard bytes.count < limits.headBytesMax else { throw .headTooLarge }
            return nil
        }
        try conclude(received)
        let complete = head
        self = RequestParser(limits: limits)
        return complete
    }

    private mutating func readLine(_ bytes: Span<UInt8>) throws(HeadError) -> Bool {
        if line.isComplete { return true }
        guard try line.read(bytes) else { return false }
        fields = FieldSection(from: line.position, fieldsMax: limits.fieldsMax)
        return true
    }

    private mutating func readFields(_ bytes: Span<UInt8>) throws(HeadError) -> Bool {
        while true {
            let step: FieldSection.Step
            do throws(FieldError) {
                step = try fields.next(in: bytes)
            } catch {
                throw .field(error)
            }
            switch step {
            case .needsMore: return false
            case .field: try takeField(bytes)
            case .end:
                head.length = fields.position
                return true
            }
        }
    }

    /// Keeps what the field at hand says, if it is a known one.
    private mutating func takeField(_ bytes: Span<UInt8>) throws(HeadError) {
        let nameBytes = bytes.extracting(fields.name)
        guard let name = FieldName(nameBytes) else {
            guard !FieldName.imitatesFraming(nameBytes) else { throw .imitatedFraming }
            return
        }
        guard !fields.valueHasNonASCII else { throw .nonASCII(name) }
        let isFirst = seen.insert(name)
        guard isFirst || name.isList else { throw .repeated(name) }

        let value = bytes.trimmingBlanks(fields.value)
        switch name {
        case .accept: if isFirst { head.accept = value }
        case .authorization: head.authorization = value
        case .connection: connection.take(bytes.extracting(value))
        case .contentEncoding: head.contentEncoding = value
        case .contentType: head.contentType = value
        case .host:
            guard Authority.isWellFormed(bytes.extracting(value)) else { throw .badHost }
            host = value
        case .origin: head.hasOrigin = true
        case .expect: try takeExpectation(bytes.extracting(fields.value))
        case .contentLength, .transferEncoding:
            try takeFraming(name, bytes.extracting(fields.value))
        }
    }

    /// RFC 9110 section 10.1.1 defines this one expectation; a 1.0 client cannot mean it.
    private mutating func takeExpectation(_ value: Span<UInt8>) throws(HeadError) {
        guard value.extracting(value.trimmingSpaces).isEqualIgnoringCase(to: "100-continue") else {
            throw .unknownExpectation
        }
        head.expectsContinue = !line.isHTTP10
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

    /// The rules that need the whole head.
    private mutating func conclude(_ bytes: Span<UInt8>) throws(HeadError) {
        do throws(FramingError) {
            head.body = try framing.resolve(isHTTP10: line.isHTTP10)
        } catch {
            throw .framing(error)
        }
        guard seen.contains(.host) || line.isHTTP10 else { throw .missingHost }
        if let authority = line.authority {
            guard Authority.areEqual(bytes.extracting(authority), bytes.extracting(host))
            else { throw .hostMismatch }
        }
        if seen.contains(.host) { head.host = host }
        head.method = line.method
        head.path = line.path
        head.hasQuery = line.hasQuery
        head.isHTTP10 = line.isHTTP10
        head.keepsAlive = connection.keepsAlive(isHTTP10: line.isHTTP10)
        if head.body == .none || head.body == .length(0) { head.expectsContinue = false }
    }
}

extension FieldName {
    /// May come in several lines, which mean one list (RFC 9110 section 5.3).
    fileprivate var isList: Bool { self == .accept || self == .connection || self == .origin }
}
