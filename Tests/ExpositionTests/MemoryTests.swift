import Exposition
import Testing

/// A validator goes by what it knows of the lines before: names, labels and how buckets start. None of
/// that may show.
@Suite struct `What is known of the line before` {
    @Test func `changes no verdict`() {
        var random = Numbers(state: 42)
        for _ in 0..<400 {
            var pool = (0..<Int.random(in: 1...4, using: &random)).map { _ in line(&random) }
            var lines: [String] = []
            for _ in 0..<Int.random(in: 2...14, using: &random) {
                if Int.random(in: 0...3, using: &random) == 0 { pool[0] = line(&random) }
                lines.append(random.pick(pool))
            }
            // A line of another name, with other labels, makes it forget.
            let forgetful = lines.enumerated().map {
                "x\($0.offset){y=\"\($0.offset)\"} 1\n\($0.element)"
            }
            let told = judge(lines.joined())
            let toldForgetful = judge(forgetful.joined())
            #expect(
                told.complaints.map(Plain.init)
                    == toldForgetful.complaints.map { Plain($0, everySecond: true) },
                "\(lines.joined())")
            #expect(told.summary.samples + lines.count == toldForgetful.summary.samples)
        }
    }

    /// A complaint as it would be without the lines in between.
    struct Plain: Equatable {
        let line: Int
        let column: Int
        let reason: Complaint.Reason

        init(_ complaint: Complaint) { self.init(complaint, everySecond: false) }
        init(_ complaint: Complaint, everySecond: Bool) {
            let factor = everySecond ? 2 : 1
            line = complaint.line / factor
            column = complaint.column
            if case .seriesRepeated(let first) = complaint.reason {
                reason = .seriesRepeated(line: first / factor)
            } else {
                reason = complaint.reason
            }
        }
    }

    private func line(_ random: inout Numbers) -> String {
        let types = ["# TYPE h histogram\n", "# TYPE s summary\n", "# HELP h x\n", "# HELP a y\n"]
        if Int.random(in: 0...4, using: &random) == 0 {
            return random.pick(types)
        }
        let long = "a_name_that_is_longer_than_two_blocks_of_sixteen"
        let names = ["a", "ab", "h", "h_bucket", "h_sum", "s", "s_count", long, long + "_total"]
        let labels = ["a", "b", "le", "quantile", "instance", "a_label_name_of_more_than_a_block"]
        let values = [
            "", "1", "2", "0.5", "+Inf", "x", "0123456789abcdef", "0123456789abcdefg", "é", "\\n",
        ]
        let numbers = ["1", "2.5", "-1", "1e9", "+Inf", "12345678901234567890", "x", "1 2", ""]
        let count = Int.random(in: 0...4, using: &random)
        let pairs = (0..<count).map { _ in
            let name = random.pick(labels)
            return "\(name)=\"\(random.pick(values))\""
        }
        let end = Int.random(in: 0...9, using: &random) == 0 ? ",}" : "}"
        let braces = count == 0 ? "" : "{" + pairs.joined(separator: ",") + end
        let name = random.pick(names)
        return "\(name)\(braces) \(random.pick(numbers))\n"
    }

    /// The same numbers in each run.
    struct Numbers: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
        mutating func pick(_ choice: [String]) -> String {
            choice[Int.random(in: choice.indices, using: &self)]
        }
    }
}

@Suite struct `The buckets of a histogram` {
    static let head = "# TYPE h histogram\nh_bucket{a=\"b\",le=\"1\"} 1\n"
    /// So that no line is near the end of the body, where blocks cannot be read.
    static let tail = "# and a comment that is long enough\n"

    private func judgeAfterHead(_ line: String, _ rules: Rules = Rules()) -> Verdict {
        judge(Self.head + line + "\n" + Self.tail, rules)
    }

    static let wrong: [(String, Int, Complaint.Reason)] = [
        ("h_bucket{a=\"b\",le=\"2x\"} 1", 20, .boundInvalid),
        ("h_bucket{a=\"b\",le=\"\"} 1", 20, .boundInvalid),
        ("h_bucket{a=\"b\",le=\"+Inf\"} ", 27, .valueInvalid),
        ("h_bucket{a=\"b\",le=\"2\"} 1 ", 26, .timestampInvalid),
        ("h_bucket{a=\"b\",le=\"2\"} 1 5", 26, .timestampGiven),
        ("h_bucket{a=\"b\",le=\"2\"} -1", 24, .bucketNegative),
        ("h_bucket{a=\"b\",le=\"+Inf\"} -1", 27, .bucketNegative),
        ("h_bucket{a=\"b\",le=\"2\"} 1.2.3", 24, .valueInvalid),
        ("h_bucket{a=\"b\",le=\"2\"} 1e", 24, .valueInvalid),
        ("h_bucket{a=\"b\",le=\"2\"} 1e999", 24, .valueInvalid),
        ("h_bucket{a=\"b\",le=\"2\",a=\"c\"} 1", 23, .labelNameRepeated),
        ("h_bucket{a=\"b\",le=\"2\" x} 1", 23, .labelEndExpected),
        ("h_bucket{a=\"b\",le=\"2\"}} 1", 23, .valueInvalid),
        ("h_bucket{a=\"b\",le=\"2", 21, .lineFeedInQuotes),
        ("h_bucket{a=\"b\",le=2} 1", 19, .quoteExpected),
        ("h_bucketx{a=\"b\",le=\"2\"} y", 25, .valueInvalid),
    ]

