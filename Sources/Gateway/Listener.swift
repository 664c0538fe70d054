import Bytes
import Configuration
import Reactor

/// A socket that clients knock at.
final class Listener {
    let socket: FileDescriptor
    let address: SocketAddress
    let ticket: Ticket

    /// How many are let in before others of the loop have their turn.
    static let acceptsPerTurn = 16

    init(_ listen: ListenAddress, index: Int) throws(Errno) {
        socket = try Listener.open(listen)
        address = try Socket.localAddress(of: socket)
        ticket = Party.listener.ticket(index)
    }

    private static func open(_ listen: ListenAddress) throws(Errno) -> FileDescriptor {
        switch listen.host {
        case .everyFamily:
            let everywhere = SocketAddress(address: IPAddress(high: 0, low: 0), port: listen.port)
            do throws(Errno) {
                return try Socket.listen(on: everywhere, family: .dual)
            } catch .familyNotSupported {
                // A machine without IPv6: every family there is.
                let everyIPv4 = SocketAddress(address: IPAddress(ipv4: 0), port: listen.port)
                return try Socket.listen(on: everyIPv4, family: .ipv4)
            }
        case .address(let address):
            return try Socket.listen(
                on: SocketAddress(address: address, port: listen.port),
                family: address.isIPv4 ? .ipv4 : .ipv6Only)
        }
    }
}
