import Console
package import Reactor

/// What people are told in one run: one message for all of it, and no kind of fault again before its
/// cool-down is over.
package struct Notices {
    private let host: String
    private let coolDown: Interval
    private let redaction: Redaction
    private var lines: [String] = []

    package enum Kind: String, Sendable {
        /// Of a check.
        case failing, held, repaired, recovered
        /// Of the watchdog itself.
        case configuration, memory, damage, request
        /// Of a receiver.
        case refusal
    }

    package init(host: String, coolDown: Interval, _ redaction: Redaction) {
        (self.host, self.coolDown, self.redaction) = (host, coolDown, redaction)
    }

    /// Tells it, unless its kind was told lately. Says whether it is told.
    package mutating func add(
        _ kind: Kind, of subject: String, _ sentence: String, always: Bool = false, at now: Int,
        in state: inout WatchState
    ) -> Bool {
        let name = Notices.name(kind, subject)
        let last = state.notices[name]
        if let last, !always, now - last.toldAt < coolDown.milliseconds {
            state.notices[name]?.keptBack += 1
            return false
        }
        put(subject, sentence, after: last)
        state.notices[name] = CoolDown(toldAt: now)
        return true
    }

    /// Tells that it is over, where somebody was told of it.
    package mutating func end(
        _ kind: Kind, of subject: String, _ sentence: String, in state: inout WatchState
    ) -> Bool {
        let last = state.notices.removeValue(forKey: Notices.name(kind, subject))
        if last != nil { put(subject, sentence, after: last) }
        return last != nil
    }

    private static func name(_ kind: Kind, _ subject: String) -> String {
        "\(subject)/\(kind.rawValue)"
    }

    private mutating func put(_ subject: String, _ sentence: String, after last: CoolDown?) {
        var line = "\(subject): \(sentence)"
        if let last, last.keptBack > 0 {
            let since = LocalTime(WallClock(milliseconds: UInt64(last.toldAt))).text
            line += " (\(last.keptBack) more like this since \(since) were not sent.)"
        }
        lines.append(redaction.redacted(line).harmless)
    }

    /// Puts what there is to tell into every outbox.
    package mutating func post(to receivers: [Receiver], at now: Int, in state: inout WatchState) {
        guard !lines.isEmpty else { return }
        let moment = LocalTime(WallClock(milliseconds: UInt64(now))).text
        let text = lines.joined(separator: "\n").cut(toUnits: 4000)
        lines = []
        for receiver in receivers {
            var outbox = state.outboxes[receiver.name, default: Outbox()]
            let lost = outbox.lost > 0 ? " (\(outbox.lost) messages before this one were lost)" : ""
            outbox.lost = 0
            let head = "kanmon-ops on \(host), \(moment)\(lost)"
            outbox.add(
                Outbox.Message(text: "\(head)\n\(text)", key: Notices.makeKey(), at: now))
            state.outboxes[receiver.name] = outbox
        }
    }

    /// A UUID, version 4 (RFC 9562).
    private static func makeKey() -> String {
        var digits = ""
        for position in 0..<32 {
            let digit = UInt8.random(in: 0..<16)
            if [8, 12, 16, 20].contains(position) { digits += "-" }
            let held = position == 12 ? 4 : position == 16 ? digit & 3 | 8 : digit
            digits += String(held, radix: 16)
        }
        return digits
    }
}
