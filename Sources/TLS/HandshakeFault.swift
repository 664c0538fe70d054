import COpenSSL

/// What was wrong when a session could not begin, in a few words that an operator can count by. What
/// the peer says in an alert of its own is among them (RFC 8446 section 6).
package enum HandshakeFault: Sendable {
    /// The first bytes were of another protocol, such as HTTP without TLS.
    case notTLS
    case versionNotSpoken
    case cipherNotShared
    /// No protocol of the next layer is shared (ALPN).
    case protocolNotShared
    /// The peer does not trust our certificate.
    case certificateNotTrusted
    /// The peer's own is missing, or not to be trusted.
    case clientCertificateRefused
    case socketFailed
    case other
}

extension TLSError {
    package var fault: HandshakeFault {
        switch self {
        case .socketFailed: .socketFailed
        case .certificateRefused: .clientCertificateRefused
        case .unexpected: .other
        case .protocolViolated(let code): HandshakeFault(reason: ERR_GET_REASON(code))
        }
    }
}

extension HandshakeFault {
    fileprivate init(reason: Int32) {
        switch reason {
        case SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST, SSL_R_WRONG_VERSION_NUMBER,
            SSL_R_PACKET_LENGTH_TOO_LONG, SSL_R_BAD_PACKET_LENGTH, SSL_R_RECORD_LENGTH_MISMATCH:
            self = .notTLS
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_VERSION_TOO_LOW, SSL_R_UNKNOWN_PROTOCOL,
            SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
            self = .versionNotSpoken
        case SSL_R_NO_SHARED_CIPHER, SSL_R_NO_SUITABLE_GROUPS,
            SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS,
            SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
            self = .cipherNotShared
        case SSL_R_NO_APPLICATION_PROTOCOL: self = .protocolNotShared
        case SSL_R_TLSV1_ALERT_UNKNOWN_CA, SSL_R_SSLV3_ALERT_BAD_CERTIFICATE,
            SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN,
            SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE, SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
            self = .certificateNotTrusted
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, SSL_R_CERTIFICATE_VERIFY_FAILED:
            self = .clientCertificateRefused
        default: self = .other
        }
    }
}
