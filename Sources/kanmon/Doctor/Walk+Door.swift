import Bytes
import Configuration
import Gateway
import Glibc
import Reactor
import TLS

/// From a name to a door that is open: everything before the first request.
extension Walk {
    private static let connectTime = Interval.seconds(5)
    private static let handshakeTime = Interval.seconds(10)

    private var configuration: Configuration { plan.snapshot.configuration }

    /// Goes in, and finds that it is our gate behind the door.
    mutating func enter() throws(WalkEnd) -> GateClient {
        do throws(WalkEnd) {
            return try goIn()
        } catch {
            guard isProxied, case .broken(let broken) = error else { throw error }
            throw .broken(broken.hop, broken.finding, remedy: Cloudflare.remedy)
        }
    }

    private mutating func goIn() throws(WalkEnd) -> GateClient {
        let socket = try connect(to: try addresses())
        var client: GateClient
        do throws(GateClient.Failure) {
            client = try shakeHands(on: socket)
        } catch {
            switch error {
            case .interrupted: throw .interrupted
            case .ended(wordless: true): throw turnedAway()
            default: throw notShaken(error)
            }
        }
        report.pass(.allowlist, admission.text)
        try judge(&client)
        return client
    }

    // MARK: Name and TCP

    private mutating func addresses() throws(WalkEnd) -> [SocketAddress] {
        let gate = plan.gate
        switch gate.host {
        case .address(let address):
            tellName("\(address): \(gate.source)", [address])
            return [SocketAddress(address: address, port: gate.port)]
        case .name(let name):
            switch NameLookup.addresses(of: name) {
            case .success(let found):
                let list = found.map(\.description).joined(separator: ", ")
                tellName("\(name) is \(list)", found)
                return found.map { SocketAddress(address: $0, port: gate.port) }
            case .failure(let failure):
                throw .broken(
                    .name, "\(name) cannot be resolved: \(failure)",
                    remedy: "is it spelt right, and is there a DNS record for it? "
                        + "This machine asks what stands in /etc/hosts and /etc/resolv.conf")
            }
        }
    }

    private mutating func tellName(_ finding: String, _ addresses: [IPAddress]) {
        isProxied = addresses.contains(where: Cloudflare.has)
        guard isProxied else { return report.pass(.name, finding) }
        report.warn(
            of: .name,
            "\(finding); that is Cloudflare's proxy, while a name for pushes must be \"DNS only\"")
    }

    /// The first address that lets itself be connected to.
    private mutating func connect(to addresses: [SocketAddress]) throws(WalkEnd) -> FileDescriptor {
        var failures: [(address: SocketAddress, error: Errno)] = []
        for address in addresses {
            do throws(GateClient.Failure) {
                let socket = try GateClient.connect(
                    to: address, by: vigil, until: .now() + Walk.connectTime)
                let local = try? Socket.localAddress(of: socket)
                report.pass(
                    .connection,
                    "connected to \(address)" + (local.map { " from \($0.address)" } ?? ""))
                (origin, reached) = (local?.address, address)
                return socket
            } catch {
                switch error {
                case .interrupted: throw .interrupted
                case .unreachable(let error): failures.append((address, error))
                default: failures.append((address, .timedOut))
                }
            }
        }
        let finding = failures.map { "\($0.address): \($0.error)" }.joined(separator: "; ")
        throw .broken(.connection, finding, remedy: remedy(for: failures.last?.error.code))
    }

    private func remedy(for code: Int32?) -> String {
        let port = plan.gate.port
        switch code {
        case ECONNREFUSED:
            return "nothing listens there. Is the gate running (systemctl status kanmon), and is "
                + "this the address and port of its listen? A firewall that rejects looks the same"
        case ETIMEDOUT:
            return
                "nobody answers: something on the way drops the packets. Open TCP port \(port) in "
                + "the cloud's security list or network security group, and in firewalls that drop; "
                + "a wrong address looks the same"
        case EHOSTUNREACH, EACCES, EPERM:
            return
                "there is a way, and a firewall closes it, mostly the one of the gate's own host: "
                + "let TCP port \(port) in there (iptables, nftables, firewall-cmd)"
        case ENETUNREACH, EADDRNOTAVAIL, EAFNOSUPPORT:
            return
                "this machine has no route there; has it an address of that family, and a gateway?"
        default: return "what that error says of this machine"
        }
    }

    // MARK: The door and TLS

    /// Goes in again.
    func enter(at address: SocketAddress) throws(GateClient.Failure) -> GateClient {
        try shakeHands(
            on: try GateClient.connect(
                to: address, by: vigil, until: .now() + Walk.connectTime))
    }

    private func shakeHands(
        on socket: consuming FileDescriptor
    ) throws(GateClient.Failure) -> GateClient {
        let context: ClientContext
        do throws(IdentityError) {
            context = try ClientContext(authorities: plan.snapshot.identity.certificates)
        } catch {
            throw .identityRefused(error)
        }
        return try GateClient.shakeHands(
            on: socket, by: context, name: plan.certificateName ?? "localhost",
            identity: plan.identity, vigil, until: .now() + Walk.handshakeTime)
    }

    /// What `allow` in this configuration says of the address that we come from.
    private var admission: (isListed: Bool, text: String) {
        guard let origin else { return (true, "let in") }
        let push = Explanation.Push(
            user: plan.user, from: origin, method: "POST",
            target: String(decoding: plan.probe.path, as: UTF8.self))
        let step = Explanation(of: push, by: plan.snapshot).steps.first
        guard let step, step.mark == .passes else {
            return (false, "let in, as another address than \(origin), which allow does not list")
        }
        return (true, "\(step.text) (\(step.places.joined(separator: ", ")))")
    }

