import Admission
import Bytes
import Reactor
import Synchronization

/// What the whole process shares and must not run out of: connections, handshakes, buffered bytes.
///
/// The only state that several threads change on a push's way; everything else belongs to one loop.
final class Budgets: Sendable {
    private let bufferedBytes = Atomic<Int>(0)
    private let handshakes = Atomic<Int>(0)
    private let connections: Mutex<Connections>

    private struct Connections {
        var total = 0
        /// By the network that counts as one client: an IPv4 address, an IPv6 /64.
        var byAddress: [IPAddress: Int] = [:]
    }

    init() { connections = Mutex(Connections()) }

    // MARK: Buffered bytes

    /// Sets `count` bytes aside for a body. False at once when there is no room: nobody waits for memory.
    func reserve(bytes count: Int, max: Int) -> Bool {
        let before = bufferedBytes.wrappingAdd(count, ordering: .relaxed).oldValue
        if count <= max, before <= max - count { return true }
        release(bytes: count)
        return false
    }

    func release(bytes count: Int) {
        bufferedBytes.wrappingSubtract(count, ordering: .relaxed)
    }

    // MARK: Handshakes

    func beginHandshake() { handshakes.wrappingAdd(1, ordering: .relaxed) }
    func endHandshake() { handshakes.wrappingSubtract(1, ordering: .relaxed) }
    var handshakesUnderWay: Int { handshakes.load(ordering: .relaxed) }

    // MARK: Connections

    var connectionCount: Int { connections.withLock { $0.total } }

    /// Counts a connection of `address` and says how many it has now.
    func open(from address: IPAddress) -> Int {
        connections.withLock { connections in
            connections.total += 1
            let client = address.countedNetwork
            let count = connections.byAddress[client, default: 0] + 1
            connections.byAddress[client] = count
            return count
        }
    }

    func close(from address: IPAddress) {
        connections.withLock { connections in
            connections.total -= 1
            let client = address.countedNetwork
            let count = connections.byAddress[client, default: 1] - 1
            connections.byAddress[client] = count > 0 ? count : nil
        }
    }
}
