package import Bytes

/// Where the Pushgateway answers: `http://host[:port][/prefix]`, the same with `https`, or
/// `unix:/path/of/a/socket`.
package struct UpstreamURL: Hashable, Sendable {
    package enum Scheme: String, Hashable, Sendable { case http, https, unix }

    package enum Host: Hashable, Sendable {
        case address(IPAddress)
        /// A DNS name in lower case, 1 to 253 bytes, to be looked up.
        case name(String)
        /// The absolute path of a unix socket, 1 to 107 bytes.
        case socket(path: String)
    }

    package let scheme: Scheme
    package let host: Host
    /// 1 to 65535; that of the scheme when the URL has none. 0 for a socket, which has no ports.
    package let port: UInt16
    /// What precedes `/metrics/job/…`: empty, or `/a/b` without a slash at the end.
    package let prefix: String

    /// The value of the `Host` field (RFC 9110 section 7.2): with the port unless it is the scheme's.
    package var authority: String {
        let name =
            switch host {
            case .address(let address) where address.isIPv4: address.description
            case .address(let address): "[\(address)]"
            case .name(let name): name
            case .socket: "localhost"
            }
        return port == scheme.standardPort ?? 0 ? name : "\(name):\(port)"
    }

    /// Is it this gate that answers there, as far as can be known without asking anybody?
    func leads(to listen: ListenAddress) -> Bool {
        guard port == listen.port else { return false }
        switch host {
        case .address(let address): return listen.takes(address)
        case .name(let name): return name == "localhost" && listen.localAddress.isLoopback
        case .socket: return false
        }
    }

    /// Can somebody between here and there read what is sent?
    var crossesNetworkInTheClear: Bool {
        guard scheme == .http, case .address(let address) = host else {
            return scheme == .http && host != .name("localhost")
        }
        return !address.isLoopback
    }
}

extension UpstreamURL.Scheme {
    var standardPort: UInt16? {
        switch self {
        case .http: 80
        case .https: 443
        case .unix: nil
        }
    }
}

extension UpstreamURL: CustomStringConvertible {
    package var description: String {
        if case .socket(let path) = host { return "unix:\(path)" }
        return "\(scheme.rawValue)://\(authority)\(prefix)"
    }
}

extension UpstreamURL {
    /// Reads a URL that does not stand in the configuration; nil when it is none that could.
    package init?(_ text: String) {
        do throws(ScalarFault) { self = try UpstreamURL.read(text).url } catch { return nil }
    }

    /// A URL as a complaint may show it: a login inside is a secret.
    package static func withoutLogin(_ text: String) -> String {
        guard let at = text.lastIndex(of: "@") else { return text }
        return "…" + text[at...]
    }

    /// Reads the URL; `hasPort` tells whether it named one.
    static func read(_ text: String) throws(ScalarFault) -> (url: UpstreamURL, hasPort: Bool) {
        let (scheme, rest) = try splitScheme(text)
        if scheme == .unix { return (try socket(at: rest), false) }
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        guard !authority.contains("@") else {
            throw ScalarFault(
                "holds a login; give it as upstream.username and upstream.password_file")
        }
        let (host, port) = try split(authority)
        let url = UpstreamURL(
            scheme: scheme, host: try Host(host),
            port: try number(of: port) ?? scheme.standardPort ?? 0,
            prefix: try prefix(rest[authority.endIndex...]))
        return (url, port != nil)
    }

    private static func splitScheme(
        _ text: String
    ) throws(ScalarFault) -> (Scheme, rest: Substring) {
        let fault = ScalarFault(
            "is not a URL; examples are http://127.0.0.1:9091, https://metrics.example:9091 and "
                + "unix:/run/pushgateway.sock")
        guard let colon = text.firstIndex(of: ":"),
            let scheme = Scheme(rawValue: text[..<colon].lowercased())
        else { throw fault }
        let rest = text[colon...].dropFirst()
        if scheme == .unix { return (scheme, rest) }
        guard rest.hasPrefix("//") else { throw fault }
        return (scheme, rest.dropFirst(2))
    }

