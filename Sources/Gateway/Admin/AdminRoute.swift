import Bytes
import HTTP

/// What a request to the admin listener asks for.
enum AdminRoute {
    case metrics
    case health(Route.Question)
    /// As JSON, or for a person who says so.
    case status(asScreen: Bool)
    case reload
    case methodNotAllowed(allow: StaticString)
    case notFound
    /// What it asks for is not for everybody who can connect.
    case forbidden(StaticString)

    /// - Parameter isLocal: whether only this machine can connect.
    init(_ head: RequestHead, _ bytes: Span<UInt8>, isLocal: Bool) {
        let path = bytes.extracting(head.path)
        let isRead = head.method == .get || head.method == .head
        let read: StaticString = "GET, HEAD"
        if path.isEqual(to: "/metrics") {
            self = isRead ? .metrics : .methodNotAllowed(allow: read)
        } else if let question = Route.question(path) {
            self = isRead ? .health(question) : .methodNotAllowed(allow: read)
        } else if path.isEqual(to: "/-/status") {
            self = isRead ? .status(of: head, bytes, isLocal) : .methodNotAllowed(allow: read)
        } else if path.isEqual(to: "/-/reload") {
            let isWrite = head.method == .post || head.method == .put
            self =
                isWrite ? .reload(of: head, bytes, isLocal) : .methodNotAllowed(allow: "POST, PUT")
        } else {
            self = .notFound
        }
    }

    private static func status(
        of head: RequestHead, _ bytes: Span<UInt8>, _ isLocal: Bool
    ) -> AdminRoute {
        if let sentence = objection(to: head, bytes, isLocal) { return .forbidden(sentence) }
        let asScreen = head.accept.map { bytes.extracting($0).isEqual(to: "text/plain") }
        return .status(asScreen: asScreen ?? false)
    }

    private static func reload(
        of head: RequestHead, _ bytes: Span<UInt8>, _ isLocal: Bool
    ) -> AdminRoute {
        if let sentence = objection(to: head, bytes, isLocal) { return .forbidden(sentence) }
        return .reload
    }

    /// A web page must not be able to ask for it through the browser of somebody on this machine: it would
    /// come with an Origin, or, after the page's name was made to mean this machine, with that name.
    private static func objection(
        to head: RequestHead, _ bytes: Span<UInt8>, _ isLocal: Bool
    ) -> StaticString? {
        guard isLocal else {
            return "this is told only where admin.listen is an address of this machine alone"
        }
        if head.hasOrigin { return "a web page may not ask for this" }
        guard head.host.map({ isLoopback(bytes.extracting($0)) }) ?? true else {
            return "ask for it by the name localhost, or by a loopback address"
        }
        return nil
    }

    /// `localhost`, 127.0.0.0/8 or `[::1]`, with any port. The parser has proven that it is a host.
    private static func isLoopback(_ host: Span<UInt8>) -> Bool {
        var end = host.count
        if host[0] == UInt8(ascii: "[") {
            guard let bracket = host.firstIndex(of: UInt8(ascii: "]")) else { return false }
            return IPAddress(String(decoding: host.extracting(1..<bracket)))?.isLoopback ?? false
        }
        if let colon = host.firstIndex(of: UInt8(ascii: ":")) { end = colon }
        let name = host.extracting(0..<end)
        if name.isEqualIgnoringCase(to: "localhost") { return true }
        return IPAddress(String(decoding: name))?.isLoopback ?? false
    }
}
