import Admission
import Bytes
import Configuration
import Exposition
import HTTP
import Reactor
import TLS

/// A push's way to the Pushgateway and its answer's way back.
extension Worker {
    /// How soon after it was sent a request may be sent again, when a connection that had been used
    /// before turns out to be closed: the Pushgateway closed it while we were writing.
    private static let retryMax = Interval.seconds(1)

    // MARK: Sending

    /// Everything about the push is right. It goes out on the first connection there is.
    mutating func forward(_ exchange: Exchange, of client: Client) {
        exchange.stage = .forwarding
        // While it waits for a connection nothing is lost: that wait ends with 503, a later one with 504.
        wake(exchange, of: client, at: now + snapshot.timeouts.upstreamFirstByte)
        if let connection = upstream.takeGathering(for: exchange) ?? upstream.takeIdle() {
            begin(exchange, on: connection)
            upstream.gather(on: connection)
        } else {
            forwardOnNewConnection(exchange, of: client)
        }
    }

    mutating func begin(_ exchange: Exchange, on connection: UpstreamConnection) {
        path.removeAll()
        exchange.key.writePath(into: &path)
        let body: RequestWriter.Body? =
            exchange.method == .delete
            ? nil : .init(.init(exchange.format), length: exchange.body.count)
        connection.begin(exchange) { head in
            RequestWriter.append(
                exchange.method, pathPrefix: upstream.dialer.pathPrefix.span, path: path.span,
                host: upstream.dialer.host.span,
                authorization: upstream.dialer.access.login?.fieldValue.span, body: body,
                to: &head)
        }
        exchange.upstream = connection.ticket
        if connection.state == .busy { startSending(exchange, on: connection) }
    }

    mutating func startSending(_ exchange: Exchange, on connection: UpstreamConnection) {
        guard let client = clients[exchange.id.client] else { return }
        connection.sentAt = now
        exchange.isSent = true
        upstream.deadlines.set(
            connection.ticket.slot, at: now + snapshot.timeouts.upstreamFirstByte)
        wake(exchange, of: client, at: now + snapshot.timeouts.upstreamAnswer)
        unflushed.append(connection.ticket)
    }

    mutating func flush(_ connection: UpstreamConnection) {
        guard connection.state == .busy else { return }
        do throws(TLSError) {
            if let exchange = exchange(on: connection) {
                try connection.send(exchange.body.span)
            } else {
                try connection.send(Span())
            }
            watch(connection, for: connection.sendingInterest)
        } catch {
            hearOut(connection, because: error)
        }
    }

    /// It takes nothing more; but whoever refuses a request before all of it has come may have said why.
    private mutating func hearOut(_ connection: UpstreamConnection, because failure: TLSError) {
        do throws(TLSError) {
            guard case .moved = try connection.read() else {
                return fail(connection, .closed, because: failure.description)
            }
        } catch {
            return fail(connection, .closed, because: failure.description)
        }
        conclude(connection, isEnd: true)
    }

    func exchange(on connection: UpstreamConnection) -> Exchange? {
        guard let id = connection.exchange else { return nil }
        return clients[id.client]?.exchange(id)
    }

    // MARK: Receiving

    mutating func serveUpstream(_ event: Poller.Readiness) {
        guard let connection = upstream.connections[event.ticket] else { return }
        switch connection.state {
        case .connecting: finishConnecting(connection)
        case .shakingHands: shakeHands(connection)
        // The Pushgateway has closed it, or says something nobody asked for.
        case .idle: if event.isGone || !connection.isStillQuiet() { close(connection) }
        case .busy:
            let mustSend = event.isWritable || (event.isReadable && connection.sendingWantsRead)
            let mustRead = event.isReadable || (event.isWritable && connection.readingWantsWrite)
            if mustSend { unflushed.append(connection.ticket) }
            if mustRead { receive(on: connection) }
        }
    }

    private mutating func receive(on connection: UpstreamConnection) {
        do throws(TLSError) {
            switch try connection.read() {
            case .moved: conclude(connection, isEnd: false)
            case .finished: conclude(connection, isEnd: true)
            case .cut: fail(connection, .closed, because: "cut off without a farewell")
            case .wantsRead: break
            case .wantsWrite: watch(connection, for: [.reading, .writing])
            }
        } catch {
            fail(connection, .closed, because: error.description)
        }
    }

    private mutating func conclude(_ connection: UpstreamConnection, isEnd: Bool) {
        do throws(UpstreamError) {
            while let response = try connection.response(isEnd: isEnd) {
                pass(response, from: connection)
                // What was sent behind it will not be answered (RFC 9112 section 9.6).
                let isLast = !connection.advance()
                guard response.keepsAlive else { return fail(connection, .closed) }
                if isLast {
                    let mayGoOn = connection.mayGoOn && !isEnd
                    return mayGoOn ? reuse(connection) : close(connection)
                }
                upstream.deadlines.set(
                    connection.ticket.slot, at: now + snapshot.timeouts.upstreamFirstByte)
            }
        } catch {
            switch error {
            case .closed: return fail(connection, .closed)
            case .malformed(let reason):
                return fail(connection, .malformed, because: reason.description)
            }
        }
        // Once the answer has begun, only the time for the whole of it counts.
        if connection.hasAnswerBytes { upstream.deadlines.clear(connection.ticket.slot) }
    }

