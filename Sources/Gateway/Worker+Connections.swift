import Admission
import Bytes
import Configuration
import HTTP
import Reactor
import TLS

/// A client's life on its worker: admitted, handshake, requests, farewell.
extension Worker {
    private static let handshakeGrace = Interval.seconds(1)
    /// How many records one client may have read in a turn before others have theirs.
    static let readsPerTurn = 4
    /// A farewell that is not answered ends after this, or after so many bytes still to come.
    static let lingerMax = Interval.seconds(2)
    private static let lingerBytesMax = 1 << 20

    // MARK: Arriving

    /// Takes over a connection that was let in.
    mutating func admit(_ arrival: Arrival) {
        let socket = FileDescriptor(taking: arrival.socket)
        guard !arrival.isOverAddressLimit || makeRoom(for: arrival.peer.address),
            let session = try? tls.accept(on: socket)
        else {
            process.budgets.endHandshake()
            return uncount(arrival.peer)
        }
        let ticket = clients.reserve()
        let client = Client(
            ticket: ticket, socket: socket, peer: arrival.peer, share: arrival.share,
            tls: session, snapshot: snapshot, at: now)
        clients.insert(client, at: ticket)
        setHandshakeDeadline(of: client)
        if !ticketDemand.deserves(arrival.peer.address.countedNetwork) { client.withholdTicket() }
        do throws(Errno) {
            try poller.add(client.socket, for: client.interest, ticket: client.ticket)
        } catch {
            depart(client, because: .connectionFailed(.socketFailed(error)))
        }
    }

    private mutating func setHandshakeDeadline(of client: Client) {
        let end = client.acceptedAt + snapshot.timeouts.handshake
        deadlines.set(client.ticket.slot, at: min(end, now + Worker.handshakeGrace))
    }

    /// Who has our part of the handshake, for which he may have waited long, is given time for his.
    private mutating func noteAnsweredHandshake(of client: Client) {
        guard !client.hasAnsweredHandshake, client.hasSpoken else { return }
        client.hasAnsweredHandshake = true
        setHandshakeDeadline(of: client)
    }

    /// At the limit nobody is let in, and who has had a second for his part of the handshake gives way: he is
    /// the likeliest to be nobody, while those who came at once only wait for each other. Not he of whom
    /// there is something to read: it is he who waits for us.
    private mutating func expireHandshake(of client: Client) {
        if now >= client.acceptedAt + snapshot.timeouts.handshake {
            depart(client, because: .handshakeTooSlow)
        } else if process.budgets.handshakesUnderWay >= snapshot.limits.handshakesMax,
            !Socket.hasUnread(client.socket)
        {
            depart(client, because: .madeRoom)
        } else {
            setHandshakeDeadline(of: client)
        }
    }

    /// Ends the oldest connection from this client's network that never logged in. False when there
    /// is none on this worker.
    private mutating func makeRoom(for address: IPAddress) -> Bool {
        var oldest: Client?
        let network = address.countedNetwork
        clients.forEach { client in
            guard !client.hasEverLoggedIn, client.peer.address.countedNetwork == network,
                client.acceptedAt < oldest?.acceptedAt ?? .distantFuture
            else { return }
            oldest = client
        }
        guard let oldest else { return false }
        depart(oldest, because: .madeRoom)
        return true
    }

    // MARK: Being served

    mutating func serveClient(_ event: Poller.Readiness) {
        // Stale: this client left earlier in the turn, and its slot may already be another's.
        guard let client = clients[event.ticket] else { return }
        // Who ends a handshake says why before he goes: that is read first.
        if event.isGone && client.phase != .handshaking {
            return depart(client, because: .peerGone)
        }
        switch client.phase {
        case .handshaking: shakeHands(client)
        case .lingering: if event.isReadable { discard(client) }
        case .serving:
            if event.isWritable && !client.output.isEmpty { unflushed.append(client.ticket) }
            if event.isReadable || client.readWantsWrite { receive(client) }
        }
    }

