internal import Bytes

/// What the Pushgateway answers before the body: as much of it as decides what happens next. Its
/// fields are checked and not kept, so none can reach a client.
package struct ResponseHead: Equatable, Sendable {
    /// How the end of the body is found (RFC 9112 section 6.3).
    package enum Body: Equatable, Sendable {
        case none
        case length(Int)
        case chunked
        /// Everything until the connection ends: whether it is complete cannot be known.
        case untilClose
    }

    /// 100 to 599. After 1xx another head follows, with the final status.
    package var status: Int
    package var body: Body
    /// May another request be sent on this connection? Never with a body `untilClose`.
    package var keepsAlive: Bool
    /// Bytes of the head including the empty line.
    package var length: Int

    package init(status: Int, body: Body, keepsAlive: Bool, length: Int) {
        self.status = status
        self.body = body
        self.keepsAlive = keepsAlive
        self.length = length
    }
}

/// Reads the heads of answers to our own requests, as strictly as those of the clients: an upstream
/// that answers nonsense must not be able to shift the answers of others (RFC 9112 section 6.3).
package struct ResponseParser: Sendable {
    package static let headBytesMax = 16 << 10
    package static let fieldsMax = 100

    private var status: Int?
    private var isHTTP10 = false
    private var fields = FieldSection(
        from: ResponseParser.statusLineBytesMin, fieldsMax: ResponseParser.fieldsMax)
    /// First byte of the reason phrase not yet judged.
    private var position = ResponseParser.statusLineBytesMin
    private var seen = FieldNames()
    private var framing = FramingFields()
    private var connection = ConnectionOptions()

    /// `HTTP/1.1 200 `: what every status line begins with.
    private static let statusLineBytesMin = 13

    package init() {}

    /// Reads on, and gives the head once it is complete; nil says that more bytes are needed. `bytes`
    /// begin with the first byte of the head in every call, and only grow. When a head was given the
    /// parser is ready for the next one; after an error the connection is to be closed.
    package mutating func parse(
        _ bytes: Span<UInt8>, requestMethod: Method
    ) throws(ResponseError) -> ResponseHead? {
        let received = bytes.extracting(first: ResponseParser.headBytesMax)
        guard try readStatusLine(received), try readFields(received) else {
            guard bytes.count < ResponseParser.headBytesMax else { throw .headTooLarge }
            return nil
        }
        let head = try conclude(requestMethod: requestMethod)
        self = ResponseParser()
        return head
    }

    /// RFC 9112 section 4: `HTTP/1.1 SP 3DIGIT SP [ reason-phrase ] CR LF`.
    private mutating func readStatusLine(_ bytes: Span<UInt8>) throws(ResponseError) -> Bool {
        if status != nil { return true }
        let template: StaticString = "HTTP/1.1 200 "
        let known = min(bytes.count, template.span.count)
        for index in 0..<known where !isPossible(bytes[index], at: index) {
            throw .badStatusLine
        }
        guard known == template.span.count else { return false }

        var sawNonASCII = false
        position = bytes.firstIndexOutsideText(from: position, sawNonASCII: &sawNonASCII)
        guard position < bytes.count else { return false }
        guard bytes[position] == ASCII.carriageReturn else { throw .badStatusLine }
        guard position + 1 < bytes.count else { return false }
        guard bytes[position + 1] == ASCII.lineFeed else { throw .badStatusLine }

        isHTTP10 = bytes[7] == UInt8(ascii: "0")
        status = bytes.extracting(9..<12).decimal
        fields = FieldSection(from: position + 2, fieldsMax: ResponseParser.fieldsMax)
        return true
    }

    /// Can this byte stand here in a status line of HTTP/1.0 or 1.1 with a status from 100 to 599?
    private func isPossible(_ byte: UInt8, at index: Int) -> Bool {
        let template: StaticString = "HTTP/1.1 200 "
        return switch index {
        case 7: byte == UInt8(ascii: "0") || byte == UInt8(ascii: "1")
        case 9: byte >= UInt8(ascii: "1") && byte <= UInt8(ascii: "5")
        case 10, 11: byte.isDigit
        default: byte == template.span[index]
        }
    }

    private mutating func readFields(_ bytes: Span<UInt8>) throws(ResponseError) -> Bool {
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

    private mutating func takeField(_ bytes: Span<UInt8>) throws(ResponseError) {
        guard let name = FieldName(bytes.extracting(fields.name)) else { return }
        switch name {
        case .connection:
            connection.take(bytes.extracting(bytes.trimmingBlanks(fields.value)))
        case .contentLength, .transferEncoding:
            guard seen.insert(name) else { throw .repeated(name) }
            try takeFraming(name, bytes.extracting(fields.value))
        case .accept, .authorization, .contentEncoding, .contentType, .expect, .host, .origin: break
        }
    }

    private mutating func takeFraming(
        _ name: FieldName, _ value: Span<UInt8>
    ) throws(ResponseError) {
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

    /// RFC 9112 section 6.3, in the order of its rules.
    private func conclude(requestMethod: Method) throws(ResponseError) -> ResponseHead {
        guard let status else { throw .badStatusLine }
        // We never ask for another protocol, so an upgrade cannot be meant for us.
        guard status != 101 else { throw .protocolSwitched }
        let declared: BodyFraming
        do throws(FramingError) {
            declared = try framing.resolve(isHTTP10: isHTTP10)
        } catch {
            throw .framing(error)
        }

        let hasNoContent = status < 200 || status == 204
        if hasNoContent, declared != .none, declared != .length(0) { throw .bodyNotAllowed }
        let body: ResponseHead.Body =
            if hasNoContent || status == 304 || requestMethod == .head {
                .none
            } else {
                switch declared {
                case .none: .untilClose
                case .length(let length): .length(length)
                case .chunked: .chunked
                }
            }
        return ResponseHead(
            status: status, body: body,
            keepsAlive: connection.keepsAlive(isHTTP10: isHTTP10) && body != .untilClose,
            length: fields.position)
    }
}

/// Why the Pushgateway's answer cannot be believed. The connection to it is closed.
package enum ResponseError: Error, Equatable, Sendable {
    /// Not `HTTP/1.1 200 OK`, with a version 1.x and a status from 100 to 599.
    case badStatusLine
    case headTooLarge
    case field(FieldError)
    case repeated(FieldName)
    case framing(FramingError)
    /// A body with 1xx or 204 (RFC 9110 sections 8.6 and 15.3.5): the bytes behind it are a riddle.
    case bodyNotAllowed
    /// 101, which nobody asked for.
    case protocolSwitched

    /// For the log; a client is only told that the Pushgateway's answer was not understood.
    package var sentence: StaticString {
        switch self {
        case .badStatusLine: "the status line is malformed"
        case .headTooLarge: "the header section is too large"
        case .field(let error): error.sentence
        case .repeated(let name): name.repeatedSentence
        case .framing(let error): error.sentence
        case .bodyNotAllowed: "a body is announced with a status that cannot have one"
        case .protocolSwitched: "101 Switching Protocols came unasked"
        }
    }
}
