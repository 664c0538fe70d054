import Bytes
package import Configuration
import Reactor
package import TLS

/// All that a connection to the Pushgateway depends on: where it is, whom to trust there, and what to say
/// to be let in. Connections made by one are of no use to another.
package struct UpstreamAccess: Sendable, Equatable {
    let url: UpstreamURL
    /// Whom to trust with https; nil for whom the system trusts.
    let authorities: Authorities?
    let login: UpstreamLogin?

    /// Certificates in PEM form, and the file they were read from.
    struct Authorities: Sendable, Equatable {
        let path: String
        let certificates: [UInt8]
    }

    /// The addresses, as far as they are known without looking up a name.
    var fixedAddresses: [PeerAddress]? {
        switch url.host {
        case .address(let address):
            [.network(SocketAddress(address: address, port: url.port))]
        case .socket(let path): [.file(path: path)]
        case .name: nil
        }
    }

    /// What a status other than the one that was hoped for says about all this.
    package func meaning(ofStatus status: Int) -> String {
        switch (status, login) {
        case (401, nil), (403, nil):
            "status \(status): it wants a login; upstream.username and upstream.password_file give one"
        case (401, let login?), (403, let login?):
            "status \(status): it refuses the login of upstream.username \(login.username)"
        default: "status \(status)"
        }
    }

    /// How curl is told of all this: for the command that mends what is there.
    var curlArguments: String {
        var arguments: [String] = []
        if let authorities { arguments += ["--cacert", authorities.path.quotedForShell] }
        if let login { arguments += ["--user", login.username.quotedForShell] }
        if case .socket(let path) = url.host {
            arguments += ["--unix-socket", path.quotedForShell, "http://localhost"]
        } else {
            arguments.append(url.description)
        }
        return arguments.joined(separator: " ")
    }

    /// Do both ask the same place, whatever they say there?
    func isOfSamePlace(as other: UpstreamAccess) -> Bool {
        url.host == other.url.host && url.port == other.url.port
    }
}

/// What the gate says to the Pushgateway to be let in. It is written into requests and shown nowhere.
struct UpstreamLogin: Sendable, Equatable, CustomStringConvertible {
    let username: String
    /// The whole value of the Authorization field.
    let fieldValue: [UInt8]

    var description: String { "(the login of \(username))" }
}

/// Makes connections to the Pushgateway, for any thread.
package struct Dialer: Sendable {
    package let access: UpstreamAccess
    let host: [UInt8]
    let pathPrefix: [UInt8]
    private let context: ClientContext?

    init(_ access: UpstreamAccess) throws(IdentityError) {
        self.access = access
        host = Array(access.url.authority.utf8)
        pathPrefix = Array(access.url.prefix.utf8)
        context =
            access.url.scheme == .https
            ? try ClientContext(authorities: access.authorities?.certificates) : nil
    }

    /// For another program that is asked as a Pushgateway is: without a login, and with https trusting
    /// whom the system trusts.
    package init(_ url: UpstreamURL) throws(IdentityError) {
        try self.init(UpstreamAccess(url: url, authorities: nil, login: nil))
    }

    /// Begins to connect. The channel is writable once there is a connection or none can be had, and
    /// then its handshake begins.
    func connect(to address: PeerAddress) throws(TLSError) -> Channel {
        let socket = try socket(to: address)
        let tls = try session(on: socket)
        return Channel(on: socket, tls: tls)
    }

    private func socket(to address: PeerAddress) throws(TLSError) -> FileDescriptor {
        do throws(Errno) {
            let socket = try Socket.connect(to: address)
            if case .network = address { try Socket.keepAlive(socket) }
            return socket
        } catch {
            throw .socketFailed(error)
        }
    }

    private func session(on socket: borrowing FileDescriptor) throws(TLSError) -> TLSConnection? {
        guard let context else { return nil }
        switch access.url.host {
        case .name(let name): return try context.connect(on: socket, to: name)
        case .address(let address): return try context.connect(on: socket, to: address)
        case .socket: return nil  // Only https has a context.
        }
    }
}
