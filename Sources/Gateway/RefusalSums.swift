import Admission
import Bytes
import Reactor

/// How often whom was refused before he had proven who he is, for the audit trail: one line for each
/// source and reason a minute, so that a scanner cannot rotate real pushes away.
struct RefusalSums: ~Copyable {
    /// Who counts as one: an IPv4 address, an IPv6 /64.
    struct Source: Hashable {
        private let network: IPAddress

        init(_ address: IPAddress) { network = address.countedNetwork }

        func write(into text: inout ByteBuffer) {
            text.append(address: network)
            if !network.isIPv4 { text.append("/64") }
        }
    }

    private struct Key: Hashable {
        let source: Source
        let reason: Int
    }

    /// How many lines a minute may have; more sources are summed as "others", by reason.
    private static let linesMax = 4096

    private var counts: [Key: Int] = [:]
    /// What the numbers of reasons stand for, and how often others were refused for them. There are as
    /// many as there are refusals.
    private var reasons: [(word: StaticString, others: Int)] = []

    var isEmpty: Bool { counts.isEmpty }

    init() { counts.reserveCapacity(RefusalSums.linesMax) }

    mutating func count(_ reason: StaticString, of address: IPAddress) {
        let number = number(of: reason)
        let key = Key(source: Source(address), reason: number)
        if let index = counts.index(forKey: key) {
            counts.values[index] &+= 1
        } else if counts.count < RefusalSums.linesMax {
            counts[key] = 1
        } else {
            reasons[number].others &+= 1
        }
    }

    /// Moves the sums into lines, and begins anew.
    mutating func write(into lines: inout ByteBuffer, at time: WallClock) {
        for (key, count) in counts {
            lines.appendRecord(
                of: count, reasons[key.reason].word, from: key.source, at: time)
        }
        for index in reasons.indices where reasons[index].others > 0 {
            lines.appendRecord(
                of: reasons[index].others, reasons[index].word, from: nil, at: time)
            reasons[index].others = 0
        }
        counts.removeAll(keepingCapacity: true)
    }

    private mutating func number(of reason: StaticString) -> Int {
        for index in reasons.indices where reasons[index].word.span.isEqual(to: reason) {
            return index
        }
        reasons.append((reason, 0))
        return reasons.count - 1
    }
}
