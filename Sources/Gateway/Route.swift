import Bytes
import HTTP

/// Which requests exist at all. Everything else is 404, and nothing is ever redirected: a client that
/// followed would turn a PUT into a GET.
enum Route: Equatable {
    /// A push or a deletion; the path says of which group.
    case push
    /// Health and readiness, for everyone who may connect.
    case health
    /// The path exists, the method does not fit.
    case methodNotAllowed(allow: StaticString)
    case notFound

    static func == (left: Route, right: Route) -> Bool {
        switch (left, right) {
        case (.push, .push), (.health, .health), (.notFound, .notFound): true
        case (.methodNotAllowed(let left), .methodNotAllowed(let right)):
            left.span.isEqual(to: right)
        default: false
        }
    }

    init(_ method: Method, _ path: Span<UInt8>) {
        if path.hasPrefix("/metrics/job/") || path.hasPrefix("/metrics/job@base64/") {
            let isPush = method == .put || method == .post || method == .delete
            self = isPush ? .push : .methodNotAllowed(allow: "DELETE, POST, PUT")
        } else if Route.isHealth(path) {
            let isRead = method == .get || method == .head
            self = isRead ? .health : .methodNotAllowed(allow: "GET, HEAD")
        } else {
            self = .notFound
        }
    }

    private static func isHealth(_ path: Span<UInt8>) -> Bool {
        path.isEqual(to: "/-/healthy") || path.isEqual(to: "/healthz")
            || path.isEqual(to: "/-/ready")
            || path.isEqual(to: "/readyz")
    }
}
