internal import Bytes

/// The header section of one request as its fields come out of HPACK (RFC 9113 section 8.3), and the
/// head it makes. What the library has refused before, malformed names and the order of pseudo-header
/// fields among it, never comes here.
struct HeaderBlock: ~Copyable {
    private let limits: HeadLimits
    private var request = RequestFields()
    private var method = Method.other
    private var path = 0..<0
    private var hasQuery = false
    private var authority: Range<Int>?
    /// The values that matter, one behind the other.
    private var bytes = ByteBuffer()
    /// How large the section is, and how many fields it has.
    private var size = 0
    private var fields = 0
    /// The first thing that is wrong. What follows is counted and not looked at.
    private var error: HeadError?

    init(limits: HeadLimits) { self.limits = limits }

    /// - Parameter inbox: who lends a buffer, since most heads are there at once.
    mutating func begin(with inbox: FrameInbox) {
        beginCounting()
        if bytes.capacity == 0 { bytes = inbox.lendBuffer() }
        bytes.removeAll()
    }

    /// Begins a section of which nothing is kept.
    mutating func beginCounting() {
        request = RequestFields()
        (method, path, hasQuery, authority) = (.other, 0..<0, false, nil)
        (size, fields, error) = (0, 0, nil)
    }

    /// Counts a field. False when the section is so large that its end is not worth waiting for.
    mutating func count(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Bool {
        fields += 1
        size += name.count + value.count + 32
        if fields > limits.fieldsMax { complain(.field(.tooMany)) }
        if size > limits.headBytesMax { complain(.headTooLarge) }
        return fields <= HTTP2Limits.patience * limits.fieldsMax
            && size <= HTTP2Limits.patience * limits.headBytesMax
    }

    /// Takes a field. False when it is one too many by far.
    mutating func take(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Bool {
        guard count(name, value) else { return false }
        guard error == nil else { return true }
        do throws(HeadError) {
            try keep(name, value)
        } catch {
            complain(error)
        }
        return true
    }

    private mutating func complain(_ complaint: HeadError) { error = error ?? complaint }

    private mutating func keep(
        _ name: Span<UInt8>, _ value: Span<UInt8>
    ) throws(HeadError) {
        if name.count > 0, name[0] == ASCII.colon { return try keepPseudo(name, value) }
        guard let known = FieldName(name) else {
            guard !FieldName.imitatesFraming(name) else { throw .imitatedFraming }
            return
        }
        var hasNonASCII = false
        let end = value.firstIndexOutsideText(from: 0, sawNonASCII: &hasNonASCII)
        guard end == value.count else { throw .field(.controlInValue) }
        let place = place(of: value)
        var request = self.request
        try request.take(
            known, place, in: bytes.span, hasNonASCII: hasNonASCII, isHTTP10: false)
        self.request = request
    }

    private mutating func keepPseudo(
        _ name: Span<UInt8>, _ value: Span<UInt8>
    ) throws(HeadError) {
        if name.isEqual(to: ":path") {
            try keepPath(value)
        } else if name.isEqual(to: ":method") {
            let isToken = value.firstIndex(outside: ByteClass.token, from: 0) == value.count
            guard isToken, value.count > 0, value.count <= RequestLine.methodBytesMax else {
                throw .badMethod
            }
            method = Method(token: value)
        } else if name.isEqual(to: ":scheme") {
            guard value.isEqualIgnoringCase(to: "https") || value.isEqualIgnoringCase(to: "http")
            else { throw .badTarget }
        } else if name.isEqual(to: ":authority") {
            guard Authority.isWellFormed(value) else { throw .badHost }
            authority = place(of: value)
        }
    }

    /// The path and the query of section 8.3.1, as the request line of HTTP/1.1 has them.
    private mutating func keepPath(_ value: Span<UInt8>) throws(HeadError) {
        guard value.count <= limits.targetBytesMax else { throw .targetTooLong }
        guard value.count > 0, value[0] == ASCII.slash || value.isEqual(to: "*") else {
            throw .badTarget
        }
        let pathEnd = value.firstIndex(outside: ByteClass.path, from: 0)
        hasQuery = pathEnd < value.count && value[pathEnd] == ASCII.question
        let end = hasQuery ? value.firstIndex(outside: ByteClass.query, from: pathEnd) : pathEnd
        guard end == value.count else {
            throw value[end] == ASCII.hash ? .fragmentInTarget : .badTarget
        }
        path = place(of: value.extracting(0..<pathEnd))
    }

    /// Keeps a value, and says where.
    private mutating func place(of value: Span<UInt8>) -> Range<Int> {
        let start = bytes.count
        bytes.append(value)
        return start..<bytes.count
    }

    /// The rules that need the whole section.
    /// - Parameter endsStream: no body follows.
    func conclude(endsStream: Bool) throws(HeadError) -> RequestHead {
        if let error { throw error }
        var head = request.head
        if head.host == nil {
            guard authority != nil else { throw .missingHost }
            head.host = authority
        } else {
            try request.checkHost(against: authority, in: bytes.span)
        }
        head.method = method
        head.path = path
        head.hasQuery = hasQuery
        head.body = bodyFraming(endsStream: endsStream)
        if endsStream { head.expectsContinue = false }
        return head
    }

    /// Hands over what the head's ranges lie in. Nil when nobody can take any more of that.
    mutating func moveBytes(to inbox: FrameInbox) -> Range<Int>? {
        inbox.keep(exchange(&bytes, with: ByteBuffer()))
    }

    /// The stream says where the body ends (section 8.1), whether a length was declared or not; where
    /// one was, the library compares. A request with neither has no body, and is told so where it needs one:
    /// whoever has forgotten the body does not mean to delete a group.
    private func bodyFraming(endsStream: Bool) -> BodyFraming {
        if let length = request.contentLength { return .length(length) }
        return endsStream ? .none : .chunked
    }
}
