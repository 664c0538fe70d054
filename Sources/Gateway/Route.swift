import Bytes
import HTTP

/// Which requests exist at all. Everything else is 404, and nothing is ever redirected: a client that
/// followed would turn a PUT into a GET.
enum Route: Equatable {
    /// A push or a deletion; the path says of which group.
    case push
    /// Health and readiness, for everyone who may connect.
    case health(Question)
    /// The path exists, the method does not fit.
    case methodNotAllowed(allow: StaticString)
    case notFound

    /// Whether the gate is alive, or whether a push would get through.
    enum Question { case health, readiness }

    static func == (left: Route, right: Route) -> Bool {
        switch (left, right) {
        case (.push, .push), (.notFound, .notFound): true
        case (.health(let left), .health(let right)): left == right
        case (.methodNotAllowed(let left), .methodNotAllowed(let right)):
            left.span.isEqual(to: right)
        default: false
        }
    }

    init(_ method: Method, _ path: Span<UInt8>) {
        if path.hasPrefix("/metrics/job/") || path.hasPrefix("/metrics/job@base64/") {
            let isPush = method == .put || method == .post || method == .delete
            self = isPush ? .push : .methodNotAllowed(allow: "DELETE, POST, PUT")
        } else if let question = Route.question(path) {
            let isRead = method == .get || method == .head
            self = isRead ? .health(question) : .methodNotAllowed(allow: "GET, HEAD")
        } else {
            self = .notFound
        }
    }

    static func question(_ path: Span<UInt8>) -> Question? {
        if path.isEqual(to: "/-/healthy") || path.isEqual(to: "/healthz") { return .health }
        if path.isEqual(to: "/-/ready") || path.isEqual(to: "/readyz") { return .readiness }
        return nil
    }
}
