import Bytes

/// The stored form of a password: a bcrypt string that libxcrypt can verify, and no other.
package struct PasswordHash: Sendable, Hashable {
    /// Verifying costs 2^cost rounds.
    package let cost: Int
    /// The 60 characters as they stand in the file.
    package let bytes: [UInt8]

    package static let costs = 4...14
    package static let byteCount = 60

    /// The part that says how to hash: variant, cost and salt.
    internal static let settingByteCount = 29

    /// The rounds one verification takes.
    package var work: UInt64 { 1 << UInt64(cost) }

    /// Takes `$2a$`, `$2b$` or `$2y$`, a cost of 4 to 14, 22 characters of salt and 31 of digest.
    package init(_ text: Span<UInt8>) throws(PasswordHashError) {
        try PasswordHash.checkVariant(text)
        guard text.count == PasswordHash.byteCount else {
            throw .wrongLength(text.count)
        }
        guard text[4].isDigit, text[5].isDigit, text[6] == UInt8(ascii: "$") else {
            throw .costMissing
        }
        cost = Int(text[4] - UInt8(ascii: "0")) * 10 + Int(text[5] - UInt8(ascii: "0"))
        guard PasswordHash.costs.contains(cost) else { throw .costOutOfRange(cost) }
        try PasswordHash.checkDigits(text)
        bytes = [UInt8](copying: text)
    }

    /// `$2x$` marks hashes made with the sign-extension bug of CVE-2011-2483, and `$2$` the first
    /// draft of bcrypt: both verify, but not only the right password.
    private static func checkVariant(_ text: Span<UInt8>) throws(PasswordHashError) {
        if text.hasPrefix("$2a$") || text.hasPrefix("$2b$") || text.hasPrefix("$2y$") { return }
        if text.hasPrefix("$2") { throw .variantUnsupported }
        if text.hasPrefix("$$2") { throw .dollarsDoubled }
        if text.hasPrefix("$apr1$") || text.hasPrefix("$1$") { throw .otherScheme("MD5") }
        if text.hasPrefix("{SHA}") || text.hasPrefix("{SSHA}") { throw .otherScheme("SHA-1") }
        if text.hasPrefix("{PLAIN}") { throw .otherScheme("plain text") }
        if text.hasPrefix("$5$") || text.hasPrefix("$6$") { throw .otherScheme("SHA-2") }
        if text.hasPrefix("$") || text.hasPrefix("{") { throw .otherScheme("another scheme") }
        if text.count < byteCount { throw .dollarsMissing(text.count) }
        throw .otherScheme("another scheme")
    }

    /// Base64 of 16 and of 23 bytes leaves spare bits in the last character of each. libxcrypt
    /// writes them as zero, so a hash that has them set would never match its own password.
    private static func checkDigits(_ text: Span<UInt8>) throws(PasswordHashError) {
        for index in 7..<byteCount {
            guard let value = digitValue(text[index]) else { throw .characterInvalid(index) }
            if index == settingByteCount - 1, value & 0x0F != 0 { throw .characterInvalid(index) }
            if index == byteCount - 1, value & 0x03 != 0 { throw .characterInvalid(index) }
        }
    }

    /// bcrypt's own base64: `./`, then capitals, small letters, digits.
    private static func digitValue(_ digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "."): 0
        case UInt8(ascii: "/"): 1
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit - UInt8(ascii: "A") + 2
        case UInt8(ascii: "a")...UInt8(ascii: "z"): digit - UInt8(ascii: "a") + 28
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0") + 54
        default: nil
        }
    }
}

extension PasswordHash: CustomStringConvertible, CustomDebugStringConvertible {
    /// Says nothing of the hash itself, so that it cannot slip into a log.
    package var description: String { "bcrypt hash of cost \(cost)" }
    package var debugDescription: String { description }
}

/// Why a text is no hash that can be used. Sentences never repeat it.
package enum PasswordHashError: Error, Equatable {
    /// `$2$`, `$2x$` and whatever else begins with `$2`.
    case variantUnsupported
    /// Named by the word a person knows it by.
    case otherScheme(String)
    /// Too short, and nothing of `$2y$` is left.
    case dollarsMissing(_ byteCount: Int)
    case dollarsDoubled
    case wrongLength(_ byteCount: Int)
    case costMissing
    case costOutOfRange(Int)
    /// The place, counted from 0.
    case characterInvalid(_ index: Int)

    /// What is wrong, without the remedy, which is the same for all: make a new one.
    package var sentence: String {
        switch self {
        case .variantUnsupported:
            "the hash is of a bcrypt variant that is not safe to use; $2a$, $2b$ and $2y$ are"
        case .otherScheme(let name):
            "the password is stored as \(name), not as bcrypt"
        case .dollarsMissing(let count):
            "the hash is \(count) bytes, not $2b$, cost and 53 characters: "
                + "were its '$' eaten by docker compose? Use a secrets file, or write every $ twice"
        case .dollarsDoubled:
            "every $ of the hash is written twice, as docker compose wants it in an environment "
                + "variable: here write each once"
        case .wrongLength(let count):
            "the hash is \(count) bytes long; a bcrypt hash has \(PasswordHash.byteCount)"
        case .costMissing:
            "the hash has no two-digit cost behind its $2b$"
        case .costOutOfRange(let cost):
            "the hash has cost \(cost); \(PasswordHash.costs.lowerBound) to "
                + "\(PasswordHash.costs.upperBound) are allowed"
        case .characterInvalid(let index):
            "character \(index + 1) of the hash cannot stand there in a bcrypt hash"
        }
    }
}
