import COpenSSL
package import Reactor

/// What a TLS session of ours with a server begins from: whom to trust and what to speak.
@safe
package final class ClientContext {
    private let context: OpaquePointer

    /// - Parameter authorities: PEM of the certificates to trust; nothing else is.
    package init(authorities: [UInt8]) throws(IdentityError) {
        guard let context = unsafe SSL_CTX_new(TLS_client_method()) else {
            throw .refused(reason: TLSError.lastReason())
        }
        unsafe self.context = context
        unsafe kanmon_set_min_version(context, TLS1_2_VERSION)
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        let store = unsafe SSL_CTX_get_cert_store(context)
        try X509Certificate.forEach(in: authorities) { authority in
            unsafe X509_STORE_add_cert(store, authority.x509)
        }
    }

    deinit { unsafe SSL_CTX_free(context) }

    /// Begins a session with the server behind `socket`, which must outlive it and must show a
    /// certificate for `name`.
    package func connect(
        on socket: borrowing FileDescriptor, to name: String
    ) throws(TLSError) -> TLSConnection {
        ERR_clear_error()
        guard let ssl = unsafe SSL_new(context) else {
            throw .protocolViolated(code: ERR_peek_last_error())
        }
        let connection = unsafe TLSConnection(taking: ssl)
        guard unsafe SSL_set_fd(ssl, socket.number) == 1, unsafe SSL_set1_host(ssl, name) == 1,
            unsafe kanmon_set_host_name(ssl, name) == 1
        else { throw .protocolViolated(code: ERR_peek_last_error()) }
        unsafe SSL_set_connect_state(ssl)
        return connection
    }
}