    private func turnedAway() -> WalkEnd {
        let from = origin?.description ?? "this address"
        let closed = "closed without a byte"
        let first = configuration.allow.first.map(configuration.place) ?? ""
        guard !admission.isListed else {
            return .broken(
                .allowlist, "\(closed), although \(admission.text)",
                remedy: "the gate may see another address than \(from) (NAT, a container, a proxy "
                    + "or tunnel before it: its name must be DNS only); its log says which, with "
                    + "\"address not allowed\". Or it runs with an older configuration: reload it. Or "
                    + "it has all the connections that it may have")
        }
        let listed = configuration.allow.prefix(8).map(\.value).joined(separator: ", ")
        return .broken(
            .allowlist, "\(closed): \(from) is not in allow, which lists \(listed)\(first)",
            remedy: "if \(from) may push, add it to allow\(first) and reload the gate; otherwise "
                + "run this where a client is, with --url")
    }

    private func notShaken(_ failure: GateClient.Failure) -> WalkEnd {
        let holder = PortHolder(ofPort: plan.gate.port)
        let port = "port \(plan.gate.port)"
        let who = holder.map { "; on this machine \(port) is held by \($0)" } ?? ""
        switch failure {
        case .late:
            return .broken(
                .handshake, "connected, and then not a word\(who)",
                remedy: "the gate is there and does not turn: look into its log, then restart it")
        case .identityRefused:
            return .broken(
                .handshake, failure.sentence,
                remedy: "--cert and --key need a certificate and the key that belongs to it, as PEM"
            )
        default:
            return .broken(
                .handshake, failure.sentence + who,
                remedy: asksForCertificate
                    ? certificateRemedy
                    : "does a gate listen on \(port), "
                        + "or something without TLS? The gate's log names a handshake that fails")
        }
    }

    /// Whether clients have to show a certificate.
    var asksForCertificate: Bool { configuration.tls.clientAuthorityFile != nil }

    var certificateRemedy: String {
        let file = configuration.tls.clientAuthorityFile
        let place = file.map { " \($0.value)\(configuration.place(of: $0))" } ?? ""
        return "this gate demands a certificate of an authority in client_ca_file\(place): "
            + "give one with --cert and --key"
    }

    /// Before this nothing was sent.
    private mutating func judge(_ client: inout GateClient) throws(WalkEnd) {
        let own = plan.snapshot.certificate
        let file = configuration.tls.certificateFile
        let names = own.names.joined(separator: ", ")
        let shown = client.certificate
        guard let shown, shown.fingerprint == own.fingerprint else {
            let other = shown.map {
                ". It is for \($0.names.joined(separator: ", ")), SHA-256 \($0.fingerprint)"
            }
            let finding =
                "the certificate is not the one in \(file.value)\(configuration.place(of: file))"
                + (other ?? "")
            if try isCloudflare(&client) {
                throw .broken(
                    .handshake, finding + "; it is Cloudflare that answers",
                    remedy: Cloudflare.remedy)
            }
            throw .broken(
                .handshake, finding,
                remedy: "if the file was replaced, let the gate read it: systemctl reload kanmon; "
                    + "otherwise something else answers on port \(plan.gate.port)")
        }
        let days = try daysLeft(of: own)
        if let name = plan.certificateName, !client.speaks(for: name) {
            throw .broken(
                .handshake, "the certificate is not for \(name) but for \(names)",
                remedy: "kanmon cert --renew --out DIR with a --host for each name that clients "
                    + "use; or let them use one that it is for")
        }
        let version = client.isVersion13 ? "TLS 1.3" : "TLS 1.2"
        let finding = "\(version), the configured certificate, for \(names), good for \(days) days"
        if own.names.isEmpty {
            report.warn(of: .handshake, "\(finding); without a name in it most clients refuse it")
        } else if days < 14 {
            report.warn(of: .handshake, "\(finding); to renew it: \(Walk.renewal)")
        } else {
            report.pass(.handshake, finding)
        }
    }

    /// What says who answers there: a question without a login.
    private func isCloudflare(_ client: inout GateClient) throws(WalkEnd) -> Bool {
        let question = "GET /-/healthy HTTP/1.1\r\nHost: \(plan.gate.authority)\r\n\r\n"
        do throws(GateClient.Failure) {
            _ = try client.ask(Array(question.utf8), until: .now() + Walk.connectTime)
            return false
        } catch {
            switch error {
            case .interrupted: throw .interrupted
            case .proxied: return true
            default: return false
            }
        }
    }

    private static let renewal =
        "kanmon cert --renew --out DIR, give ca-bundle.crt to the clients, then reload the gate"

    private func daysLeft(of certificate: Certificate) throws(WalkEnd) -> Int {
        let now = WallClock.now().seconds
        let day = 86_400
        guard certificate.notAfter > now else {
            let days = (now - certificate.notAfter) / day
            throw .broken(
                .handshake, "the certificate expired \(days) days ago", remedy: Walk.renewal)
        }
        guard certificate.notBefore <= now else {
            throw .broken(
                .handshake, "the certificate is not valid yet",
                remedy: "set this machine's clock, or that of the machine it was made on, right")
        }
        return (certificate.notAfter - now) / day
    }
}
