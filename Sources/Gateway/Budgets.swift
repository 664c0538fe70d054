import Admission
import Bytes
import Reactor
import Synchronization

/// What the clients of one network hold together: of an IPv4 address, or of an IPv6 /64.
final class NetworkShare: Sendable {
    fileprivate let bufferedBytes = Atomic<Int>(0)
}

/// What the whole process shares and must not run out of: connections, handshakes, buffered bytes.
///
/// The only state that several threads change on a push's way; everything else belongs to one loop.
final class Budgets: Sendable {
    private let bufferedBytes = Atomic<Int>(0)
    private let handshakes = Atomic<Int>(0)
    private let connections: Mutex<Connections>

    private struct Connections {
        var total = 0
        var byNetwork: [IPAddress: Network] = [:]
    }

    private struct Network {
        let share = NetworkShare()
        var connections = 0
    }

    init() { connections = Mutex(Connections()) }

    // MARK: Buffered bytes

    /// Sets `count` bytes aside for a body that has `held` already. False at once when there is no room:
    /// nobody waits for memory.
    ///
    /// A single body may have what there is. A network with several may not hold more in all than it
    /// leaves to others, so that there is always room for who comes next.
    func reserve(bytes count: Int, atop held: Int, of share: NetworkShare, max: Int) -> Bool {
        let before = bufferedBytes.wrappingAdd(count, ordering: .relaxed).oldValue
        let beforeOfShare = share.bufferedBytes.wrappingAdd(count, ordering: .relaxed).oldValue
        if count <= max, before <= max - count {
            let left = max - count - before
            if beforeOfShare == held || beforeOfShare + count <= left { return true }
        }
        release(bytes: count, of: share)
        return false
    }

    func release(bytes count: Int, of share: NetworkShare) {
        bufferedBytes.wrappingSubtract(count, ordering: .relaxed)
        share.bufferedBytes.wrappingSubtract(count, ordering: .relaxed)
    }

    var bufferedByteCount: Int { bufferedBytes.load(ordering: .relaxed) }

    // MARK: Handshakes

    func beginHandshake() { handshakes.wrappingAdd(1, ordering: .relaxed) }
    func endHandshake() { handshakes.wrappingSubtract(1, ordering: .relaxed) }
    var handshakesUnderWay: Int { handshakes.load(ordering: .relaxed) }

    // MARK: Connections

    var connectionCount: Int { connections.withLock { $0.total } }

    /// Counts a connection of `address`: what its network shares, and how many connections that has now.
    func open(from address: IPAddress) -> (share: NetworkShare, connections: Int) {
        connections.withLock { connections in
            connections.total += 1
            var network = connections.byNetwork[address.countedNetwork] ?? Network()
            network.connections += 1
            connections.byNetwork[address.countedNetwork] = network
            return (network.share, network.connections)
        }
    }

    func close(from address: IPAddress) {
        connections.withLock { connections in
            connections.total -= 1
            guard var network = connections.byNetwork[address.countedNetwork] else { return }
            network.connections -= 1
            connections.byNetwork[address.countedNetwork] =
                network.connections > 0 ? network : nil
        }
    }
}
