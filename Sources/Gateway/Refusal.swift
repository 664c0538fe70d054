import Admission
import Bytes
import Gzip
import HTTP

/// Every way a request is told no, in the order in which it may meet them. A refusal alone knows its
/// status, its text and the word that logs and metrics use for it.
enum Refusal: Equatable {
    /// A reload has taken the address or the user off the lists, and the connection is still open.
    case revoked

    // The head
    case headRefused(HeadError)
    case headTooSlow
    case notFound
    case methodNotAllowed(allow: StaticString)
    case bodyNotExpected

    // The credentials
    case credentialsMissing
    case credentialsWrong
    case loginsTooMany
    case loginQueueFull

    // What the push is for
    case groupingKeyRefused(GroupingKeyError)
    case queryGiven
    /// This user may not do this to this group, or not from this address.
    case accessRefused(AccessRefusal)
    case quotaExceeded(QuotaKind, retryAfterSeconds: Int?)

    // The body
    case lengthMissing
    case encodingUnknown
    case bodyTooLarge
    case bodyTooDense
    case memoryShort
    case bodyTooSlow
    case bodyMalformed(ChunkError)
    case gzipMalformed(GzipError)
    case bodyEmpty
    case bodyInvalid
    /// A family has another type in another group.
    case familyClashes

    // The Pushgateway
    case upstreamUnreachable
    case upstreamBusy
    case upstreamTooLate
    case upstreamUnclear(UpstreamFault)
    /// The Pushgateway says that what was pushed does not fit what it holds.
    case upstreamRefused
    case draining
    /// The Pushgateway cannot be scraped, so it would be no use to push.
    case notReady

    static func == (left: Refusal, right: Refusal) -> Bool {
        left.reason == right.reason && left.status == right.status
    }
}

/// What of the Pushgateway's answer cannot be passed on.
enum UpstreamFault: Equatable {
    case closed
    case malformed
    /// It does not let the gate in.
    case loginRefused
    case status(Int)
}

extension Refusal {
    var status: Status {
        switch self {
        case .headRefused(let error): error.status
        case .headTooSlow, .bodyTooSlow: .requestTimeout
        case .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .bodyNotExpected, .groupingKeyRefused, .queryGiven, .gzipMalformed, .bodyEmpty,
            .bodyInvalid, .familyClashes, .upstreamRefused:
            .badRequest
        case .bodyMalformed(let error): error.status
        case .credentialsMissing, .credentialsWrong: .unauthorized
        case .accessRefused, .revoked: .forbidden
        case .loginsTooMany, .quotaExceeded: .tooManyRequests
        case .lengthMissing: .lengthRequired
        case .encodingUnknown: .unsupportedMediaType
        case .bodyTooLarge, .bodyTooDense: .contentTooLarge
        case .loginQueueFull, .memoryShort, .upstreamUnreachable, .upstreamBusy, .draining,
            .notReady:
            .unavailable
        case .upstreamUnclear: .badGateway
        case .upstreamTooLate: .gatewayTimeout
        }
    }

    /// What to tell the client, in a sentence somebody can act on at night.
    var sentence: StaticString {
        switch self {
        case .revoked: "this address or this user is not on the gate's lists any more"
        case .headRefused(let error): error.sentence
        case .headTooSlow: "the request did not arrive in time"
        case .notFound:
            "nothing is here; a push goes to /metrics/job/NAME, with labels as /LABEL/VALUE behind it"
        case .methodNotAllowed: "this method does nothing here"
        case .bodyNotExpected: "a GET, HEAD or DELETE has no body"
        case .credentialsMissing:
            "a user name and a password are needed (HTTP Basic authentication)"
        case .credentialsWrong: "user name or password is wrong"
        case .loginsTooMany:
            "too many logins from this address failed lately; a right password is let in when it is its turn"
        case .loginQueueFull: "too many logins are being checked right now"
        case .groupingKeyRefused(let error): error.sentence
        case .queryGiven: "a push has no query; everything it is for stands in the path"
        case .accessRefused(let refusal): refusal.sentence
        case .quotaExceeded(let kind, _): kind.sentence
        default: bodySentence
        }
    }

    private var bodySentence: StaticString {
        switch self {
        case .lengthMissing:
            "the body's length is unknown; send Content-Length, or Transfer-Encoding: chunked"
        case .encodingUnknown:
            "this Content-Encoding cannot be checked; send the body as it is, or gzip"
        case .bodyTooLarge: "the body is larger than this gate takes"
        case .bodyTooDense:
            "the body grows far more than metrics do when it is decompressed; send it as it is"
        case .memoryShort: "the gate holds as many bytes of other pushes as it may"
        case .bodyTooSlow: "the body did not arrive in time"
        case .bodyMalformed(let error): error.sentence
        case .gzipMalformed(let error): error.sentence
        case .bodyEmpty:
            "the body holds no sample, so the push would do nothing; is the file it was read from empty?"
        case .bodyInvalid: "the body is not what a Pushgateway takes"
        case .familyClashes: "a metric has another type in another group"
        case .upstreamUnreachable: "the Pushgateway cannot be reached; the push was not stored"
        case .upstreamBusy: "the Pushgateway is too busy to take this push; it was not stored"
        case .upstreamTooLate:
            "the Pushgateway did not answer in time; the push may have been stored, and sending it again is safe"
        case .upstreamUnclear(.closed):
            "the Pushgateway closed the connection; the push may have been stored, and sending it again is safe"
        case .upstreamUnclear(.malformed):
            "the Pushgateway's answer makes no sense; the push may have been stored, and sending it again is safe"
        case .upstreamUnclear(.loginRefused):
            "the Pushgateway does not let the gate in, which its operator has to mend; the push was not stored"
        case .upstreamUnclear(.status):
            "the Pushgateway answered with an error of its own; is upstream.url its address?"
        case .upstreamRefused: "the Pushgateway refused the push"
        case .draining: "the gate is going down for a moment"
        case .notReady: "not ready"
        default: ""
        }
    }

    /// The word for it in logs and metrics.
    var word: StaticString { reason.word }

    /// How long a client that comes back should wait, in seconds.
    var retryAfterSeconds: Int? {
        switch self {
        case .loginsTooMany: 30
        // Where waiting alone does not help, a minute is as good as any.
        case .quotaExceeded(_, let seconds): seconds ?? 60
        case .loginQueueFull, .memoryShort, .upstreamUnreachable, .upstreamBusy, .draining: 5
        default: nil
        }
    }

    /// After these nobody can say where the next request would begin.
    var endsConnection: Bool {
        switch self {
        case .revoked, .headRefused, .headTooSlow, .bodyTooSlow, .bodyMalformed, .bodyNotExpected,
            .lengthMissing, .draining:
            true
        default: false
        }
    }
}
