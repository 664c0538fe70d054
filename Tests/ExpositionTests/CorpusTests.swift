import Exposition
import Foundation
import Testing

/// A body from a corpus, known by its file.
struct CorpusBody: CustomTestStringConvertible, Sendable {
    let file: URL
    var testDescription: String { file.lastPathComponent }
    var name: String { file.deletingPathExtension().lastPathComponent }

    func bytes() throws -> [UInt8] { [UInt8](try Data(contentsOf: file)) }

    /// The line in which the Pushgateway's parser gave up, and its words.
    func refusal() throws -> (line: Int, text: String) {
        let why = try String(
            contentsOf: file.deletingPathExtension().appendingPathExtension("why"), encoding: .utf8)
        let match = try #require(why.wholeMatch(of: /(?s)[^\d]*in line (\d+): (.*)/))
        return (try #require(Int(match.1)), String(match.2))
    }

    static func all(in folder: URL) -> [CorpusBody] {
        let files = try? FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil)
        return (files ?? []).filter { $0.pathExtension == "prom" }
            .sorted { $0.lastPathComponent < $1.lastPathComponent }.map(CorpusBody.init)
    }

    static let package = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    static let own = package.appending(path: "Tests/Corpus/exposition")
    /// A larger corpus, with test data of other projects, that may stand beside the package.
    static let shared = package.deletingLastPathComponent().appending(path: "shared/corpus")
    static var hasShared: Bool { FileManager.default.fileExists(atPath: shared.path) }
}

@Suite struct `The corpus` {
    static let accepted = CorpusBody.all(in: CorpusBody.own.appending(path: "accepted"))
    static let refused = CorpusBody.all(in: CorpusBody.own.appending(path: "refused"))

    @Test func `is there`() {
        #expect(Self.accepted.count == 179)
        #expect(Self.refused.count == 219)
    }

    @Test(arguments: accepted)
    func `is taken where the parser takes it`(_ body: CorpusBody) throws {
        #expect(judge(try body.bytes(), .grammar).complaints == [])
    }

    @Test(arguments: refused)
    func `is refused in the parser's line, for the parser's reason`(_ body: CorpusBody) throws {
        let refusal = try body.refusal()
        let first = try #require(judge(try body.bytes(), .grammar).first)
        #expect(first.line == refusal.line)
        #expect(first.reason.agrees(with: refusal.text), "\(first.message) for \(refusal.text)")
    }

    /// What parses but cannot be pushed, and how it is told.
    static let unpushable: [String: Complaint.Reason] = [
        "q_label_name_underscores": .labelNamePrivate,
        "q_labels_empty": .seriesRepeated(line: 1),
        "q_many_blanks": .timestampGiven,
        "q_pgw_dup_after_instance_default": .seriesRepeated(line: 1),
        "q_pgw_dup_series_labels_reordered": .seriesRepeated(line: 1),
        "q_pgw_dup_series_same_value": .seriesRepeated(line: 1),
        "q_pgw_own_gauge_untyped": .typeContradicted(given: .untyped, own: .gauge),
        "q_pgw_reserved_label": .labelNamePrivate,
        "q_pgw_suffix_collision_bucket": .suffixTaken,
        "q_pgw_suffix_collision_count": .suffixTaken,
        "q_pgw_push_failure_time": .pushTimeGiven,
        "q_pgw_push_time": .pushTimeGiven,
        "q_pgw_push_time_counter": .pushTimeGiven,
        "q_ts_max": .timestampGiven,
        "q_ts_mixed": .timestampGiven,
        "q_ts_neg": .timestampGiven,
        "q_ts_plus": .timestampGiven,
        "q_ts_zero": .timestampGiven,
        // The gateway takes it and loses the value.
        "q_stale_name_last_hist": .metricNameMisplaced,
        "q_stale_name_last_summary_after_other": .metricNameMisplaced,
    ]

    @Test(arguments: accepted)
    func `is refused where a Pushgateway refuses it after all`(_ body: CorpusBody) throws {
        let verdict = judge(try body.bytes(), .unlimited)
        #expect(verdict.first?.reason == Self.unpushable[body.name])
    }

    @Test(arguments: accepted + refused)
    func `gets the same verdict however it was split`(_ body: CorpusBody) throws {
        try expectSameVerdictWhenSplit(try body.bytes())
    }
}

@Suite(.enabled(if: CorpusBody.hasShared, "the larger corpus is not beside the package"))
struct `The larger corpus` {
    /// One line of its table of verdicts.
    struct Row {
        let file: String
        let parser: String
        let pushgateway: String
        let utf8: String
        let error: String

        static let all: [Row] = {
            let url = CorpusBody.shared.appending(path: "VERDICTS.tsv")
            let table = (try? String(contentsOf: url, encoding: .utf8)) ?? ""
            return table.split(separator: "\n").dropFirst().map { line in
                let cells = line.split(separator: "\t", omittingEmptySubsequences: false)
                let error =
                    try? JSONDecoder().decode(String.self, from: Data(cells[14].utf8))
                return Row(
                    file: String(cells[0]), parser: String(cells[5]),
                    pushgateway: String(cells[8]), utf8: String(cells[6]), error: error ?? "?")
            }
        }()