    @Test(arguments: wrong)
    func `are refused like any other line`(
        _ line: String, _ column: Int, _ reason: Complaint.Reason
    ) {
        let first = judgeAfterHead(line).first
        #expect(first?.line == 3)
        #expect(first?.column == column)
        #expect(first?.reason == reason)
    }

    @Test(arguments: [
        "h_bucket{a=\"b\",le=\"+Inf\"} 7", "h_bucket{a=\"b\",le=\"2\"} 7",
        "h_bucket{a=\"b\",le=\"2.5e+06\"} 7e3",
        " h_bucket{a=\"b\",le=\"2\"} 7", "h_bucket{a=\"b\",le=\"2\",} 7",
        "h_bucket{a=\"b\",le=\"2\"}7",
        "h_bucket{a=\"b\",le=\"-Inf\"} 7", "h_bucket{a=\"b\",le=\"2\"} +7",
        "h_bucket{a=\"b\",le=\"2\"}\t7",
        "h_bucket{a=\"b\",le=\"12345678901234567890123\"} 12345678901234567890123.5",
        "h_bucket{a=\"b\",le=\"2\",c=\"d\"} 7", "h_bucket{a=\"b\",le=\"2\",le=\"3\"} 7",
    ])
    func `may be written in any way`(_ line: String) {
        let verdict = judgeAfterHead(line)
        #expect(verdict.complaints == [])
        #expect(verdict.summary.samples == 2)
    }

    @Test func `count as samples, and end at the limit`() {
        let buckets = (2..<9).map { "h_bucket{a=\"b\",le=\"\($0)\"} 1\n" }.joined()
        var rules = Rules()
        rules.seriesMax = 5
        let verdict = judge(Self.head + buckets + Self.tail, rules)
        #expect(verdict.complaints.map(\.reason) == [.tooManySeries(max: 5)])
        #expect(verdict.first?.line == 7)
        #expect(verdict.summary.samples == 5)
    }

    @Test func `keep to the limits of a value and a line`() {
        var rules = Rules()
        rules.labelValueBytesMax = 3
        #expect(judgeAfterHead("h_bucket{a=\"b\",le=\"2000\"} 1", rules).first?.column == 20)
        #expect(judgeAfterHead("h_bucket{a=\"b\",le=\"+Inf\"} 1", rules).first?.column == 20)
        rules = Rules()
        rules.lineBytesMax = 35
        #expect(judgeAfterHead("h_bucket{a=\"b\",le=\"2\"} 123456789012", rules).complaints == [])
        let tooLong = judgeAfterHead("h_bucket{a=\"b\",le=\"2\"} 1234567890123", rules)
        #expect(tooLong.complaints.map(\.reason) == [.lineTooLong(max: 35)])
        #expect(tooLong.summary.samples == 1)
    }

    @Test func `do not count where the body ends within one`() {
        let verdict = judge(Self.head + "h_bucket{a=\"b\",le=\"2\"} 12345678901234")
        #expect(verdict.complaints.map(\.reason) == [.endUnexpected])
        #expect(verdict.summary.samples == 1)
    }

    @Test func `are those of their own family, whatever stands between them`() {
        let bucket = "h_bucket{a=\"b\",le=\"2\"} 1\n"
        let other = "g_bucket{a=\"b\",le=\"2\"} 1\n"
        let verdict = judge(
            Self.head + other + bucket + "# HELP h x\n" + bucket + other + Self.tail)
        #expect(verdict.complaints.map(\.reason) == [.seriesRepeated(line: 3)])
        #expect(verdict.summary.samples == 5)
        let nameless = judge(Self.head + bucket + "{\"h\"} 1\n" + Self.tail)
        #expect(nameless.complaints == [])
        let misplaced = judge(Self.head + "x 1\n" + bucket + "y 1\n{\"h\"} 1\n" + Self.tail)
        #expect(misplaced.complaints.map(\.reason) == [.metricNameMisplaced])
    }
}
