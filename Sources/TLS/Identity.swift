import COpenSSL

/// Who the gate says it is: a certificate chain and the key that belongs to it, as they were read.
///
/// A plain value, so that it can be checked once and then given to every worker, each of which makes
/// a context of its own from it.
package struct Identity: Sendable {
    /// PEM: the gate's own certificate first, then those that sign it.
    package let certificates: [UInt8]
    /// PEM, not encrypted.
    package let key: [UInt8]
    /// PEM: who may sign client certificates. When given, a client without one is refused.
    package let clientAuthorities: [UInt8]?

    package init(certificates: [UInt8], key: [UInt8], clientAuthorities: [UInt8]? = nil) {
        (self.certificates, self.key) = (certificates, key)
        self.clientAuthorities = clientAuthorities
    }
}

/// What of an identity cannot be used, and OpenSSL's short reason.
package enum IdentityError: Error, Equatable, Sendable {
    case certificateUnreadable(reason: String)
    case keyUnreadable(reason: String)
    case keyEncrypted
    case keyDoesNotMatch
    case clientAuthoritiesUnreadable(reason: String)
    /// OpenSSL refused for another reason, such as a key too weak for TLS.
    case refused(reason: String)
}

/// An X.509 certificate. Owns the `X509 *`.
@safe
struct X509Certificate: ~Copyable {
    let x509: OpaquePointer

    init(taking x509: OpaquePointer) { unsafe self.x509 = x509 }

    deinit { unsafe X509_free(x509) }

    consuming func relinquish() -> OpaquePointer {
        let x509 = unsafe self.x509
        discard self
        return unsafe x509
    }
}

/// A private key. Owns the `EVP_PKEY *`.
@safe
struct PrivateKey: ~Copyable {
    let key: OpaquePointer

    init(taking key: OpaquePointer) { unsafe self.key = key }

    init(pem: [UInt8]) throws(IdentityError) {
        ERR_clear_error()
        let source = MemoryBIO(pem)
        // Asked for a passphrase only when there is one to give: we never have one.
        let read = unsafe PEM_read_bio_PrivateKey(source.bio, nil, { _, _, _, _ in -1 }, nil)
        guard let read = unsafe read else {
            let text = String(decoding: pem, as: UTF8.self)
            if text.contains("ENCRYPTED") { throw .keyEncrypted }
            throw .keyUnreadable(reason: TLSError.lastReason())
        }
        unsafe key = read
    }

    deinit { unsafe EVP_PKEY_free(key) }
}

/// Bytes in memory in the shape OpenSSL reads from and writes to. Owns the `BIO *`.
@safe
struct MemoryBIO: ~Copyable {
    let bio: OpaquePointer

    init(_ bytes: [UInt8] = []) {
        guard let bio = unsafe BIO_new(BIO_s_mem()) else { preconditionFailure("no memory") }
        unsafe self.bio = bio
        if !bytes.isEmpty { unsafe BIO_write(bio, bytes, Int32(clamping: bytes.count)) }
    }

    deinit { unsafe BIO_free(bio) }

    var bytes: [UInt8] {
        var first: UnsafeMutablePointer<CChar>?
        let count = unsafe kanmon_memory_bytes(bio, &first)
        let written = unsafe UnsafeBufferPointer(start: first, count: count)
        return unsafe written.map { UInt8(bitPattern: $0) }
    }
}

extension X509Certificate {
    /// The certificates of a PEM text, in order; at most 16, which no sane chain reaches, or as many as
    /// are asked for.
    static func forEach(
        in pem: [UInt8], max: Int = 16, _ body: (consuming X509Certificate) -> Void
    ) throws(IdentityError) {
        ERR_clear_error()
        let source = MemoryBIO(pem)
        var count = 0
        while count < max, let x509 = unsafe PEM_read_bio_X509(source.bio, nil, nil, nil) {
            unsafe body(X509Certificate(taking: x509))
            count += 1
        }
        if count == 0 { throw .certificateUnreadable(reason: TLSError.lastReason()) }
        ERR_clear_error()  // The end of the text is reported as an error, too.
    }
}
