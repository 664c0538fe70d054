package import Reactor

/// Sending what is in the outboxes.
package enum Post {
    static let timeout = Interval.seconds(5)

    /// Tries each receiver's messages in their order, until one does not go through or `deadline` is
    /// there, and says of each one where one did not or never will. Whatever stays is tried in the next
    /// run.
    package static func send(
        to receivers: [Receiver], in state: inout WatchState, until deadline: Instant,
        _ log: inout EventLog
    ) -> [(receiver: String, verdict: Receiver.Verdict)] {
        var faults: [(receiver: String, verdict: Receiver.Verdict)] = []
        var open = receivers
        while !open.isEmpty, Instant.now() < deadline {
            let now = Int(WallClock.now().milliseconds)
            let due = open.compactMap { receiver in
                state.outboxes[receiver.name].flatMap { outbox in
                    outbox.notBefore <= now ? outbox.messages.first.map { (receiver, $0) } : nil
                }
            }
            let reports = Errand.run(due.map { $0.0.errand(for: $0.1, timeout: timeout) })
            open = []
            for ((receiver, _), report) in zip(due, reports) {
                let verdict = receiver.verdict(of: report)
                if verdict != .delivered { faults.append((receiver.name, verdict)) }
                if isThrough(receiver, verdict, now, &state, &log) { open.append(receiver) }
            }
        }
        return faults
    }

    private static func isThrough(
        _ receiver: Receiver, _ verdict: Receiver.Verdict, _ now: Int, _ state: inout WatchState,
        _ log: inout EventLog
    ) -> Bool {
        switch verdict {
        case .delivered:
            log.add("notified", ("receiver", receiver.name))
        case .refused(let reason):
            log.add("notice_refused", ("receiver", receiver.name), ("reason", reason))
        case .later(let seconds, let reason):
            log.add("notice_waits", ("receiver", receiver.name), ("reason", reason))
            state.outboxes[receiver.name]?.notBefore = now + seconds * 1000
            return false
        }
        state.outboxes[receiver.name]?.messages.removeFirst()
        return true
    }
}
