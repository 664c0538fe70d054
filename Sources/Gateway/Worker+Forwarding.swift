import Admission
import Bytes
import Configuration
import Exposition
import HTTP
import Reactor

/// A push's way to the Pushgateway and its answer's way back.
extension Worker {
    /// How soon after it was sent a request may be sent again, when a connection that had been used
    /// before turns out to be closed: the Pushgateway closed it while we were writing.
    private static let retryMax = Interval.seconds(1)

    // MARK: Sending

    /// Everything about the push is right. It goes out on the first connection there is.
    mutating func forward(_ client: Client) {
        let exchange = client.exchange
        exchange.stage = .forwarding
        // While it waits for a connection nothing is lost: that wait ends with 503, a later one with 504.
        deadlines.set(client.ticket.slot, at: now + snapshot.timeouts.upstreamFirstByte)
        if let connection = upstream.takeIdle() {
            begin(exchange, on: connection)
        } else {
            forwardOnNewConnection(client)
        }
    }

    private mutating func forwardOnNewConnection(_ client: Client) {
        let exchange = client.exchange
        guard upstream.hasRoom else {
            if !upstream.enqueue(exchange.id) { refuse(client, .upstreamBusy) }
            return
        }
        if let connection = openConnection() {
            begin(exchange, on: connection)
        } else {
            refuse(client, .upstreamUnreachable)
        }
    }

    private mutating func openConnection() -> UpstreamConnection? {
        guard let address = upstream.address else {
            process.log.write(.error, "the Pushgateway's name cannot be resolved") {
                line in
                line.add("upstream", upstream.host.span)
            }
            return nil
        }
        do throws(Errno) {
            let socket = try Socket.connect(to: address)
            let ticket = upstream.connections.reserve()
            let connection = UpstreamConnection(ticket: ticket, socket: socket, address: address)
            upstream.connections.insert(connection, at: ticket)
            do throws(Errno) {
                try poller.add(connection.socket, for: connection.interest, ticket: ticket)
            } catch {
                upstream.remove(connection)
                throw error
            }
            upstream.deadlines.set(ticket.slot, at: now + snapshot.timeouts.upstreamConnect)
            return connection
        } catch {
            logUpstreamFailure("cannot connect to the Pushgateway", address, error)
            return nil
        }
    }

    private mutating func begin(_ exchange: Exchange, on connection: UpstreamConnection) {
        path.removeAll()
        exchange.key.writePath(into: &path)
        let body: RequestWriter.Body? =
            exchange.method == .delete
            ? nil : .init(.init(exchange.format), length: exchange.body.count)
        connection.begin(exchange, at: now) { head in
            RequestWriter.append(
                exchange.method, pathPrefix: upstream.pathPrefix.span, path: path.span,
                host: upstream.host.span, authorization: nil, body: body, to: &head)
        }
        exchange.upstream = connection.ticket
        if connection.state != .connecting { startSending(connection) }
    }

    private mutating func startSending(_ connection: UpstreamConnection) {
        guard let id = connection.exchange, let client = clients[id.client] else { return }
        connection.sentAt = now
        client.exchange.isSent = true
        let timeouts = snapshot.timeouts
        upstream.deadlines.set(connection.ticket.slot, at: now + timeouts.upstreamFirstByte)
        deadlines.set(client.ticket.slot, at: now + timeouts.upstreamAnswer)
        unflushed.append(connection.ticket)
    }

    mutating func flush(_ connection: UpstreamConnection) {
        guard connection.state == .busy, let exchange = exchange(on: connection) else { return }
        do throws(Errno) {
            let isSent = try connection.send(body: exchange.body.span)
            watch(connection, for: isSent ? .reading : [.reading, .writing])
        } catch {
            fail(connection, .closed, because: error)
        }
    }

    private func exchange(on connection: UpstreamConnection) -> Exchange? {
        guard let id = connection.exchange else { return nil }
        return clients[id.client]?.exchange(id)
    }

    // MARK: Receiving

    mutating func serveUpstream(_ event: Poller.Readiness) {
        guard let connection = upstream.connections[event.ticket] else { return }
        switch connection.state {
        case .connecting: finishConnecting(connection)
        // The Pushgateway has closed it, or says something nobody asked for.
        case .idle: close(connection)
        case .busy:
            if event.isReadable { receive(on: connection) }
            if event.isWritable { unflushed.append(connection.ticket) }
        }
    }

    private mutating func finishConnecting(_ connection: UpstreamConnection) {
        if let error = Socket.connectionError(of: connection.socket) {
            return failToConnect(connection, because: error)
        }
        connection.state = .busy
        watch(connection, for: .reading)
        startSending(connection)
    }

    private mutating func failToConnect(_ connection: UpstreamConnection, because error: Errno) {
        logUpstreamFailure("cannot connect to the Pushgateway", connection.address, error)
        let id = connection.exchange
        close(connection)
        upstream.tryNextAddress()
        if let id, let client = clients[id.client], client.exchange(id) != nil {
            refuse(client, .upstreamUnreachable)
        }
        refuseAllWaiting()
    }

    /// Who waits for a connection while none can be had would only wait for the same answer.
    private mutating func refuseAllWaiting() {
        guard upstream.connections.count == 0 else { return }
        while let id = upstream.dequeue() {
            if let client = clients[id.client], let exchange = client.exchange(id),
                case .forwarding = exchange.stage
            {
                refuse(client, .upstreamUnreachable)
            }
        }
    }

