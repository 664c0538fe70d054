import Foundation

/// A line of a gate's log, where the log is JSON.
struct LogLine: Decodable {
    let msg: String
    var id: String?
    var user: String?
    var status: Int?
    var reason: String?
    var said: String?
    private var groupText: String?

    private enum CodingKeys: String, CodingKey {
        case msg, id, user, status, reason, said
        case groupText = "group"
    }

    init?(_ line: some StringProtocol) {
        guard let made = try? JSONDecoder().decode(LogLine.self, from: Data(line.utf8)) else {
            return nil
        }
        self = made
    }

    /// The labels of the group that the gate decided on: `job=a,l=b`, with a backslash before what
    /// would blur it.
    var group: Labels? {
        guard let groupText else { return nil }
        var labels: Labels = [:]
        for match in groupText.matches(of: /(?:^|,)(\w+)=((?:[^\\,]|\\.)*)/) {
            labels[String(match.1)] = String(match.2).replacing(/\\(.)/) { String($0.1) }
        }
        return labels
    }
}

extension Gate {
    /// What the log says about the request that got this answer.
    func logLine(of answer: Answer) -> LogLine? {
        guard let id = answer.fields["x-request-id"] else { return nil }
        let mark = "\"id\":\"\(id)\""
        guard let log = log(holding: mark + ",\"user\"") else { return nil }
        return log.split(separator: "\n").filter { $0.contains(mark) }.compactMap { LogLine($0) }
            .last { $0.status != nil }
    }
}
