import Foundation

/// Makes bodies, about half of them right: bodies of the corpora with something changed, and bodies
/// put together from the grammar, which reach what no change to an old body would.
///
/// The same seed and the same corpora give the same bodies.
struct BodyGenerator {
    private var random: SplitMix64
    private let corpus: [[UInt8]]
    /// One in how many pieces of the body being made is doubtful. Nil: none is.
    private var doubt: Int?
    private var body: [UInt8] = []
    /// The labels of the family being made: few, so that some of its series are the same.
    private var labelPool: [String] = []

    init(seed: UInt64, corpus: [[UInt8]]) {
        random = SplitMix64(state: seed)
        self.corpus = corpus
    }

    mutating func next() -> [UInt8] {
        if !corpus.isEmpty, oneIn(4) { return mutated() }
        doubt = random.below(3) < 2 ? nil : random.below(30) + 3
        body.removeAll(keepingCapacity: true)
        compose()
        if isDoubtful { body = changed(body) }
        return body
    }
}

extension BodyGenerator {
    private mutating func mutated() -> [UInt8] {
        var body = random.pick(corpus)
        if oneIn(3) { body += random.pick(corpus) }
        for _ in 0..<random.below(4) { body = changed(body) }
        if !oneIn(8), let last = body.last, last != 0x0A { body.append(0x0A) }
        return body
    }

    /// Changes something somewhere.
    private mutating func changed(_ old: [UInt8]) -> [UInt8] {
        var body = old
        let start = random.below(body.count + 1)
        let end = min(body.count, start + 1 + random.below(24))
        switch random.below(7) {
        case 0: body.removeSubrange(start..<end)
        case 1: if start < body.count { body.remove(at: start) }
        case 2: if start < body.count { body[start] = UInt8(random.below(256)) }
        case 3:
            body.insert(contentsOf: old[start..<end], at: random.below(body.count + 1))
        default: body.insert(contentsOf: random.pick(Self.shards), at: start)
        }
        return body
    }

    private static let shards: [[UInt8]] =
        [
            "# TYPE h histogram\n", "# TYPE s summary\n", "# HELP h x\n", "# TYPE ", "# HELP ",
            "h_bucket{le=\"1\"} 1\n", "s{quantile=\"0.5\"} 1\n", "h_count", "h_sum 1\n", "_count",
            "{", "}", "{}", "\"", ",", "=", "\\", "\\n", "\\\\", "\\\"", "\n", "\n\n", " ", "\t",
            "#", "1", "-1", "e", "e309", "Inf", "NaN", ".", "0x1", "+", "le", "quantile", "a", "_",
            "__name__", "\r", "\r\n", "é", "gauge", "job", "instance", "\u{2028}", "1_0", "p",
        ].map { Array($0.utf8) } + [[0xFF], [0xC3], [0x00], [0xED, 0xA0, 0x80]]
}

extension BodyGenerator {
    private mutating func compose() {
        var lines: [[UInt8]] = []
        for _ in 0...random.below(4) { lines += family() }
        if oneIn(8) { lines.shuffle(using: &random) }
        for line in lines { body += line }
        if isDoubtful { _ = body.popLast() }
        if oneIn(20) { body += blanks() }
    }

    private mutating func family() -> [[UInt8]] {
        let name = random.pick(Self.names)
        let type = random.pick(Self.types)
        labelPool = Array(Self.labelNames.shuffled(using: &random).prefix(1 + random.below(4)))
        if oneIn(2) { labelPool.append("instance") }
        var lines: [[UInt8]] = []
        if oneIn(2) { lines.append(help(name)) }
        if !oneIn(4) { lines.append(typeLine(name, type)) }
        if lines.count == 2, oneIn(2) { lines.swapAt(0, 1) }
        for _ in 0..<random.below(5) {
            switch random.below(12) {
            case 0: lines.append(comment())
            case 1: lines.append(blanks() + "\n".utf8)
            default: lines.append(sample(name, type))
            }
        }
        if isDoubtful { lines.append(oneIn(2) ? help(name) : typeLine(name, type)) }
        return lines
    }

    private static let names = [
        "a", "b", "c", "h", "s", "x_total", "up", ":c", "_", "h_count", "s_sum", "h_bucket",
        "x_count_sum", "_count", "go_goroutines", "go_gc_duration_seconds", "go_info",
        "process_cpu_seconds_total", "push_time_seconds", "pushgateway_http_requests_total",
        "node_filesystem_files_free", "a_name_of_rather_more_than_thirty_two_bytes_in_all_of_it",
    ]
    private static let types = [
        "counter", "gauge", "untyped", "summary", "histogram", "summary", "histogram",
    ]
    private static let doubtfulTypes = [
        "COUNTER", "cou\\nter", "hıstogram", "ſummary", "unknown", "info", "stateset", "",
        "gauge ", "gauge_histogram", "gaugehistogram", "histogram\r", "Summary", "gauge\u{0}",
    ]

