import Bytes

/// Takes secrets out of texts: those that are known, wherever they stand, and whatever looks like one.
package struct Redaction: Sendable {
    package static let mark = Array("[redacted]".utf8)

    /// Shorter ones would take half of every text with them.
    static let secretBytesMin = 6

    /// By their first byte, the longest first.
    private let secrets: [UInt8: [[UInt8]]]

    package init(secrets: [[UInt8]] = []) {
        let long = Set(secrets).filter { $0.count >= Redaction.secretBytesMin }
        let known = long.union(long.flatMap(Redaction.encodings)).sorted { $0.count > $1.count }
        self.secrets = Dictionary(grouping: known) { $0[0] }
    }

    package func redacted(_ text: String) -> String {
        String(decoding: redacted(Array(text.utf8)), as: UTF8.self)
    }

    package func redacted(_ text: [UInt8]) -> [UInt8] {
        var scanner = SecretScanner(text: text, secrets: secrets)
        return scanner.run()
    }

    /// In base64, as it is and as `echo` hands it over.
    private static func encodings(of secret: [UInt8]) -> [[UInt8]] {
        [base64(secret), base64(secret + [0x0A])]
    }

    /// RFC 4648, without the padding.
    private static func base64(_ bytes: [UInt8]) -> [UInt8] {
        let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        var (encoded, bits, bitCount): ([UInt8], Int, Int) = ([], 0, 0)
        for byte in bytes {
            bits = (bits & 0x3F) << 8 | Int(byte)
            bitCount += 8
            while bitCount >= 6 {
                bitCount -= 6
                encoded.append(digits[bits >> bitCount & 0x3F])
            }
        }
        if bitCount > 0 { encoded.append(digits[bits << (6 - bitCount) & 0x3F]) }
        return encoded
    }
}
