import Admission
import Bytes

/// The proxy that a host name goes through unless its record at Cloudflare is "DNS only". Behind it a gate
/// sees the proxy's addresses in place of its clients', so that `allow` tells nobody apart.
enum Cloudflare {
    /// As Cloudflare publishes them (https://www.cloudflare.com/ips).
    private static let networks = [
        "173.245.48.0/20", "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22",
        "141.101.64.0/18", "108.162.192.0/18", "190.93.240.0/20", "188.114.96.0/20",
        "197.234.240.0/22", "198.41.128.0/17", "162.158.0.0/15", "104.16.0.0/13",
        "104.24.0.0/14", "172.64.0.0/13", "131.0.72.0/22", "2400:cb00::/32", "2606:4700::/32",
        "2803:f800::/32", "2405:b500::/32", "2405:8100::/32", "2a06:98c0::/29", "2c0f:f248::/32",
    ].compactMap { try? AddressRange(parsing: $0) }

    static func has(_ address: IPAddress) -> Bool { networks.contains { $0.contains(address) } }

    static let remedy =
        "the name that hosts push to must be \"DNS only\" at Cloudflare (the grey cloud), with the "
        + "gate's own address in its record, and no route of a tunnel. Through the proxy the gate "
        + "sees Cloudflare's addresses, which allow cannot tell apart, TLS and with it the password "
        + "end there, and port 9443 is not passed on"

    /// Whether an answer with this head, which is well-formed, has come through it.
    static func hasSigned(_ head: Span<UInt8>) -> Bool {
        if AnswerFields.value(of: "cf-ray", in: head) != nil { return true }
        guard let server = AnswerFields.value(of: "server", in: head) else { return false }
        return head.extracting(server).isEqualIgnoringCase(to: "cloudflare")
    }
}