    private mutating func help(_ name: String) -> [UInt8] {
        let texts = ["", "x", "a longer text about it", "with \\\\ and \\n", "é日本😀", "x "]
        let doubtful = ["\\", "\\t", "\\\"", "x\r", "\u{FEFF}", "\"quoted\""]
        return commentStart("HELP", name) + blank() + pick(texts, or: doubtful)
            + (isDoubtful ? [0xFF] : []) + "\n".utf8
    }

    private mutating func typeLine(_ name: String, _ type: String) -> [UInt8] {
        commentStart("TYPE", name) + blank() + pick([type], or: Self.doubtfulTypes) + "\n".utf8
    }

    private mutating func commentStart(_ word: String, _ name: String) -> [UInt8] {
        pick(["#"], or: [" #", "##", "\t#"]) + (oneIn(20) ? [] : blank())
            + pick([word], or: ["help", "Type", "HELPER", "UNIT"]) + blank() + nameText(name)
    }

    private mutating func comment() -> [UInt8] {
        let texts = ["#\n", "# \n", "# nothing\n", "#x\n", "# HELP\n", "# TYPE a\n", "# EOF\n"]
        return pick(texts, or: ["# HELP 1\n", "# TYPE a-b gauge\n", "#\r\n", "# HELP a\r\n"])
    }

    private mutating func nameText(_ name: String) -> [UInt8] {
        pick([name], or: ["\(name)-x", "1\(name)", "\"\(name)\"", "é", "", "\(name).b"])
    }
}

extension BodyGenerator {
    private mutating func sample(_ name: String, _ type: String) -> [UInt8] {
        var line: [UInt8] = oneIn(20) ? blanks() : []
        let (suffix, bound) = part(of: type)
        line += nameText(name + suffix)
        if oneIn(20) { line += blanks() }
        if bound != nil || !oneIn(3) { line += labels(bound) }
        line += oneIn(30) ? [] : blank()
        line += value()
        if oneIn(40) || isDoubtful { line += blank() + timestamp() }
        if isDoubtful { line += blank() }
        if isDoubtful { line += pick(["# {} 1"], or: ["\r", "x", "# y"]) }
        return line + "\n".utf8
    }

    /// A suffix that samples of the type have, and the label by which they differ.
    private mutating func part(of type: String) -> (suffix: String, bound: String?) {
        if isDoubtful { return (random.pick(["_count", "_sum", "_bucket", "_total"]), nil) }
        switch (type, random.below(4)) {
        case ("summary", 0), ("histogram", 0): return ("_sum", nil)
        case ("summary", 1), ("histogram", 1): return ("_count", nil)
        case ("summary", _): return ("", oneIn(30) ? nil : "quantile")
        case ("histogram", _): return ("_bucket", oneIn(30) ? nil : "le")
        default: return ("", nil)
        }
    }

    private mutating func labels(_ bound: String?) -> [UInt8] {
        var names = labelPool.shuffled(using: &random).prefix(random.below(4))
        if isDoubtful { names.append(random.pick(["a", "__name__", "__x", "é", "1", "", "a:b"])) }
        if let bound { names.append(bound) }
        if oneIn(3) { names.shuffle(using: &random) }
        var text: [UInt8] = Array("{".utf8)
        for (index, name) in names.enumerated() {
            if index > 0 { text += pick([","], or: ["", ", ", " ,\t", ",,", "\n,"]) }
            text += pick([name], or: ["\"\(name)\"", " \(name) ", "\(name)"])
            text += pick(["="], or: [" = ", "", "==", ":"])
            text += name == bound ? boundValue() : labelValue()
        }
        if isDoubtful { text += pick([","], or: [" , ", ",,", " "]) }
        return text + pick(["}"], or: ["", " }", "}}", "} "])
    }

    private static let labelNames = [
        "a", "b", "c", "job", "zone", "instance", "le", "quantile", "_x", "code", "job2",
        "a_label_with_rather_more_than_thirty_two_bytes",
    ]

    private mutating func boundValue() -> [UInt8] {
        let number = oneIn(8) ? value() : Array(random.pick(["0.5", "1", "+Inf", "NaN"]).utf8)
        return "\"".utf8 + number + "\"".utf8
    }

