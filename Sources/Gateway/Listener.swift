import Bytes
import Configuration
import Reactor

/// A socket that clients knock at, or those who run the gate.
final class Listener {
    let socket: FileDescriptor
    let address: SocketAddress
    let ticket: Ticket
    /// Whom it is for.
    let party: Party
    let name: ListenerName
    /// Whether somebody else keeps the socket open, so that who waits in its queue need not be let in
    /// before it is closed here.
    let isHeldOutside: Bool

    /// What the kernel keeps of answers that a client does not take: some hundred, rather than the
    /// megabytes it would come to by itself.
    private static let sendBytesMax: Int32 = 64 << 10

    /// How many are let in before others of the loop have their turn.
    static let acceptsPerTurn = 16

    /// - Parameter index: its place among those of that party.
    init(
        _ listen: ListenAddress, for party: Party = .listener, index: Int = 0
    ) throws(Errno) {
        socket = try Listener.open(listen)
        address = try Socket.localAddress(of: socket)
        (self.party, isHeldOutside) = (party, false)
        (ticket, name) = (party.ticket(index), ListenerName(of: party, index))
    }

    /// Takes over a socket that was open before.
    init(_ inherited: InheritedSockets.Inherited, for party: Party, index: Int) {
        socket = FileDescriptor(taking: inherited.socket.number)
        address = inherited.socket.address
        (self.party, isHeldOutside) = (party, inherited.isHeldOutside)
        (ticket, name) = (party.ticket(index), ListenerName(of: party, index))
    }

    /// Whoever takes nothing of an answer is to be cut, although most answers fit into the kernel and
    /// are no concern of the loop any more.
    func boundSending(by timeouts: Timeouts) throws(Errno) {
        try Socket.boundSending(
            onceAcceptedOn: socket, bytes: Listener.sendBytesMax, silence: timeouts.write)
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