        var body: [UInt8] {
            get throws { [UInt8](try Data(contentsOf: CorpusBody.shared.appending(path: file))) }
        }
        /// The parser takes these lines for more of the line before. They name no metric.
        var isNameless: Bool {
            [
                "q_stale_empty_braces_after_sample", "q_stale_gauge_after_other_type",
                "q_stale_hist_count_nameless", "q_stale_hist_nameless_second",
                "q_stale_labels_only_after_sample",
            ].contains { file.hasSuffix($0 + ".prom") }
        }
        /// Where we refuse more than the Pushgateway does, or leave the matter to a later check.
        var isOurOwn: Bool {
            [
                "q_pgw_dup_after_job_override", "q_stale_name_last_hist",
                "q_pgw_push_failure_time", "q_pgw_push_time", "q_pgw_push_time_counter",
            ].contains { file.hasSuffix($0 + ".prom") }
        }
    }

    @Test func `is there`() { #expect(Row.all.count == 1262) }

    @Test(arguments: Row.all.map(\.file))
    func `has the parser's verdict, line and reason`(_ file: String) throws {
        let row = try #require(Row.all.first { $0.file == file })
        let verdict = judge(try row.body, .grammar)
        #expect(verdict.isValid == (row.parser == "accept" && !row.isNameless))
        guard row.parser == "reject", let first = verdict.first else { return }
        let match = try #require(row.error.wholeMatch(of: /(?s)[^\d]*in line (\d+): (.*)/))
        #expect(first.line == Int(match.1))
        #expect(first.reason.agrees(with: String(match.2)), "\(first.message) for \(row.error)")
    }

    @Test(arguments: Row.all.map(\.file))
    func `has the parser's verdict with UTF-8 names`(_ file: String) throws {
        let row = try #require(Row.all.first { $0.file == file })
        #expect(judge(try row.body, .utf8).isValid == (row.utf8 == "accept" && !row.isNameless))
    }

    @Test(arguments: Row.all.map(\.file))
    func `has the Pushgateway's verdict`(_ file: String) throws {
        let row = try #require(Row.all.first { $0.file == file })
        guard !row.isNameless && !row.isOurOwn else { return }
        let verdict = judge(try row.body, .unlimited)
        #expect(verdict.isValid == (row.pushgateway == "accept"), "\(verdict.complaints)")
    }

    @Test(arguments: Row.all.map(\.file))
    func `has the same verdict however it was split`(_ file: String) throws {
        let row = try #require(Row.all.first { $0.file == file })
        try expectSameVerdictWhenSplit(try row.body)
    }
}

/// Splits a body at every byte when it is short, and at some forty places when it is long.
private func expectSameVerdictWhenSplit(_ body: [UInt8]) throws {
    var validator = Validator()
    let whole = judge(body, with: &validator)
    let step = max(1, body.count / (body.count > 400 ? 40 : 400))
    for cut in stride(from: 0, through: body.count, by: step) {
        #expect(judge(body, with: &validator, cuts: [cut]) == whole, "cut at \(cut)")
    }
    let everywhere = Array(stride(from: 0, through: body.count, by: step))
    #expect(judge(body, with: &validator, cuts: everywhere) == whole)
}

extension Complaint.Reason {
    /// Whether the parser's words mean this.
    fileprivate func agrees(with text: String) -> Bool {
        let patterns: [(Regex<Substring>, [Complaint.Reason])] = [
            (/unexpected end of input stream/, [.endUnexpected]),
            (/invalid metric name in comment/, [.commentNameInvalid]),
            (/(?s)invalid metric name ".*/, [.metricNameInvalid]),
            (
                /invalid metric name/,
                [.metricNameExpected, .metricNameMissing, .metricNameMisplaced]
            ),
            (/(?s)invalid label name ".*/, [.labelNameInvalid]),
            (/(?s)invalid label name for metric.*/, [.labelNameExpected]),
            (/(?s)second HELP line.*/, [.helpRepeated]),
            (/(?s)second TYPE line.*/, [.typeRepeated]),
            (/(?s)unknown metric type.*/, [.typeUnknown]),
            (/(?s)invalid escape sequence.*/, [.escapeInvalid]),
            (/(?s)expected '=' after label name.*/, [.equalsExpected]),
            (/(?s)label name .* is reserved/, [.labelNameReserved]),
            (/(?s)duplicate label names.*/, [.labelNameRepeated]),
            (/(?s)expected '"' at start.*/, [.quoteExpected]),
            (/(?s).* contains unescaped new-line/, [.lineFeedInQuotes]),
            (/(?s)invalid label value.*/, [.labelValueInvalid]),
            (/(?s)expected float as value for 'le'.*/, [.boundInvalid]),
            (/(?s)expected float as value for 'quantile'.*/, [.quantileInvalid]),
            (/(?s)unexpected end of label value.*/, [.labelEndExpected]),
            (/(?s)multiple metric names.*/, [.metricNameRepeated]),
            (/(?s)unexpected end of metric name.*/, [.metricNameEndExpected]),
            (/(?s)expected float as value, got.*/, [.valueInvalid]),
            (/(?s)negative count.*/, [.countNegative]),
            (/(?s)negative bucket.*/, [.bucketNegative]),
            (/(?s)expected integer as timestamp.*/, [.timestampInvalid]),
            (/(?s)spurious string after.*/, [.timestampTrailed]),
        ]
        let trimmed = text.hasSuffix("\n") ? String(text.dropLast()) : text
        let match = patterns.first { trimmed.wholeMatch(of: $0.0) != nil }
        return match?.1.contains(self) ?? false
    }
}
