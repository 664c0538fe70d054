import Bytes
import Configuration
import HTTP
import Reactor
import TLS

/// A client of HTTP/2: its frames, what they mean for its exchanges, and the times of its connection.
/// What a request is and what becomes of it is decided where it is for HTTP/1.1.
extension Worker {
    /// How much is made ready to be sent at once.
    private static let outputStep = 16 << 10
    /// How long a client that was told to go elsewhere may still ask here: a round trip at least (RFC
    /// 9113 section 6.8).
    private static let farewellInterval = Interval.seconds(1)

    mutating func begin(_ connection: HTTP2Connection, of client: Client) {
        connection.headDeadline = now + snapshot.timeouts.head
        connection.settingsDeadline = now + snapshot.timeouts.head
        connection.idleDeadline = now + snapshot.timeouts.idle
        connection.wakesAt = connection.headDeadline
        if isDraining { announceEnd(of: connection, of: client) }
        unflushed.append(client.ticket)
    }

    // MARK: Coming in

    /// Reads what the client has sent and lets its exchanges go on, as long as what we say is taken.
    mutating func receiveFrames(on connection: HTTP2Connection, of client: Client) {
        for exchange in connection.exchanges { advance(exchange, of: client) }
        for _ in 0..<Worker.readsPerTurn {
            guard clients[client.ticket] != nil, client.phase == .serving else { return }
            guard client.output.isEmpty, !connection.hasPeerEnded, !connection.session.isOver
            else { return unflushed.append(client.ticket) }
            switch read(client) {
            case .moved: takeFrames(on: connection, of: client)
            case .mustWait:
                unflushed.append(client.ticket)
                return releaseInput(of: client)
            case .ended: return
            }
        }
        unflushed.append(client.ticket)
        resumed.append(client.ticket)
    }

    private mutating func takeFrames(on connection: HTTP2Connection, of client: Client) {
        connection.session.receive(client.input.span, at: now.nanoseconds)
        act(onFramesOf: connection, of: client)
        client.input.removeAll()
        awaitHead(on: connection, of: client)
    }

    /// Acts on everything that frames have meant.
    private mutating func act(onFramesOf connection: HTTP2Connection, of client: Client) {
        var position = 0
        while clients[client.ticket] != nil, let event = inbox.event(at: position) {
            position += 1
            switch event {
            case .request(let stream, let head, let place):
                let exchange = begin(stream, on: connection, of: client)
                let decision = inbox.withHead(place) { decide(head, $0, exchange, of: client) }
                act(on: decision, exchange, of: client)
            case .malformed(let stream, let error):
                let exchange = begin(stream, on: connection, of: client)
                refuse(exchange, of: client, .headRefused(error))
            case .body(let stream, let place):
                take(place, of: stream, on: connection, of: client)
            case .end(let stream):
                guard let exchange = connection.exchange(on: stream) else { continue }
                exchange.hasInputEnded = true
                advance(exchange, of: client)
            case .answeredEarly(let stream): linger(stream, on: connection, of: client)
            case .closed(let stream): end(stream, on: connection, of: client)
            }
        }
        inbox.clear()
    }

    private mutating func begin(
        _ stream: UInt32, on connection: HTTP2Connection, of client: Client
    ) -> Exchange {
        let id = ExchangeID(client: client.ticket, stream: stream)
        let exchange = begin(id)
        if client.hasNoExchange { tally.count(.active) }
        connection.begin(exchange)
        let requestsMax = snapshot.limits.requestsPerConnectionMax
        if connection.session.requestCount >= requestsMax { refuseMore(on: connection) }
        return exchange
    }

    /// A piece of a body, which lies in the client's input.
    private mutating func take(
        _ place: Range<Int>, of stream: UInt32, on connection: HTTP2Connection, of client: Client
    ) {
        guard let exchange = connection.exchange(on: stream), !exchange.isAnswered else {
            return connection.session.drop(place.count)
        }
        if exchange.input.capacity == 0 { exchange.input = buffers.take() }
        client.input.withSpan { exchange.input.append($0.extracting(place)) }
        advance(exchange, of: client)
    }

    /// Lets an exchange go on with what has come of its body, as far as it reaches.
    private mutating func advance(_ exchange: Exchange, of client: Client) {
        while case .receivingBody = exchange.stage,
            !exchange.input.isEmpty || exchange.hasEncodedBytes || exchange.hasInputEnded
        {
            guard moveBody(of: exchange, from: client) else { break }
        }
        // Between two pieces only what was taken is held.
        if exchange.input.isEmpty, exchange.input.capacity > 0 {
            buffers.give(exchange.takeInput())
        }
    }

    /// The answer is sent, and its client may still be busy sending: were it told at once to stop, it
    /// might do so without reading why (curl 7.88 does).
    private mutating func linger(
        _ stream: UInt32, on connection: HTTP2Connection, of client: Client
    ) {
        let end = now + Worker.lingerMax
        connection.linger(stream, until: end)
        wake(connection, of: client, at: end)
        conclude(stream, on: connection, of: client)
    }

    /// The stream is over: its answer is on its way, or nobody waits for one any more.
    private mutating func end(
        _ stream: UInt32, on connection: HTTP2Connection, of client: Client
    ) {
        connection.forget(stream)
        conclude(stream, on: connection, of: client)
    }

    private mutating func conclude(
        _ stream: UInt32, on connection: HTTP2Connection, of client: Client
    ) {
        guard let exchange = connection.exchange(on: stream) else { return }
        connection.session.drop(exchange.input.count)
        if exchange.isAnswered {
            conclude(answered: exchange, of: client)
        } else {
            drop(exchange, of: client, because: .peerGone)
        }
        guard connection.exchanges.isEmpty else { return }
        connection.idleDeadline = now + snapshot.timeouts.idle
        wake(connection, of: client, at: connection.idleDeadline)
    }

