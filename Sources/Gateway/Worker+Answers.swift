import Admission
import Bytes
import Configuration
import HTTP
import Reactor

/// How an exchange ends: its answer, and what is told about it.
extension Worker {
    private static let plainText: StaticString = "text/plain; charset=utf-8"

    /// Answers with a text of our own.
    mutating func answer(
        _ exchange: Exchange, of client: Client, _ status: Status, text message: StaticString
    ) {
        text.removeAll()
        text.append(message)
        send(Answer(status, contentType: Worker.plainText), to: exchange, of: client)
    }

    /// The Pushgateway took it.
    mutating func accept(_ exchange: Exchange, of client: Client, _ status: Status) {
        learn(from: exchange, of: client)
        if exchange.overwritten > 0 {
            process.store.countLabelConflicts(exchange.overwritten)
        }
        text.removeAll()
        if exchange.method == .delete {
            text.append("accepted the deletion of this group\n")
        } else {
            text.append("accepted ")
            text.append(decimal: exchange.samples)
            text.append(" samples in ")
            text.append(decimal: exchange.families)
            text.append(" families\n")
        }
        send(Answer(status, contentType: Worker.plainText), to: exchange, of: client)
        if exchange.method != .delete { countPush(exchange, of: client) }
    }

    /// Every no goes out here. `detail` is what is said behind the sentence.
    mutating func refuse(
        _ exchange: Exchange, of client: Client, _ refusal: Refusal, detail: String = ""
    ) {
        exchange.refusal = refusal
        count(refusal, of: exchange, of: client)
        text.removeAll()
        let refusalText = RefusalText(refusal, detail: detail, of: exchange)
        var answer = Answer(refusal.status, contentType: Worker.plainText)
        if exchange.prefersJSON {
            answer.contentType = "application/problem+json"
            let requestID = RequestIDs.text(of: exchange.requestID)
            refusalText.appendProblem(to: &text, requestID: requestID.span)
        } else {
            refusalText.append(to: &text)
        }
        answer.retryAfterSeconds = refusal.retryAfterSeconds
        if refusal.status == .unauthorized {
            answer.challenge = "Basic realm=\"kanmon\", charset=\"UTF-8\""
        }
        if case .methodNotAllowed(let allow) = refusal { answer.allow = allow }
        if refusal == .encodingUnknown { answer.acceptEncoding = "gzip, identity" }
        if refusal.endsConnection || !isBodyDone(exchange, of: client) { exchange.isKept = false }
        send(answer, to: exchange, of: client)
    }

    /// Is it known where the next request begins? A client that waits for 100 may send its body or not,
    /// as it likes; then nobody knows.
    private func isBodyDone(_ exchange: Exchange, of client: Client) -> Bool {
        if client.http2 != nil || client.http.isBodyComplete { return true }
        return !exchange.expectsContinue && client.http.dropBody(from: &client.input)
    }

    private mutating func send(
        _ answer: Answer, to exchange: Exchange, of client: Client
    ) {
        exchange.status = answer.status
        exchange.stage = .answering
        var answer = answer
        answer.contentLength = text.count
        date.refresh()
        let requestID = RequestIDs.text(of: exchange.requestID)
        if let connection = client.http2 {
            connection.session.answer(
                exchange.id.stream, answer, body: text.span, isHead: exchange.method == .head,
                date: date.bytes.span, requestID: requestID.span)
            if exchange.refusal == .revoked { refuseMore(on: connection) }
        } else {
            let isLast = client.http.requestCount >= snapshot.limits.requestsPerConnectionMax
            if isDraining || isLast { exchange.isKept = false }
            prepareOutput(of: client)
            client.http.append(
                answer, of: exchange, body: text.span, date: date.bytes.span,
                requestID: requestID.span, to: &client.output)
        }
        wake(exchange, of: client, at: now + snapshot.timeouts.write)
        unflushed.append(client.ticket)
    }

    mutating func prepareOutput(of client: Client) {
        if client.output.capacity == 0 { client.output = buffers.take() }
    }

    // MARK: What is counted

    /// The Pushgateway took a push.
    private mutating func countPush(_ exchange: Exchange, of client: Client) {
        tally.count(.samples, exchange.samples)
        tally.count(.bodyBytes, exchange.body.count)
        // A connection mostly pushes to one group, and then nothing has to be looked up.
        if exchange.group != client.jobGroup || client.job == nil {
            client.job = exchange.key.withJob { jobs.job(named: $0) }
            client.jobGroup = exchange.group
        }
        client.job?.countPush(at: date.time)
    }

