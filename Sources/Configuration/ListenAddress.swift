package import Bytes

/// An address and port to accept clients at.
package struct ListenAddress: Hashable, Sendable {
    package enum Host: Hashable, Sendable {
        /// `:9443`: every address of this machine, IPv4 and IPv6 through one socket.
        case everyFamily
        /// One address. `0.0.0.0` is every IPv4 address, `::` every IPv6 one and IPv6 only.
        case address(IPAddress)
    }

    package let host: Host
    /// 0 lets the system choose.
    package let port: UInt16

    package init(host: Host, port: UInt16) { (self.host, self.port) = (host, port) }

    /// Where a program on this machine reaches it.
    package var localAddress: IPAddress {
        switch host {
        case .address(let address) where !address.isUnspecified: address
        case .address(let address) where !address.isIPv4: IPAddress(high: 0, low: 1)
        case .address, .everyFamily: IPAddress(ipv4: 0x7F00_0001)
        }
    }

    /// Does a connection to this address, or to one of this machine's own, end here?
    func takes(_ address: IPAddress) -> Bool {
        guard case .address(let mine) = host else { return address.isLoopback }
        return mine == address
            || mine.isUnspecified && mine.isIPv4 == address.isIPv4 && address.isLoopback
    }

    /// Would the two ask for one port at a common address?
    package func overlaps(_ other: ListenAddress) -> Bool {
        guard port == other.port, port != 0 else { return false }
        guard case .address(let mine) = host, case .address(let theirs) = other.host else {
            return true
        }
        guard mine.isIPv4 == theirs.isIPv4 else { return false }
        return mine == theirs || mine.isUnspecified || theirs.isUnspecified
    }
}

extension ListenAddress: CustomStringConvertible {
    /// As the configuration writes it.
    package var description: String {
        switch host {
        case .everyFamily: ":\(port)"
        case .address(let address) where address.isIPv4: "\(address):\(port)"
        case .address(let address): "[\(address)]:\(port)"
        }
    }
}

extension ListenAddress {
    /// Reads `:9443`, `192.0.2.7:9443` or `[2001:db8::7]:9443`. No names: what a name means can
    /// change between two starts.
    package init(_ text: String) throws(ScalarFault) {
        guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")), !text.hasSuffix("]") else {
            let isPort = !text.isEmpty && text.utf8.allSatisfy(\.isDigit)
            throw ScalarFault(
                isPort
                    ? "is a port without its colon; write \":\(text.prefix(5))\""
                    : "has no port; an example is \"0.0.0.0:9443\"")
        }
        guard let port = UInt16(port: text[text.utf8.index(after: colon)...]) else {
            throw ScalarFault("has no port from 1 to 65535 (or 0: the system chooses)")
        }
        self.init(host: try Host(text[..<colon]), port: port)
    }
}

extension ListenAddress.Host {
    fileprivate init(_ text: Substring) throws(ScalarFault) {
        if text.isEmpty {
            self = .everyFamily
            return
        }
        let isBracketed = text.hasPrefix("[") && text.hasSuffix("]") && text.count >= 2
        guard let address = IPAddress(isBracketed ? text.dropFirst().dropLast() : text) else {
            throw ScalarFault(
                "does not begin with an IP address; \"0.0.0.0:9443\", \":9443\" and \"[::1]:9443\" "
                    + "are examples, names and interfaces are not looked up")
        }
        guard isBracketed == text.utf8.contains(UInt8(ascii: ":")) else {
            throw ScalarFault(
                isBracketed
                    ? "has an IPv4 address in brackets; leave them out"
                    : "has an IPv6 address without brackets; write [\(address)]")
        }
        guard isBracketed != address.isIPv4 else {
            throw ScalarFault("is IPv4 in the clothes of IPv6; write \(address)")
        }
        self = .address(address)
    }
}

extension IPAddress {
    /// `0.0.0.0` or `::`.
    fileprivate var isUnspecified: Bool { self == IPAddress(ipv4: 0) || (high, low) == (0, 0) }
}

extension UInt16 {
    /// `1*5DIGIT` up to 65535.
    init?(port text: Substring) {
        guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy(\.isDigit) else { return nil }
        self.init(text)
    }
}
