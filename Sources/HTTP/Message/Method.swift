internal import Bytes

/// What a request asks for (RFC 9110 section 9). Methods are case-sensitive: `get` is `other`.
package enum Method: UInt8, Sendable {
    case get, head, post, put, delete, options, patch, connect, trace
    /// A valid token that is none of the above.
    case other

    /// Tells the methods apart by length, then by comparing. The caller has proven that `token` is
    /// a token; anything unknown is `other`.
    package init(token: Span<UInt8>) {
        self = .other
        switch token.count {
        case 3:
            if token.isEqual(to: "PUT") { self = .put }
            if token.isEqual(to: "GET") { self = .get }
        case 4:
            if token.isEqual(to: "POST") { self = .post }
            if token.isEqual(to: "HEAD") { self = .head }
        case 5:
            if token.isEqual(to: "PATCH") { self = .patch }
            if token.isEqual(to: "TRACE") { self = .trace }
        case 6: if token.isEqual(to: "DELETE") { self = .delete }
        case 7:
            if token.isEqual(to: "OPTIONS") { self = .options }
            if token.isEqual(to: "CONNECT") { self = .connect }
        default: break
        }
    }

    /// The method as it is written on the wire, in logs and as a metric label. `OTHER` stands for
    /// every unknown one, so that a client cannot make up labels.
    package var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .connect: "CONNECT"
        case .trace: "TRACE"
        case .other: "OTHER"
        }
    }
}
