import Bytes

/// Base64 as RFC 4648 wants it read: one alphabet, no line breaks, no other character, and pad
/// bits that are zero (section 3.5), so that no two texts mean the same bytes.
internal enum Base64 {
    internal enum Alphabet {
        /// Section 4: `+` and `/`.
        case standard
        /// Section 5: `-` and `_`.
        case urlSafe

        fileprivate var digits: StaticString {
            switch self {
            case .standard: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
            case .urlSafe: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            }
        }
    }

    /// Takes one digit after the other. The padding, if any, is for the caller to judge and to
    /// keep back.
    internal struct Decoder {
        private let alphabet: Alphabet
        private var bits: UInt32 = 0
        private var bitCount: UInt32 = 0

        internal enum Step {
            case byte(UInt8)
            case more
            case invalid
        }

        internal init(_ alphabet: Alphabet) { self.alphabet = alphabet }

        internal mutating func take(_ digit: UInt8) -> Step {
            guard let value = Base64.value(of: digit, alphabet) else { return .invalid }
            bits = bits << 6 | UInt32(value)
            bitCount += 6
            guard bitCount >= 8 else { return .more }
            bitCount -= 8
            return .byte(UInt8(truncatingIfNeeded: bits >> bitCount))
        }

        /// May the text end here? Six bits left over are a digit that adds no byte; two or four
        /// are pad bits.
        internal var isAtEnd: Bool { bitCount < 6 && bits & ((1 << bitCount) - 1) == 0 }
    }

    /// Appends the URL-safe digits of `bytes`, without padding.
    internal static func encodeURLSafe(_ bytes: Span<UInt8>, into output: inout ByteBuffer) {
        encode(bytes, .urlSafe) { output.append($0) }
    }

    /// The digits of `bytes` in the standard alphabet, with their padding.
    internal static func digits(of bytes: Span<UInt8>) -> [UInt8] {
        var digits: [UInt8] = []
        encode(bytes, .standard) { digits.append($0) }
        while digits.count % 4 != 0 { digits.append(UInt8(ascii: "=")) }
        return digits
    }

    private static func encode(
        _ bytes: Span<UInt8>, _ alphabet: Alphabet, _ append: (UInt8) -> Void
    ) {
        let table = alphabet.digits.span
        var bits: UInt32 = 0
        var bitCount: UInt32 = 0
        for index in bytes.indices {
            bits = bits << 8 | UInt32(bytes[index])
            bitCount += 8
            while bitCount >= 6 {
                bitCount -= 6
                append(table[Int(bits >> bitCount & 63)])
            }
        }
        if bitCount > 0 { append(table[Int(bits << (6 - bitCount) & 63)]) }
    }

    private static func value(of digit: UInt8, _ alphabet: Alphabet) -> UInt8? {
        switch digit {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A")
        case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a") + 26
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0") + 52
        case UInt8(ascii: "+") where alphabet == .standard: 62
        case UInt8(ascii: "/") where alphabet == .standard: 63
        case UInt8(ascii: "-") where alphabet == .urlSafe: 62
        case UInt8(ascii: "_") where alphabet == .urlSafe: 63
        default: nil
        }
    }
}
