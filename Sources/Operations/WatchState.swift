import Bytes
package import Configuration
import Console
package import Reactor

/// What one run has to know of those before it. Times are milliseconds since 1970, since a run's own
/// clock ends with it.
package struct WatchState: Equatable, Sendable {
    /// Of the checks that fail, by name.
    package var incidents: [String: Incident] = [:]
    /// When what was done to mend something, by the step.
    package var repairs: [String: [Int]] = [:]
    /// What was told when, by the kind of fault.
    package var notices: [String: CoolDown] = [:]
    /// What is still to be sent, by the sender.
    package var outboxes: [String: Outbox] = [:]

    package init() {}
}

/// A check that fails, from the first failure until it is good again.
package struct Incident: Equatable, Sendable {
    package var since: Int
    package var reason: String
    /// In a row.
    package var failures = 0
    package var repairs = 0
    package var repairedAt = 0
    package var isHeld = false
    package var isTold = false
    /// Where its journal was saved.
    package var journal: String?

    package init(since: Int, reason: String) { (self.since, self.reason) = (since, reason) }
}

/// When a kind of fault was last told, and what was kept back since.
package struct CoolDown: Equatable, Sendable {
    package var toldAt: Int
    package var keptBack = 0

    package init(toldAt: Int) { self.toldAt = toldAt }
}

/// Messages on their way to one receiver.
package struct Outbox: Equatable, Sendable {
    package var messages: [Message] = []
    /// Nothing is sent earlier.
    package var notBefore = 0
    /// How many had to go because there were too many.
    package var lost = 0

    package struct Message: Equatable, Sendable {
        package var text: String
        /// Lets a receiver know one that it has already.
        package var key: String
        package var at: Int
    }

    package init() {}

    static let messagesMax = 20

    mutating func add(_ message: Message) {
        messages.append(message)
        while messages.count > Outbox.messagesMax {
            messages.removeFirst()
            lost += 1
        }
    }
}

extension WatchState {
    /// Takes out what no run needs any more, and what a clock that was set back has put into the future.
    package mutating func forget(at now: Int, within window: Interval, coolDown: Interval) {
        let latest = now + 1000
        repairs = repairs.mapValues { times in
            times.filter { $0 <= latest && now - $0 < window.milliseconds }
        }.filter { !$0.value.isEmpty }
        // Whoever was told of a fault in the last run is told of its end in this one.
        let kept = max(coolDown.milliseconds, 600_000)
        notices = notices.filter { _, notice in
            notice.toldAt <= latest && (notice.keptBack > 0 || now - notice.toldAt < kept)
        }
        incidents = incidents.mapValues { incident in
            var incident = incident
            incident.since = min(incident.since, now)
            incident.repairedAt = min(incident.repairedAt, now)
            return incident
        }
        let dayAgo = now - 86_400_000
        for (sender, outbox) in outboxes {
            // How long it was to wait nobody knows then.
            let wasSetBack = outbox.messages.contains { $0.at > latest }
            if wasSetBack || outbox.notBefore > now + 86_400_000 {
                outboxes[sender]?.notBefore = now
            }
            outboxes[sender]?.messages = outbox.messages.filter { $0.at >= dayAgo }.map { message in
                var message = message
                message.at = min(message.at, now)
                return message
            }
        }
    }
}

// MARK: On disk

extension WatchState {
    /// The state in the file at `path`, and what is wrong with it: then it is a fresh one.
    package static func load(path: String) -> (state: WatchState, problem: Problem?) {
        guard RegularFile.mode(of: path) != nil else { return (WatchState(), nil) }
        let reading = SettingsFile.load(path: path) { top, _ in WatchState(top) }
        return (reading.value ?? WatchState(), reading.value == nil ? reading.problems.first : nil)
    }

    package static func read(_ bytes: [UInt8]) -> SettingsFile.Reading<WatchState> {
        SettingsFile.read(bytes, named: "state.json") { top, _ in WatchState(top) }
    }

    /// JSON, which our reader of YAML takes.
    package var text: String {
        """
        {"incidents": \(WatchState.object(incidents) { $0.text }),
        "repairs": \(WatchState.object(repairs) { "[\($0.map(String.init).joined(separator: ", "))]" }),
        "notices": \(WatchState.object(notices) { "{\"told_at\": \($0.toldAt), \"kept_back\": \($0.keptBack)}" }),
        "outboxes": \(WatchState.object(outboxes) { $0.text })}

        """
    }

    private static func object<Value>(
        _ members: [String: Value], _ text: (Value) -> String
    ) -> String {
        let lines = members.sorted { $0.key < $1.key }
            .map { "\n  \(Console.quoted($0.key)): \(text($0.value))" }
        return "{\(lines.joined(separator: ","))}"
    }

    private init(_ top: Section) {
        incidents = top.entries("incidents") { Incident($0) }
        let times = top.section("repairs")
        for name in times.names() {
            repairs[name.value] = times.read(listOf: name.value) { scalar throws(ScalarFault) in
                try Quantity.count.read(scalar)
            }.map(\.value)
        }
        notices = top.entries("notices") { section in
            var notice = CoolDown(toldAt: section.number("told_at"))
            notice.keptBack = section.number("kept_back")
            return notice
        }
        outboxes = top.entries("outboxes") { Outbox($0) }
    }
}

extension Incident {
    fileprivate var text: String {
        let members = [
            "\"since\": \(since)", "\"reason\": \(Console.quoted(reason))",
            "\"failures\": \(failures)", "\"repairs\": \(repairs)",
            "\"repaired_at\": \(repairedAt)", "\"held\": \(isHeld)", "\"told\": \(isTold)",
            "\"journal\": \(Console.quoted(journal ?? ""))",
        ]
        return "{\(members.joined(separator: ", "))}"
    }

    fileprivate init(_ section: Section) {
        since = section.number("since")
        reason = section.read("reason") { $0.text } ?? ""
        failures = section.number("failures")
        repairs = section.number("repairs")
        repairedAt = section.number("repaired_at")
        isHeld = section.flag("held", default: false)
        isTold = section.flag("told", default: false)
        let file = section.read("journal") { $0.text } ?? ""
        journal = file.isEmpty ? nil : file
    }
}

extension Outbox {
    fileprivate var text: String {
        let list = messages.enumerated().map { index, message in
            "\n    \"\(index)\": {\"at\": \(message.at), \"key\": \(Console.quoted(message.key)), "
                + "\"text\": \(Console.quoted(message.text))}"
        }
        return "{\"not_before\": \(notBefore), \"lost\": \(lost), "
            + "\"messages\": {\(list.joined(separator: ","))}}"
    }

    fileprivate init(_ section: Section) {
        notBefore = section.number("not_before")
        lost = section.number("lost")
        let list = section.section("messages")
        messages = list.names().prefix(Outbox.messagesMax).map { name in
            let entry = list.section(name.value)
            return Message(
                text: entry.read("text") { $0.text } ?? "",
                key: entry.read("key") { $0.text } ?? "",
                at: entry.number("at"))
        }
    }
}

extension Section {
    /// A count or a time. More is damage, and nothing that is added to it can overflow.
    fileprivate func number(_ key: String) -> Int {
        value(key, .count, default: 0, in: 0...1 << 53)
    }

    fileprivate func entries<Value>(_ key: String, _ make: (Section) -> Value) -> [String: Value] {
        let section = section(key)
        var entries: [String: Value] = [:]
        for name in section.names() { entries[name.value] = make(section.section(name.value)) }
        return entries
    }
}