    /// The peer sends nothing more: what it has asked for in full is still answered.
    mutating func end(_ connection: HTTP2Connection, of client: Client) {
        connection.hasPeerEnded = true
        for exchange in connection.exchanges where exchange.wantsBytes {
            drop(exchange, of: client, because: .peerGone)
        }
        watch(client, for: client.interest.subtracting(.reading))
        unflushed.append(client.ticket)
    }

    // MARK: Going out

    /// Makes ready what the session has to say. Streams may come to their end by that.
    mutating func writeFrames(of connection: HTTP2Connection, to client: Client) {
        guard connection.session.hasOutput else { return }
        prepareOutput(of: client)
        // By then the client has to have taken it, from us and from the kernel.
        connection.writeDeadline = now + snapshot.timeouts.write
        wake(connection, of: client, at: connection.writeDeadline)
        connection.session.write(into: &client.output, upTo: Worker.outputStep)
        act(onFramesOf: connection, of: client)
    }

    /// Everything was sent: on with reading, or farewell.
    mutating func goOn(with connection: HTTP2Connection, of client: Client) {
        if connection.session.isOver {
            cutOff(connection, of: client)
            linger(client)
        } else if connection.hasPeerEnded {
            if connection.exchanges.isEmpty { depart(client, because: .finished) }
        } else {
            watch(client, for: .reading)
        }
    }

    /// The connection is over before its requests are, if it has any.
    private mutating func cutOff(_ connection: HTTP2Connection, of client: Client) {
        for exchange in connection.exchanges { drop(exchange, of: client, because: .cutOff) }
        guard let reason = connection.session.reproach else { return }
        process.log.write(.warn, "connection of HTTP/2 cut off") { line in
            line.add("from", client.peer.address)
            line.add("reason", reason)
        }
    }

    // MARK: Time

    /// A header section that has begun holds up all others, and so has a deadline of its own.
    private mutating func awaitHead(on connection: HTTP2Connection, of client: Client) {
        let session = connection.session
        if session.hasSettingsAcknowledged { connection.settingsDeadline = .distantFuture }
        guard session.isInHeaderSection else {
            if session.requestCount > 0 { connection.headDeadline = .distantFuture }
            return
        }
        guard connection.headDeadline == .distantFuture else { return }
        connection.headDeadline = now + snapshot.timeouts.head
        wake(connection, of: client, at: connection.headDeadline)
    }

    /// Looks at the connection at `instant` at the latest.
    mutating func wake(_ connection: HTTP2Connection, of client: Client, at instant: Instant) {
        guard instant < connection.wakesAt else { return }
        connection.wakesAt = instant
        deadlines.set(client.ticket.slot, at: instant)
    }

    mutating func expire(_ connection: HTTP2Connection, of client: Client) {
        if now >= connection.writeDeadline {
            connection.writeDeadline = .distantFuture
            if !client.output.isEmpty || Socket.hasUntaken(client.socket) {
                return cutUnread(client)
            }
            if connection.exchanges.isEmpty { connection.session.rest() }
        }
        for exchange in connection.exchanges where now >= exchange.deadline {
            exchange.deadline = .distantFuture
            expire(exchange, of: client)
        }
        while let stream = connection.takeOverdue(at: now) {
            connection.session.reset(stream, because: .none)
        }
        if now >= connection.farewellAt { refuseMore(on: connection) }
        if now >= connection.settingsDeadline {
            connection.session.end(because: .settingsTimeout)
        } else if now >= connection.headDeadline {
            // Who has not begun to ask has done nothing wrong.
            let isInHead = connection.session.isInHeaderSection
            connection.session.end(because: isInHead ? .tooMuch : .none)
        } else if connection.exchanges.isEmpty, now >= connection.idleDeadline {
            connection.session.end(because: .none)
        }
        unflushed.append(client.ticket)
        guard clients[client.ticket] != nil else { return }
        connection.wakesAt = .distantFuture
        wake(connection, of: client, at: connection.nearestDeadline)
    }

    // MARK: Going down

    /// Tells every client of HTTP/2 to ask elsewhere.
    mutating func announceEnd() {
        var told: [Client] = []
        clients.forEach { if $0.http2 != nil { told.append($0) } }
        for client in told {
            guard client.phase == .serving, let connection = client.http2 else { continue }
            announceEnd(of: connection, of: client)
            unflushed.append(client.ticket)
        }
    }

    private mutating func announceEnd(of connection: HTTP2Connection, of client: Client) {
        connection.session.announceEnd()
        connection.farewellAt = now + Worker.farewellInterval
        wake(connection, of: client, at: connection.farewellAt)
    }

    /// Takes no further requests on this connection, which ends after those that are under way.
    func refuseMore(on connection: HTTP2Connection) {
        connection.farewellAt = .distantFuture
        guard !connection.isRefusingMore else { return }
        connection.isRefusingMore = true
        connection.session.refuseMore()
    }
}

extension HTTP2Limits {
    init(_ limits: Limits) {
        self.init(
            head: HeadLimits(limits), streamsMax: limits.http2StreamsMax,
            clientResets: Allowance(limits.http2ClientResets),
            serverResets: Allowance(limits.http2ServerResets),
            glitches: Allowance(limits.http2Glitches))
    }
}

extension Allowance {
    fileprivate init(_ burst: Limits.Burst) {
        self.init(burst: burst.burst, perSecond: burst.perSecond)
    }
}
