import Bytes
import Configuration
import Reactor

/// One worker's share of the connections to the Pushgateway, and the pushes that wait for one.
struct Upstream: ~Copyable {
    var connections = Table<UpstreamConnection>(of: .upstream)
    var deadlines: Deadlines
    /// Connections that carry nothing right now; the last one used is the first to be used again.
    private var idle: [Ticket] = []
    private var waiting = ExchangeQueue()
    private let connectionsMax: Int

    /// Where the Pushgateway is; empty while its name cannot be resolved.
    var addresses: [SocketAddress]
    private var nextAddress = 0

    let host: [UInt8]
    let pathPrefix: [UInt8]

    /// How long a connection that carries nothing is kept.
    static let idleMax = Interval.seconds(60)
    /// How many pushes may wait for a connection. Each holds its body, so `buffered_bytes_max` usually
    /// ends the queue sooner.
    private static let waitingMax = 4096

    init(_ settings: Configuration.Upstream, share: Int, now: Instant) {
        connectionsMax = max(1, share)
        deadlines = Deadlines(now: now)
        let url = settings.url.value
        host = Array(url.authority.utf8)
        pathPrefix = Array(url.prefix.utf8)
        addresses =
            switch url.host {
            case .address(let address): [SocketAddress(address: address, port: url.port)]
            case .name: []
            }
    }

    var hasRoom: Bool { connections.count < connectionsMax }

    /// A connection that is open and carries nothing.
    mutating func takeIdle() -> UpstreamConnection? {
        while let ticket = idle.popLast() {
            if let connection = connections[ticket] { return connection }
        }
        return nil
    }

    mutating func keepIdle(_ connection: UpstreamConnection, at now: Instant) {
        idle.append(connection.ticket)
        deadlines.set(connection.ticket.slot, at: now + Upstream.idleMax)
    }

    /// Takes a connection out. Its ticket may still lie among the idle ones, where it finds nobody.
    mutating func remove(_ connection: UpstreamConnection) {
        deadlines.clear(connection.ticket.slot)
        connections.remove(connection.ticket)
        if idle.count > 2 * connectionsMax { idle.removeAll { connections[$0] == nil } }
    }

    /// The address to connect to now. Each failure goes on to the next one.
    var address: SocketAddress? {
        addresses.isEmpty ? nil : addresses[nextAddress % addresses.count]
    }

    mutating func tryNextAddress() {
        nextAddress = addresses.isEmpty ? 0 : (nextAddress + 1) % addresses.count
    }

    /// Lets a push wait for a connection. False when too many do.
    mutating func enqueue(_ exchange: ExchangeID) -> Bool {
        guard waiting.count < Upstream.waitingMax else { return false }
        waiting.append(exchange)
        return true
    }

    mutating func dequeue() -> ExchangeID? { waiting.removeFirst() }
}

/// First in, first out; storage is reclaimed as it runs empty. Who has gone meanwhile is found out
/// when his turn comes.
private struct ExchangeQueue {
    private var exchanges: [ExchangeID] = []
    private var first = 0

    var count: Int { exchanges.count - first }

    mutating func append(_ exchange: ExchangeID) { exchanges.append(exchange) }

    mutating func removeFirst() -> ExchangeID? {
        guard first < exchanges.count else { return nil }
        let exchange = exchanges[first]
        first += 1
        if first == exchanges.count || first > 4096 {
            exchanges.removeFirst(first)
            first = 0
        }
        return exchange
    }
}
