import Bytes
import Configuration
import Reactor

/// One worker's share of the connections to the Pushgateway, and the pushes that wait for one.
struct Upstream: ~Copyable {
    private(set) var connections = Table<UpstreamConnection>(of: .upstream)
    var deadlines: Deadlines
    private(set) var dialer: Dialer
    /// Connections that carry nothing right now; the last one used is the first to be used again.
    private var idle: [Ticket] = []
    /// The connection on which small pushes gather until the end of the turn.
    private var gathering: Ticket?
    private var waiting = ExchangeQueue()
    private var connectionsMax: Int

    /// Counts the ways in which the Pushgateway was reached. What was connected in another way than the
    /// present one ends what it carries, and carries nothing more.
    private var generation = 0
    /// How many connections are of this generation.
    private var presentCount = 0

    /// Where the Pushgateway is. Nil until its name was looked up; empty while it cannot be resolved.
    private(set) var addresses: [PeerAddress]?
    private var nextAddress = 0

    /// How long a connection that carries nothing is kept.
    static let idleMax = Interval.seconds(60)
    /// How many pushes may wait for a connection. Each holds its body, so `buffered_bytes_max` usually
    /// ends the queue sooner.
    private static let waitingMax = 4096

    init(_ dialer: Dialer, share: Int, now: Instant) {
        connectionsMax = max(1, share)
        deadlines = Deadlines(now: now)
        self.dialer = dialer
        addresses = dialer.access.fixedAddresses
    }

    /// Goes over to other settings, between two events. Idle connections that do not fit them end at
    /// once; those that carry a push end after it; who waits, waits on and goes the new way.
    /// - Parameter found: where the Pushgateway is, if its name was looked up already.
    mutating func use(_ dialer: Dialer, share: Int, addresses found: [PeerAddress]? = nil) {
        connectionsMax = max(1, share)
        let (old, new) = (self.dialer.access, dialer.access)
        if old != new {
            if !new.isOfSamePlace(as: old) {
                addresses = new.fixedAddresses ?? found
                nextAddress = 0
            }
            self.dialer = dialer
            generation &+= 1
            presentCount = 0
        }
        for ticket in idle {
            guard let connection = connections[ticket], !mayCarryMore(connection) else { continue }
            connection.sayFarewell()
            remove(connection)
        }
        idle.removeAll { connections[$0] == nil }
    }

    // MARK: Connections

    /// May one more be opened? Those of another generation are on their way out; a few reloads in a row
    /// must not make many of them.
    var hasRoom: Bool {
        presentCount < connectionsMax && connections.count < 2 * connectionsMax
    }

    /// Puts a connection there that is about to carry a push.
    mutating func add(_ channel: consuming Channel, to address: PeerAddress) -> UpstreamConnection {
        let ticket = connections.reserve()
        let connection = UpstreamConnection(
            ticket: ticket, channel: channel, address: address, generation: generation)
        connections.insert(connection, at: ticket)
        presentCount += 1
        return connection
    }

    /// Is it of the present generation, and within the bound?
    func mayCarryMore(_ connection: UpstreamConnection) -> Bool {
        connection.generation == generation && presentCount <= connectionsMax
    }

    /// A connection that is open and carries nothing.
    mutating func takeIdle() -> UpstreamConnection? {
        while let ticket = idle.popLast() {
            if let connection = connections[ticket] { return connection }
        }
        return nil
    }

    /// A connection on which others gather already, if the push is one that may join them. Not while any
    /// wait: they would be overtaken.
    func takeGathering(for exchange: Exchange) -> UpstreamConnection? {
        guard waiting.count == 0, let gathering,
            exchange.body.count <= UpstreamConnection.copiedBodyMax,
            let connection = connections[gathering], connection.takesAnother,
            mayCarryMore(connection)
        else { return nil }
        return connection
    }

    /// From now on others may join what this connection is about to send.
    mutating func gather(on connection: UpstreamConnection) { gathering = connection.ticket }

    mutating func keepIdle(_ connection: UpstreamConnection, at now: Instant) {
        idle.append(connection.ticket)
        deadlines.set(connection.ticket.slot, at: now + Upstream.idleMax)
    }

    /// Takes a connection out. Its ticket may still lie among the idle ones, where it finds nobody.
    mutating func remove(_ connection: UpstreamConnection) {
        deadlines.clear(connection.ticket.slot)
        connections.remove(connection.ticket)
        if connection.generation == generation { presentCount -= 1 }
        if idle.count > 2 * connectionsMax { idle.removeAll { connections[$0] == nil } }
    }

    // MARK: Addresses

    /// The address to connect to now. Each failure goes on to the next one.
    var address: PeerAddress? {
        guard let addresses, !addresses.isEmpty else { return nil }
        return addresses[nextAddress % addresses.count]
    }

    mutating func tryNextAddress() {
        guard let addresses, !addresses.isEmpty else { return }
        nextAddress = (nextAddress + 1) % addresses.count
    }

    /// Takes over what a name was found to stand for, if it is still the one that is wanted.
    mutating func learn(_ found: [PeerAddress], of url: UpstreamURL) {
        let wanted = dialer.access.url
        if wanted.host == url.host && wanted.port == url.port { addresses = found }
    }

    // MARK: Waiting

    /// Can a push that waits go out on a connection of its own?
    var canOpen: Bool { hasRoom && addresses != nil }

    /// Lets a push wait for a connection. False when too many do.
    mutating func enqueue(_ exchange: ExchangeID) -> Bool {
        guard waiting.count < Upstream.waitingMax else { return false }
        waiting.append(exchange)
        return true
    }

    mutating func dequeue() -> ExchangeID? { waiting.removeFirst() }

    /// Nobody waits for this push any more: its place is free for another.
    mutating func giveUpPlace(of exchange: ExchangeID) { waiting.remove(exchange) }

    var waitingCount: Int { waiting.count }
}

/// First in, first out; storage is reclaimed as it runs empty.
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

    /// Who gives up has mostly waited longest, so the search is short.
    mutating func remove(_ exchange: ExchangeID) {
        if let index = exchanges[first...].firstIndex(of: exchange) { exchanges.remove(at: index) }
    }
}
