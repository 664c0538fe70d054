import COpenSSL
package import Reactor

/// What every TLS session of one worker begins from: versions, suites, certificate, tickets. Built
/// whole from an identity; a reload builds another and lets this one end with its last session.
///
/// TLS 1.2 and 1.3; in 1.2 only ECDHE key exchange with authenticated encryption (RFC 9325), so that
/// renegotiation, compression, CBC and static keys are not there to be attacked.
@safe
package final class ServerContext: Sendable {
    // OpenSSL counts references to it under a lock, and nothing else of it changes after `init`.
    private nonisolated(unsafe) let context: OpaquePointer
    /// What carries the bytes of all sessions, which are of one thread: one each would be 220 bytes of
    /// a connection that waits.
    private nonisolated(unsafe) let carrier: OpaquePointer

    package enum MinimumVersion: Sendable { case tls12, tls13 }

    package init(
        identity: Identity, minimumVersion: MinimumVersion, ticketKeys: TicketKeys
    ) throws(IdentityError) {
        guard let context = unsafe SSL_CTX_new(TLS_server_method()) else {
            throw .refused(reason: TLSError.lastReason())
        }
        guard let carrier = unsafe newCarrier() else {
            unsafe SSL_CTX_free(context)
            throw .refused(reason: TLSError.lastReason())
        }
        unsafe self.context = context
        unsafe self.carrier = carrier
        unsafe kanmon_set_min_version(
            context, minimumVersion == .tls12 ? TLS1_2_VERSION : TLS1_3_VERSION)
        unsafe SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20")
        // 128 bits are strong enough, cheaper, and remembered in less memory.
        unsafe SSL_CTX_set_ciphersuites(
            context,
            "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256")
        unsafe kanmon_set_groups(context, "X25519:P-256:P-384")
        unsafe SSL_CTX_set_options(context, options)
        unsafe kanmon_set_mode(context, modes)
        // One read of the socket brings a whole record, not its header first.
        unsafe kanmon_set_read_ahead(context)
        try use(identity)
        useTickets(ticketKeys, for: identity)
        chooseProtocol()
    }

    deinit {
        unsafe BIO_free(carrier)
        unsafe SSL_CTX_free(context)
    }

    /// Begins a session with the client behind `socket`, which must outlive it. All sessions of a context
    /// belong to one thread.
    package func accept(on socket: borrowing FileDescriptor) throws(TLSError) -> TLSConnection {
        ERR_clear_error()
        guard let ssl = unsafe SSL_new(context) else {
            throw .protocolViolated(code: ERR_peek_last_error())
        }
        let connection = unsafe TLSConnection(taking: ssl, on: socket.number)
        // `SSL_set_bio` takes one reference for both directions.
        unsafe BIO_up_ref(carrier)
        unsafe SSL_set_bio(ssl, carrier, carrier)
        unsafe SSL_set_accept_state(ssl)
        return connection
    }

    private var options: UInt64 {
        kanmon_no_renegotiation | kanmon_no_compression | kanmon_server_preference
            | kanmon_prioritize_chacha
    }

    private var modes: Int {
        Int(
            SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                | SSL_MODE_RELEASE_BUFFERS)
    }

    private func use(_ identity: Identity) throws(IdentityError) {
        ERR_clear_error()
        var accepted = true
        var isFirst = true
        let context = unsafe self.context
        try X509Certificate.forEach(in: identity.certificates) { certificate in
            let result: Int32
            if isFirst {
                result = unsafe SSL_CTX_use_certificate(context, certificate.x509)
            } else {
                result = unsafe kanmon_add_chain_certificate(context, certificate.relinquish())
            }
            accepted = accepted && result == 1
            isFirst = false
        }
        guard accepted else { throw .refused(reason: TLSError.lastReason()) }
        let key = try PrivateKey(pem: identity.key)
        guard unsafe SSL_CTX_use_PrivateKey(context, key.key) == 1,
            unsafe SSL_CTX_check_private_key(context) == 1
        else {
            ERR_clear_error()
            throw .keyDoesNotMatch
        }
        if let authorities = identity.clientAuthorities {
            try demandCertificates(from: authorities)
        }
    }

    private func demandCertificates(from authorities: [UInt8]) throws(IdentityError) {
        let context = unsafe self.context
        let store = unsafe SSL_CTX_get_cert_store(context)
        do throws(IdentityError) {
            try X509Certificate.forEach(in: authorities) { authority in
                unsafe X509_STORE_add_cert(store, authority.x509)
                unsafe SSL_CTX_add_client_CA(context, authority.x509)
            }
        } catch {
            throw .clientAuthoritiesUnreadable(reason: "no certificate in it")
        }
        unsafe SSL_CTX_set_verify(
            context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    }

    /// Sessions are resumed by ticket only; nothing is kept here. A session made under other client
    /// authorities is of no use, since its id context differs (SSL_CTX_set_session_id_context(3)).
    private func useTickets(_ keys: TicketKeys, for identity: Identity) {
        unsafe kanmon_disable_session_cache(context)
        unsafe SSL_CTX_set_num_tickets(context, 1)
        let name = sha256(identity.clientAuthorities ?? Array("kanmon".utf8))
        unsafe SSL_CTX_set_session_id_context(context, name, UInt32(name.count))
        unsafe installTicketKeys(keys, in: context)
    }

    /// A client that names protocols and not one that we speak is refused with an alert (RFC 7301 3.2);
    /// one that names none speaks HTTP/1.1.
    private func chooseProtocol() {
        unsafe SSL_CTX_set_alpn_select_cb(
            context,
            { _, chosen, chosenCount, offered, offeredCount, _ in
                // In the order of our preference, each with its length before it.
                let spoken: StaticString = "\u{2}h2\u{8}http/1.1"
                let result = unsafe SSL_select_next_proto(
                    UnsafeMutablePointer(OpaquePointer(chosen)), chosenCount, spoken.utf8Start,
                    UInt32(spoken.utf8CodeUnitCount), offered, offeredCount)
                return result == OPENSSL_NPN_NEGOTIATED
                    ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL
            }, nil)
    }
}

private func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    var count: UInt32 = 0
    let result = unsafe EVP_Digest(bytes, bytes.count, &digest, &count, EVP_sha256(), nil)
    precondition(result == 1 && count == 32, "no SHA-256")
    return digest
}
