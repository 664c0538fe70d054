import Configuration
import Reactor
import TLS

/// The connections to the Pushgateway: opened, kept, given to whoever waits, closed.
extension Worker {
    // MARK: Opening

    /// Gives the push a connection of its own, or a place among those who wait for one.
    mutating func forwardOnNewConnection(_ exchange: Exchange, of client: Client) {
        guard upstream.canOpen else {
            if !upstream.enqueue(exchange.id) {
                refuse(unsent: exchange, of: client, .upstreamBusy)
            }
            return
        }
        guard let address = upstream.address else {
            process.log.write(.error, "cannot connect to the Pushgateway") { line in
                line.add("upstream", upstream.dialer.host.span)
                line.add("error", ConnectFailure.nameless.reason)
            }
            return refuse(unsent: exchange, of: client, .upstreamUnreachable)
        }
        do throws(TLSError) {
            begin(exchange, on: try openConnection(to: address))
        } catch {
            upstream.tryNextAddress()
            // A socket of this machine says so itself when too many wait at it (unix(7)).
            let isFull = error == .socketFailed(.wouldBlock)
            giveUp(
                exchange, of: client, at: address, because: ConnectFailure(error), isFull: isFull)
            refuseAllWaiting()
        }
    }

    private mutating func openConnection(
        to address: PeerAddress
    ) throws(TLSError) -> UpstreamConnection {
        let channel = try upstream.dialer.connect(to: address)
        let connection = upstream.add(channel, to: address)
        do throws(Errno) {
            try connection.watch(by: poller)
        } catch {
            upstream.remove(connection)
            throw .socketFailed(error)
        }
        upstream.deadlines.set(
            connection.ticket.slot, at: now + snapshot.timeouts.upstreamConnect)
        return connection
    }

    mutating func finishConnecting(_ connection: UpstreamConnection) {
        if let error = connection.connectionError {
            return failToConnect(connection, because: ConnectFailure(.socketFailed(error)))
        }
        connection.state = .shakingHands
        shakeHands(connection)
    }

    /// In the clear there is nothing to say beforehand, so this is over at once.
    mutating func shakeHands(_ connection: UpstreamConnection) {
        do throws(TLSError) {
            switch try connection.handshake() {
            case .moved:
                connection.state = .busy
                watch(connection, for: .reading)
                if let exchange = exchange(on: connection) {
                    startSending(exchange, on: connection)
                }
            case .wantsRead: watch(connection, for: .reading)
            case .wantsWrite: watch(connection, for: .writing)
            case .finished, .cut: failToConnect(connection, because: .hungUp)
            }
        } catch {
            failToConnect(connection, because: ConnectFailure(error))
        }
    }

    mutating func failToConnect(
        _ connection: UpstreamConnection, because failure: ConnectFailure
    ) {
        let exchange = exchange(on: connection)
        upstream.tryNextAddress()
        close(connection)
        if let exchange, let client = clients[exchange.id.client] {
            exchange.upstream = nil
            giveUp(exchange, of: client, at: connection.address, because: failure)
        }
        refuseAllWaiting()
    }

    /// Nothing was sent, so where a name has several addresses the others are tried first.
    private mutating func giveUp(
        _ exchange: Exchange, of client: Client, at address: PeerAddress,
        because failure: ConnectFailure, isFull: Bool = false
    ) {
        logUpstreamFailure(
            "cannot connect to the Pushgateway", address, because: failure.reason,
            remedy: failure.remedy)
        exchange.failedAddresses += 1
        if exchange.failedAddresses < upstream.addresses?.count ?? 0 {
            forwardOnNewConnection(exchange, of: client)
        } else {
            refuse(
                unsent: exchange, of: client, isFull ? .upstreamBusy : .upstreamUnreachable)
        }
    }

    /// Says no to a push that waits to be sent. One that was sent before may have been stored then,
    /// whatever became of its second try.
    mutating func refuse(unsent exchange: Exchange, of client: Client, _ refusal: Refusal) {
        refuse(exchange, of: client, exchange.isSent ? .upstreamUnclear(.closed) : refusal)
    }

    // MARK: Waiting

    /// Gives a connection to the push that has waited longest, or keeps it for the next one.
    mutating func reuse(_ connection: UpstreamConnection) {
        connection.finish()
        guard upstream.mayCarryMore(connection) else { return close(connection) }
        if let (exchange, _) = nextWaiting() {
            begin(exchange, on: connection)
        } else {
            upstream.keepIdle(connection, at: now)
        }
    }

    private mutating func nextWaiting() -> (Exchange, of: Client)? {
        while let id = upstream.dequeue() {
            if let client = clients[id.client], let exchange = client.exchange(id),
                case .forwarding = exchange.stage
            {
                return (exchange, client)
            }
        }
        return nil
    }

    /// There is room for more connections than before, or somewhere to connect to.
    private mutating func serveWaiting() {
        while upstream.canOpen, let (exchange, client) = nextWaiting() {
            forwardOnNewConnection(exchange, of: client)
        }
    }

    /// Who waits for a connection while none can be had would only wait for the same answer.
    private mutating func refuseAllWaiting() {
        guard upstream.connections.count == 0 else { return }
        while let (exchange, client) = nextWaiting() {
            refuse(unsent: exchange, of: client, .upstreamUnreachable)
        }
    }

    // MARK: Changing

    /// Where the Pushgateway's name leads to.
    mutating func learn(_ addresses: [PeerAddress], of url: UpstreamURL) {
        upstream.learn(addresses, of: url)
        serveWaiting()
    }

    /// Goes over to what the snapshot says about the Pushgateway; pushes in flight end where they are.
    /// - Parameter addresses: where it is, if that was looked up beforehand.
    mutating func useUpstream(_ addresses: [PeerAddress]?) {
        let share = process.upstreamShare(of: snapshot)
        upstream.use(snapshot.upstream, share: share, addresses: addresses)
        serveWaiting()
    }

    // MARK: Closing

    mutating func close(_ connection: UpstreamConnection) {
        guard upstream.connections[connection.ticket] != nil else { return }
        connection.sayFarewell()
        upstream.remove(connection)
        buryLater(connection)
        // Its place is free for whoever waits.
        if upstream.canOpen, let (exchange, client) = nextWaiting() {
            forwardOnNewConnection(exchange, of: client)
        }
    }

    mutating func watch(_ connection: UpstreamConnection, for interest: Poller.Interest) {
        do throws(Errno) {
            try connection.watch(by: poller, for: interest)
        } catch {
            fail(connection, .closed, because: error.description)
        }
    }
}
