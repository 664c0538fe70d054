import Bytes
import Configuration
import HTTP
import Reactor

/// The listener for those who run the gate: plain HTTP, one request a connection, on the control's loop.
///
/// Nobody here can cost much. Connections are few, a request and an answer have each a deadline for the
/// whole of it, and a page is made once and sent as its reader takes it.
final class AdminServer {
    /// Nil once somebody else is asked instead.
    private(set) var listener: Listener?
    /// Whether only this machine can connect.
    private let isLocal: Bool
    private let poller: Poller
    private let log: Log
    private var connections = Table<AdminConnection>(of: .admin)
    private var deadlines = Deadlines(now: .now())
    private var expired: [Int] = []
    private var resumeAt = Instant.distantFuture
    private var date = DateField()
    private var requestIDs = RequestIDs()
    /// Who has asked for a reload that was not begun yet.
    private var askers: [Ticket] = []

    static let connectionsMax = 64
    private static let requestTime = Interval.seconds(5)
    private static let answerTime = Interval.seconds(10)
    /// A certificate or a user file may lie on a slow disk, and a name may have to be looked up.
    private static let reloadTime = Interval.seconds(60)
    private static let farewellTime = Interval.seconds(2)
    private static let droppedBytesMax = 64 << 10
    /// How long nobody is let in after descriptors ran out.
    private static let pause = Interval.milliseconds(100)

    init(_ listener: Listener, poller: Poller, log: Log) throws(Errno) {
        (self.listener, self.poller, self.log) = (listener, poller, log)
        isLocal = listener.address.address.isLoopback
        try poller.add(listener.socket, for: .reading, ticket: listener.ticket)
    }

    var nextDeadline: Instant { min(deadlines.earliest(), resumeAt) }

    func serve(_ event: Poller.Readiness, of gate: GateView) {
        if event.ticket == listener?.ticket { return accept(at: gate.now) }
        guard let connection = connections[event.ticket] else { return }
        if event.isGone { return end(connection) }
        switch connection.phase {
        case .asking: if event.isReadable { receive(connection, of: gate) }
        case .waiting: break
        case .answering: if event.isWritable { send(to: connection, at: gate.now) }
        case .leaving: if event.isReadable { drop(connection) }
        }
    }

    func expire(at now: Instant) {
        if now >= resumeAt {
            resumeAt = .distantFuture
            watchListener(for: .reading)
        }
        deadlines.expire(at: now, into: &expired)
        for slot in expired {
            guard let connection = connections.member(inSlot: slot) else { continue }
            if connection.phase == .waiting {
                answer(
                    connection, Answer(.internalError), "the reload takes long; see the log",
                    at: now)
            } else {
                end(connection)
            }
        }
        expired.removeAll(keepingCapacity: true)
    }

    /// Lets nobody new in; who is here is answered.
    func stopListening() {
        // Closing it alone would not end the events: another process has it open (epoll(7)).
        if let listener { try? poller.remove(listener.socket) }
        listener = nil
        resumeAt = .distantFuture
    }

    // MARK: Coming in

    private func accept(at now: Instant) {
        guard let listener else { return }
        for _ in 0..<Listener.acceptsPerTurn {
            do throws(Errno) {
                guard let accepted = try Socket.accept(on: listener.socket) else { return }
                try admit(accepted.takeSocket(), at: now)
            } catch {
                guard error.isExhaustion else { continue }
                resumeAt = now + AdminServer.pause
                return watchListener(for: [])
            }
        }
    }

    private func admit(
        _ socket: consuming FileDescriptor, at now: Instant
    ) throws(Errno) {
        guard makeRoom() else { return }
        let ticket = connections.reserve()
        let connection = AdminConnection(ticket: ticket, socket: socket, at: now)
        connections.insert(connection, at: ticket)
        deadlines.set(ticket.slot, at: now + AdminServer.requestTime)
        do throws(Errno) {
            try poller.add(connection.socket, for: connection.interest, ticket: ticket)
        } catch {
            end(connection)
            throw error
        }
    }

    /// At the limit the one gives way that has said nothing for longest. False when all have been heard.
    private func makeRoom() -> Bool {
        guard connections.count == AdminServer.connectionsMax else { return true }
        var oldest: AdminConnection?
        connections.forEach { connection in
            guard connection.phase == .asking || connection.phase == .leaving,
                connection.acceptedAt < oldest?.acceptedAt ?? .distantFuture
            else { return }
            oldest = connection
        }
        guard let oldest else { return false }
        end(oldest)
        return true
    }

    private func watchListener(for interest: Poller.Interest) {
        guard let listener else { return }
        do throws(Errno) {
            try poller.change(listener.socket, to: interest, ticket: listener.ticket)
        } catch {
            log.write(.error, "the admin listener cannot be watched") { line in
                line.add("error", error.description)
            }
        }
    }

    // MARK: Being asked

    private func receive(_ connection: AdminConnection, of gate: GateView) {
        do throws(Errno) {
            switch try connection.read() {
            case .moved: break
            case .wouldBlock: return
            case .finished: return end(connection)
            }
        } catch {
            return end(connection)
        }
        do throws(HeadError) {
            guard let head = try connection.head() else { return }
            connection.wantsBody = head.method != .head
            answer(connection, head, of: gate)
        } catch {
            answer(connection, Answer(error.status), error.sentence, at: gate.now)
        }
    }

