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
    /// Lets the client's exchange go on with the bytes that have come, as far as they reach.
    mutating func advance(_ client: Client) {
        while client.phase == .serving, !client.input.isEmpty || client.exchange.hasEncodedBytes {
            switch client.exchange.stage {
            case .awaitingHead: guard readHead(of: client) else { return }
            case .receivingBody: guard moveBody(of: client) else { return }
            case .verifying, .confirming, .forwarding, .answering: return
            }
        }
    }

    // MARK: Head and route

    /// True when the head was complete, or was refused.
    private mutating func readHead(of client: Client) -> Bool {
        let exchange = client.exchange
        do throws(HeadError) {
            guard let head = try client.http.head(in: client.input.span) else {
                if client.headBeganAt == nil {
                    client.headBeganAt = now
                    deadlines.set(client.ticket.slot, at: now + snapshot.timeouts.head)
                }
                return false
            }
            begin(exchange)
            exchange.read(head, client.input.span)
            let decision = isStillAllowed(client) ? decide(head, of: client) : .refused(.revoked)
            client.input.consume(head.length)
            act(on: decision, of: client)
        } catch {
            begin(exchange)
            refuse(client, .headRefused(error))
        }
        return true
    }

    private mutating func begin(_ exchange: Exchange) {
        tally.count(.active)
        exchange.snapshot = snapshot
        exchange.requestID = requestIDs.next()
        exchange.beganAt = now
    }

    /// A reload may have taken the address off the list since the connection was let in.
    private func isStillAllowed(_ client: Client) -> Bool {
        if client.allowedBy == snapshot.number { return true }
        guard snapshot.allowlist.contains(client.peer.address) else { return false }
        client.allowedBy = snapshot.number
        return true
    }

    /// What the head alone decides.
    private enum Decision {
        case refused(Refusal)
        case healthy
        case login(Logins.Outcome)
    }

    private func decide(_ head: RequestHead, of client: Client) -> Decision {
        client.input.withSpan { bytes in
            let path = bytes.extracting(head.path)
            switch Route(head.method, path) {
            case .notFound: return .refused(.notFound)
            case .methodNotAllowed(let allow): return .refused(.methodNotAllowed(allow: allow))
            case .health(let question):
                client.exchange.asksReadiness = question == .readiness
                return head.body == .none ? .healthy : .refused(.bodyNotExpected)
            case .push:
                client.exchange.readGroupingKey(path)
                guard let field = head.authorization else { return .refused(.credentialsMissing) }
                let address = client.peer.address
                return .login(
                    logins.check(
                        bytes.extracting(field), of: client.exchange, from: address,
                        provenUser: client.provenUser, at: now))
            }
        }
    }

    private mutating func act(on decision: Decision, of client: Client) {
        let exchange = client.exchange
        // From here to the body's last byte there is one deadline, whoever is waited for.
        deadlines.set(client.ticket.slot, at: now + snapshot.timeouts.body)
        switch decision {
        case .refused(let refusal): refuse(client, refusal)
        case .healthy: answerHealth(client)
        case .login(.good):
            tally.count(.rememberedLogins)
            admit(client)
        case .login(.pending(let question)): exchange.stage = .verifying(question)
        case .login(.refused(let refusal)): refuse(client, refusal)
        }
    }

    private mutating func answerHealth(_ client: Client) {
        if drain == .goingDown { return refuse(client, .draining) }
        if !process.heartbeats.areTurning(at: now) { return refuse(client, .notReady) }
        if client.exchange.asksReadiness && !process.store.isReady {
            return refuse(client, .notReady)
        }
        answer(client, .ok, text: "OK\n")
    }

    // MARK: Credentials

    /// The desk's verdict about a password.
    mutating func conclude(_ verdict: PasswordDesk.Verdict) {
        if case .right(let digest) = verdict.outcome { logins.remember(digest, at: now) }
        // Stale: whoever asked may have gone meanwhile.
        guard let client = clients[verdict.exchange.client],
            let exchange = client.exchange(verdict.exchange), case .verifying = exchange.stage
        else { return }
        switch verdict.outcome {
        case .right: admit(client)
        case .wrong: refuse(client, .credentialsWrong)
        case .crowdedOut(let lane): refuse(client, Refusal(noRoomIn: lane))
        }
        if exchange.wantsBytes || client.hasBytesAtHand { resumed.append(client.ticket) }
        if exchange.wantsBytes { watch(client, for: .reading) }
    }

    // MARK: Grouping key, and what kind of body there is

    /// The client is who it says it is. From here on it is told what is wrong.
    private mutating func admit(_ client: Client) {
        let exchange = client.exchange
        exchange.hasLoggedIn = true
        if client.provenUser == nil { client.provenUser = Logins.hash(of: exchange.user.span) }
        if let refusal = objection(to: exchange, of: client) { return refuse(client, refusal) }
        if exchange.method == .delete { conclude(client) } else { receiveBody(of: client) }
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
    mutating func conclude(_ client: Client) {
        if let refusal = charge(client.exchange) { return refuse(client, refusal) }
        forward(client)
    }

    // MARK: Time

    /// The client's own deadline has come while it was being served.
    mutating func expire(_ exchange: Exchange, of client: Client) {
        switch exchange.stage {
        case .awaitingHead where client.headBeganAt == nil: expireIdle(client)
        case .awaitingHead:
            begin(exchange)
            refuse(client, .headTooSlow)
        case .verifying(let question):
            logins.abandon(exchange.id, question)
            refuse(client, .loginQueueFull)
        case .receivingBody:
            if isBodyFastEnough(exchange) {
                watchBodyRate(of: client)
            } else {
                refuse(client, .bodyTooSlow)
            }
        // Nobody could say that it clashes, so the Pushgateway may.
        case .confirming: conclude(client)
        case .forwarding: expireForwarding(client)
        case .answering: depart(client, because: .writeTooSlow)
        }
    }

    /// What was answered before lies in the kernel, unless the client has taken it.
    private mutating func expireIdle(_ client: Client) {
        if Socket.hasUntaken(client.socket) {
            Socket.resetOnClose(client.socket)
            return depart(client, because: .writeTooSlow)
        }
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
        case .awaitingHead, .receivingBody, .confirming, .answering: break
        }
    }
}
