import Reactor
import TLS

/// Why no connection to the Pushgateway came about, and what an operator may do about it.
package struct ConnectFailure: Error, Equatable, Sendable {
    let reason: String
    let remedy: String?

    init(_ error: TLSError) {
        reason = error.description
        remedy = ConnectFailure.remedy(for: error)
    }

    private init(_ reason: String, remedy: String? = nil) {
        (self.reason, self.remedy) = (reason, remedy)
    }

    static let tooSlow = ConnectFailure(TLSError.socketFailed(.timedOut))
    static let hungUp = ConnectFailure(
        "it closed the connection in the middle of the TLS handshake",
        remedy: "does it speak TLS? without it, upstream.url begins with http://")
    static let nameless = ConnectFailure("its name cannot be resolved")

    /// Both as one, for a person.
    package var sentence: String { remedy.map { "\(reason); \($0)" } ?? reason }

    private static func remedy(for error: TLSError) -> String? {
        switch error {
        case .certificateRefused(let fault) where fault.isOfAnotherName:
            "upstream.url has to name it as its certificate does"
        case .certificateRefused(let fault) where fault.isOutOfDate:
            "its certificate has to be renewed, or a clock to be set"
        case .certificateRefused: "upstream.ca_file names the file with whom to trust"
        case .protocolViolated: hungUp.remedy
        case .socketFailed(.noSuchFile): "is it running, and is this its socket?"
        case .socketFailed(.notPermitted):
            "the modes of the socket and of its folders have to let the gate's user write to it"
        case .socketFailed, .unexpected: nil
        }
    }
}
