import COpenSSL

/// HMAC-SHA256 (RFC 2104) under a key of this process. Each thread has its own, made from one key.
@safe
package struct KeyedDigest: ~Copyable {
    /// A key nobody else has, for as long as the process lives.
    package struct Key: Sendable {
        fileprivate let bytes: [UInt8]
        package init() { bytes = random(32) }
    }

    private let context: OpaquePointer

    package init(key: Key) {
        let algorithm = unsafe EVP_MAC_fetch(nil, "HMAC", nil)
        defer { unsafe EVP_MAC_free(algorithm) }
        guard let context = unsafe EVP_MAC_CTX_new(algorithm) else {
            preconditionFailure("no HMAC")
        }
        unsafe self.context = context
        let result = unsafe kanmon_set_hmac_sha256_key(context, key.bytes, key.bytes.count)
        precondition(result == 1, "no HMAC")
    }

    deinit { unsafe EVP_MAC_CTX_free(context) }

    /// The digest of the parts as one message. Each part's length goes before it, so that no two lists
    /// of parts make the same message.
    package mutating func digest(
        _ first: Span<UInt8>, _ second: Span<UInt8>, _ third: Span<UInt8>
    ) -> (UInt64, UInt64, UInt64, UInt64) {
        unsafe EVP_MAC_init(context, nil, 0, nil)
        add(first)
        add(second)
        add(third)
        var result: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        unsafe withUnsafeMutableBytes(of: &result) { result in
            let bytes = unsafe result.assumingMemoryBound(to: UInt8.self)
            unsafe EVP_MAC_final(context, bytes.baseAddress, nil, bytes.count)
        }
        return result
    }

    private mutating func add(_ part: Span<UInt8>) {
        var length = UInt64(part.count)
        unsafe withUnsafeBytes(of: &length) { length in
            let bytes = unsafe length.assumingMemoryBound(to: UInt8.self)
            unsafe EVP_MAC_update(context, bytes.baseAddress, bytes.count)
        }
        _ = unsafe part.withUnsafeBufferPointer { part in
            unsafe EVP_MAC_update(context, part.baseAddress, part.count)
        }
    }
}
