import Bytes

/// What a Pushgateway's 400 means to whoever pushed. Its own words quote the series of other people
/// and need not speak of this push at all.
enum UpstreamComplaint: Equatable {
    /// It cannot read what we can: an older one, perhaps. Its words are about the body alone.
    case unreadable(String)
    /// The family has another type in another group, or at the Pushgateway itself.
    case typeTaken(String)
    /// The family's name is that of a part of a summary or histogram, or the other way round.
    case nameTaken(String)
    /// Another group has the very same series.
    case seriesTaken(String)
    /// What it holds already does not fit together; it refuses every push.
    case broken(String)
    /// Its words, as far as they quote nothing.
    case other(String)

    /// How many lines of an answer are read, and how much of a body is searched for a name in it: a
    /// store that is broken in many places has many lines, and the loop has others to serve.
    private static let linesMax = 4
    private static let searchedMax = 256 << 10

    /// - Parameters:
    ///   - answer: the text that came with the 400.
    ///   - body: what was pushed.
    init(_ answer: Span<UInt8>, to body: Span<UInt8>) {
        let text = String(decoding: answer)
        guard !text.hasPrefix("text format parsing error") else {
            self = .unreadable(UpstreamComplaint.firstLine(of: text))
            return
        }
        let errors = text.split(separator: "\n", maxSplits: UpstreamComplaint.linesMax)
            .prefix(UpstreamComplaint.linesMax).compactMap { UpstreamComplaint(line: $0) }
        guard let first = errors.first else {
            let line = UpstreamComplaint.firstLine(of: text)
            self = .other(String(line.prefix { $0 != "{" }))
            return
        }
        let start = body.extracting(0..<min(body.count, UpstreamComplaint.searchedMax))
        self = errors.first { $0.isAbout(start) } ?? .broken(first.name)
    }

    /// One error of the check, which the Pushgateway writes as
    /// `collected metric "NAME" { ... } was collected before ...` and in a few other ways.
    private init?(line: Substring) {
        let words = line.split(separator: " ", maxSplits: 32)
        let verb = words.firstIndex { $0 == "collected" || $0 == "gathered" }
        guard let rest = verb.map({ words[$0...] }) else { return nil }
        let unquoted = rest.firstIndex(of: "family").map { rest[$0...].dropFirst().first } ?? nil
        guard let word = rest.first(where: { $0.hasPrefix("\"") }) ?? unquoted else { return nil }
        let name = word.filter { $0 != "\"" }
        let bytes = Array(line.utf8)
        if bytes.contains("collected before with the same name") {
            self = .seriesTaken(name)
        } else if bytes.contains(" collides with previously collected ") {
            self = .nameTaken(name)
        } else if bytes.contains("} is not a ") || bytes.contains(" but should have ") {
            self = .typeTaken(name)
        } else {
            self = .other("metric \"\(name)\" does not fit")
        }
    }

    private var name: String {
        switch self {
        case .unreadable(let name), .typeTaken(let name), .nameTaken(let name),
            .seriesTaken(let name), .broken(let name), .other(let name):
            name
        }
    }

    /// Whether the metric is one of those that were pushed.
    private func isAbout(_ body: Span<UInt8>) -> Bool {
        let name = Array(name.utf8)
        guard !name.isEmpty else { return false }
        var start = 0
        while let found = body.firstIndex(of: name[0], from: start) {
            start = found + 1
            guard found + name.count <= body.count else { return false }
            if body.extracting(found..<found + name.count).isEqual(to: name.span) { return true }
        }
        return false
    }

    private static func firstLine(of text: String) -> String {
        String(text.prefix { $0 != "\n" })
    }

    /// What the client is told, without a full stop.
    var sentence: String {
        switch self {
        case .unreadable(let text), .other(let text): text
        case .typeTaken(let name):
            "metric \"\(name)\" has another type in another group, or is the Pushgateway's own; "
                + "push it with the same type or under another name"
        case .nameTaken(let name):
            "metric \"\(name)\" has the name of a part of a summary or histogram that another group "
                + "has; push it under another name"
        case .seriesTaken(let name):
            "another group has a series of metric \"\(name)\" with the same labels"
        case .broken(let name):
            "it is not this push: what the Pushgateway holds does not fit together "
                + "(metric \"\(name)\"), and until that is repaired it refuses everything"
        }
    }
}

extension [UInt8] {
    fileprivate func contains(_ text: String) -> Bool {
        let text = Array(text.utf8)
        guard text.count <= count else { return false }
        return (0...count - text.count).contains { self[$0..<$0 + text.count].elementsEqual(text) }
    }
}