    private mutating func shakeHands(_ client: Client) {
        do throws(TLSError) {
            switch try client.handshake() {
            case .moved:
                endHandshake(of: client)
                tally.countHandshake(isVersion13: client.isVersion13)
                if client.hasResumed {
                    ticketDemand.noteResumption(in: client.peer.address.countedNetwork)
                }
                client.phase = .serving
                client.chooseProtocol(HTTP2Limits(snapshot.limits), inbox)
                // The first request is due at once: only a connection that has served may idle.
                deadlines.set(client.ticket.slot, at: now + snapshot.timeouts.head)
                if let connection = client.http2 { begin(connection, of: client) }
                watch(client, for: .reading)
                receive(client)
            case .wantsRead:
                watch(client, for: .reading)
                noteAnsweredHandshake(of: client)
            case .wantsWrite: watch(client, for: .writing)
            case .finished, .cut: depart(client, because: .peerGone)
            }
        } catch {
            depart(client, because: .handshakeFailed(error))
        }
    }

    private func endHandshake(of client: Client) {
        if client.phase == .handshaking { process.budgets.endHandshake() }
    }

    /// Reads what the client has sent, as long as the exchange can use it, and lets it advance.
    mutating func receive(_ client: Client) {
        guard client.phase == .serving else { return }
        if let connection = client.http2 { return receiveFrames(on: connection, of: client) }
        for _ in 0..<Worker.readsPerTurn {
            advance(client)
            guard client.phase == .serving, clients[client.ticket] != nil else { return }
            guard client.exchange?.wantsBytes ?? true else { return pauseReading(client) }
            switch read(client) {
            case .moved: continue
            case .mustWait: return releaseInput(of: client)
            case .ended: return
            }
        }
        advance(client)
        resumed.append(client.ticket)
    }

    enum Reading { case moved, mustWait, ended }

    mutating func read(_ client: Client) -> Reading {
        // What the poller has told of is read once; what is left it will tell again.
        if client.hasReadThisTurn == now && !client.hasPendingRecord { return .mustWait }
        client.hasReadThisTurn = now
        do throws(TLSError) {
            switch try readOnce(client) {
            case .moved: return .moved
            case .wantsRead:
                client.readWantsWrite = false
                watch(client, for: .reading)
                return .mustWait
            case .wantsWrite:
                client.readWantsWrite = true
                watch(client, for: [.reading, .writing])
                return .mustWait
            case .finished, .cut:
                end(client)
                return .ended
            }
        } catch {
            depart(client, because: .connectionFailed(error))
            return .ended
        }
    }

    private mutating func readOnce(_ client: Client) throws(TLSError) -> TLSConnection.Step {
        if let exchange = client.exchange, takesBodyDirectly(exchange, from: client) {
            return try readBody(of: exchange, from: client)
        }
        if client.input.capacity < buffers.bufferBytes { giveRoom(to: client) }
        return try client.read()
    }

    /// The peer sends nothing more. In the middle of a request that is the end of it; between two, a
    /// farewell. An exchange that needs no more bytes is still answered.
    private mutating func end(_ client: Client) {
        if let connection = client.http2 { return end(connection, of: client) }
        guard let exchange = client.exchange else {
            return depart(client, because: client.input.isEmpty ? .finished : .peerGone)
        }
        if case .receivingBody = exchange.stage { depart(client, because: .peerGone) }
    }

    /// Nothing is read while somebody else is waited for: what comes meanwhile stays in the kernel.
    private mutating func pauseReading(_ client: Client) {
        if client.hasReadThisTurn == now { return releaseInput(of: client) }
        watch(client, for: client.interest.subtracting(.reading))
    }