    /// What the Pushgateway says, in our words.
    private mutating func pass(
        _ response: ResponseReader.Response, from connection: UpstreamConnection
    ) {
        guard let exchange = exchange(on: connection), let client = clients[exchange.id.client]
        else { return }
        exchange.upstream = nil
        exchange.upstreamStatus = response.status
        tally.count(UpstreamOutcome(status: response.status))
        tally.observe(.upstream, nanoseconds: now.nanoseconds(since: connection.sentAt))
        switch response.status {
        case 202: accept(exchange, of: client, .accepted)
        case 200..<300: accept(exchange, of: client, .ok)
        case 400: passRefusal(of: exchange, of: client, from: connection)
        case 401, 403:
            logUpstreamFailure(
                "the Pushgateway does not let the gate in", connection.address,
                because: "status \(response.status)",
                remedy: "upstream.username and upstream.password_file have to be its own")
            refuse(exchange, of: client, .upstreamUnclear(.loginRefused))
        case 429, 503: refuse(exchange, of: client, .upstreamBusy)
        default: refuse(exchange, of: client, .upstreamUnclear(.status(response.status)))
        }
    }

    private mutating func passRefusal(
        of exchange: Exchange, of client: Client, from connection: UpstreamConnection
    ) {
        guard !connection.withAnswer(UpstreamComplaint.demandsTLS) else {
            logUpstreamFailure(
                "the Pushgateway did not answer as it should", connection.address,
                because: "it speaks TLS", remedy: "upstream.url has to begin with https://")
            return refuse(exchange, of: client, .upstreamUnclear(.status(400)))
        }
        let complaint = connection.withAnswer { answer in
            exchange.body.withSpan { UpstreamComplaint(answer, to: $0) }
        }
        logRefusal(of: exchange, by: connection)
        refuse(exchange, of: client, .upstreamRefused, detail: complaint.sentence)
    }

    /// The client is not told what the Pushgateway said about other groups; its operator is.
    private func logRefusal(of exchange: Exchange, by connection: UpstreamConnection) {
        process.store.countRefusedPush()
        process.log.write(.warn, "the Pushgateway refused a push; the group may be there, empty") {
            line in
            line.add("id", RequestIDs.name(of: exchange.requestID))
            connection.withAnswer { line.add("said", $0.extracting(0..<min($0.count, 1024))) }
        }
    }

    // MARK: Failing

    /// The connection is of no more use. Those behind the one whose answer is next have had no byte of
    /// theirs, whatever is wrong with that one.
    mutating func fail(
        _ connection: UpstreamConnection, _ fault: UpstreamFault, because reason: String? = nil
    ) {
        let isInTime = now < connection.sentAt + Worker.retryMax
        let first = connection.exchange
        let mayRetryFirst =
            isInTime && connection.isReused && !connection.hasAnswerBytes && fault == .closed
        let unanswered = connection.unanswered
        let address = connection.address
        close(connection)
        for id in unanswered {
            guard let client = clients[id.client], let exchange = client.exchange(id) else {
                continue
            }
            exchange.upstream = nil
            let mayRetry = id == first ? mayRetryFirst : isInTime
            if mayRetry && !exchange.isRetried {
                exchange.isRetried = true
                forwardOnNewConnection(exchange, of: client)
                continue
            }
            logUpstreamFailure(
                "the Pushgateway did not answer as it should", address, because: reason)
            refuse(exchange, of: client, .upstreamUnclear(id == first ? fault : .closed))
        }
    }

    mutating func expire(_ connection: UpstreamConnection) {
        switch connection.state {
        case .connecting, .shakingHands: failToConnect(connection, because: .tooSlow)
        case .idle: close(connection)
        case .busy:
            let unanswered = connection.unanswered
            close(connection)
            for id in unanswered {
                logUpstreamFailure(
                    "the Pushgateway is too slow", connection.address,
                    because: Errno.timedOut.description)
                guard let client = clients[id.client], let exchange = client.exchange(id) else {
                    continue
                }
                refuse(exchange, of: client, .upstreamTooLate)
            }
        }
    }

    /// The client's deadline for an answer has come. Nothing was sent as long as no connection was
    /// had.
    mutating func expireForwarding(_ exchange: Exchange, of client: Client) {
        let connection = exchange.upstream.flatMap { upstream.connections[$0] }
        let isSent = connection.map { $0.state == .busy } ?? false
        abandonForwarding(exchange)
        guard isSent else { return refuse(unsent: exchange, of: client, .upstreamBusy) }
        tally.count(.noAnswer)
        refuse(exchange, of: client, .upstreamTooLate)
    }

    /// Nobody waits for the answer. A connection in the middle of it cannot carry another request, but
    /// what others wait for; a place in the queue is given up.
    mutating func abandonForwarding(_ exchange: Exchange) {
        guard let ticket = exchange.upstream, let connection = upstream.connections[ticket] else {
            return upstream.giveUpPlace(of: exchange.id)
        }
        exchange.upstream = nil
        if !connection.forget(exchange.id) { close(connection) }
    }

    func logUpstreamFailure(
        _ message: StaticString, _ address: PeerAddress, because reason: String?,
        remedy: String? = nil
    ) {
        tally.count(.noAnswer)
        process.log.write(.error, message) { line in
            line.add("upstream", address.description)
            if let reason { line.add("error", reason) }
            if let remedy { line.add("remedy", remedy) }
        }
    }
}

extension RequestWriter.Body.Format {
    fileprivate init(_ format: Exposition.Format) {
        switch format {
        case .text: self = .text
        case .delimitedProtobuf: self = .delimitedProtobuf
        }
    }
}
