internal import Bytes

/// The header section of one request as its fields come out of HPACK (RFC 9113 section 8.3), and the
/// head it makes. What the library has refused before, malformed names and the order of pseudo-header
/// fields among it, never comes here.
struct HeaderBlock {
    private let limits: HeadLimits
    private var request = RequestFields()
    private var method = Method.other
    private var path = 0..<0
    private var hasQuery = false
    private var authority: Range<Int>?
    /// Where the head's bytes begin in the inbox.
    private(set) var start = 0
    private var bytes = 0
    private var fields = 0
    /// The first thing that is wrong. What follows is counted and not looked at.
    private var error: HeadError?

    init(limits: HeadLimits) { self.limits = limits }

    mutating func begin(at start: Int) {
        self = HeaderBlock(limits: limits)
        self.start = start
    }

    /// Counts a field. False when the section is so large that its end is not worth waiting for.
    mutating func count(_ name: Span<UInt8>, _ value: Span<UInt8>) -> Bool {
        fields += 1
        bytes += name.count + value.count + 32
        if fields > limits.fieldsMax { complain(.field(.tooMany)) }
        if bytes > limits.headBytesMax { complain(.headTooLarge) }
        return fields <= HTTP2Limits.patience * limits.fieldsMax
            && bytes <= HTTP2Limits.patience * limits.headBytesMax
    }

    /// Takes a field. False when it is one too many by far.
    mutating func take(
        _ name: Span<UInt8>, _ value: Span<UInt8>, into inbox: FrameInbox
    ) -> Bool {
        guard count(name, value) else { return false }
        guard error == nil else { return true }
        do throws(HeadError) {
            return try keep(name, value, in: inbox)
        } catch {
            complain(error)
            return true
        }
    }

    private mutating func complain(_ complaint: HeadError) { error = error ?? complaint }

    private mutating func keep(
        _ name: Span<UInt8>, _ value: Span<UInt8>, in inbox: FrameInbox
    ) throws(HeadError) -> Bool {
        if name.count > 0, name[0] == ASCII.colon { return try keepPseudo(name, value, in: inbox) }
        guard let known = FieldName(name) else {
            guard !FieldName.imitatesFraming(name) else { throw .imitatedFraming }
            return true
        }
        var hasNonASCII = false
        let end = value.firstIndexOutsideText(from: 0, sawNonASCII: &hasNonASCII)
        guard end == value.count else { throw .field(.controlInValue) }
        guard let place = place(of: value, in: inbox) else { return false }
        try inbox.heads.withSpan { (bytes) throws(HeadError) in
            try request.take(
                known, place, in: bytes.extracting(start..<bytes.count),
                hasNonASCII: hasNonASCII, isHTTP10: false)
        }
        return true
    }

    private mutating func keepPseudo(
        _ name: Span<UInt8>, _ value: Span<UInt8>, in inbox: FrameInbox
    ) throws(HeadError) -> Bool {
        if name.isEqual(to: ":path") { return try keepPath(value, in: inbox) }
        if name.isEqual(to: ":method") {
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
            authority = place(of: value, in: inbox)
            return authority != nil
        }
        return true
    }

    /// The path and the query of section 8.3.1, as the request line of HTTP/1.1 has them.
    private mutating func keepPath(
        _ value: Span<UInt8>, in inbox: FrameInbox
    ) throws(HeadError) -> Bool {
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
        guard let place = place(of: value.extracting(0..<pathEnd), in: inbox) else { return false }
        path = place
        return true
    }

    /// Keeps a value, and says where, counted from the start of this head.
    private func place(of value: Span<UInt8>, in inbox: FrameInbox) -> Range<Int>? {
        inbox.keep(value).map { $0.lowerBound - start..<$0.upperBound - start }
    }

    /// The rules that need the whole section.
    /// - Parameter endsStream: no body follows.
    func conclude(endsStream: Bool, in inbox: FrameInbox) throws(HeadError) -> RequestHead {
        if let error { throw error }
        var head = request.head
        try inbox.heads.withSpan { (bytes) throws(HeadError) in
            let bytes = bytes.extracting(start..<bytes.count)
            guard head.host == nil else {
                return try request.checkHost(against: authority, in: bytes)
            }
            guard authority != nil else { throw .missingHost }
        }
        head.host = head.host ?? authority
        head.method = method
        head.path = path
        head.hasQuery = hasQuery
        head.body = bodyFraming(endsStream: endsStream)
        if endsStream { head.expectsContinue = false }
        return head
    }

    /// The stream says where the body ends (section 8.1), whether a length was declared or not; where
    /// one was, the library compares.
    private func bodyFraming(endsStream: Bool) -> BodyFraming {
        if let length = request.contentLength { return .length(length) }
        guard endsStream else { return .chunked }
        return method == .post || method == .put ? .length(0) : .none
    }
}