    /// A buffer is kept only while bytes are read into it: the part of a head or of a chunk that has
    /// come waits in a place of its size, so that thousands who say little hold little.
    mutating func releaseInput(of client: Client) {
        guard client.input.capacity > 0, client.input.count <= client.input.capacity / 2 else {
            return
        }
        let buffer = client.takeInput()
        buffer.withSpan { client.input.append($0) }
        buffers.give(buffer)
    }

    private mutating func giveRoom(to client: Client) {
        let part = client.takeInput()
        client.input = buffers.take()
        part.withSpan { client.input.append($0) }
    }

    /// Changes what the poller watches for; mostly it already does.
    mutating func watch(_ client: Client, for interest: Poller.Interest) {
        guard client.interest != interest else { return }
        do throws(Errno) {
            try poller.change(client.socket, to: interest, ticket: client.ticket)
            client.interest = interest
        } catch {
            depart(client, because: .connectionFailed(.socketFailed(error)))
        }
    }

    // MARK: Being answered

    mutating func flush(_ client: Client) {
        guard client.phase == .serving else { return }
        do throws(TLSError) {
            while hasOutput(client) {
                switch try client.write() {
                case .moved: continue
                case .wantsWrite:
                    if client.http2 == nil && !client.interest.contains(.writing) {
                        deadlines.set(client.ticket.slot, at: now + snapshot.timeouts.write)
                    }
                    return watch(client, for: .writing)
                // Without renegotiation a write never waits for the peer to say something.
                case .wantsRead, .finished, .cut: return depart(client, because: .peerGone)
                }
            }
        } catch {
            return depart(client, because: .connectionFailed(error))
        }
        buffers.give(client.takeOutput())
        if let connection = client.http2 { return goOn(with: connection, of: client) }
        guard let exchange = client.exchange, exchange.isAnswered else { return }
        watch(client, for: .reading)
        finish(exchange, of: client)
    }

    private mutating func hasOutput(_ client: Client) -> Bool {
        if client.output.isEmpty, let connection = client.http2 {
            writeFrames(of: connection, to: client)
        }
        return !client.output.isEmpty
    }

    /// The answer is on its way: nothing is left but to tell.
    mutating func conclude(answered exchange: Exchange, of client: Client) {
        report(exchange, of: client)
        countAnswer(to: exchange)
        end(exchange, of: client)
    }

    /// Nobody is inside it any more. Its connection is active while it has one.
    private mutating func end(_ exchange: Exchange, of client: Client) {
        release(exchange, of: client)
        exchanges.give(exchange)
        client.http2?.end(exchange)
        client.exchange = nil
        if client.hasNoExchange { tally.count(.active, -1) }
    }

    /// The answer is with the kernel: on to the next request, or farewell.
    private mutating func finish(_ exchange: Exchange, of client: Client) {
        conclude(answered: exchange, of: client)
        let isLast = client.http.requestCount >= snapshot.limits.requestsPerConnectionMax
        guard exchange.isKept, !isLast, !isPastDrain else { return linger(client) }
        client.headBeganAt = nil
        client.idleEnd = now + snapshot.timeouts.idle
        // By then the answer has to be taken, which is looked at meanwhile.
        deadlines.set(client.ticket.slot, at: min(client.idleEnd, now + snapshot.timeouts.write))
        if client.hasBytesAtHand { resumed.append(client.ticket) } else { releaseInput(of: client) }
    }

    // MARK: Leaving

    /// Says farewell and reads on for a moment: a client that is still sending would otherwise be
    /// reset, and lose the answer that told it why (RFC 9112 section 9.6).
    mutating func linger(_ client: Client) {
        client.phase = .lingering
        tally.count(.closing)
        client.finishSending()
        client.input.removeAll()
        deadlines.set(client.ticket.slot, at: now + Worker.lingerMax)
        watch(client, for: .reading)
        if clients[client.ticket] != nil { discard(client) }
    }

