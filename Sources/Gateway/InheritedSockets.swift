import Bytes
import Configuration
import Reactor

/// The listening sockets that were open before this process began: passed by the service manager, or
/// by the gate that this one is to take over from.
///
/// Each must be one that the configuration asks for, at exactly that address. `:9443` is a socket for
/// both families, `[::]:9443` one for IPv6 only; where the machine has no IPv6, `:9443` is `0.0.0.0:9443`.
/// A port that was left to the system is known only to the gate before this one, which says by the
/// socket's name what it was for.
struct InheritedSockets {
    private var sockets: [PassedSocket] = []
    private let predecessor: Predecessor.Name?

    /// A socket, and what becomes of those who wait in its queue when this process ends.
    struct Inherited {
        let socket: PassedSocket
        let isHeldOutside: Bool
    }

    init(from predecessor: Predecessor.Name?) throws(PassedSocket.Fault) {
        self.predecessor = predecessor
        guard predecessor != nil || PassedSocket.areForThisProcess else { return }
        sockets = try PassedSocket.announced()
    }

    /// The socket for this address, if there is one. Each is given once.
    mutating func take(for address: ListenAddress, _ purpose: ListenerName) -> Inherited? {
        let index = sockets.firstIndex { socket in
            isFor(address, socket) || isHandedOver(socket, for: purpose, at: address)
        }
        guard let index else { return nil }
        let socket = sockets.remove(at: index)
        let isHeld = predecessor == nil || ListenerName.isHeldOutside(socket.name)
        return Inherited(socket: socket, isHeldOutside: isHeld)
    }

    private func isFor(_ address: ListenAddress, _ socket: PassedSocket) -> Bool {
        let passed = ListenAddress(of: socket.address, socket.family)
        if passed == address { return true }
        let everyIPv4 = ListenAddress(host: .address(IPAddress(ipv4: 0)), port: address.port)
        return address.host == .everyFamily && passed == everyIPv4 && !Socket.isIPv6Supported
    }

    private func isHandedOver(
        _ socket: PassedSocket, for purpose: ListenerName, at address: ListenAddress
    ) -> Bool {
        let passed = ListenAddress(of: socket.address, socket.family)
        return predecessor != nil && purpose.isName(socket.name) && address.port == 0
            && passed.host == address.host
    }

    /// What is wrong when one was passed that nobody asked for.
    func leftover(_ configured: [ListenAddress]) -> String? {
        guard let socket = sockets.first else { return nil }
        let name = socket.name.isEmpty ? "" : " (\(socket.name))"
        let addresses = configured.map(\.description).joined(separator: ", ")
        return "descriptor \(socket.number)\(name) was passed to listen on "
            + "\(ListenAddress(of: socket.address, socket.family)), and the configuration listens on \(addresses); "
            + "make the socket unit and the configuration agree"
    }
}

/// What a listener is called when it is handed to the next process.
struct ListenerName {
    let role: StaticString
    let index: Int

    init(of party: Party, _ index: Int) {
        role = party == .adminListener ? "admin" : "ingest"
        self.index = index
    }

    private var stem: String { "\(role)\(index)" }

    /// The last part says whether somebody else keeps the socket open.
    func text(isHeldOutside: Bool) -> String { stem + (isHeldOutside ? "-held" : "-own") }

    func isName(_ text: String) -> Bool { text == stem + "-held" || text == stem + "-own" }
    static func isHeldOutside(_ text: String) -> Bool { text.hasSuffix("-held") }
}

extension ListenAddress {
    /// What the configuration would write for a socket that is bound to `address`. Only the address of
    /// every IPv6 interface takes IPv4 as well, and only when it may.
    init(of address: SocketAddress, _ family: Socket.Family) {
        let isEverywhere = (address.address.high, address.address.low) == (0, 0)
        self.init(
            host: isEverywhere && family == .dual ? .everyFamily : .address(address.address),
            port: address.port)
    }
}
