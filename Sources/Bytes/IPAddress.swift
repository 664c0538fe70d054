/// An IPv4 or IPv6 address as the 128 bits of its IPv6 form.
///
/// IPv4 is held v4-mapped (RFC 4291 section 2.5.5.2), so the client that a dual-stack socket shows
/// as `::ffff:10.0.0.1` is the same value as `10.0.0.1` and one rule speaks of both.
public struct IPAddress: Hashable, Comparable, Sendable {
    public let high: UInt64
    public let low: UInt64

    public init(high: UInt64, low: UInt64) { (self.high, self.low) = (high, low) }

    /// An IPv4 address from its four octets, the first in the highest bits.
    public init(ipv4 octets: UInt32) {
        (high, low) = (0, 0xFFFF_0000_0000 | UInt64(octets))
    }

    public var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// Is this the machine itself: 127.0.0.0/8 or ::1?
    public var isLoopback: Bool {
        isIPv4 ? low & 0xFF00_0000 == 0x7F00_0000 : high == 0 && low == 1
    }

    public static func < (left: IPAddress, right: IPAddress) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

extension IPAddress {
    /// Reads `192.0.2.7`, `2001:db8::7` or `::ffff:192.0.2.7`. Nil for anything else: no zone, no
    /// brackets, no leading zeros in an octet (which some readers take for octal), no short forms.
    public init?(_ text: Substring) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let groups = IPAddress.groups(of: text) else { return nil }
            let halves = (groups[0..<4], groups[4..<8])
            let join = { (half: ArraySlice<UInt16>) in
                half.reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
            }
            self.init(high: join(halves.0), low: join(halves.1))
        } else {
            guard let octets = IPAddress.ipv4(text) else { return nil }
            self.init(ipv4: octets)
        }
    }

    public init?(_ text: String) { self.init(text[...]) }

    private static func ipv4(_ text: Substring) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var octets: UInt32 = 0
        for part in parts {
            guard part.utf8.count <= 3, part.utf8.allSatisfy(\.isDigit), let octet = UInt8(part),
                part.utf8.count == 1 || part.utf8.first != UInt8(ascii: "0")
            else { return nil }
            octets = octets << 8 | UInt32(octet)
        }
        return octets
    }

    /// The eight groups of the textual forms in RFC 4291 section 2.2.
    private static func groups(of text: Substring) -> [UInt16]? {
        let sides = text.split(separator: "::", omittingEmptySubsequences: false)
        guard sides.count <= 2, let head = groupList(sides[0], endsText: sides.count == 1)
        else { return nil }
        guard sides.count == 2 else { return head.count == 8 ? head : nil }
        guard let tail = groupList(sides[1], endsText: true) else { return nil }
        let missing = 8 - head.count - tail.count
        guard missing >= 1 else { return nil }
        return head + Array(repeating: 0, count: missing) + tail
    }

    /// Groups between single colons; the text's last may be a dotted IPv4 address.
    private static func groupList(_ text: Substring, endsText: Bool) -> [UInt16]? {
        if text.isEmpty { return [] }
        var groups: [UInt16] = []
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if endsText, index == parts.count - 1, let octets = ipv4(part) {
                groups += [UInt16(octets >> 16), UInt16(octets & 0xFFFF)]
            } else {
                guard (1...4).contains(part.utf8.count),
                    part.utf8.allSatisfy({ $0.hexDigitValue != nil }),
                    let group = UInt16(part, radix: 16)
                else { return nil }
                groups.append(group)
            }
        }
        return groups.count <= 8 ? groups : nil
    }
}

extension IPAddress: CustomStringConvertible {
    /// The canonical text, as `ByteBuffer.append(address:)` writes it.
    public var description: String {
        var text = ByteBuffer()
        text.append(address: self)
        return String(decoding: text.span)
    }

    /// One of the eight groups of an IPv6 address.
    fileprivate func group(_ index: Int) -> UInt64 {
        (index < 4 ? high : low) >> UInt64(48 - 16 * (index % 4)) & 0xFFFF
    }

    /// The longest run of two or more groups that are zero, the first of several; else none, at the end.
    fileprivate var longestZeroRun: Range<Int> {
        var longest = 8..<8
        var start = 0
        for index in 0...8 where index == 8 || group(index) != 0 {
            if index - start > max(longest.count, 1) { longest = start..<index }
            start = index + 1
        }
        return longest
    }
}

extension ByteBuffer {
    /// Appends the canonical text of an address (RFC 5952): IPv4 dotted, IPv6 in lower case with the
    /// longest run of zeros shortened.
    public mutating func append(address: IPAddress) {
        guard !address.isIPv4 else { return append(dotted: address.low) }
        let zeros = address.longestZeroRun
        var index = 0
        while index < 8 {
            if index == zeros.lowerBound {
                append("::")
                index = zeros.upperBound
            } else {
                if index > 0, index != zeros.upperBound { append(":") }
                append(hexadecimal: address.group(index))
                index += 1
            }
        }
    }

    private mutating func append(dotted octets: UInt64) {
        for octet in 0..<4 {
            if octet > 0 { append(".") }
            append(decimal: Int(octets >> UInt64(24 - 8 * octet) & 0xFF))
        }
    }

    /// Up to four digits, without leading zeros.
    private mutating func append(hexadecimal group: UInt64) {
        let digits = ("0123456789abcdef" as StaticString).span
        var shift: UInt64 = 12
        while shift > 0, group >> shift == 0 { shift -= 4 }
        append(digits[Int(group >> shift & 0xF)])
        while shift > 0 {
            shift -= 4
            append(digits[Int(group >> shift & 0xF)])
        }
    }
}
