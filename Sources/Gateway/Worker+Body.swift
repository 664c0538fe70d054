import Bytes
import Configuration
import Exposition
import Gzip
import HTTP
import Reactor
import TLS

/// A body's way in: room for it, its pieces, and their proof. Only when the last piece is there and
/// all of it is right does anything go on to the Pushgateway.
extension Worker {
    /// How much of a body is taken in at once. It is judged as it comes, so this bounds the work of a
    /// turn too.
    private static let bodyStep = 64 << 10

    mutating func receiveBody(of exchange: Exchange, from client: Client) {
        exchange.stage = .receivingBody
        exchange.bodyBeganAt = now
        guard hasRoom(for: 0, in: exchange, of: client) else {
            return refuse(exchange, of: client, .memoryShort)
        }
        watchBodyRate(of: exchange, from: client)
        if exchange.framing == .length(0) { return finishBody(of: exchange, from: client) }
        if exchange.expectsContinue && client.bodyBytesAtHand(of: exchange) == 0 {
            askForBody(of: exchange, from: client)
        }
    }

    /// Makes ready for the first piece: a client that only announces a body gets no memory for it.
    /// Nil when there is none; then it is told so.
    private mutating func openBody(
        of exchange: Exchange, from client: Client
    ) -> Inspection? {
        if let inspection = exchange.inspection { return inspection }
        do throws(GzipError) {
            try inspections.begin(exchange, at: now)
        } catch {
            refuse(exchange, of: client, .memoryShort)
            return nil
        }
        exchange.body = buffers.take()
        guard hasRoom(for: 0, in: exchange, of: client) else {
            refuse(exchange, of: client, .memoryShort)
            return nil
        }
        if exchange.coding == .identity, case .length(let length) = exchange.framing {
            exchange.body.reserve(length)
        }
        return exchange.inspection
    }

    private mutating func askForBody(of exchange: Exchange, from client: Client) {
        if let connection = client.http2 {
            connection.session.askForBody(exchange.id.stream)
        } else {
            prepareOutput(of: client)
            ResponseWriter.appendContinue(to: &client.output)
        }
        unflushed.append(client.ticket)
    }

    // MARK: Pieces

    /// Takes in what has been read of the body. False when more bytes are needed, or another turn.
    mutating func moveBody(of exchange: Exchange, from client: Client) -> Bool {
        guard let inspection = openBody(of: exchange, from: client) else { return true }
        return exchange.coding == .gzip
            ? moveEncodedBody(of: exchange, from: client, inspection)
            : movePlainBody(of: exchange, from: client)
    }

    private mutating func movePlainBody(of exchange: Exchange, from client: Client) -> Bool {
        // Of what is at hand no more can become body than it is long.
        guard hasRoom(for: client.bodyBytesAtHand(of: exchange), in: exchange, of: client) else {
            refuse(exchange, of: client, .memoryShort)
            return true
        }
        do throws(ChunkError) {
            let isComplete = try client.moveBody(of: exchange, to: &exchange.body)
            goOn(with: exchange, from: client, isComplete: isComplete)
            return isComplete
        } catch {
            refuse(exchange, of: client, Refusal(error))
            return true
        }
    }

    private mutating func moveEncodedBody(
        of exchange: Exchange, from client: Client, _ inspection: Inspection
    ) -> Bool {
        guard hasRoom(for: Worker.bodyStep, in: exchange, of: client) else {
            refuse(exchange, of: client, .memoryShort)
            return true
        }
        do throws(ChunkError) {
            if !inspection.isInflating {
                _ = try client.moveBody(of: exchange, to: &inspection.encoded)
            }
        } catch {
            refuse(exchange, of: client, Refusal(error))
            return true
        }
        do throws(GzipError) {
            try inspection.inflate(into: &exchange.body, room: Worker.bodyStep)
        } catch {
            refuse(exchange, of: client, Refusal(error))
            return true
        }
        let isComplete = client.isBodyComplete(of: exchange) && !inspection.isInflating
        goOn(with: exchange, from: client, isComplete: isComplete)
        if inspection.isInflating { resumed.append(client.ticket) }
        return isComplete
    }

    private mutating func goOn(with exchange: Exchange, from client: Client, isComplete: Bool) {
        if isComplete {
            finishBody(of: exchange, from: client)
        } else {
            judgeBody(of: exchange, from: client)
        }
    }

    /// May the body be read from the connection straight into its place, past the input buffer?
    func takesBodyDirectly(_ exchange: Exchange, from client: Client) -> Bool {
        guard case .receivingBody = exchange.stage else { return false }
        return client.input.isEmpty && exchange.coding == .identity
            && client.http.takesBodyDirectly
    }

    /// Reads from the connection into the body, without a stop between.
    mutating func readBody(
        of exchange: Exchange, from client: Client
    ) throws(TLSError) -> TLSConnection.Step {
        guard openBody(of: exchange, from: client) != nil else { return .moved(0) }
        let step = try client.readBody(
            of: exchange, upTo: min(client.http.bodyBytesLeft, Worker.bodyStep))
        if case .moved(let count) = step {
            client.http.tookBody(count)
            goOn(
                with: exchange, from: client, isComplete: client.http.bodyBytesLeft == 0)
        }
        return step
    }

