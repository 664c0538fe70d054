import COpenSSL

/// For a client that judges the server's certificate by itself, so that it can say what is wrong with
/// it, where verification would only end the handshake.
extension TLSConnection {
    /// Goes through with the handshake whatever certificate the server shows. Before the handshake; and
    /// behind it, before anything is sent, `peerCertificate` is to be judged.
    package mutating func leaveCertificateToCaller() {
        unsafe SSL_set_verify(ssl, SSL_VERIFY_NONE, nil)
    }

    /// What the server showed; nil before it has.
    package var peerCertificate: Certificate? {
        guard let x509 = unsafe SSL_get1_peer_certificate(ssl) else { return nil }
        return Certificate(unsafe X509Certificate(taking: x509))
    }

    /// Is the server's certificate for this name or address, as clients compare it (RFC 6125)?
    package func peerSpeaks(for name: String) -> Bool {
        guard let x509 = unsafe SSL_get1_peer_certificate(ssl) else { return false }
        let certificate = unsafe X509Certificate(taking: x509)
        return unsafe X509_check_ip_asc(certificate.x509, name, 0) == 1
            || X509_check_host(certificate.x509, name, name.utf8.count, 0, nil) == 1
    }

    /// Has the server sent anything at all, if only a part of a record?
    package var hasReceived: Bool { unsafe BIO_number_read(SSL_get_rbio(ssl)) > 0 }

    /// Shows the server, if it asks, who we are. Before the handshake.
    package mutating func show(_ identity: Identity) throws(IdentityError) {
        ERR_clear_error()
        let ssl = unsafe self.ssl
        var accepted = true
        var isFirst = true
        try X509Certificate.forEach(in: identity.certificates) { certificate in
            let x509 = unsafe certificate.x509
            let result =
                unsafe isFirst
                ? Int(SSL_use_certificate(ssl, x509)) : kanmon_add_own_chain_certificate(ssl, x509)
            accepted = accepted && result == 1
            isFirst = false
        }
        guard accepted else { throw .refused(reason: TLSError.lastReason()) }
        let key = try PrivateKey(pem: identity.key)
        guard unsafe SSL_use_PrivateKey(ssl, key.key) == 1, unsafe SSL_check_private_key(ssl) == 1
        else {
            ERR_clear_error()
            throw .keyDoesNotMatch
        }
    }
}
