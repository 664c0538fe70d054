import Admission
import Bytes
import Configuration
import Exposition
import HTTP
import Reactor
import TLS

/// One request's way through the gate, in the order in which it is decided:
/// head, route, credentials, grouping key, body complete, body valid, forward, answer.
extension Worker {
    /// Lets a client of HTTP/1.1 go on with the bytes that have come, as far as they reach.
    mutating func advance(_ client: Client) {
        while client.phase == .serving {
            if let exchange = client.exchange {
                guard case .receivingBody = exchange.stage,
                    !client.input.isEmpty || exchange.hasEncodedBytes,
                    moveBody(of: exchange, from: client)
                else { return }
            } else {
                guard !client.input.isEmpty, readHead(of: client) else { return }
            }
        }
    }

    // MARK: Head and route

    /// True when the head was complete, or was refused.
    private mutating func readHead(of client: Client) -> Bool {
        do throws(HeadError) {
            guard let head = try client.http.head(in: client.input.span, snapshot.limits) else {
                if client.headBeganAt == nil {
                    client.headBeganAt = now
                    deadlines.set(client.ticket.slot, at: now + snapshot.timeouts.head)
                }
                return false
            }
            let exchange = beginExchange(of: client)
            if head.body == .chunked {
                exchange.chunks = ChunkedDecoder(limits: HeadLimits(snapshot.limits))
            }
            let decision = client.input.withSpan { decide(head, $0, exchange, of: client) }
            client.input.consume(head.length)
            act(on: decision, exchange, of: client)
        } catch {
            refuse(beginExchange(of: client), of: client, .headRefused(error))
        }
        return true
    }

    /// A request has begun. It is decided by what is in force now.
    mutating func begin(_ id: ExchangeID) -> Exchange {
        let exchange = exchanges.take(id, snapshot)
        exchange.requestID = requestIDs.next()
        exchange.beganAt = now
        return exchange
    }

    private mutating func beginExchange(of client: Client) -> Exchange {
        let exchange = begin(client.nextExchangeID())
        client.exchange = exchange
        tally.count(.active)
        return exchange
    }

    /// A reload may have taken the address off the list since the connection was let in.
    private func isStillAllowed(_ client: Client) -> Bool {
        if client.allowedBy == snapshot.number { return true }
        guard snapshot.allowlist.contains(client.peer.address) else { return false }
        client.allowedBy = snapshot.number
        return true
    }

    /// What the head alone decides.
    enum Decision {
        case refused(Refusal)
        case healthy
        case login(Logins.Outcome)
    }

    /// - Parameter bytes: those that the head's ranges lie in.
    func decide(
        _ head: RequestHead, _ bytes: Span<UInt8>, _ exchange: Exchange, of client: Client
    ) -> Decision {
        exchange.read(head, bytes)
        guard isStillAllowed(client) else { return .refused(.revoked) }
        let path = bytes.extracting(head.path)
        switch Route(head.method, path) {
        case .notFound: return .refused(.notFound)
        case .methodNotAllowed(let allow): return .refused(.methodNotAllowed(allow: allow))
        case .health(let question):
            exchange.asksReadiness = question == .readiness
            return head.body == .none ? .healthy : .refused(.bodyNotExpected)
        case .push:
            exchange.readGroupingKey(path)
            guard let field = head.authorization else { return .refused(.credentialsMissing) }
            let address = client.peer.address
            return .login(
                logins.check(
                    bytes.extracting(field), of: exchange, from: address,
                    provenUser: client.provenUser, at: now))
        }
    }

    mutating func act(on decision: Decision, _ exchange: Exchange, of client: Client) {
        // From here to the body's last byte there is one deadline, whoever is waited for.
        wake(exchange, of: client, at: now + snapshot.timeouts.body)
        switch decision {
        case .refused(let refusal): refuse(exchange, of: client, refusal)
        case .healthy: answerHealth(exchange, of: client)
        case .login(.good):
            tally.count(.rememberedLogins)
            admit(exchange, of: client)
        case .login(.pending(let question)): exchange.stage = .verifying(question)
        case .login(.refused(let refusal)): refuse(exchange, of: client, refusal)
        }
    }

    private mutating func answerHealth(_ exchange: Exchange, of client: Client) {
        if drain == .goingDown { return refuse(exchange, of: client, .draining) }
        let isStuck = !process.heartbeats.areTurning(at: now)
        if isStuck || (exchange.asksReadiness && !process.store.isReady) {
            return refuse(exchange, of: client, .notReady)
        }
        answer(exchange, of: client, .ok, text: "OK\n")
    }

    // MARK: Credentials

