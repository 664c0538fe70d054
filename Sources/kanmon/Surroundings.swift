import Admission
import Bytes
import Configuration
import Gateway
import Reactor
import TLS

/// What only `check` looks at: whether the configuration fits the machine it is checked on, and whether
/// it is wise.
struct Surroundings {
    private let snapshot: Snapshot
    private var configuration: Configuration { snapshot.configuration }

    init(_ snapshot: Snapshot) { self.snapshot = snapshot }

    func problems() -> [Problem] {
        occupations() + productionWarnings() + containerWarnings() + proxyWarnings()
    }

    // MARK: Ports

    /// A reload binds nothing. The service manager's check before it runs with the rights of the gate,
    /// which may neither see who holds a port nor bind a low one.
    private func occupations() -> [Problem] {
        if isBeforeReload { return [] }
        return (configuration.listen + [configuration.admin?.listen].compactMap(\.self))
            .compactMap(occupation)
    }

    /// Only the commands beside a running service have this variable (systemd.exec(5), `$MAINPID`).
    private var isBeforeReload: Bool { ProcessEnvironment.value(of: "MAINPID") != nil }

    /// A port that is held by our own gate, or by the service manager for it, is fine: so `check` can
    /// run before a start and before a reload. Who may not look into that process is told that it may
    /// be so.
    private func occupation(of listen: Located<ListenAddress>) -> Problem? {
        guard let error = BindFailure.tryBinding(listen.value) else { return nil }
        let text = BindFailure(of: listen.value, error).text
        guard error == .addressInUse else {
            return configuration.problem(.error, at: listen, text)
        }
        guard let holder = PortHolder(ofPort: listen.value.port) else {
            return configuration.problem(
                .warning, at: listen,
                text + ", one this user may not look into; fine if it is the service manager")
        }
        let isFine = holder.name == "kanmon" || holder.name == "systemd" || holder.processID == 1
        return isFine ? nil : configuration.problem(.error, at: listen, text)
    }

    // MARK: Production

    private func productionWarnings() -> [Problem] {
        guard configuration.environment == .production else { return [] }
        return developmentCertificate() + privateNetworks()
    }

    private func developmentCertificate() -> [Problem] {
        let names = snapshot.certificate.names
        let isLocal = { (name: String) in
            ["DNS:localhost", "IP Address:127.0.0.1", "IP Address:0:0:0:0:0:0:0:1"].contains(name)
        }
        guard !names.isEmpty, names.allSatisfy(isLocal) else { return [] }
        return [
            configuration.problem(
                .warning, at: configuration.tls.certificateFile,
                "this is production, and the certificate speaks only for this machine; "
                    + "to make one: kanmon cert --out DIR --host NAME")
        ]
    }

    private func privateNetworks() -> [Problem] {
        configuration.allow.compactMap { entry in
            guard let range = try? AddressRange(parsing: entry.value),
                PrivateNetworks.all.contains(where: { $0.contains(range.first) })
            else { return nil }
            return configuration.problem(
                .warning, at: entry,
                "this is production, and \(range) is a private network; name the pusher's own address"
            )
        }
    }

    // MARK: Proxies

    /// Whoever answers refused pushes by allowing the proxy that they come through lets everybody in.
    private func proxyWarnings() -> [Problem] {
        configuration.allow.compactMap { entry in
            guard let range = try? AddressRange(parsing: entry.value), Cloudflare.has(range.first)
            else { return nil }
            return configuration.problem(
                .warning, at: entry,
                "\(range) is Cloudflare's, and everybody behind its proxy would be let in; the name "
                    + "that hosts push to must be \"DNS only\" there")
        }
    }

    // MARK: Containers

    /// Inside a container that only has IPv4, every IPv6 client comes from the container's own gateway:
    /// whoever allows that, allows the internet.
    private func containerWarnings() -> [Problem] {
        guard Container.isInside, let gateway = Container.defaultGateway else { return [] }
        return configuration.allow.compactMap { entry in
            guard let range = try? AddressRange(parsing: entry.value), range.contains(gateway)
            else {
                return nil
            }
            return configuration.problem(
                .warning, at: entry,
                "\(range) covers this container's own gateway \(gateway), which is what IPv6 clients "
                    + "look like from inside; name exact addresses")
        }
    }
}

/// The networks nobody on the internet has (RFC 1918, RFC 4193).
private enum PrivateNetworks {
    static let all = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"].compactMap {
        try? AddressRange(parsing: $0)
    }
}

/// The container this process may run in.
private enum Container {
    static var isInside: Bool {
        ["/.dockerenv", "/run/.containerenv"].contains { RegularFile.mode(of: $0) != nil }
    }

    /// From the kernel's table of routes, where addresses stand in the byte order of the machine.
    static var defaultGateway: IPAddress? {
        let table = (try? RegularFile.contents(of: "/proc/net/route", bytesMax: 1 << 20)) ?? []
        for line in String(decoding: table, as: UTF8.self).split(separator: "\n").dropFirst() {
            let columns = line.split(separator: "\t")
            guard columns.count > 2, columns[1] == "00000000",
                let raw = UInt32(columns[2], radix: 16)
            else { continue }
            return IPAddress(ipv4: UInt32(bigEndian: raw))
        }
        return nil
    }
}
