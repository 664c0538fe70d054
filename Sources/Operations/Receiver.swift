import Bytes
import Console
package import Reactor

/// Where messages for people go.
package enum Receiver: Sendable {
    case discord(webhook: String)
    case line(token: String, to: String, url: String)

    package var name: String {
        switch self {
        case .discord: "discord"
        case .line: "line"
        }
    }

    /// Of text, in UTF-16 as both count.
    var unitsMax: Int {
        switch self {
        case .discord: 2000
        case .line: 5000
        }
    }

    /// What came of sending a message.
    package enum Verdict: Equatable, Sendable {
        case delivered
        /// It may go through later: after so many seconds at the soonest.
        case later(seconds: Int, reason: String)
        /// It never will.
        case refused(reason: String)
    }

    package func errand(for message: Outbox.Message, timeout: Interval) -> Errand {
        var curl: Curl
        switch self {
        case .discord(let webhook):
            curl = Curl(webhook, timeout: timeout)
            curl.set("data-raw", discordBody(message.text))
        case .line(let token, let to, let url):
            curl = Curl(url, timeout: timeout)
            curl.set("header", "Authorization: Bearer \(token)")
            curl.set("header", "X-Line-Retry-Key: \(message.key)")
            curl.set("data-raw", lineBody(message.text, to))
        }
        curl.set("header", "Content-Type: application/json")
        curl.set("output", "/dev/null")
        curl.set("dump-header", "-")
        return curl.errand(outputBytesMax: 64 << 10)
    }

    private func discordBody(_ text: String) -> String {
        "{\"content\":\(Console.quoted(text.cut(toUnits: unitsMax))),"
            + "\"allowed_mentions\":{\"parse\":[]}}"
    }

    private func lineBody(_ text: String, _ to: String) -> String {
        "{\"to\":\(Console.quoted(to)),\"messages\":[{\"type\":\"text\","
            + "\"text\":\(Console.quoted(text.cut(toUnits: unitsMax)))}]}"
    }

    package func verdict(of report: Errand.Report) -> Verdict {
        if let fault = Curl.fault(of: report) { return .later(seconds: 0, reason: fault) }
        let head = AnswerHead(report.output)
        switch head.status {
        case 200..<300: return .delivered
        // LINE has this message already: the answer to the first try was lost.
        case 409: return .delivered
        case 429:
            let seconds = head.retryAfter ?? 60
            return .later(seconds: seconds, reason: "it asks to wait \(seconds) s (429)")
        case 500...: return .later(seconds: 0, reason: "it answered \(head.status)")
        default: return .refused(reason: "it answered \(head.status)")
        }
    }
}

/// What the last head that curl wrote down says. One of 100 or of a proxy may stand before it.
struct AnswerHead {
    private(set) var status = 0
    private(set) var retryAfter: Int?

    /// After a day no message is worth sending any more.
    private static let secondsMax = 86_400.0

    init(_ bytes: [UInt8]) {
        for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
            if line.hasPrefix("HTTP/") {
                status = line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
                retryAfter = nil
            } else if line.lowercased().hasPrefix("retry-after:") {
                let value = line.drop { $0 != ":" }.dropFirst().filter { !$0.isWhitespace }
                // A part of a second is one; a date is not worth its reading.
                let seconds = Double(value).flatMap { $0.isFinite ? $0.rounded(.up) : nil } ?? 60
                retryAfter = Int(min(max(seconds, 1), AnswerHead.secondsMax))
            }
        }
    }
}

extension String {
    /// Not more than so many units of UTF-16, with … where something is missing.
    func cut(toUnits unitsMax: Int) -> String {
        guard utf16.count > unitsMax else { return self }
        var (shown, units) = ("", 1)
        for scalar in unicodeScalars {
            units += scalar.value > 0xFFFF ? 2 : 1
            guard units <= unitsMax else { break }
            shown.unicodeScalars.append(scalar)
        }
        return shown + "…"
    }

    /// Without what moves a cursor, and what a file of settings cannot hold.
    var harmless: String {
        String(
            String.UnicodeScalarView(
                unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control where scalar == "\n": scalar
                    case .control, .format, .surrogate, .privateUse, .unassigned: "?"
                    default: scalar
                    }
                }))
    }
}