    /// The desk's verdict about a password.
    mutating func conclude(_ verdict: PasswordDesk.Verdict) {
        // Stale: whoever asked may have gone meanwhile.
        guard let client = clients[verdict.exchange.client],
            let exchange = client.exchange(verdict.exchange), case .verifying = exchange.stage
        else { return }
        switch verdict.outcome {
        case .right: admit(exchange, of: client)
        case .wrong: refuse(exchange, of: client, .credentialsWrong)
        case .crowdedOut(let lane): refuse(exchange, of: client, Refusal(noRoomIn: lane))
        }
        if exchange.wantsBytes || client.hasBytesAtHand { resumed.append(client.ticket) }
        if client.http2 == nil && exchange.wantsBytes { watch(client, for: .reading) }
    }

    // MARK: Grouping key, and what kind of body there is

    /// The client is who it says it is. From here on it is told what is wrong.
    private mutating func admit(_ exchange: Exchange, of client: Client) {
        exchange.hasLoggedIn = true
        if client.provenUser == nil {
            client.provenUser = Logins.hash(of: exchange.user.span)
            client.http2?.session.widenWindow()
        }
        if let refusal = objection(to: exchange, of: client) {
            return refuse(exchange, of: client, refusal)
        }
        if exchange.method == .delete {
            conclude(exchange, of: client)
        } else {
            receiveBody(of: exchange, from: client)
        }
    }

    /// What speaks against it before a byte of its body is read.
    private func objection(to exchange: Exchange, of client: Client) -> Refusal? {
        if let error = exchange.keyError { return .groupingKeyRefused(error) }
        if exchange.hasQuery { return .queryGiven }
        if let refusal = objection(to: exchange, from: client.peer.address) { return refusal }
        if exchange.method == .delete {
            let isEmpty = exchange.framing == .none || exchange.framing == .length(0)
            return isEmpty ? nil : .bodyNotExpected
        }
        if exchange.framing == .none { return .lengthMissing }
        if exchange.coding == nil { return .encodingUnknown }
        if case .length(let length) = exchange.framing,
            length > exchange.snapshot.limits.bodyBytesMax
        {
            return .bodyTooLarge
        }
        return nil
    }

    /// Everything about the push is right, except perhaps that there are too many.
    mutating func conclude(_ exchange: Exchange, of client: Client) {
        if let refusal = charge(exchange) { return refuse(exchange, of: client, refusal) }
        forward(exchange, of: client)
    }

    // MARK: Time

    /// Wakes an exchange at `instant`, instead of whenever it was to be woken.
    mutating func wake(_ exchange: Exchange, of client: Client, at instant: Instant) {
        guard let connection = client.http2 else {
            return deadlines.set(client.ticket.slot, at: instant)
        }
        exchange.deadline = instant
        wake(connection, of: client, at: instant)
    }

    /// The exchange's deadline has come while it was being served.
    mutating func expire(_ exchange: Exchange, of client: Client) {
        switch exchange.stage {
        case .deciding: break
        case .verifying(let question):
            logins.abandon(exchange.id, question)
            refuse(exchange, of: client, .loginQueueFull)
        case .receivingBody:
            if isBodyFastEnough(exchange, from: client) {
                watchBodyRate(of: exchange, from: client)
            } else {
                refuse(exchange, of: client, .bodyTooSlow)
            }
        // Nobody could say that it clashes, so the Pushgateway may.
        case .confirming: conclude(exchange, of: client)
        case .forwarding: expireForwarding(exchange, of: client)
        case .answering: takeNoMore(exchange, of: client)
        }
    }

    /// The client does not take its answer. On HTTP/2 that may be this one answer only.
    private mutating func takeNoMore(_ exchange: Exchange, of client: Client) {
        guard let connection = client.http2 else { return cutUnread(client) }
        connection.session.reset(exchange.id.stream, because: .cancelled)
        unflushed.append(client.ticket)
    }

    /// A client of HTTP/1.1 has no request under way, but perhaps a part of one.
    mutating func expireWaiting(_ client: Client) {
        guard client.headBeganAt != nil else { return expireIdle(client) }
        refuse(beginExchange(of: client), of: client, .headTooSlow)
    }

    /// What was answered before lies in the kernel, unless the client has taken it.
    private mutating func expireIdle(_ client: Client) {
        if Socket.hasUntaken(client.socket) { return cutUnread(client) }
        guard now >= client.idleEnd else {
            return deadlines.set(client.ticket.slot, at: client.idleEnd)
        }
        client.finishSending()
        depart(client, because: .idleTooLong)
    }

    /// Whoever was to answer this exchange need not any more.
    mutating func abandon(_ exchange: Exchange) {
        switch exchange.stage {
        case .verifying(let question): logins.abandon(exchange.id, question)
        case .forwarding: abandonForwarding(exchange)
        case .deciding, .receivingBody, .confirming, .answering: break
        }
    }
}