    private func answer(
        _ connection: AdminConnection, _ head: RequestHead, of gate: GateView
    ) {
        switch connection.route(of: head, isLocal: isLocal) {
        case .metrics:
            let page = MetricsText(of: gate)
            let answer = Answer(.ok, contentType: "text/plain; version=0.0.4; charset=utf-8")
            send(answer, page.bytes.span, to: connection, at: gate.now)
        case .health(let question): tell(connection, question, of: gate)
        case .status(let asScreen): tell(connection, StatusReport(of: gate), asScreen, gate.now)
        case .reload: waitForReload(connection, of: gate)
        case .methodNotAllowed(let allow):
            var answer = Answer(.methodNotAllowed)
            answer.allow = allow
            self.answer(connection, answer, "this method does nothing here", at: gate.now)
        case .notFound:
            answer(
                connection, Answer(.notFound),
                "here are /metrics, /-/healthy, /-/ready, /-/status and /-/reload", at: gate.now)
        case .forbidden(let sentence):
            answer(connection, Answer(.forbidden), sentence, at: gate.now)
        }
    }

    private func tell(
        _ connection: AdminConnection, _ question: Route.Question, of gate: GateView
    ) {
        let isWell = question == .health ? gate.isHealthy : gate.isReady
        let sentence: StaticString =
            isWell
            ? "OK"
            : !gate.isHealthy
                ? "a loop of the gate hangs"
                : gate.isDraining
                    ? "the gate is going down" : "the Pushgateway cannot be scraped"
        answer(connection, Answer(isWell ? .ok : .unavailable), sentence, at: gate.now)
    }

    private func tell(
        _ connection: AdminConnection, _ report: StatusReport, _ asScreen: Bool, _ now: Instant
    ) {
        if asScreen {
            let page = report.screen
            send(
                Answer(.ok, contentType: AdminServer.plainText), page.span, to: connection, at: now)
        } else {
            let page = report.json
            send(Answer(.ok, contentType: "application/json"), page.span, to: connection, at: now)
        }
    }

    // MARK: Reload

    /// Takes who has asked for a reload since this was last called, for the control to begin one.
    func takeAskers() -> [Ticket] {
        if askers.isEmpty { return [] }
        return exchange(&askers, with: [])
    }

    private func waitForReload(_ connection: AdminConnection, of gate: GateView) {
        guard !gate.isDraining else {
            let answer = Answer(.unavailable)
            return self.answer(connection, answer, "the gate is going down", at: gate.now)
        }
        connection.phase = .waiting
        deadlines.set(connection.ticket.slot, at: gate.now + AdminServer.reloadTime)
        watch(connection, for: [])
        askers.append(connection.ticket)
    }

    /// Tells those who have asked how the reload went.
    func tell(_ askers: [Ticket], of report: ReloadState.Report, at now: Instant) {
        for asker in askers {
            // Whoever has gone meanwhile finds it in the log.
            guard let connection = connections[asker] else { continue }
            var text = ByteBuffer()
            for problem in report.problems { text.append(text: problem.description + "\n") }
            if report.isLastSuccessful {
                text.append("the configuration was read and is in force\n")
            } else {
                text.append("nothing was changed\n")
            }
            let status = report.isLastSuccessful ? Status.ok : .internalError
            let answer = Answer(status, contentType: AdminServer.plainText)
            send(answer, text.span, to: connection, at: now)
        }
    }

    // MARK: Answering

    private static let plainText: StaticString = "text/plain; charset=utf-8"

    private func answer(
        _ connection: AdminConnection, _ answer: Answer, _ sentence: StaticString, at now: Instant
    ) {
        var text = ByteBuffer()
        text.append(sentence)
        text.append("\n")
        var answer = answer
        answer.contentType = AdminServer.plainText
        send(answer, text.span, to: connection, at: now)
    }

    private func send(
        _ answer: Answer, _ body: Span<UInt8>, to connection: AdminConnection, at now: Instant
    ) {
        var answer = answer
        answer.contentLength = body.count
        date.refresh()
        let requestID = RequestIDs.text(of: requestIDs.next())
        connection.beginAnswer(answer, body, date: date.bytes.span, requestID: requestID.span)
        deadlines.set(connection.ticket.slot, at: now + AdminServer.answerTime)
        send(to: connection, at: now)
    }

    /// Sends what the socket takes.
    private func send(to connection: AdminConnection, at now: Instant) {
        do throws(Errno) {
            while connection.hasAnswer {
                guard case .moved = try connection.send() else {
                    return watch(connection, for: .writing)
                }
            }
        } catch {
            return end(connection)
        }
        connection.sayFarewell()
        deadlines.set(connection.ticket.slot, at: now + AdminServer.farewellTime)
        watch(connection, for: .reading)
    }

    // MARK: Leaving

    private func drop(_ connection: AdminConnection) {
        do throws(Errno) {
            switch try connection.drop() {
            case .wouldBlock: return
            case .moved:
                if connection.droppedBytes > AdminServer.droppedBytesMax { end(connection) }
            case .finished: end(connection)
            }
        } catch {
            end(connection)
        }
    }

    private func watch(_ connection: AdminConnection, for interest: Poller.Interest) {
        guard connection.interest != interest else { return }
        do throws(Errno) {
            try poller.change(connection.socket, to: interest, ticket: connection.ticket)
            connection.interest = interest
        } catch {
            end(connection)
        }
    }

    /// Its socket closes with it; a caller above may hold it a moment longer.
    private func end(_ connection: AdminConnection) {
        deadlines.clear(connection.ticket.slot)
        connections.remove(connection.ticket)
    }
}
