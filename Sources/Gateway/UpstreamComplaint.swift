import Bytes
import Catalogue

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

    /// How much of a body is searched for a name, and for how many: a store that is broken in many
    /// places gives many reasons, and the loop has others to serve.
    private static let searchedBytesMax = 256 << 10
    private static let searchesMax = 4
    /// How much of its words is relayed: what stands before the token of the body that they quote takes
    /// some 60 bytes, and of a body no answer shows more than 120.
    private static let relayedBytesMax = 160

    /// - Parameters:
    ///   - answer: the text that came with the 400.
    ///   - body: what was pushed.
    init(_ answer: Span<UInt8>, to body: Span<UInt8>) {
        let end = answer.firstIndex(of: 0x0A) ?? answer.count
        let relayed = answer.extracting(first: min(end, UpstreamComplaint.relayedBytesMax))
        let firstLine = String(decoding: relayed)
        guard !answer.hasPrefix("text format parsing error") else {
            self = .unreadable(firstLine)
            return
        }
        let heading: StaticString =
            "pushed metrics are invalid or inconsistent with existing metrics: "
        let start = answer.hasPrefix(heading) ? heading.utf8CodeUnitCount : 0
        let reasons = ScrapeError.all(in: answer.extracting(start..<answer.count)).errors
        guard let first = reasons.first else {
            self = .other(String(firstLine.prefix { $0 != "{" }))
            return
        }
        let searched = body.extracting(first: UpstreamComplaint.searchedBytesMax)
        for reason in reasons.prefix(UpstreamComplaint.searchesMax) {
            guard let name = reason.names.first(where: { searched.holds(name: $0) }) else {
                continue
            }
            self = UpstreamComplaint(reason, about: RefusalText.shown(name: name.span))
            return
        }
        self = .broken(RefusalText.shown(name: first.family.span))
    }

    /// Whether these are the words of a server that was spoken to in the clear where it wants TLS.
    static func demandsTLS(_ answer: Span<UInt8>) -> Bool {
        let searched = answer.extracting(first: 512)
        // What servers in Go say, such as the Pushgateway itself, and what nginx says.
        return searched.hasPrefix("Client sent an HTTP request to an HTTPS server")
            || searched.hasPrefix("<html>")
                && searched.holds("plain HTTP request was sent to HTTPS port")
    }

    private init(_ reason: ScrapeError, about name: String) {
        switch reason.kind {
        case .otherType, .ownType: self = .typeTaken(name)
        case .suffixTaken: self = .nameTaken(name)
        case .repeated: self = .seriesTaken(name)
        case .ownHelp:
            self = .other("metric \"\(name)\" has another HELP than the Pushgateway's own")
        case .badSeries(let words): self = .other("metric \"\(name)\" \(words)")
        }
    }

    /// What the client is told, without a full stop.
    var sentence: String {
        switch self {
        case .unreadable(let text), .other(let text): text
        case .typeTaken(let name):
            "metric \"\(name)\" has another type in another group, or is the Pushgateway's own; "
                + "push it with the same type or under another name"
        case .nameTaken(let name):
            "metric \"\(name)\" collides with what is there: the names of a summary or histogram with "
                + "_sum, _count or _bucket behind them are its own; push it under another name"
        case .seriesTaken(let name):
            "another group has a series of metric \"\(name)\" with the same labels"
        case .broken(let name):
            "nothing is wrong with this push, but what the Pushgateway holds does not fit together "
                + "(metric \"\(name)\"), and until its operator mends that it refuses every push"
        }
    }
}

extension ScrapeError {
    /// The metrics it speaks of.
    fileprivate var names: [[UInt8]] {
        if case .suffixTaken(let other) = kind { [family, other] } else { [family] }
    }
}

extension Span<UInt8> {
    /// Whether the name stands here, and is not the start of a longer one.
    fileprivate func holds(name: [UInt8]) -> Bool {
        guard let first = name.first else { return false }
        var start = 0
        while let found = firstIndex(of: first, from: start) {
            let end = found + name.count
            guard end <= count else { return false }
            let isEnd = end == count || !isNamePart(at: end)
            if isEnd, extracting(found..<end).isEqual(to: name.span) { return true }
            start = found + 1
        }
        return false
    }

    fileprivate func holds(_ words: StaticString) -> Bool {
        indices.contains { extracting($0...).hasPrefix(words) }
    }

    private func isNamePart(at index: Int) -> Bool {
        self[index].isLetter || self[index].isDigit || self[index] == 0x5F || self[index] == 0x3A
    }
}
