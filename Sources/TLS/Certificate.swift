import COpenSSL

/// What an operator wants to know about the certificate the gate shows.
package struct Certificate: Sendable {
    /// Seconds since 1970.
    package let notBefore: Int
    package let notAfter: Int
    /// The subject alternative names, as a client compares them; empty when there are none, which
    /// every current client refuses.
    package let names: [String]
    /// SHA-256 of the certificate, in hexadecimal with colons, as `openssl x509 -fingerprint` shows it.
    package let fingerprint: String

    /// Reads the first certificate of a PEM text.
    package init(pem: [UInt8]) throws(IdentityError) {
        var first: Certificate?
        try X509Certificate.forEach(in: pem) { certificate in
            if first == nil { first = Certificate(certificate) }
        }
        guard let first else { throw .certificateUnreadable(reason: "no certificate") }
        self = first
    }

    init(_ certificate: borrowing X509Certificate) {
        let x509 = unsafe certificate.x509
        notBefore = unsafe Certificate.seconds(X509_get0_notBefore(x509))
        notAfter = unsafe Certificate.seconds(X509_get0_notAfter(x509))
        names = unsafe Certificate.names(of: x509)
        fingerprint = unsafe Certificate.fingerprint(of: x509)
    }

    private static func seconds(_ time: UnsafePointer<ASN1_TIME>?) -> Int {
        var fields = unsafe tm()
        guard unsafe ASN1_TIME_to_tm(time, &fields) == 1 else { return 0 }
        return unsafe timegm(&fields)
    }

    private static func names(of x509: OpaquePointer) -> [String] {
        guard let found = unsafe X509_get_ext_d2i(x509, NID_subject_alt_name, nil, nil) else {
            return []
        }
        let list = OpaquePointer(found)
        defer { unsafe GENERAL_NAMES_free(list) }
        return unsafe (0..<OPENSSL_sk_num(list)).map { index in
            let name = unsafe OPENSSL_sk_value(list, index)
            let output = MemoryBIO()
            unsafe GENERAL_NAME_print(output.bio, name?.assumingMemoryBound(to: GENERAL_NAME.self))
            return String(decoding: output.bytes, as: UTF8.self)
        }
    }

    private static func fingerprint(of x509: OpaquePointer) -> String {
        var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
        var count: UInt32 = 0
        unsafe X509_digest(x509, EVP_sha256(), &digest, &count)
        return digest.prefix(Int(count)).map { byte in
            let text = String(byte, radix: 16, uppercase: true)
            return text.utf8.count == 1 ? "0" + text : text
        }.joined(separator: ":")
    }
}
