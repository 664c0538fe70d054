package import Bytes

/// One network of IPv4 or of IPv6 addresses, or a single address.
///
/// It is held in the bits of IPv6, where `10.0.0.0/8` is `::ffff:10.0.0.0/104`. The families stay
/// apart all the same: `::/0` is all of IPv6 and no IPv4 address, although in bits it would cover
/// the v4-mapped ones.
package struct AddressRange: Sendable, Hashable {
    /// The network's first address; its host bits are zero.
    package let first: IPAddress
    /// How many leading bits, of 128, belong to the network.
    package let prefixLength: Int

    /// Reads `10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32` or `::1`. A text that two readers could
    /// take for two networks is refused: host bits, octal or short forms, zones, host names.
    package init(parsing text: Substring) throws(AddressRangeError) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let addressText = parts.first, !addressText.isEmpty else { throw .empty }
        guard let address = IPAddress(addressText) else {
            throw AddressRangeError(explaining: addressText)
        }
        let isDotted = !addressText.utf8.contains(UInt8(ascii: ":"))
        prefixLength =
            parts.count == 2
            ? try AddressRange.prefixLength(parts[1], of: isDotted ? 32 : 128) : 128
        first = IPAddress(bits: address.bits & ~AddressRange.hostMask(prefixLength))
        guard first == address else {
            throw .hostBitsSet(network: description, address: address.description)
        }
    }

    package init(parsing text: String) throws(AddressRangeError) {
        try self.init(parsing: text[...])
    }

    /// Is the address in this network, and of its family?
    package func contains(_ address: IPAddress) -> Bool {
        address.isIPv4 == isIPv4
            && address.bits & ~AddressRange.hostMask(prefixLength) == first.bits
    }

    /// Does the range lie within the v4-mapped block, `::ffff:0:0/96`?
    package var isIPv4: Bool { first.isIPv4 && prefixLength >= 96 }

    /// The network's last address.
    internal var last: IPAddress {
        IPAddress(bits: first.bits | AddressRange.hostMask(prefixLength))
    }

    private static func hostMask(_ prefixLength: Int) -> UInt128 {
        prefixLength == 0 ? .max : (1 << UInt128(128 - prefixLength)) - 1
    }

    /// The length as written, which counts from the family's first bit, as one of 128 bits.
    private static func prefixLength(
        _ text: Substring, of bits: Int
    ) throws(AddressRangeError) -> Int {
        let hasLeadingZero = text.utf8.count > 1 && text.utf8.first == UInt8(ascii: "0")
        guard (1...3).contains(text.utf8.count), text.utf8.allSatisfy(\.isDigit), !hasLeadingZero,
            let length = Int(text)
        else { throw .prefixMalformed }
        guard length <= bits else { throw .prefixTooLong(max: bits) }
        return 128 - bits + length
    }
}

extension AddressRange: CustomStringConvertible {
    /// The canonical text: `10.0.0.0/8`, `2001:db8::/32`; a single address stands without `/32`.
    package var description: String {
        if prefixLength == 128 { return first.description }
        return "\(first)/\(isIPv4 ? prefixLength - 96 : prefixLength)"
    }
}

/// Why a text is no network. Sentences never repeat the text, which may hold anything.
package enum AddressRangeError: Error, Equatable {
    case empty
    case notAnAddress
    case hostName
    case zone
    /// Octal, hexadecimal, short and decimal forms, which different readers take for different
    /// addresses (CVE-2021-29921).
    case ambiguousIPv4
    case prefixMalformed
    case prefixTooLong(max: Int)
    /// Both ways to say what may have been meant, in canonical text.
    case hostBitsSet(network: String, address: String)

    /// What to tell the person who wrote it.
    package var sentence: String {
        switch self {
        case .empty: "an address or network is missing here"
        case .notAnAddress: "not an address: write 192.0.2.7, 192.0.2.0/24, ::1 or 2001:db8::/32"
        case .hostName: "a host name is not allowed here: write the address it stands for"
        case .zone: "an address with a zone (%eth0) names a link, not a client: leave the zone out"
        case .ambiguousIPv4:
            "an IPv4 address is four decimal numbers up to 255 without leading zeros, as in 10.0.0.1"
        case .prefixMalformed: "what follows the slash must be a plain number of bits, as in /24"
        case .prefixTooLong(let max): "what follows the slash can be at most \(max) here"
        case .hostBitsSet(let network, let address):
            "the address goes on after the network's bits: "
                + "write \(network) for the network or \(address) for this one address"
        }
    }

    /// Tells apart the usual ways not to write an address.
    fileprivate init(explaining text: Substring) {
        let bytes = text.utf8
        let isNumeric = bytes.allSatisfy { $0.isDigit || $0 == UInt8(ascii: ".") }
        let isHexadecimal = text.hasPrefix("0x") || text.hasPrefix("0X")
        if bytes.contains(UInt8(ascii: "%")) {
            self = .zone
        } else if isNumeric || isHexadecimal {
            self = .ambiguousIPv4
        } else if bytes.contains(where: \.isLetter),
            bytes.allSatisfy({
                $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: ".")
            })
        {
            self = .hostName
        } else {
            self = .notAnAddress
        }
    }
}

extension IPAddress {
    /// All 128 bits as one number, in the order of the address.
    internal var bits: UInt128 { UInt128(high) << 64 | UInt128(low) }

    internal init(bits: UInt128) {
        self.init(
            high: UInt64(truncatingIfNeeded: bits >> 64), low: UInt64(truncatingIfNeeded: bits))
    }

    /// What limits per address count by: an IPv4 address alone, an IPv6 address together with its
    /// /64, since one client has all of those.
    package var countedNetwork: IPAddress { isIPv4 ? self : IPAddress(high: high, low: 0) }
}
