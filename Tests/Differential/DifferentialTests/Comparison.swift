import Exposition

/// How our verdict on a body stands to the oracle's.
enum Comparison: Hashable {
    /// Both took it, or both refused it in the same line.
    case accepted, refused
    /// Both parsers took it and both checks refused it.
    case inconsistent
    /// They differ, as they must.
    case explained(Explanation)
    /// They differ, and one of them is wrong.
    case unexplained(String)
}

/// Why verdicts may differ. The oracle is prometheus/common 0.39; we follow 0.69.
enum Explanation: String, CaseIterable {
    /// 0.56 introduced names in quotes, and names within the braces.
    case quotedName = "names in quotes or braces, which 0.39 does not know"
    /// 0.56 made it an escape in HELP.
    case quoteInHelp = "an escaped quote in HELP, which 0.39 does not know"
    /// 0.39 reads the word, but then knows no samples of such a family.
    case gaugeHistogram = "gauge histograms, which 0.39 does not know"
    /// 0.67 refuses them.
    case negativePopulation = "negative counts and buckets, which 0.39 takes"
    /// The Pushgateway drops a pushed `push_time_seconds` without a word, or is harmed by it.
    case pushTime = "the Pushgateway's own time stamps, which it does not refuse"
}

/// Judges bodies as `Validator` does and compares that with what the oracle said.
struct Comparer: ~Copyable {
    private var grammar: Validator
    private var push: Validator
    private let group: GroupLabels

    init(group labels: [(String, String)]) {
        var rules = Rules()
        rules.complaintsMax = 100
        rules.seriesMax = 1_000_000
        rules.sampleLabelsMax = 100_000
        rules.labelValueBytesMax = 1_000_000
        rules.lineBytesMax = 1_000_000
        // The Pushgateway overwrites what contradicts the group.
        rules.labelConflicts = .overwritten
        push = Validator(rules: rules)
        rules.demandsPushable = false
        grammar = Validator(rules: rules)
        var group = GroupLabels()
        for (name, value) in labels { group.append(name: name, value: value) }
        self.group = group
    }

    mutating func compare(_ body: [UInt8], with answer: Oracle.Answer) -> Comparison {
        grammar.reset()
        grammar.validate(body.span, isComplete: true)
        push.reset()
        push.group = group
        push.validate(body.span, isComplete: true)

        if push.isValid && !grammar.isValid { return .unexplained("taken, though not well-formed") }
        if let refusal = answer.refusal { return compare(body, with: refusal) }
        let taken = compareTaken(body, with: answer)
        guard taken == .accepted else { return taken }
        return comparePush(body, with: answer)
    }
}

extension Comparer {
    private func compare(_ body: [UInt8], with refusal: Oracle.Refusal) -> Comparison {
        let first = grammar.complaints.first {
            !$0.reason.isNegativePopulation || $0.line == refusal.line
        }
        if first?.line == refusal.line { return .refused }
        let line = min(first?.line ?? .max, refusal.line)
        if line == refusal.line, let explanation = refusal.explanation(in: body) {
            return .explained(explanation)
        }
        if body.declaresGaugeHistogram(before: line) { return .explained(.gaugeHistogram) }
        guard let first else {
            return .unexplained("taken, but refused in line \(refusal.line): \(refusal.text)")
        }
        return .unexplained(
            "refused in line \(first.line): \(first.message); the oracle in line \(refusal.line): "
                + refusal.text)
    }

    private func compareTaken(_ body: [UInt8], with answer: Oracle.Answer) -> Comparison {
        if let first = grammar.complaints.first(where: { !$0.reason.isNegativePopulation }) {
            return body.declaresGaugeHistogram(before: first.line)
                ? .explained(.gaugeHistogram)
                : .unexplained("refused in line \(first.line): \(first.message)")
        }
        guard grammar.isValid else {
            return grammar.summary.complaints == grammar.complaints.count
                ? .explained(.negativePopulation) : .unexplained("too many complaints")
        }
        let summary = grammar.summary
        let samples = body.sampleLines
        guard summary.samples == samples, answer.metrics.map({ $0 == samples }) ?? true else {
            return .unexplained("\(summary.samples) samples of \(samples)")
        }
        if summary.families == answer.families { return .accepted }
        return body.declaresGaugeHistogram(before: .max)
            ? .explained(.gaugeHistogram)
            : .unexplained("\(summary.families) families, not \(answer.families)")
    }

