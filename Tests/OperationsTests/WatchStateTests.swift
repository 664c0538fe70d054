import Configuration
import Foundation
import Reactor
import Testing

@testable import Operations

@Suite struct WatchStateTests {
    private func path() -> String {
        NSTemporaryDirectory() + "kanmon-state-" + UUID().uuidString
    }

    private func full() -> WatchState {
        var state = WatchState()
        var incident = Incident(since: 17, reason: "says \"no\"\n\u{1B}[2J : # ' \u{1F600}")
        (incident.failures, incident.repairs, incident.repairedAt) = (3, 2, 99)
        (incident.isHeld, incident.isTold, incident.journal) = (true, true, "/a/b.log")
        state.incidents = ["gate": incident, "yes": Incident(since: 1, reason: "")]
        state.repairs = ["restart a.service": [1, 2, 3], "run /x: y, z": [4]]
        var notice = CoolDown(toldAt: 5)
        notice.keptBack = 7
        state.notices = ["gate/held": notice]
        var outbox = Outbox()
        outbox.add(Outbox.Message(text: "one\ntwo \"日本\"", key: "k", at: 8))
        (outbox.notBefore, outbox.lost) = (9, 10)
        state.outboxes = ["discord": outbox, "line": Outbox()]
        return state
    }

    @Test(arguments: [true, false])
    func `what is written is read again`(isFull: Bool) throws {
        let state = isFull ? full() : WatchState()
        let file = path()
        defer { try? FileManager.default.removeItem(atPath: file) }
        try Data(state.text.utf8).write(to: URL(filePath: file))
        let (read, problem) = WatchState.load(path: file)
        #expect(problem == nil)
        #expect(read == state)
    }

    @Test func `none is a fresh one, without a word`() {
        let (state, problem) = WatchState.load(path: path())
        #expect(state == WatchState() && problem == nil)
    }

    @Test func `one that is cut anywhere is read whole or is a problem`() throws {
        let text = Array(full().text.utf8)
        let file = path()
        defer { try? FileManager.default.removeItem(atPath: file) }
        for length in 0..<text.count - 1 {
            try Data(text[..<length]).write(to: URL(filePath: file))
            let (state, problem) = WatchState.load(path: file)
            #expect(problem != nil && state == WatchState() || state == full())
        }
    }

    @Test func `a number that no clock and no count reaches is damage`() throws {
        let file = path()
        defer { try? FileManager.default.removeItem(atPath: file) }
        for key in ["since", "failures", "kept_back", "told_at", "not_before", "lost", "at"] {
            let text = full().text
                .replacing(try Regex("\"\(key)\": \\d+"), with: "\"\(key)\": \(Int.max)")
            try Data(text.utf8).write(to: URL(filePath: file))
            let (state, problem) = WatchState.load(path: file)
            #expect(problem != nil && state == WatchState(), "\(key)")
        }
    }

    @Test func `what lies in the future, since a clock was set back, holds nothing up`() {
        var state = full()
        let now = 1_000_000_000
        state.repairs = ["a": [now - 1, now + 3_600_000], "b": [now - 700_000]]
        state.notices = ["x": CoolDown(toldAt: now + 86_400_000), "y": CoolDown(toldAt: now - 1)]
        state.incidents["gate"]?.repairedAt = now + 3_600_000
        state.forget(at: now, within: .seconds(600), coolDown: .seconds(1800))
        #expect(state.repairs == ["a": [now - 1]])
        #expect(state.notices.keys.sorted() == ["y"])
        #expect(state.incidents["gate"]?.repairedAt == now)
    }

    @Test func `an outbox keeps the latest twenty and counts the others`() {
        var outbox = Outbox()
        for number in 1...25 { outbox.add(Outbox.Message(text: "\(number)", key: "", at: number)) }
        #expect(outbox.messages.count == 20 && outbox.lost == 5)
        #expect(outbox.messages.first?.text == "6" && outbox.messages.last?.text == "25")
    }
}

@Suite struct NoticeTests {
    @Test func `the same is told again only when its cool-down is over`() {
        var state = WatchState()
        var notices = Notices(host: "h", coolDown: .seconds(60), Redaction())
        func add(_ kind: Notices.Kind, at seconds: Int) -> Bool {
            notices.add(kind, of: "gate", "fails", at: seconds * 1000, in: &state)
        }
        #expect(add(.failing, at: 100))
        #expect(!add(.failing, at: 159))
        #expect(add(.held, at: 159))
        #expect(!add(.failing, at: 159))
        #expect(state.notices["gate/failing"]?.keptBack == 2)
        #expect(add(.failing, at: 160))
        notices.post(to: [.discord(webhook: "https://x/")], at: 160_000, in: &state)
        let text = state.outboxes["discord"]?.messages.first?.text ?? ""
        #expect(text.contains("2 more like this since"))
        #expect(text.split(separator: "\n").count == 4)
    }

    @Test func `a message has no control character and no secret`() {
        var state = WatchState()
        let redaction = Redaction(secrets: [Array("hunter22".utf8)])
        var notices = Notices(host: "h", coolDown: .seconds(60), redaction)
        _ = notices.add(.damage, of: "gate", "\u{1B}[2J\u{FEFF}hunter22", at: 1, in: &state)
        notices.post(to: [.discord(webhook: "https://x/")], at: 1, in: &state)
        let text = state.outboxes["discord"]?.messages.first?.text ?? ""
        #expect(text.hasSuffix("gate: ?[2J?[redacted]"))
    }

    @Test func `an answer's head says when to come again`() {
        let cases: [(head: String, status: Int, seconds: Int?)] = [
            ("HTTP/1.1 200 OK\r\n\r\n", 200, nil),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/2 429 \r\nretry-after: 0.3\r\n\r\n", 429, 1),
            ("HTTP/1.1 429 x\r\nRetry-After: 65\r\n", 429, 65),
            ("HTTP/1.1 429 x\r\nRetry-After: 999999999999\r\n", 429, 86_400),
            ("HTTP/1.1 429 x\r\nRetry-After: -4\r\n", 429, 1),
            ("HTTP/1.1 429 x\r\nRetry-After: nan\r\n", 429, 60),
            ("HTTP/1.1 429 x\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n", 429, 60),
            ("nonsense", 0, nil), ("", 0, nil),
        ]
        for (head, status, seconds) in cases {
            let read = AnswerHead(Array(head.utf8))
            #expect(read.status == status && read.retryAfter == seconds, "\(head)")
        }
    }

    @Test func `a text is cut between characters, as UTF-16 counts them`() {
        #expect("abc".cut(toUnits: 3) == "abc")
        #expect("abcd".cut(toUnits: 3) == "ab…")
        let cut = String(repeating: "\u{1F600}", count: 10).cut(toUnits: 6)
        #expect(cut == "\u{1F600}\u{1F600}…")
    }
}
