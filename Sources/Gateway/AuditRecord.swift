import Admission
import Bytes
import HTTP
import Reactor

/// What a line of the audit trail says.
///
/// Keys and their order are fixed, other people's scripts read them. What is not known is 0 or empty,
/// so that every key is there in every line with one type.
enum AuditRecord {
    /// How a push ended whose user had proven who he is.
    enum Verdict {
        case accepted
        case refused(Refusal)
        /// The client left before there was an answer. Its push may be stored all the same, once it was
        /// with the Pushgateway.
        case abandoned(Departure)

        fileprivate var word: StaticString {
            switch self {
            case .accepted: "accepted"
            case .refused: "refused"
            case .abandoned: "abandoned"
            }
        }

        fileprivate var reason: StaticString {
            switch self {
            case .accepted: ""
            case .refused(let refusal): refusal.word
            case .abandoned(let departure): departure.word
            }
        }
    }
}

extension ByteBuffer {
    /// Appends the line about a push.
    mutating func appendRecord(
        of exchange: Exchange, _ verdict: AuditRecord.Verdict, from address: IPAddress,
        at time: WallClock, nanoseconds: UInt64
    ) {
        beginRecord(at: time)
        add("id", RequestIDs.text(of: exchange.requestID).span)
        key("from")
        append("\"")
        append(address: address)
        append("\"")
        add("user", exchange.user.span)
        add("method", exchange.method.name.span)
        addGroup(exchange.key)
        add("bytes", exchange.body.count)
        add("samples", exchange.samples)
        add("families", exchange.families)
        add("verdict", verdict.word.span)
        add("reason", verdict.reason.span)
        add("status", exchange.isAnswered ? exchange.status.code : 0)
        add("upstream_status", exchange.upstreamStatus)
        key("ms")
        append(milliseconds: nanoseconds)
        append("}\n")
    }

    /// Appends a line about refusals of one kind that came before any login; without a source, of all
    /// for whom there was no place.
    mutating func appendRecord(
        of count: Int, _ reason: StaticString, from source: RefusalSums.Source?, at time: WallClock
    ) {
        beginRecord(at: time)
        key("from")
        append("\"")
        if let source { source.write(into: &self) } else { append("(others)") }
        append("\"")
        add("verdict", ("refused" as StaticString).span)
        add("reason", reason.span)
        add("count", count)
        append("}\n")
    }

    private mutating func beginRecord(at time: WallClock) {
        append("{\"ts\":\"")
        append(timestampInMilliseconds: time.milliseconds)
        append("\"")
    }

    private mutating func key(_ name: StaticString) {
        append(",\"")
        append(name)
        append("\":")
    }

    private mutating func add(_ name: StaticString, _ value: Int) {
        key(name)
        append(decimal: value)
    }

    private mutating func add(_ name: StaticString, _ value: Span<UInt8>) {
        key(name)
        append(quoting: value)
    }

    /// A path that names no group leaves it without a label.
    private mutating func addGroup(_ group: borrowing GroupingKey) {
        key("group")
        append("{")
        group.withJob { job in
            guard job.count > 0 else { return }
            append("\"job\":")
            append(quoting: job)
        }
        for index in 0..<group.labelCount {
            group.withLabel(at: index) { name, value in
                append(",")
                append(quoting: name)
                append(":")
                append(quoting: value)
            }
        }
        append("}")
    }

    /// Nothing is left out: how long a value may be, the limits of a head have decided.
    private mutating func append(quoting value: Span<UInt8>) {
        append("\"")
        append(escaping: value, bytesMax: value.count)
        append("\"")
    }
}
