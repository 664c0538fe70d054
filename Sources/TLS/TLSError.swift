import COpenSSL
package import Reactor

/// Why a TLS session ended or a certificate could not be used. `description` is for a log line.
package enum TLSError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The socket failed underneath.
    case socketFailed(Errno)
    /// The peer broke the protocol, or refused what we offered; OpenSSL's code for it.
    case protocolViolated(code: UInt)
    /// The peer's certificate is not good enough; what is wrong with it.
    case certificateRefused(CertificateFault)
    /// A result of OpenSSL that we have not met. Retrying it would spin.
    case unexpected(code: Int32)

    package var description: String {
        switch self {
        case .socketFailed(let error): error.description
        case .protocolViolated(let code): TLSError.reason(of: code)
        case .certificateRefused(let fault): "certificate verify failed: \(fault)"
        case .unexpected(let code): "OpenSSL result \(code)"
        }
    }

    /// OpenSSL's short reason, such as "no shared cipher".
    static func reason(of code: UInt) -> String {
        unsafe ERR_reason_error_string(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }

    /// What this thread's queue holds first: the cause of the call that just failed.
    static func lastReason() -> String {
        let code = ERR_get_error()
        ERR_clear_error()
        return code == 0 ? "unknown" : reason(of: code)
    }
}

/// What is wrong with the certificate that a peer has shown (openssl-verification-options(1)).
package struct CertificateFault: Equatable, Sendable, CustomStringConvertible {
    private let code: Int

    init(code: Int) { self.code = code }

    /// OpenSSL's short reason, such as "hostname mismatch".
    package var description: String {
        unsafe X509_verify_cert_error_string(code).map { unsafe String(cString: $0) }
            ?? "error \(code)"
    }

    /// It may be a good one, of somebody else.
    package var isOfAnotherName: Bool {
        code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH
    }

    package var isOutOfDate: Bool {
        code == X509_V_ERR_CERT_HAS_EXPIRED || code == X509_V_ERR_CERT_NOT_YET_VALID
    }
}
