import Bytes
import Reactor

/// What the audit trail is told about an exchange.
extension Worker {
    /// A line about a push of somebody who has logged in; of anybody else a refusal is only counted.
    mutating func audit(
        _ exchange: Exchange, of client: Client, leftBecause departure: Departure? = nil
    ) {
        guard process.audit.isOn else { return }
        let address = client.peer.address
        guard exchange.hasLoggedIn else {
            if let refusal = exchange.refusal {
                process.audit.count(refusal.word, of: address, at: now)
            }
            return
        }
        let verdict: AuditRecord.Verdict =
            if let departure {
                .abandoned(departure)
            } else if let refusal = exchange.refusal {
                .refused(refusal)
            } else {
                .accepted
            }
        record.removeAll()
        record.appendRecord(
            of: exchange, verdict, from: address, at: .now(),
            nanoseconds: now.nanoseconds(since: exchange.beganAt))
        process.audit.append(record.span)
    }

    /// A client that leaves in the middle: its answer may be decided and not sent, or its push be with
    /// the Pushgateway, which may store it. Both are told nowhere yet.
    mutating func reportUnanswered(
        _ exchange: Exchange, of client: Client, because departure: Departure
    ) {
        guard client.phase == .serving else { return }
        if exchange.isAnswered {
            report(exchange, of: client)
        } else if exchange.hasLoggedIn {
            audit(exchange, of: client, leftBecause: departure)
            if exchange.isSent { tellOfUnheard(exchange, of: client) }
        }
    }

    /// Who has pushed is gone, and what comes of the push nobody hears.
    private func tellOfUnheard(_ exchange: Exchange, of client: Client) {
        tally.count(.noAnswer)
        process.log.write(.warn, "client gone before its answer, its push may have been stored") {
            describe(exchange, of: client, to: &$0)
            $0.add("bytes", exchange.body.count)
            $0.add("ms", milliseconds: now.nanoseconds(since: exchange.beganAt))
        }
    }
}
