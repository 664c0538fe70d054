internal import Bytes

/// `host [":" port]` as a Host field or a target holds it (RFC 9110 section 7.2, RFC 3986 section
/// 3.2), without the parts that no client of a gate needs and that peers read differently: user
/// information, percent-encoding, sub-delimiters, an empty host, an empty port.
enum Authority {
    static func isWellFormed(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count > 0 else { return false }
        guard let hostEnd = endOfHost(bytes) else { return false }
        if hostEnd == bytes.count { return true }
        guard bytes[hostEnd] == UInt8(ascii: ":") else { return false }
        return isPort(bytes.extracting((hostEnd + 1)..<bytes.count))
    }

    /// Both in any case of letters, as names of hosts compare.
    static func areEqual(_ left: Span<UInt8>, _ right: Span<UInt8>) -> Bool {
        guard left.count == right.count else { return false }
        for index in left.indices where left[index].lowercased != right[index].lowercased {
            return false
        }
        return true
    }

    /// Where the host ends; nil when there is none.
    private static func endOfHost(_ bytes: Span<UInt8>) -> Int? {
        if bytes[0] == UInt8(ascii: "[") { return endOfAddress(bytes) }
        var end = 0
        while end < bytes.count, isNameByte(bytes[end]) { end += 1 }
        return end > 0 ? end : nil
    }

    /// `unreserved` of RFC 3986: what names, and IPv4 addresses, are made of.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        if byte.isLetter || byte.isDigit { return true }
        return switch byte {
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
        default: false
        }
    }

    /// The shape of an IPv6 address in brackets. The value is never used, only compared.
    private static func endOfAddress(_ bytes: Span<UInt8>) -> Int? {
        let lengthMax = 45  // eight groups, the last two in IPv4 notation
        var colons = 0
        for index in 1..<min(bytes.count, lengthMax + 2) {
            switch bytes[index] {
            case UInt8(ascii: "]"): return colons >= 2 ? index + 1 : nil
            case UInt8(ascii: ":"): colons += 1
            case UInt8(ascii: "."): break
            case let byte: if byte.hexDigitValue == nil { return nil }
            }
        }
        return nil
    }

    private static func isPort(_ digits: Span<UInt8>) -> Bool {
        guard digits.count <= 5, let port = digits.decimal else { return false }
        return port <= 65535
    }
}
