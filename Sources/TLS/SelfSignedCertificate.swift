package import Bytes
import COpenSSL

/// A new self-signed ECDSA P-256 certificate and its key: what the gate shows where no authority
/// signs for it.
package struct SelfSignedCertificate: Sendable {
    package let certificatePEM: [UInt8]
    package let keyPEM: [UInt8]

    /// A name the certificate speaks for.
    package enum Host: Sendable {
        case name(String)
        case address(IPAddress)

        fileprivate var alternativeName: String {
            switch self {
            case .name(let name): "DNS:\(name)"
            case .address(let address): "IP:\(address)"
            }
        }

        fileprivate var text: String {
            switch self {
            case .name(let name): name
            case .address(let address): address.description
            }
        }
    }

    /// - Parameters:
    ///   - hosts: at least one; the first is the common name as well.
    ///   - days: how long it is valid, from a minute ago on, so that a clock that lags a little does
    ///     not refuse it.
    ///   - keyPEM: the key to make it for; a new one when nil.
    package init(for hosts: [Host], days: Int, keyPEM: [UInt8]? = nil) throws(IdentityError) {
        precondition(!hosts.isEmpty && (1...36_500).contains(days))
        let key = if let keyPEM { try PrivateKey(pem: keyPEM) } else { try PrivateKey.newP256() }
        guard let x509 = unsafe X509_new() else { throw .refused(reason: TLSError.lastReason()) }
        let certificate = unsafe X509Certificate(taking: x509)
        unsafe X509_set_version(x509, 2)  // Counted from 0: version 3.
        unsafe setSerialNumber(of: x509)
        unsafe X509_gmtime_adj(X509_getm_notBefore(x509), -60)
        unsafe X509_time_adj_ex(X509_getm_notAfter(x509), Int32(days), 0, nil)
        unsafe setNames(of: x509, to: hosts)
        unsafe X509_set_pubkey(x509, key.key)
        guard try unsafe addExtensions(to: x509, hosts),
            unsafe X509_sign(x509, key.key, EVP_sha256()) > 0
        else { throw .refused(reason: TLSError.lastReason()) }

        let output = MemoryBIO()
        unsafe PEM_write_bio_X509(output.bio, certificate.x509)
        certificatePEM = output.bytes
        self.keyPEM = keyPEM ?? key.pem
    }
}

extension PrivateKey {
    static func newP256() throws(IdentityError) -> PrivateKey {
        guard let key = unsafe kanmon_generate_p256() else {
            throw .refused(reason: TLSError.lastReason())
        }
        return unsafe PrivateKey(taking: key)
    }

    var pem: [UInt8] {
        let output = MemoryBIO()
        unsafe PEM_write_bio_PrivateKey(output.bio, key, nil, nil, 0, nil, nil)
        return output.bytes
    }
}

/// 127 random bits: positive, and never the same twice (RFC 5280 section 4.1.2.2).
private func setSerialNumber(of x509: OpaquePointer) {
    let number = unsafe BN_new()
    defer { unsafe BN_free(number) }
    unsafe BN_rand(number, 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY)
    unsafe BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509))
}

private func setNames(of x509: OpaquePointer, to hosts: [SelfSignedCertificate.Host]) {
    let subject = unsafe X509_get_subject_name(x509)
    // A common name holds 64 bytes (RFC 5280 appendix A.1); clients look at the alternative names.
    let common = String(hosts[0].text.prefix(64))
    unsafe X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, common, -1, -1, 0)
    unsafe X509_set_issuer_name(x509, subject)
}

/// The server's own certificate that is its own authority: what curl's `--cacert` and Go's pool take.
private func addExtensions(
    to x509: OpaquePointer, _ hosts: [SelfSignedCertificate.Host]
) throws(IdentityError) -> Bool {
    let extensions = [
        (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
        (NID_key_usage, "critical,digitalSignature,keyCertSign"),
        (NID_ext_key_usage, "serverAuth"),
        (NID_subject_key_identifier, "hash"),
        (NID_subject_alt_name, hosts.map(\.alternativeName).joined(separator: ",")),
    ]
    var context = unsafe X509V3_CTX()
    unsafe X509V3_set_ctx(&context, x509, x509, nil, nil, 0)
    for (kind, value) in extensions {
        guard let made = unsafe X509V3_EXT_conf_nid(nil, &context, kind, value) else {
            return false
        }
        defer { unsafe X509_EXTENSION_free(made) }
        guard unsafe X509_add_ext(x509, made, -1) == 1 else { return false }
    }
    return true
}
