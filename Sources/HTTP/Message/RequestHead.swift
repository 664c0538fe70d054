/// What a request says before its body: everything the gate decides by, and nothing else.
///
/// Holds no bytes. Every range counts from the first byte that was given to the parser, and is good
/// for as long as those bytes stay where they are.
package struct RequestHead: Equatable, Sendable {
    package var method = Method.other
    /// The path without the query, still percent-encoded: bytes of `pchar` and `/` only (RFC 3986
    /// section 3.3). `*` with `OPTIONS *`; empty with `https://host`; the authority with `CONNECT`.
    package var path = 0..<0
    package var hasQuery = false
    package var body = BodyFraming.none
    /// May another request follow on this connection?
    package var keepsAlive = true
    /// The client waits for `100 Continue` before it sends a body that is not empty.
    package var expectsContinue = false
    /// Field values without the blanks around them, ASCII only, without control characters except
    /// HTAB; nil when the field is absent. An empty range is a field without a value.
    package var authorization: Range<Int>?
    package var contentType: Range<Int>?
    package var contentEncoding: Range<Int>?
    /// The first `Accept`, should the client send several.
    package var accept: Range<Int>?
    /// The Host field: `host [":" port]`, well-formed. Only HTTP/1.0 may go without.
    package var host: Range<Int>?
    /// It comes from a web page (RFC 6454 section 7).
    package var hasOrigin = false
    /// How many bytes the head takes, with the empty line at its end: the body begins here.
    package var length = 0
    /// Such a client knows neither chunks nor `100 Continue`, and keeps the connection only when it
    /// says so.
    package var isHTTP10 = false

    package init() {}
}

/// How much of a head a client may send. Each bound holds for one request.
package struct HeadLimits: Equatable, Sendable {
    /// Start line, fields, the empty line, and empty lines before the request; also the trailer
    /// section of a chunked body by itself.
    package var headBytesMax: Int
    package var targetBytesMax: Int
    package var fieldsMax: Int

    package init(
        headBytesMax: Int = 8 << 10, targetBytesMax: Int = 4 << 10, fieldsMax: Int = 64
    ) {
        precondition(headBytesMax > 0 && targetBytesMax > 0 && fieldsMax > 0)
        self.headBytesMax = headBytesMax
        self.targetBytesMax = targetBytesMax
        self.fieldsMax = fieldsMax
    }
}
