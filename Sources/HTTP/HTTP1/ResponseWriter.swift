package import Bytes

/// Writes the heads of HTTP/1.1 answers. Every line is the program's own text or a number, so nothing
/// that a client sent can end up in one.
package enum ResponseWriter {
    /// What the answer says about the connection (RFC 9112 section 9.3).
    package enum Persistence: Sendable {
        /// HTTP/1.1 keeps the connection without a word.
        case kept
        /// An HTTP/1.0 client asked to keep it and must be told that it is.
        case keptForHTTP10
        case closed
    }

    /// Appends status line, fields and empty line; the body is the caller's.
    /// - Parameters:
    ///   - date: the 29 bytes of `HTTPDate`.
    ///   - requestId: visible ASCII, made by the gate.
    package static func append(
        _ answer: Answer, persistence: Persistence, date: Span<UInt8>, requestId: Span<UInt8>,
        to buffer: inout ByteBuffer
    ) {
        assert(date.count == HTTPDate.length)
        assert(requestId.firstIndex(outside: ByteClass.token, from: 0) == requestId.count)
        buffer.reserve(512)  // All of the usual head: one look for room instead of twenty.
        buffer.append("HTTP/1.1 ")
        buffer.append(decimal: answer.status.code)
        buffer.append(" ")
        buffer.append(answer.status.reason)
        buffer.append("\r\nDate: ")
        buffer.append(date)
        if let contentType = answer.contentType {
            append("\r\nContent-Type: ", contentType, to: &buffer)
        }
        buffer.append("\r\nContent-Length: ")
        buffer.append(decimal: answer.contentLength)
        buffer.append("\r\nX-Request-Id: ")
        buffer.append(requestId)
        buffer.append("\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n")
        appendRareFields(answer, to: &buffer)
        switch persistence {
        case .kept: break
        case .keptForHTTP10: buffer.append("Connection: keep-alive\r\n")
        case .closed: buffer.append("Connection: close\r\n")
        }
        buffer.append("\r\n")
    }

    /// The interim answer that asks for the body (RFC 9110 section 15.2.1).
    package static func appendContinue(to buffer: inout ByteBuffer) {
        buffer.append("HTTP/1.1 100 Continue\r\n\r\n")
    }

    private static func appendRareFields(_ answer: Answer, to buffer: inout ByteBuffer) {
        if let challenge = answer.challenge {
            append("WWW-Authenticate: ", challenge, to: &buffer)
            buffer.append("\r\n")
        }
        if let allow = answer.allow {
            append("Allow: ", allow, to: &buffer)
            buffer.append("\r\n")
        }
        if let seconds = answer.retryAfterSeconds {
            buffer.append("Retry-After: ")
            buffer.append(decimal: max(0, seconds))
            buffer.append("\r\n")
        }
        if let acceptEncoding = answer.acceptEncoding {
            append("Accept-Encoding: ", acceptEncoding, to: &buffer)
            buffer.append("\r\n")
        }
    }

    private static func append(
        _ name: StaticString, _ value: StaticString, to buffer: inout ByteBuffer
    ) {
        buffer.append(name)
        buffer.append(value)
    }
}