    // MARK: Proof

    /// Judges the lines that are complete, so that little is left to do when the last one is.
    private mutating func judgeBody(of exchange: Exchange, from client: Client) {
        exchange.inspection?.judge(exchange.body.span, isComplete: false)
        if !hasRoom(for: 0, in: exchange, of: client) { refuse(exchange, of: client, .memoryShort) }
    }

    /// The last byte has come. Was that all, and is it what a Pushgateway takes?
    private mutating func finishBody(of exchange: Exchange, from client: Client) {
        guard let inspection = openBody(of: exchange, from: client) else { return }
        do throws(GzipError) {
            try inspection.finishInflating()
        } catch {
            return refuse(exchange, of: client, Refusal(error))
        }
        inspection.judge(exchange.body.span, isComplete: true)
        let summary = inspection.summary
        (exchange.samples, exchange.families) = (summary.samples, summary.families)
        guard inspection.isValid else { return refuse(exchange, of: client, .bodyInvalid) }
        exchange.overwritten = summary.overwritten
        exchange.claimsHash = inspection.collectClaims(
            into: &exchange.claims, max: Exchange.claimsMax)
        inspections.learn(from: exchange, at: now)
        inspections.end(exchange)
        if summary.samples == 0, let refusal = objection(toEmpty: exchange) {
            return refuse(exchange, of: client, refusal)
        }
        compare(exchange, of: client)
    }

    /// An empty PUT deletes what the group holds; an empty POST would do nothing but look fresh.
    private func objection(toEmpty exchange: Exchange) -> Refusal? {
        exchange.method == .post ? .bodyEmpty : objection(toEmptyPutOf: exchange)
    }

    // MARK: Room

    /// Sets aside what the body needs in memory once `count` more bytes of it are there: its declared
    /// length from the start, everything else in steps. False when the gate holds too much already.
    private mutating func hasRoom(
        for count: Int, in exchange: Exchange, of client: Client
    ) -> Bool {
        var needed = exchange.body.count + count
        var step = Worker.bodyStep
        if exchange.coding == .identity, case .length(let length) = exchange.framing {
            (needed, step) = (length, 0)
        }
        // A body that has begun has a buffer, however little of it is filled.
        if exchange.inspection != nil { needed = max(needed, buffers.bufferBytes) }
        needed += exchange.inspection?.excessBytes ?? 0
        let missing = needed - exchange.reservedBytes
        guard missing > 0 else { return true }
        step = max(step, missing)
        let isReserved = process.budgets.reserve(
            bytes: step, atop: exchange.reservedBytes, of: client.share,
            max: exchange.snapshot.limits.bufferedBytesMax)
        if isReserved { exchange.reservedBytes += step }
        return isReserved
    }

    /// Gives back what an exchange that is over has taken.
    mutating func release(_ exchange: Exchange, of client: Client) {
        settle(exchange)
        inspections.end(exchange)
        process.budgets.release(bytes: exchange.reservedBytes, of: client.share)
        exchange.reservedBytes = 0
        if exchange.body.capacity > 0 { buffers.give(exchange.takeBody()) }
        if exchange.input.capacity > 0 { buffers.give(exchange.takeInput()) }
    }

    // MARK: Pace

    /// A body that is all there, and still has to be undone, waits for the gate and not for the client.
    func isBodyFastEnough(_ exchange: Exchange, from client: Client) -> Bool {
        let timeouts = exchange.snapshot.timeouts
        guard now < exchange.beganAt + timeouts.body else { return false }
        let elapsed = now.nanoseconds(since: exchange.bodyBeganAt)
        let isComing = !client.isBodyComplete(of: exchange)
        guard isComing, elapsed >= timeouts.bodyPace.nanoseconds else { return true }
        let seconds = Int(clamping: elapsed / 1_000_000_000)
        let (demanded, overflowed) = seconds.multipliedReportingOverflow(
            by: exchange.snapshot.limits.bodyRateMin.bytesPerSecond)
        let arrived =
            exchange.coding == .gzip
            ? exchange.inspection?.encodedBytes ?? 0 : exchange.body.count
        return !overflowed && arrived >= demanded
    }

    /// Looks at the body's pace again in a second, and for the first time when the pace begins to count.
    mutating func watchBodyRate(of exchange: Exchange, from client: Client) {
        let timeouts = exchange.snapshot.timeouts
        let first = exchange.bodyBeganAt + timeouts.bodyPace
        let next = first > now ? first : now + .seconds(1)
        wake(exchange, of: client, at: min(next, exchange.beganAt + timeouts.body))
    }
}

extension Refusal {
    fileprivate init(_ error: ChunkError) {
        self = error == .bodyTooLarge ? .bodyTooLarge : .bodyMalformed(error)
    }

    fileprivate init(_ error: GzipError) {
        switch error {
        case .tooLarge: self = .bodyTooLarge
        case .tooDense: self = .bodyTooDense
        case .memoryShort: self = .memoryShort
        case .notGzip, .cut, .checksumWrong, .lengthWrong, .trailed, .malformed:
            self = .gzipMalformed(error)
        }
    }
}
