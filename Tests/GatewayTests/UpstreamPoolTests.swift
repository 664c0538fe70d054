import Bytes
import Reactor
import Testing

@testable import Configuration
@testable import Gateway

/// The connections to the Pushgateway and the queue before them, without a loop around them.
@Suite struct UpstreamPoolTests {
    private let listener: PortOfOurOwn
    private let now = Instant(nanoseconds: 1_000_000_000)

    init() throws { listener = try PortOfOurOwn() }

    private func dialer(
        host: UpstreamURL.Host? = nil, prefix: String = "", password: String? = nil
    ) throws -> Dialer {
        let loopback = try #require(IPAddress("127.0.0.1"))
        let url = UpstreamURL(
            scheme: .http, host: host ?? .address(loopback), port: listener.port, prefix: prefix)
        let login = password.map { UpstreamLogin(username: "gate", fieldValue: Array($0.utf8)) }
        return try Dialer(UpstreamAccess(url: url, authorities: nil, login: login))
    }

    private func connect(_ upstream: inout Upstream) throws -> UpstreamConnection {
        let known = upstream.address
        let address = try #require(known)
        return upstream.add(try upstream.dialer.connect(to: address), to: address)
    }

    private func exchange(_ number: Int) -> ExchangeID {
        ExchangeID(client: Ticket(kind: 5, slot: number, generation: 0), stream: 1)
    }

    @Test func `there is room for as many connections as there may be, and not for one more`()
        throws
    {
        var upstream = Upstream(try dialer(), share: 2, now: now)
        var room = [upstream.hasRoom]
        let first = try connect(&upstream)
        room.append(upstream.hasRoom)
        _ = try connect(&upstream)
        room.append(upstream.hasRoom)
        upstream.remove(first)
        room.append(upstream.hasRoom)
        #expect(room == [true, true, false, true])
    }

    @Test func `settings that are the same change nothing`() throws {
        var upstream = Upstream(try dialer(), share: 2, now: now)
        let connection = try connect(&upstream)
        connection.state = .idle
        upstream.keepIdle(connection, at: now)
        upstream.use(try dialer(), share: 2)
        let kept = upstream.takeIdle()
        #expect(kept === connection)
        let mayCarryMore = upstream.mayCarryMore(connection)
        #expect(mayCarryMore)
    }

    @Test(arguments: [("/prefix", nil), ("", "a password")] as [(String, String?)])
    func `other settings end idle connections at once and busy ones after their push`(
        prefix: String, password: String?
    ) throws {
        var upstream = Upstream(try dialer(), share: 2, now: now)
        let (idle, busy) = (try connect(&upstream), try connect(&upstream))
        idle.state = .idle
        upstream.keepIdle(idle, at: now)
        busy.state = .busy
        upstream.use(try dialer(prefix: prefix, password: password), share: 2)
        let idleAfter = upstream.takeIdle()
        #expect(idleAfter == nil)
        let (idleThere, busyThere) = (
            upstream.connections[idle.ticket], upstream.connections[busy.ticket]
        )
        #expect(idleThere == nil && busyThere === busy)
        let mayCarryMore = upstream.mayCarryMore(busy)
        #expect(!mayCarryMore)
        // What is on its way out takes no place of what is new.
        let (first, second) = (try connect(&upstream), try connect(&upstream))
        var hasRoom = upstream.hasRoom
        #expect(!hasRoom)
        upstream.remove(busy)
        hasRoom = upstream.hasRoom
        #expect(!hasRoom)
        upstream.remove(first)
        upstream.remove(second)
        hasRoom = upstream.hasRoom
        #expect(hasRoom)
        let (pathPrefix, count) = (upstream.dialer.pathPrefix, upstream.connections.count)
        #expect(pathPrefix == Array(prefix.utf8) && count == 0)
    }

    @Test func `many changes in a row do not make many connections`() throws {
        var upstream = Upstream(try dialer(), share: 2, now: now)
        for number in 0..<10 {
            while upstream.hasRoom { try connect(&upstream).state = .busy }
            upstream.use(try dialer(prefix: "/\(number)"), share: 2)
        }
        let count = upstream.connections.count
        #expect(count == 4)
    }

    @Test func `fewer connections are kept when there may be fewer`() throws {
        var upstream = Upstream(try dialer(), share: 3, now: now)
        for _ in 0..<3 {
            let connection = try connect(&upstream)
            connection.state = .idle
            upstream.keepIdle(connection, at: now)
        }
        upstream.use(try dialer(), share: 1)
        let count = upstream.connections.count
        #expect(count == 1)
        let kept = upstream.takeIdle()
        #expect(kept != nil)
    }

    @Test func `addresses are kept as long as the place is the same, and only its own are learned`()
        throws
    {
        var upstream = Upstream(try dialer(host: .name("one")), share: 2, now: now)
        var addresses = upstream.addresses
        #expect(addresses == nil)
        var canOpen = upstream.canOpen
        #expect(!canOpen)
        let found = try #require(try dialer().access.fixedAddresses)
        upstream.learn(found, of: try dialer(host: .name("another")).access.url)
        addresses = upstream.addresses
        #expect(addresses == nil)
        upstream.learn(found, of: try dialer(host: .name("one")).access.url)
        addresses = upstream.addresses
        #expect(addresses == found)
        canOpen = upstream.canOpen
        #expect(canOpen)
        upstream.use(try dialer(host: .name("one"), password: "a"), share: 2)
        addresses = upstream.addresses
        #expect(addresses == found)
        upstream.use(try dialer(host: .name("two"), password: "a"), share: 2)
        addresses = upstream.addresses
        #expect(addresses == nil)
        upstream.use(try dialer(host: .socket(path: "/run/x")), share: 2)
        let address = upstream.address
        #expect(address == .file(path: "/run/x"))
    }

    @Test func `the queue keeps its order through a change, and has an end`() throws {
        var upstream = Upstream(try dialer(), share: 1, now: now)
        var taken = 0
        while upstream.enqueue(exchange(taken)) { taken += 1 }
        #expect(taken == 4096)
        upstream.use(try dialer(prefix: "/other"), share: 1)
        // Places that are given up are free for others, wherever they were.
        for number in [0, 1, 2000, 4095] { upstream.giveUpPlace(of: exchange(number)) }
        upstream.giveUpPlace(of: exchange(9999))
        for number in 5000..<5004 {
            let isTaken = upstream.enqueue(exchange(number))
            #expect(isTaken)
        }
        let isTaken = upstream.enqueue(exchange(6000))
        #expect(!isTaken)
        var order: [ExchangeID] = []
        while let next = upstream.dequeue() { order.append(next) }
        let expected =
            (0..<4096).filter { ![0, 1, 2000, 4095].contains($0) } + Array(5000..<5004)
        #expect(order == expected.map(exchange))
    }
}

/// Somewhere to connect to.
private final class PortOfOurOwn: Sendable {
    let port: UInt16
    private let socket: FileDescriptor

    init() throws {
        let loopback = try #require(IPAddress("127.0.0.1"))
        socket = try Socket.listen(on: SocketAddress(address: loopback, port: 0), family: .ipv4)
        port = try Socket.localAddress(of: socket).port
    }
}