    private mutating func labelValue() -> [UInt8] {
        if oneIn(2) { return Array(random.pick(["\"\"", "\"x\""]).utf8) }
        var text: [UInt8] = Array("\"".utf8)
        for _ in 0..<random.below(3) {
            switch random.below(8) {
            case 0: text += [UInt8](repeating: 0x78, count: random.below(70))
            case 1 where isDoubtful: text += random.pick(Self.brokenCharacters)
            default:
                let pieces = ["x", "y", " ", "é", "日本", "😀", "\\n", "\\\\", "\\\"", "{", "#"]
                text += pick(pieces, or: ["\\t", "\\", "\n", "\u{0}", "\r", "\u{FFFF}", "\""])
            }
        }
        return text + pick(["\""], or: ["", "'", "\"\""])
    }

    /// What UTF-8 does not have: overlong forms, surrogates, what is above the last plane, what is cut.
    private static let brokenCharacters: [[UInt8]] = [
        [0xFF], [0xC3], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80],
        [0xED, 0x9F, 0xBF], [0xF0, 0x8F, 0xBF, 0xBF], [0xF4, 0x90, 0x80, 0x80], [0xF5], [0x80],
        [0xF4, 0x8F, 0xBF, 0xBF], [0xE2, 0x82], [0xF0, 0x9F, 0x98],
    ]
}

extension BodyGenerator {
    private mutating func value() -> [UInt8] {
        switch random.below(6) {
        case 0: return nearOverflow()
        case 1: return digits()
        default: return pick(Self.values, or: Self.doubtfulValues)
        }
    }

    private static let values = [
        "0", "1", "-1", "+1", "1.5", ".5", "5.", "+.5", "-.5", "007", "1e007", "1E+3", "1e-3", "-0",
        "NaN", "nan", "Inf", "+Inf", "-inf", "Infinity", "-iNfInItY", "1e-400", "0e999999999",
        "1.7976931348623157e308", "-1e20", "9007199254740993", "1e308",
    ]
    private static let doubtfulValues = [
        "+NaN", "-nan", "infin", "nan(1)", "1e400", "1.8e308", "0x1", "0x1p3", "1_0", "1e", "e5",
        ".", "+", "", "1,5", "1.2.3", "١", "1e99999999999999999999", "--1", "1e+-1", "0b1", "1f",
        "1\r", "\"1\"", "1.797693134862315808e308", "1.7976931348623158e308", "infinit", "1E",
    ]

    private mutating func digits() -> [UInt8] {
        var text = Array(random.pick(["", "-", "+"]).utf8)
        for _ in 0...random.below(40) { text.append(0x30 + UInt8(random.below(10))) }
        if oneIn(2) { text.insert(0x2E, at: 1 + random.below(text.count)) }
        if oneIn(3) { text += "e\(random.below(600) - 300)".utf8 }
        return text
    }

    /// A number beside 2^1024 - 2^970, from which on a double is infinite; written with its point
    /// anywhere and the exponent that belongs to it.
    private mutating func nearOverflow() -> [UInt8] {
        let edge = "179769313486231580793728971405303415079934132710037826936173778980444968292"
        var digits = Array(edge.utf8.prefix(1 + random.below(75)))
        switch random.below(3) {
        case 0: digits[digits.count - 1] = 0x30 + UInt8(random.below(10))
        case 1: digits.append(0x30 + UInt8(random.below(10)))
        default: break
        }
        let point = random.below(digits.count + 1)
        var text = digits
        text.insert(0x2E, at: point)
        if oneIn(4) { text = Array("0.000".utf8) + digits }
        let exponent = text.first == 0x30 && text.count > 1 && text[1] == 0x2E ? 312 : 309 - point
        return text + "e\(exponent)".utf8
    }

    private mutating func timestamp() -> [UInt8] {
        pick(
            ["1", "-5", "+5", "1700000000000", "9223372036854775807", "-9223372036854775808"],
            or: ["9223372036854775808", "-9223372036854775809", "1.5", "1e3", "", "x", "+", "1_0"])
    }

    private mutating func blank() -> [UInt8] {
        pick([" "], or: ["\t", "  ", " \t ", "", "\r", "\u{A0}"])
    }
    private mutating func blanks() -> [UInt8] { Array(random.pick(["", " ", "\t", "   "]).utf8) }

    /// Mostly one of the usual, sometimes one of the doubtful.
    private mutating func pick(_ usual: [String], or doubtful: [String]) -> [UInt8] {
        Array(random.pick(isDoubtful ? doubtful : usual).utf8)
    }

    private var isDoubtful: Bool {
        mutating get { doubt.map { random.below($0 * 4) == 0 } ?? false }
    }

    private mutating func oneIn(_ count: Int) -> Bool { random.below(count) == 0 }
}

/// Steele, Lea and Flood's generator: small, and the same on every system.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// From 0 to one less than `count`.
    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[below(elements.count)]
    }
}