    private mutating func discard(_ client: Client) {
        if client.input.capacity < buffers.bufferBytes { giveRoom(to: client) }
        do throws(Errno) {
            for _ in 0..<Worker.readsPerTurn {
                client.input.removeAll()
                switch try client.readRaw() {
                case .moved(let count):
                    client.lingerBytes += count
                    if client.lingerBytes > Worker.lingerBytesMax {
                        return depart(client, because: .finished)
                    }
                case .wouldBlock:
                    client.input.removeAll()
                    return releaseInput(of: client)
                case .finished: return depart(client, because: .finished)
                }
            }
        } catch {
            depart(client, because: .finished)
        }
    }

    mutating func expire(_ client: Client) {
        switch client.phase {
        case .handshaking: expireHandshake(of: client)
        case .lingering: depart(client, because: .finished)
        case .serving:
            if let connection = client.http2 {
                expire(connection, of: client)
            } else if !client.output.isEmpty {
                cutUnread(client)
            } else if let exchange = client.exchange {
                expire(exchange, of: client)
            } else {
                expireWaiting(client)
            }
        }
    }

    /// The client does not take what it is sent: what the kernel still holds for it goes with it.
    mutating func cutUnread(_ client: Client) {
        Socket.resetOnClose(client.socket)
        depart(client, because: .writeTooSlow)
    }

    /// Every way a client can leave comes through here, with its reason. From here on its ticket
    /// finds nobody; its memory waits for `bury`, since a caller above us may still be inside it.
    mutating func depart(_ client: Client, because reason: Departure) {
        guard clients[client.ticket] != nil else { return }
        countEnd(of: client, because: reason)
        endHandshake(of: client)
        client.forEachExchange { drop($0, of: client, because: reason) }
        uncount(client.peer)
        process.log.write(.debug, "connection ended") { line in
            line.add("from", client.peer.address.description)
            line.add("reason", reason.word)
            if let error = reason.error { line.add("error", error.description) }
        }
        deadlines.clear(client.ticket.slot)
        clients.remove(client.ticket)
        buryLater(client)
        if isDraining && clients.count == 0 { process.drained(index) }
    }

    /// An exchange ends without its answer having been sent.
    mutating func drop(_ exchange: Exchange, of client: Client, because reason: Departure) {
        reportUnanswered(exchange, of: client, because: reason)
        abandon(exchange)
        end(exchange, of: client)
    }

    private func countEnd(of client: Client, because reason: Departure) {
        switch client.phase {
        case .handshaking: tally.count(HandshakeFailure(reason))
        case .serving: break
        case .lingering: tally.count(.closing, -1)
        }
    }

    private func uncount(_ peer: SocketAddress) {
        process.budgets.close(from: peer.address)
        process.loads[index].remove()
    }

    // MARK: Going down

    /// No new requests from here on: who is idle is given a moment to speak, who is served is served.
    /// A gate that was handed over may still be told to go down.
    mutating func begin(_ drain: Drain) {
        let wasDraining = isDraining
        if self.drain == nil || drain == .goingDown { self.drain = drain }
        if drain == .goingDown { drainIdleEnd = now + .seconds(2) }
        if !wasDraining {
            tellOfSlowed()
            announceEnd()
        }
        if !wasDraining && clients.count == 0 { process.drained(index) }
    }

    /// Who is idle has been cut: nobody becomes idle any more. Before that, who was told that his
    /// connection is kept keeps it for another request.
    private var isPastDrain: Bool { drain == .goingDown && drainIdleEnd == .distantFuture }

    mutating func cutIdleClients() {
        drainIdleEnd = .distantFuture
        var idle: [Client] = []
        clients.forEach { client in
            if client.phase != .serving || client.isBetweenRequests { idle.append(client) }
        }
        for client in idle {
            if client.phase == .serving { client.finishSending() }
            depart(client, because: .drained)
        }
    }

    /// Whoever is still there has had all the time there is.
    mutating func cutAll() {
        var all: [Client] = []
        clients.forEach { all.append($0) }
        for client in all { depart(client, because: .drained) }
    }
}
