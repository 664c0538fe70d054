import Admission
import Bytes
import Catalogue
import Configuration
import Exposition
import HTTP
import Reactor

/// Names one exchange for whoever answers later: the connection, and the stream on it. On HTTP/1.1
/// the requests of a connection count as streams, one after another.
struct ExchangeID: Hashable, Sendable {
    let client: Ticket
    let stream: UInt32
}

/// One request's passage, from its head to its answer.
///
/// Holds what was found out about the request and nothing about how it came, so that it serves every
/// version of HTTP. It allocates once and then no more, since it is used again and again: a connection
/// has one only while it has a request.
final class Exchange {
    enum Stage {
        /// Its head has come.
        case deciding
        /// The password is being verified.
        case verifying(Digest)
        case receivingBody
        /// It seems to clash with another group; a listing that is fresh has to tell.
        case confirming(since: Instant)
        /// The push waits for, or is with, the Pushgateway.
        case forwarding
        /// The answer is written and being sent.
        case answering
    }

    var id: ExchangeID
    var stage = Stage.deciding
    /// What log, audit and answer call this request.
    var requestID: UInt64 = 0
    var snapshot: Snapshot
    var beganAt = Instant(nanoseconds: 0)
    /// When it has to be looked at; on HTTP/1.1, where there is one request at a time, the connection
    /// has it.
    var deadline = Instant.distantFuture

    // From the head
    var method = Method.other
    var isKept = true
    var expectsContinue = false
    var isHTTP10 = false
    /// Does the route say that this is a push or a deletion?
    var isPush = false
    /// Of a question about our health: whether it is about the Pushgateway's too.
    var asksReadiness = false
    var hasQuery = false
    /// What goes wrong is told as JSON.
    var prefersJSON = false
    var framing = BodyFraming.none
    /// How the body is encoded; nil when in a way that cannot be undone here.
    var coding: Coding? = .identity
    var format = Format.text

    // From the credentials and the path
    /// Its user has proven who he is.
    var hasLoggedIn = false
    var user = ByteBuffer()
    var key = GroupingKey()
    var keyError: GroupingKeyError?

    /// The rule that refused it, for the log.
    var rule: AccessRules.Place?
    /// What its user was charged for it, until it is known how it ended.
    var charge: Quotas.Charge?

    // From the body
    /// On HTTP/1.1, what takes it apart when it comes in chunks.
    var chunks = ChunkedDecoder()
    /// On HTTP/2, what has come of it and is not looked at yet, and whether its end has.
    var input = ByteBuffer()
    var hasInputEnded = false
    /// On HTTP/2, how much of it has been looked at.
    var takenBytes = 0
    /// Decoded, as far as it has come.
    var body = ByteBuffer()
    /// Only while the body is coming in.
    var inspection: Inspection?
    var reservedBytes = 0
    var bodyBeganAt = Instant(nanoseconds: 0)
    var samples = 0
    var families = 0
    /// Its group, as tables know it, once the body is inspected.
    var group = GroupKey()
    /// Its families, at most `claimsMax` of them: of the others the Pushgateway decides alone.
    var claims: [FamilyClaim] = []
    static let claimsMax = 4096
    /// One hash of them all.
    var claimsHash: UInt64 = 0
    /// Samples of which the Pushgateway overwrites a label.
    var overwritten = 0

    // From the Pushgateway
    var upstream: Ticket?
    /// Has the Pushgateway heard of it?
    var isSent = false
    var isRetried = false
    /// What the Pushgateway answered; 0 when nothing.
    var upstreamStatus = 0
    /// At how many of the Pushgateway's addresses nobody was met.
    var failedAddresses = 0

    // The answer
    var status = Status.ok
    var refusal: Refusal?

    init(id: ExchangeID, snapshot: Snapshot) {
        self.id = id
        self.snapshot = snapshot
    }