    private func comparePush(_ body: [UInt8], with answer: Oracle.Answer) -> Comparison {
        switch (push.isValid, answer.inconsistency.isEmpty) {
        case (true, true): return .accepted
        case (false, false): return .inconsistent
        case (true, false):
            // To 0.39 each of its lines is a metric of its own, and then two may be the same.
            let isAboutOne = body.gaugeHistograms.contains {
                answer.inconsistency.contains("collected metric \"\($0)\"")
            }
            return isAboutOne
                ? .explained(.gaugeHistogram) : .unexplained("taken, but: \(answer.inconsistency)")
        case (false, true):
            let others = push.complaints.filter { $0.reason != .pushTimeGiven }
            if others.isEmpty { return .explained(.pushTime) }
            // To 0.39 its sums, counts and buckets are families of their own.
            return others.allSatisfy { $0.reason.isAboutGaugeHistogram }
                ? .explained(.gaugeHistogram)
                : .unexplained("not to be pushed: \(push.complaints.map(\.message))")
        }
    }
}

extension Complaint.Reason {
    fileprivate var isNegativePopulation: Bool {
        self == .countNegative || self == .bucketNegative
    }

    fileprivate var isAboutGaugeHistogram: Bool {
        if case .typeContradicted(given: .gaugeHistogram, own: _) = self { true } else { false }
    }
}

extension Oracle.Refusal {
    /// Why a line may be right all the same, told from its error and the byte it stopped at.
    fileprivate func explanation(in body: [UInt8]) -> Explanation? {
        let quote: UInt8 = 0x22
        let brace: UInt8 = 0x7B
        let stop = offset < body.count ? body[offset] : 0
        switch text {
        case "invalid metric name" where stop == quote || stop == brace: return .quotedName
        case "invalid metric name in comment" where stop == quote: return .quotedName
        case "expected '=' after label name, found '\"'": return .quotedName
        case "invalid escape sequence '\\\"'" where isHelp(in: body): return .quoteInHelp
        default: break
        }
        if text.hasPrefix("invalid label name for metric"), stop == quote { return .quotedName }
        if text.hasPrefix("expected float as value, got \"\\\"") { return .quotedName }
        if text.hasPrefix("unknown metric type"), text.uppercased().contains("GAUGEHISTOGRAM") {
            return .gaugeHistogram
        }
        if text.hasPrefix("unexpected type for metric name") { return .gaugeHistogram }
        return nil
    }

    private func isHelp(in body: [UInt8]) -> Bool {
        let start = body[..<min(offset, body.count)].lastIndex(of: 0x0A).map { $0 + 1 } ?? 0
        return body[start...].first { $0 != 0x20 && $0 != 0x09 } == 0x23
    }
}

extension [UInt8] {
    /// Lines that are neither blank nor comments.
    fileprivate var sampleLines: Int {
        split(separator: 0x0A).count { line in
            let first = line.first { $0 != 0x20 && $0 != 0x09 }
            return first != nil && first != 0x23
        }
    }

    /// Whether a line of at most this number declares a gauge histogram.
    fileprivate func declaresGaugeHistogram(before line: Int) -> Bool {
        !gaugeHistograms(before: line).isEmpty
    }

    /// The names of all families that are declared as one.
    fileprivate var gaugeHistograms: [String] { gaugeHistograms(before: .max) }

    private func gaugeHistograms(before line: Int) -> [String] {
        let lines = split(separator: 0x0A, omittingEmptySubsequences: false).prefix(line)
        return lines.compactMap { line in
            let text = String(decoding: line.filter { $0 != 0x5C }, as: UTF8.self)
            let upper = text.uppercased()
            guard upper.contains("TYPE"),
                upper.contains("GAUGE_HISTOGRAM") || upper.contains("GAUGEHISTOGRAM")
            else { return nil }
            let words = text.split { $0 == " " || $0 == "\t" }
            return words.count < 2 ? "" : String(words[words.count - 2])
        }
    }
}