    private func count(_ refusal: Refusal, of exchange: Exchange, of client: Client) {
        tally.count(refusal)
        process.metrics.refusals.note(
            RecentRefusals.Entry(
                time: .now(), requestID: exchange.requestID, address: client.peer.address,
                user: exchange.hasLoggedIn
                    ? exchange.user.withSpan { [UInt8](copying: $0) } : nil,
                reason: refusal.reason, status: refusal.status, count: 1))
    }

    /// A request was answered.
    func countAnswer(to exchange: Exchange) {
        tally.countRequest(exchange.method, answeredWith: exchange.status)
        guard exchange.isPush else { return }
        tally.observe(.push, nanoseconds: now.nanoseconds(since: exchange.beganAt))
    }

    /// What became of a request: for the audit trail, and as a line of the log.
    mutating func report(_ exchange: Exchange, of client: Client) {
        audit(exchange, of: client)
        if exchange.refusal == .loginsTooMany {
            guard slowed.note(client.peer.address, at: now) != nil else { return }
        }
        let isPush = exchange.isPush
        let level = level(of: exchange, isPush: isPush)
        guard process.log.isOn(level) else { return }
        let message: StaticString =
            exchange.refusal != nil ? "request refused" : isPush ? "push accepted" : "health asked"
        process.log.write(level, message) { line in
            describe(exchange, of: client, to: &line)
            if let refusal = exchange.refusal {
                line.add("reason", refusal.word)
            } else if isPush {
                line.add("samples", exchange.samples)
            }
            if exchange.overwritten > 0 { line.add("label_conflicts", exchange.overwritten) }
            if let rule = exchange.rule {
                let file = exchange.snapshot.configuration.file
                line.add("rule", "\(file):\(rule.line):\(rule.column)")
            }
            line.add("bytes", exchange.body.count)
            line.add("status", exchange.status.code)
            line.add("ms", milliseconds: now.nanoseconds(since: exchange.beganAt))
        }
    }

    /// What of slowed addresses was in no line of its own.
    mutating func tellOfSlowed() {
        for notice in slowed.tellAll(at: now) {
            process.log.write(.warn, "requests refused") { line in
                line.add("from", notice.address)
                line.add("reason", Refusal.loginsTooMany.word)
                line.add("count", notice.count)
                if notice.others > 0 { line.add("others_untold", notice.others) }
            }
        }
    }

    /// Which request a line of the log is about.
    func describe(_ exchange: Exchange, of client: Client, to line: inout LogLine) {
        line.add("id", RequestIDs.text(of: exchange.requestID).span)
        if exchange.isUserKnown { line.add("user", exchange.user.span) }
        line.add("from", client.peer.address)
        if exchange.isPush, exchange.keyError == nil {
            line.add("group") { exchange.key.writeDescription(into: &$0) }
        }
    }

    /// A push is worth a line, a look at our health is not. What the client cannot mend is an error.
    private func level(of exchange: Exchange, isPush: Bool) -> Log.Level {
        guard exchange.refusal != nil else { return isPush ? .info : .debug }
        return (502...504).contains(exchange.status.code) ? .error : .warn
    }
}

/// The `Date` field, written once a second.
struct DateField: ~Copyable {
    var bytes = ByteBuffer(capacity: HTTPDate.length)
    /// When it was last looked at.
    private(set) var time = WallClock(milliseconds: 0)

    mutating func refresh() {
        let before = time.seconds
        time = .now()
        guard time.seconds != before else { return }
        bytes.removeAll()
        HTTPDate.append(secondsSince1970: time.seconds, to: &bytes)
    }
}

/// Names for requests: ten characters of Crockford's base 32, in an order nobody can guess and without
/// a repetition for as long as the process lives.
struct RequestIDs {
    private var state = UInt64.random(in: .min ... .max)

    mutating func next() -> UInt64 {
        // SplitMix64: a counter, scrambled by a bijection.
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    static func text(of id: UInt64) -> InlineArray<10, UInt8> {
        let digits = ("0123456789ABCDEFGHJKMNPQRSTVWXYZ" as StaticString).span
        var text = InlineArray<10, UInt8>(repeating: 0)
        for index in 0..<10 { text[index] = digits[Int(id >> UInt64(5 * index) & 31)] }
        return text
    }

    static func name(of id: UInt64) -> String {
        let text = text(of: id)
        return String(decoding: text.span)
    }
}