    /// Makes ready for the next request of the connection. Buffers keep their storage, except the
    /// body's, which the worker takes back.
    fileprivate func reset(to id: ExchangeID, _ snapshot: Snapshot) {
        (self.id, self.snapshot) = (id, snapshot)
        stage = .deciding
        deadline = .distantFuture
        (hasInputEnded, takenBytes) = (false, 0)
        method = .other
        isPush = false
        hasQuery = false
        prefersJSON = false
        framing = .none
        user.removeAll()
        hasLoggedIn = false
        keyError = nil
        rule = nil
        claims.removeAll(keepingCapacity: claims.count <= 256)
        (samples, families, overwritten) = (0, 0, 0)
        upstream = nil
        isSent = false
        isRetried = false
        upstreamStatus = 0
        failedAddresses = 0
        status = .ok
        refusal = nil
    }

    /// Keeps what the head says. The path is decoded at once, and what is wrong with it is told only
    /// after the login.
    func read(_ head: RequestHead, _ bytes: Span<UInt8>) {
        method = head.method
        isKept = head.keepsAlive
        expectsContinue = head.expectsContinue
        isHTTP10 = head.isHTTP10
        hasQuery = head.hasQuery
        prefersJSON = head.accept.map { Accept.prefersJSON(bytes.extracting($0)) } ?? false
        framing = head.body
        coding = head.contentEncoding.map { Coding(bytes.extracting($0)) } ?? .identity
        let isProtobuf =
            head.contentType.map { MediaType.isDelimitedProtobuf(bytes.extracting($0)) } ?? false
        format = isProtobuf ? .delimitedProtobuf : .text
    }

    /// The path of a push, in canonical form from here on.
    func readGroupingKey(_ path: Span<UInt8>) {
        isPush = true
        do throws(GroupingKeyError) {
            try key.decode(path, labelsMax: snapshot.limits.pathLabelsMax)
        } catch {
            keyError = error
        }
    }

    /// Whether there is such a user, whatever the password was. Where a name is none, people have typed
    /// passwords, which no log may hold.
    var isUserKnown: Bool { hasLoggedIn || user.withSpan { !snapshot.users.lines(of: $0).isEmpty } }

    var isAnswered: Bool { if case .answering = stage { true } else { false } }

    /// Waiting for bytes of the request itself, not for anybody else.
    var wantsBytes: Bool {
        switch stage {
        case .receivingBody: !hasEncodedBytes
        case .deciding, .verifying, .confirming, .forwarding, .answering: false
        }
    }

    /// Bytes of the body have come that are not undone from their encoding yet.
    var hasEncodedBytes: Bool { inspection?.isInflating ?? false }
}

/// What has to be undone before a body can be read (RFC 9110 section 8.4).
enum Coding {
    case identity, gzip

    init?(_ name: Span<UInt8>) {
        if name.isEqualIgnoringCase(to: "gzip") {
            self = .gzip
        } else if name.isEqualIgnoringCase(to: "identity") {
            self = .identity
        } else {
            return nil
        }
    }
}

extension Exchange {
    /// Takes the storage of its bytes away, for another to use.
    func takeBody() -> ByteBuffer { Swift.exchange(&body, with: ByteBuffer()) }
    func takeInput() -> ByteBuffer { Swift.exchange(&input, with: ByteBuffer()) }
}

/// Exchanges that are over, with their storage, for the requests that come next.
struct ExchangePool {
    private var kept: [Exchange] = []
    /// Those that ended in this turn: a caller above may still be inside one.
    private var ended: [Exchange] = []
    private static let keptMax = 256

    mutating func take(_ id: ExchangeID, _ snapshot: Snapshot) -> Exchange {
        guard let exchange = kept.popLast() else { return Exchange(id: id, snapshot: snapshot) }
        exchange.reset(to: id, snapshot)
        return exchange
    }

    mutating func give(_ exchange: Exchange) { ended.append(exchange) }

    /// The turn is over.
    mutating func settle() {
        for exchange in ended where kept.count < ExchangePool.keptMax { kept.append(exchange) }
        ended.removeAll(keepingCapacity: true)
    }

    /// Forgets those that are kept, and with them what was in force when they were used.
    mutating func removeAll() { kept.removeAll() }
}
