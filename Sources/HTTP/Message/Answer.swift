/// What the gate answers, before its body: the same for every version of HTTP. All text in it is
/// the program's own, so no byte of a client's can split an answer.
package struct Answer: Sendable {
    package var status: Status
    /// Nil when the answer has no body.
    package var contentType: StaticString?
    /// The length of the body, which a HEAD request is told but not sent.
    package var contentLength: Int
    /// `WWW-Authenticate`, with 401 (RFC 9110 section 11.6.1).
    package var challenge: StaticString?
    /// `Allow`, with 405 (section 10.2.1).
    package var allow: StaticString?
    /// `Retry-After` in seconds, with 429 and 503 (section 10.2.3).
    package var retryAfterSeconds: Int?
    /// `Accept-Encoding`, with 415 (section 12.5.3).
    package var acceptEncoding: StaticString?

    package init(_ status: Status, contentType: StaticString? = nil, contentLength: Int = 0) {
        self.status = status
        self.contentType = contentType
        self.contentLength = contentLength
    }
}