    private mutating func receive(on connection: UpstreamConnection) {
        do throws(Errno) {
            switch try connection.read() {
            case .moved: conclude(connection, isEnd: false)
            case .finished: conclude(connection, isEnd: true)
            case .wouldBlock: break
            }
        } catch {
            fail(connection, .closed, because: error)
        }
    }

    private mutating func conclude(_ connection: UpstreamConnection, isEnd: Bool) {
        do throws(UpstreamError) {
            guard let response = try connection.response(isEnd: isEnd) else {
                // The answer has begun: from now on only the time for the whole of it counts.
                upstream.deadlines.clear(connection.ticket.slot)
                return
            }
            pass(response, from: connection)
        } catch {
            fail(connection, error == .closed ? .closed : .malformed, because: nil)
        }
    }

    /// What the Pushgateway says, in our words.
    private mutating func pass(
        _ response: UpstreamConnection.Response, from connection: UpstreamConnection
    ) {
        guard let id = connection.exchange, let client = clients[id.client],
            let exchange = client.exchange(id)
        else { return close(connection) }
        exchange.upstream = nil
        switch response.status {
        case 202: accept(client, .accepted)
        case 200..<300: accept(client, .ok)
        case 400:
            let complaint = connection.withAnswer { answer in
                exchange.body.withSpan { UpstreamComplaint(answer, to: $0) }
            }
            logRefusal(of: exchange, by: connection)
            refuse(client, .upstreamRefused, detail: complaint.sentence)
        case 429, 503: refuse(client, .upstreamBusy)
        default: refuse(client, .upstreamUnclear(.status(response.status)))
        }
        if response.isKept {
            reuse(connection)
        } else {
            close(connection)
        }
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

    /// Gives a connection to the push that has waited longest, or keeps it for the next one.
    private mutating func reuse(_ connection: UpstreamConnection) {
        connection.finish()
        if let client = nextWaiting() {
            begin(client.exchange, on: connection)
        } else {
            upstream.keepIdle(connection, at: now)
        }
    }

    private mutating func nextWaiting() -> Client? {
        while let id = upstream.dequeue() {
            if let client = clients[id.client], let exchange = client.exchange(id),
                case .forwarding = exchange.stage
            {
                return client
            }
        }
        return nil
    }

    // MARK: Failing

    private mutating func fail(
        _ connection: UpstreamConnection, _ fault: UpstreamFault, because error: Errno?
    ) {
        let mayRetry =
            connection.isReused && !connection.hasAnswerBytes && fault == .closed
            && now < connection.sentAt + Worker.retryMax
        let id = connection.exchange
        let address = connection.address
        close(connection)
        guard let id, let client = clients[id.client], let exchange = client.exchange(id) else {
            return
        }
        exchange.upstream = nil
        if mayRetry && !exchange.isRetried {
            exchange.isRetried = true
            return forwardOnNewConnection(client)
        }
        logUpstreamFailure("the Pushgateway did not answer as it should", address, error)
        refuse(client, .upstreamUnclear(fault))
    }

    mutating func expire(_ connection: UpstreamConnection) {
        switch connection.state {
        case .connecting: failToConnect(connection, because: .timedOut)
        case .idle: close(connection)
        case .busy:
            let id = connection.exchange
            logUpstreamFailure("the Pushgateway is too slow", connection.address, .timedOut)
            close(connection)
            if let id, let client = clients[id.client], client.exchange(id) != nil {
                refuse(client, .upstreamTooLate)
            }
        }
    }

    /// The client's deadline for an answer has come. Nothing was sent as long as no connection was
    /// had.
    mutating func expireForwarding(_ client: Client) {
        let ticket = client.exchange.upstream
        let connection = ticket.flatMap { upstream.connections[$0] }
        let isSent = connection.map { $0.state == .busy } ?? false
        abandonForwarding(client.exchange)
        refuse(client, isSent ? .upstreamTooLate : .upstreamBusy)
    }

    /// Nobody waits for the answer. A connection in the middle of it cannot carry another request; a
    /// place in the queue finds nobody when its turn comes.
    mutating func abandonForwarding(_ exchange: Exchange) {
        guard let ticket = exchange.upstream, let connection = upstream.connections[ticket] else {
            return
        }
        exchange.upstream = nil
        close(connection)
    }

    private mutating func close(_ connection: UpstreamConnection) {
        guard upstream.connections[connection.ticket] != nil else { return }
        upstream.remove(connection)
        buryLater(connection)
        // Its place is free for whoever waits.
        if upstream.hasRoom, let client = nextWaiting() { forwardOnNewConnection(client) }
    }

    private mutating func watch(_ connection: UpstreamConnection, for interest: Poller.Interest) {
        guard connection.interest != interest else { return }
        do throws(Errno) {
            try poller.change(connection.socket, to: interest, ticket: connection.ticket)
            connection.interest = interest
        } catch {
            fail(connection, .closed, because: error)
        }
    }

    private func logUpstreamFailure(
        _ message: StaticString, _ address: SocketAddress, _ error: Errno?
    ) {
        process.log.write(.error, message) { line in
            line.add("upstream", address.description)
            if let error { line.add("error", error.description) }
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
