package import Bytes
import COpenSSL
package import Reactor

/// What a TLS session of ours with a server begins from: whom to trust and what to speak.
@safe
package final class ClientContext: Sendable {
    // OpenSSL counts references to it under a lock, and nothing else of it changes after `init`.
    private nonisolated(unsafe) let context: OpaquePointer

    /// How many certificates a file of authorities may hold: the bundle of a whole system has some 150.
    private static let authoritiesMax = 1024

    /// - Parameter authorities: PEM of the certificates to trust, and nothing else is; without it, those
    ///   that the system trusts.
    package init(authorities: [UInt8]?) throws(IdentityError) {
        guard let context = unsafe SSL_CTX_new(TLS_client_method()) else {
            throw .refused(reason: TLSError.lastReason())
        }
        unsafe self.context = context
        unsafe kanmon_set_min_version(context, TLS1_2_VERSION)
        unsafe SSL_CTX_set_options(context, kanmon_no_renegotiation | kanmon_no_compression)
        unsafe kanmon_set_mode(
            context,
            Int(
                SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                    | SSL_MODE_RELEASE_BUFFERS))
        unsafe SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)
        let spoken: StaticString = "\u{8}http/1.1"
        // Zero is success here, unlike everywhere else (SSL_CTX_set_alpn_protos(3)).
        let refused = unsafe SSL_CTX_set_alpn_protos(
            context, spoken.utf8Start, UInt32(spoken.utf8CodeUnitCount))
        precondition(refused == 0, "no ALPN")
        if let authorities { try trust(authorities) } else { trustSystem() }
    }

    deinit { unsafe SSL_CTX_free(context) }

    private func trust(_ authorities: [UInt8]) throws(IdentityError) {
        let store = unsafe SSL_CTX_get_cert_store(context)
        // Whoever names a server's own certificate trusts that one, whoever has signed it.
        unsafe X509_STORE_set_flags(store, kanmon_partial_chain)
        try X509Certificate.forEach(in: authorities, max: ClientContext.authoritiesMax) {
            unsafe X509_STORE_add_cert(store, $0.x509)
        }
    }

    /// The file and the folder that OpenSSL was built with, one of which a system has. The functions
    /// that find them by themselves would also ask the environment.
    private func trustSystem() {
        ERR_clear_error()
        unsafe SSL_CTX_load_verify_file(context, X509_get_default_cert_file())
        unsafe SSL_CTX_load_verify_dir(context, X509_get_default_cert_dir())
        ERR_clear_error()
    }

    /// Begins a session with the server behind `socket`, which must outlive it and must show a
    /// certificate for `name`.
    package func connect(
        on socket: borrowing FileDescriptor, to name: String
    ) throws(TLSError) -> TLSConnection {
        try unsafe begin(on: socket) { ssl in
            unsafe SSL_set_hostflags(ssl, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
            return unsafe SSL_set1_host(ssl, name) == 1 && kanmon_set_host_name(ssl, name) == 1
        }
    }

    /// The same with a server that must show a certificate for its address. An address is not told to
    /// the server (RFC 6066 section 3).
    package func connect(
        on socket: borrowing FileDescriptor, to address: IPAddress
    ) throws(TLSError) -> TLSConnection {
        try unsafe begin(on: socket) { ssl in
            unsafe X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), address.description) == 1
        }
    }

    private func begin(
        on socket: borrowing FileDescriptor, _ demandCertificate: (OpaquePointer) -> Bool
    ) throws(TLSError) -> TLSConnection {
        ERR_clear_error()
        guard let ssl = unsafe SSL_new(context) else {
            throw .protocolViolated(code: ERR_peek_last_error())
        }
        let connection = unsafe TLSConnection(taking: ssl, on: socket.number)
        guard unsafe demandCertificate(ssl), let carrier = unsafe newCarrier() else {
            throw .protocolViolated(code: ERR_peek_last_error())
        }
        unsafe SSL_set_bio(ssl, carrier, carrier)
        unsafe SSL_set_connect_state(ssl)
        return connection
    }
}
