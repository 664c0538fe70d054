import Console

/// The hops on the way of a metric, in the order in which it meets them.
enum Hop: String, CaseIterable {
    case name
    case connection = "TCP"
    case allowlist
    case handshake = "TLS"
    case clock
    case login
    case push
    case pushgateway = "Pushgateway"
    case prometheus = "Prometheus"
    case job
    case cleanUp = "clean-up"
}

/// A hop that is broken, in a form in which somebody can mend it.
struct BrokenHop: Error {
    let hop: Hop
    let finding: String
    let remedy: String
}

/// Why a walk goes no further.
enum WalkEnd: Error {
    case broken(BrokenHop)
    /// By whoever started it.
    case interrupted

    static func broken(_ hop: Hop, _ finding: String, remedy: String) -> WalkEnd {
        .broken(BrokenHop(hop: hop, finding: finding, remedy: remedy))
    }
}

/// What the hops were found to be, a line for each as soon as it is known.
struct WalkReport {
    /// The first broken hop, which is the one to mend.
    private(set) var first: BrokenHop?
    private var told: Set<Hop> = []

    mutating func pass(_ hop: Hop, _ finding: String) { tell("ok", hop, finding) }
    mutating func warn(of hop: Hop, _ finding: String) { tell("warn", hop, finding) }
    mutating func skip(_ hop: Hop, _ reason: String) { tell("--", hop, reason) }

    mutating func fail(_ broken: BrokenHop) {
        if first == nil { first = broken }
        tell("FAILED", broken.hop, broken.finding)
    }

    /// Says of the hops before `end` that are not told of yet that nobody came there.
    mutating func skipRest(before end: Hop, except left: Set<Hop>) {
        for hop in Hop.allCases.prefix(while: { $0 != end })
        where !told.contains(hop) && !left.contains(hop) {
            skip(hop, "not reached")
        }
    }

    private mutating func tell(_ mark: String, _ hop: Hop, _ finding: String) {
        told.insert(hop)
        let finding = Console.printable(finding)
        Console.say("\(padded(mark, to: 6))  \(padded(hop.rawValue, to: 11))  \(finding)")
    }

    private func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.utf8.count))
    }
}
