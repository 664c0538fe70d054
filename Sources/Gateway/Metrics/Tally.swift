import HTTP
import TLS

/// What one worker has counted since the process began. The worker alone writes; the control sums the
/// tallies of all workers when somebody asks.
final class Tally: Sendable {
    private let requests = Cells<132>()
    private let refusals = Cells<64>()
    private let handshakes = Cells<2>()
    private let handshakeFailures = Cells<16>()
    private let upstreamAnswers = Cells<16>()
    private let amounts = Cells<8>()
    private let pushTimes = Histogram()
    private let upstreamTimes = Histogram()
    private let turnTimes = Histogram()

    /// What is counted without a label.
    enum Amount: Int, CaseIterable {
        /// Logins that needed no bcrypt.
        case rememberedLogins
        /// Of pushes that were accepted.
        case bodyBytes, samples
        /// Connections with a request that is not answered yet, and those that say farewell.
        case active, closing
    }

    /// What takes a time that is worth a look.
    enum Passage {
        /// From the head of a push to its answer.
        case push
        /// From a request to the Pushgateway to the end of its answer.
        case upstream
        /// A turn of the loop, in CPU time.
        case turn
    }

    init() {
        precondition(RequestLabels.statuses.count * RequestLabels.methods.count <= 132)
        precondition(Refusal.Reason.allCases.count <= 64)
        precondition(HandshakeFailure.allCases.count <= 16)
        precondition(UpstreamOutcome.allCases.count <= 16)
    }

    // MARK: Counting

    func count(_ amount: Amount, _ count: Int = 1) { amounts.add(count, at: amount.rawValue) }

    func countRequest(_ method: Method, answeredWith status: Status) {
        requests.add(at: RequestLabels.index(of: status, method))
    }

    func count(_ refusal: Refusal) { refusals.add(at: refusal.reason.rawValue) }

    func countHandshake(isVersion13: Bool) { handshakes.add(at: isVersion13 ? 1 : 0) }

    func count(_ failure: HandshakeFailure) { handshakeFailures.add(at: failure.rawValue) }

    func count(_ outcome: UpstreamOutcome) { upstreamAnswers.add(at: outcome.rawValue) }

    func observe(_ passage: Passage, nanoseconds: UInt64) {
        switch passage {
        case .push: pushTimes.observe(nanoseconds: nanoseconds)
        case .upstream: upstreamTimes.observe(nanoseconds: nanoseconds)
        case .turn: turnTimes.observe(nanoseconds: nanoseconds)
        }
    }

    // MARK: Reading

    subscript(amount: Amount) -> Int { amounts[amount.rawValue] }
    subscript(reason: Refusal.Reason) -> Int { refusals[reason.rawValue] }
    subscript(failure: HandshakeFailure) -> Int { handshakeFailures[failure.rawValue] }
    subscript(outcome: UpstreamOutcome) -> Int { upstreamAnswers[outcome.rawValue] }

    func requestCount(_ status: Status, _ method: Method) -> Int {
        requests[RequestLabels.index(of: status, method)]
    }

    func handshakeCount(isVersion13: Bool) -> Int { handshakes[isVersion13 ? 1 : 0] }

    /// How many passages fell into a place of the histogram.
    func count(_ passage: Passage, at place: Int) -> Int {
        switch passage {
        case .push: pushTimes.count(at: place)
        case .upstream: upstreamTimes.count(at: place)
        case .turn: turnTimes.count(at: place)
        }
    }

    func sumOfNanoseconds(_ passage: Passage) -> Int {
        switch passage {
        case .push: pushTimes.sumOfNanoseconds
        case .upstream: upstreamTimes.sumOfNanoseconds
        case .turn: turnTimes.sumOfNanoseconds
        }
    }
}

/// The labels of an answered request: what the gate can say, to which methods. A client cannot make up
/// another.
enum RequestLabels {
    static let statuses = Status.all
    /// The last stands for every method that does nothing here.
    static let methods: [Method] = [.put, .post, .delete, .get, .head, .other]