    /// `unix:/path` or `unix:///path`.
    private static func socket(at text: Substring) throws(ScalarFault) -> UpstreamURL {
        let path = text.hasPrefix("///") ? text.dropFirst(2) : text
        guard path.hasPrefix("/"), !path.hasPrefix("//"), !path.hasSuffix("/") else {
            throw ScalarFault(
                "has no absolute path of a socket; an example is unix:/run/pushgateway.sock")
        }
        // sockaddr_un has room for 108 bytes with the NUL behind them (unix(7)).
        guard path.utf8.count <= 107 else {
            throw ScalarFault("has a path of over 107 bytes, which no socket can have")
        }
        guard path.utf8.allSatisfy({ !$0.isControl }) else {
            throw ScalarFault("holds a control character")
        }
        return UpstreamURL(
            scheme: .unix, host: .socket(path: String(path)), port: 0, prefix: "")
    }

    /// Host and port of `host`, `host:port`, `[v6]` or `[v6]:port`; without a colon no port.
    private static func split(
        _ authority: Substring
    ) throws(ScalarFault) -> (host: Substring, port: Substring?) {
        let colon = authority.lastIndex(of: ":")
        guard authority.hasPrefix("[") else {
            guard let colon else { return (authority, nil) }
            return (authority[..<colon], authority[authority.index(after: colon)...])
        }
        guard let bracket = authority.lastIndex(of: "]") else {
            throw ScalarFault("has a \"[\" without its \"]\"")
        }
        let (host, rest) = (
            authority[...bracket], authority[authority.index(after: bracket)...]
        )
        guard rest.isEmpty || rest.hasPrefix(":") else {
            throw ScalarFault("has text between the address and the port")
        }
        return (host, rest.isEmpty ? nil : rest.dropFirst())
    }

    private static func number(of port: Substring?) throws(ScalarFault) -> UInt16? {
        guard let port else { return nil }
        guard let number = UInt16(port: port), number > 0 else {
            throw ScalarFault("has no port from 1 to 65535 behind its \":\"")
        }
        return number
    }

    /// `path-absolute` of RFC 3986 section 3.3, without what a server might resolve another way.
    private static func prefix(_ text: Substring) throws(ScalarFault) -> String {
        guard !text.contains(where: { $0 == "?" || $0 == "#" }) else {
            throw ScalarFault("holds a query or a fragment; only a path prefix is possible")
        }
        guard text.utf8.count <= 1024 else { throw ScalarFault("has a path of over 1024 bytes") }
        let path = text.hasSuffix("/") ? text.dropLast() : text
        for segment in path.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            guard !segment.isEmpty, segment != ".", segment != "..",
                segment.utf8.allSatisfy(\.isPathCharacter)
            else {
                throw ScalarFault(
                    "has a path that is not plain: letters, digits and -._~!$&'()*+,;=: between "
                        + "single slashes, no \".\" or \"..\"")
            }
        }
        return String(path)
    }
}

extension UpstreamURL.Host {
    fileprivate init(_ text: Substring) throws(ScalarFault) {
        if text.hasPrefix("[") {
            guard let address = IPAddress(text.dropFirst().dropLast()), !address.isIPv4 else {
                throw ScalarFault("holds no IPv6 address between \"[\" and \"]\"")
            }
            self = .address(address)
        } else if let address = IPAddress(text) {
            guard address.isIPv4 else {
                throw ScalarFault("has an IPv6 address without brackets; write [\(address)]")
            }
            self = .address(address)
        } else {
            guard Self.isName(text) else {
                throw ScalarFault("has no valid host name or address behind its //")
            }
            self = .name(text.lowercased())
        }
    }

    /// Host names as DNS and container networks have them. A last label that begins with a digit
    /// is none: resolvers take `127.1` and `0x7f.1` for addresses.
    private static func isName(_ text: Substring) -> Bool {
        guard text.utf8.count <= 253 else { return false }
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        guard let first = labels.last?.utf8.first, !first.isDigit else { return false }
        return labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.utf8.allSatisfy { byte in
                    byte.isLetter || byte.isDigit || byte == UInt8(ascii: "-")
                        || byte == UInt8(ascii: "_")
                }
        }
    }
}

extension UInt8 {
    /// `pchar` of RFC 3986 section 3.3 without `@` and percent-encoding.
    fileprivate var isPathCharacter: Bool {
        if isLetter || isDigit { return true }
        return "-._~!$&'()*+,;=:".utf8.contains(self)
    }
}
