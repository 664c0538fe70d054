import Bytes
import Configuration
import Gateway
import Reactor
import TLS

/// What a walk goes by: where the gate is, who we are there, and what is asked behind it.
struct WalkPlan {
    let snapshot: Snapshot
    let gate: GateAddress
    /// The name that the certificate has to be for; nil when any will do.
    let certificateName: String?
    /// Who to say that we are to a gate that asks for certificates.
    let identity: Identity?
    let user: String
    let password: [UInt8]
    /// The two, as the value of an Authorization field.
    let authorization: [UInt8]
    let probe: Probe
    /// Nil when the walk ends at the Pushgateway.
    let prometheus: PrometheusPlan?

    /// What is asked of a Prometheus.
    struct PrometheusPlan {
        let reader: PrometheusReader
        /// How long to wait for the sample, at most.
        let wait: Duration
        /// Somebody else's job, or metric, to look at too.
        let job: String?
        let metric: String?

        var isAboutOthers: Bool { job != nil || metric != nil }
    }

    var upstream: UpstreamURL { snapshot.configuration.upstream.url.value }

    /// How long the gate may take for an answer: as long as it waits for the Pushgateway, and a login
    /// before that.
    var answerTime: Interval {
        let upstream = snapshot.configuration.upstream
        return Interval(upstream.connectTimeout + upstream.timeout + .seconds(10))
    }
}

/// Where to connect to, to reach the gate.
struct GateAddress {
    let host: Host
    let port: UInt16
    /// The value of the `Host` field.
    let authority: String
    /// What the certificate has to be for; nil when nobody has called the gate anything.
    let certificateName: String?
    /// Who says that it is there.
    let source: String

    enum Host {
        case address(IPAddress)
        case name(String)
    }

    /// The first address that the gate listens on, as it is reached from this machine. Nil when the
    /// system chooses the port.
    init?(_ configuration: Configuration) {
        guard let listen = configuration.listen.first, listen.value.port != 0 else { return nil }
        let address = SocketAddress(address: listen.value.localAddress, port: listen.value.port)
        (host, port) = (.address(address.address), address.port)
        (authority, certificateName) = (address.description, nil)
        source = "listen is \(listen.value)\(configuration.place(of: listen))"
    }

    /// Reads `https://HOST[:PORT]`; nil when it is not so.
    init?(url text: String) {
        guard let url = UpstreamURL(text), url.scheme == .https, url.prefix.isEmpty else {
            return nil
        }
        switch url.host {
        case .address(let address): (host, certificateName) = (.address(address), "\(address)")
        case .name(let name): (host, certificateName) = (.name(name), name)
        case .socket: return nil
        }
        (port, authority, source) = (url.port, url.authority, "--url")
    }
}

extension Configuration {
    /// Where a value stands, to be put behind a sentence; nothing for a default.
    func place<Value>(of value: Located<Value>) -> String {
        value.position == .none ? "" : " (\(file):\(value.line):\(value.column))"
    }
}