    static func index(of status: Status, _ method: Method) -> Int {
        // The first of all, and by far the most frequent.
        if status == .ok { return place(of: method) }
        // A status that is not listed is never sent; were one to be, the last of all would show it.
        let status = statuses.firstIndex(of: status) ?? statuses.count - 1
        return status * methods.count + place(of: method)
    }

    private static func place(of method: Method) -> Int {
        switch method {
        case .put: 0
        case .post: 1
        case .delete: 2
        case .get: 3
        case .head: 4
        case .options, .patch, .connect, .trace, .other: 5
        }
    }

    static func word(_ method: Method) -> StaticString {
        switch method {
        case .put: "put"
        case .post: "post"
        case .delete: "delete"
        case .get: "get"
        case .head: "head"
        case .options, .patch, .connect, .trace, .other: "other"
        }
    }
}

/// Why a handshake came to nothing.
enum HandshakeFailure: Int, CaseIterable {
    case tooSlow, peerGone, madeRoom, drained
    case notTLS, versionNotSpoken, cipherNotShared, protocolNotShared
    case certificateNotTrusted, clientCertificateRefused, socketFailed, other

    init(_ departure: Departure) {
        switch departure {
        case .handshakeTooSlow, .idleTooLong, .writeTooSlow: self = .tooSlow
        case .finished, .peerGone, .cutOff: self = .peerGone
        case .madeRoom: self = .madeRoom
        case .drained: self = .drained
        case .handshakeFailed(let error), .connectionFailed(let error): self.init(error)
        }
    }

    private init(_ error: TLSError) {
        switch error.fault {
        case .notTLS: self = .notTLS
        case .versionNotSpoken: self = .versionNotSpoken
        case .cipherNotShared: self = .cipherNotShared
        case .protocolNotShared: self = .protocolNotShared
        case .certificateNotTrusted: self = .certificateNotTrusted
        case .clientCertificateRefused: self = .clientCertificateRefused
        case .socketFailed: self = .socketFailed
        case .other: self = .other
        }
    }

    var word: StaticString {
        switch self {
        case .tooSlow: "timeout"
        case .peerGone: "peer_gone"
        case .madeRoom: "made_room"
        case .drained: "drained"
        case .notTLS: "not_tls"
        case .versionNotSpoken: "version"
        case .cipherNotShared: "no_shared_cipher"
        case .protocolNotShared: "no_shared_protocol"
        case .certificateNotTrusted: "certificate_not_trusted"
        case .clientCertificateRefused: "client_certificate"
        case .socketFailed: "socket"
        case .other: "other"
        }
    }
}

/// What a request to the Pushgateway came to: a status that means something, another one, or none.
enum UpstreamOutcome: Int, CaseIterable {
    case ok, accepted, badRequest, unauthorized, forbidden, notFound, methodNotAllowed, tooLarge
    case tooMany, internalError, badGateway, unavailable, gatewayTimeout
    case otherStatus
    /// It ended, stayed out, or made no sense.
    case noAnswer

    init(status: Int) {
        self =
            switch status {
            case 200: .ok
            case 202: .accepted
            case 400: .badRequest
            case 401: .unauthorized
            case 403: .forbidden
            case 404: .notFound
            case 405: .methodNotAllowed
            case 413: .tooLarge
            case 429: .tooMany
            case 500: .internalError
            case 502: .badGateway
            case 503: .unavailable
            case 504: .gatewayTimeout
            default: .otherStatus
            }
    }

    var word: StaticString {
        switch self {
        case .ok: "200"
        case .accepted: "202"
        case .badRequest: "400"
        case .unauthorized: "401"
        case .forbidden: "403"
        case .notFound: "404"
        case .methodNotAllowed: "405"
        case .tooLarge: "413"
        case .tooMany: "429"
        case .internalError: "500"
        case .badGateway: "502"
        case .unavailable: "503"
        case .gatewayTimeout: "504"
        case .otherStatus: "other"
        case .noAnswer: "none"
        }
    }
}
