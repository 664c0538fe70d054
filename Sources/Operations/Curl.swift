import Configuration
import Reactor

/// A request that curl makes. Whatever it has to know goes to its standard input, where nobody else can
/// see it.
struct Curl {
    private var settings = "silent\ngloboff\nproto = \"=http,https\"\n"
    private let timeout: Interval

    init(_ url: String, timeout: Interval) {
        self.timeout = timeout
        set("url", url)
        set("max-time", "\(Double(timeout.nanoseconds / 1_000_000) / 1000)")
        // What is on this machine is not asked for by way of another.
        if url.leadsToThisMachine { set("noproxy", "*") }
    }

    /// A line of curl's configuration (curl(1), `--config`).
    mutating func set(_ name: String, _ value: String) {
        var quoted = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": quoted += "\\\\"
            case "\"": quoted += "\\\""
            case "\n": quoted += "\\n"
            case "\r": quoted += "\\r"
            case "\t": quoted += "\\t"
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        settings += "\(name) = \"\(quoted)\"\n"
    }

    mutating func set(_ flag: String) { settings += flag + "\n" }

    func errand(outputBytesMax: Int) -> Errand {
        Errand(
            "curl", ["-q", "--config", "-"], input: Array(settings.utf8),
            timeout: timeout + .seconds(1), outputBytesMax: outputBytesMax)
    }

    /// Why there is no answer; nil when there is one. curl's own words may repeat the URL.
    static func fault(of report: Errand.Report) -> String? {
        if report.end == .wroteTooMuch { return "the answer is too large" }
        guard case .ended(.exited(let code)) = report.end else { return "curl \(report.end)" }
        return switch code {
        case 0: nil
        case 5, 6: "the host has no address"
        case 7: "nobody listens there"
        case 28: "no answer in time"
        case 35: "no TLS could be agreed on"
        case 52: "the connection was closed without an answer"
        case 55, 56: "the connection broke"
        case 60: "the certificate is not trusted"
        case 63: "the answer is too large"
        default: "curl ended with \(code)"
        }
    }
}

extension Interval {
    static func + (left: Interval, right: Interval) -> Interval {
        let (sum, overflowed) = left.nanoseconds.addingReportingOverflow(right.nanoseconds)
        return Interval(nanoseconds: overflowed ? .max : sum)
    }

    var milliseconds: Int { Int(clamping: nanoseconds / 1_000_000) }

    /// `10m`, as the configuration writes it.
    var text: String { Duration.milliseconds(milliseconds).prometheusText }
}

extension String {
    /// As a URL, without looking a name up.
    fileprivate var leadsToThisMachine: Bool {
        let hosts = ["127.", "localhost:", "localhost/", "[::1]"]
        return ["http://", "https://"].contains { scheme in
            hosts.contains { hasPrefix(scheme + $0) }
        }
    }

    /// Whether a URL can be told a secret: nobody on the way can read it.
    var keepsSecrets: Bool { hasPrefix("https://") || leadsToThisMachine }
}
