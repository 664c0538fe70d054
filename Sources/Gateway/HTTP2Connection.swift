import Bytes
import HTTP
import Reactor

/// What a client of HTTP/2 has under way: many requests on one connection, each an exchange of its own.
/// `HTTP2Session` knows the frames; this knows whose they are, and what is waited for.
final class HTTP2Connection {
    let session: HTTP2Session
    private(set) var exchanges: [Exchange] = []
    /// Streams whose answer is sent while their body still comes, and how long they may go on.
    private var lingering: [(stream: UInt32, until: Instant)] = []

    /// The peer sends nothing more.
    var hasPeerEnded = false
    /// It was told to go elsewhere with further requests.
    var isRefusingMore = false

    // What is waited for, and until when.
    /// The end of a header section, or the first one.
    var headDeadline = Instant.distantFuture
    /// The next request.
    var idleDeadline = Instant.distantFuture
    var settingsDeadline = Instant.distantFuture
    /// That the client takes something of what is being sent.
    var writeDeadline = Instant.distantFuture
    /// When no more requests are taken, once that was announced.
    var farewellAt = Instant.distantFuture
    /// When the poller will wake us at the latest.
    var wakesAt = Instant.distantFuture

    init(_ session: HTTP2Session) { self.session = session }

    func exchange(on stream: UInt32) -> Exchange? { exchanges.first { $0.id.stream == stream } }

    func begin(_ exchange: Exchange) { exchanges.append(exchange) }

    /// The exchange is over.
    func end(_ exchange: Exchange) { exchanges.removeAll { $0 === exchange } }

    /// The exchange is answered, but its stream goes on until `instant` at the latest.
    func linger(_ stream: UInt32, until instant: Instant) { lingering.append((stream, instant)) }

    /// The stream is over.
    func forget(_ stream: UInt32) { lingering.removeAll { $0.stream == stream } }

    /// A stream that has lingered long enough.
    func takeOverdue(at now: Instant) -> UInt32? {
        guard let first = lingering.first, now >= first.until else { return nil }
        return lingering.removeFirst().stream
    }

    /// The nearest of all that is waited for.
    var nearestDeadline: Instant {
        var own = min(
            min(headDeadline, settingsDeadline), min(writeDeadline, farewellAt),
            exchanges.isEmpty ? idleDeadline : .distantFuture)
        if let first = lingering.first { own = min(own, first.until) }
        return exchanges.reduce(own) { min($0, $1.deadline) }
    }
}
