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
    private var request = RequestFields()

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
        let head = try conclude(received)
        self = RequestParser(limits: limits)
        return head
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
            case .end: return true
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
        try request.take(
            name, fields.value, in: bytes, hasNonASCII: fields.valueHasNonASCII,
            isHTTP10: line.isHTTP10)
    }

    /// The rules that need the whole head.
    private func conclude(_ bytes: Span<UInt8>) throws(HeadError) -> RequestHead {
        var head = request.head
        head.body = try request.bodyFraming(isHTTP10: line.isHTTP10)
        guard head.host != nil || line.isHTTP10 else { throw .missingHost }
        try request.checkHost(against: line.authority, in: bytes)
        head.method = line.method
        head.path = line.path
        head.hasQuery = line.hasQuery
        head.isHTTP10 = line.isHTTP10
        head.keepsAlive = request.connection.keepsAlive(isHTTP10: line.isHTTP10)
        if head.body == .none || head.body == .length(0) { head.expectsContinue = false }
        head.length = fields.position
        return head
    }
}
