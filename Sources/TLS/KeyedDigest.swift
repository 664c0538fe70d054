import COpenSSL

/// HMAC-SHA256 (RFC 2104) under a key of this process. Each thread has its own, made from one key.
package struct KeyedDigest {
    /// A key nobody else has, for as long as the process lives.
    package struct Key: Sendable {
        fileprivate let bytes: [UInt8]
        package init() { bytes = random(32) }
    }

    /// What every digest begins from.
    private var keyed = kanmon_hmac()

    package init(key: Key) { unsafe kanmon_hmac_key(&keyed, key.bytes, key.bytes.count) }

    /// The digest of the parts as one message. Each part's length goes before it, so that no two lists
    /// of parts make the same message.
    package func digest(
        _ first: Span<UInt8>, _ second: Span<UInt8>, _ third: Span<UInt8>
    ) -> (UInt64, UInt64, UInt64, UInt64) {
        var message = keyed
        KeyedDigest.add(first, to: &message)
        KeyedDigest.add(second, to: &message)
        KeyedDigest.add(third, to: &message)
        var result: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        unsafe withUnsafeMutableBytes(of: &result) { result in
            let bytes = unsafe result.assumingMemoryBound(to: UInt8.self)
            unsafe kanmon_hmac_end(&message, bytes.baseAddress)
        }
        return result
    }

    private static func add(_ part: Span<UInt8>, to message: inout kanmon_hmac) {
        var length = UInt64(part.count)
        unsafe kanmon_hmac_add(&message, &length, MemoryLayout<UInt64>.size)
        unsafe part.withUnsafeBufferPointer { part in
            unsafe kanmon_hmac_add(&message, part.baseAddress, part.count)
        }
    }
}
