import Exposition
import Testing

/// A body, and the first complaint about it.
struct Wrong: CustomTestStringConvertible, Sendable {
    let body: [UInt8]
    let line: Int
    let column: Int
    let reason: Complaint.Reason
    let evidence: String?
    var testDescription: String {
        String(decoding: body.prefix(60), as: UTF8.self).debugDescription
    }

    init(
        _ body: String, _ line: Int, _ column: Int, _ reason: Complaint.Reason,
        _ evidence: String? = nil
    ) {
        self.init(bytes: Array(body.utf8), line, column, reason, evidence)
    }

    init(
        bytes: [UInt8], _ line: Int, _ column: Int, _ reason: Complaint.Reason,
        _ evidence: String? = nil
    ) {
        body = bytes
        self.line = line
        self.column = column
        self.reason = reason
        self.evidence = evidence
    }

    func expect(_ rules: Rules, _ location: SourceLocation = #_sourceLocation) {
        let first = judge(body, rules).first
        #expect(first?.line == line, sourceLocation: location)
        #expect(first?.column == column, sourceLocation: location)
        #expect(first?.reason == reason, sourceLocation: location)
        if let evidence { #expect(first?.evidence == evidence, sourceLocation: location) }
    }
}

@Suite struct `A complaint points at` {
    static let names: [Wrong] = [
        Wrong("9a 1\n", 1, 1, .metricNameExpected, "'9'"),
        Wrong("a 1\n \t-b 1\n", 2, 3, .metricNameExpected, "'-'"),
        Wrong("höhe 1\n", 1, 2, .valueInvalid, "\"öhe\""),
        Wrong("é 1\n", 1, 1, .metricNameExpected, "'é'"),
        Wrong(
            "\"a.b\" 1\n", 1, 1, .metricNameInvalid, "\"a.b\""
        ),
        Wrong("{} 1\n", 1, 1, .metricNameMissing),
        Wrong("a 1\n{b=\"c\"} 1\n", 2, 1, .metricNameMissing),
        Wrong("{\"a\",\"b\"} 1\n", 1, 9, .metricNameRepeated),
        Wrong("{\"a\" x} 1\n", 1, 6, .metricNameEndExpected, "'x'"),
        Wrong("# HELP a-b c\n", 1, 9, .commentNameInvalid, "'-'"),
        Wrong("# TYPE 1a gauge\n", 1, 8, .commentNameInvalid, "'1'"),
        Wrong("# HELP \"\" c\n", 1, 8, .metricNameInvalid),
    ]
    static let metadata: [Wrong] = [
        Wrong("# HELP a b\n# HELP a b\n", 2, 8, .helpRepeated, "\"a\""),
        Wrong("# TYPE a gauge\n# TYPE a gauge\n", 2, 8, .typeRepeated, "\"a\""),
        Wrong("a 1\n#TYPE a gauge\n", 2, 7, .typeRepeated, "\"a\""),
        Wrong("# TYPE h histogram\n# TYPE h_bucket gauge\n", 2, 8, .typeRepeated, "\"h\""),
        Wrong("# TYPE h histogram\n# HELP h x\n# HELP h_count x\n", 3, 8, .helpRepeated, "\"h\""),
        Wrong("# TYPE a bogus\n", 1, 10, .typeUnknown, "\"bogus\""),
        Wrong("# TYPE a gauge \n", 1, 10, .typeUnknown, "\"gauge \""),
        Wrong("# TYPE a gauge\r\n", 1, 10, .typeUnknown, "\"gauge\\r\""),
        Wrong("# HELP a x\\ty\n", 1, 11, .escapeInvalid, "'\\t'"),
        Wrong("# HELP a x\\\n", 1, 11, .escapeInvalid, "'\\\\n'"),
    ]
    static let labels: [Wrong] = [
        Wrong("a{1=\"b\"} 1\n", 1, 3, .labelNameExpected, "'1'"),
        Wrong("a{,} 1\n", 1, 3, .labelNameExpected, "','"),
        Wrong("a{b=\"c\",,} 1\n", 1, 9, .labelNameExpected, "','"),
        Wrong("a{b:c=\"d\"} 1\n", 1, 4, .equalsExpected, "':'"),
        Wrong("a{b} 1\n", 1, 4, .equalsExpected, "'}'"),
        Wrong("a{b\n", 1, 4, .equalsExpected, "the end of the line"),
        Wrong("a{\"b.c\"=\"d\"} 1\n", 1, 3, .labelNameInvalid),
        Wrong("a{__name__=\"b\"} 1\n", 1, 3, .labelNameReserved, "\"__name__\""),
        Wrong("a{b=\"c\",b=\"d\"} 1\n", 1, 9, .labelNameRepeated, "\"b\""),
        Wrong("a{b=\"c\",\"b\"=\"d\"} 1\n", 1, 9, .labelNameRepeated),
        Wrong("a{xb=\"c\",x\"b\"=\"d\"} 1\n", 1, 10, .labelNameRepeated),
        Wrong("a{b=c} 1\n", 1, 5, .quoteExpected, "'c'"),
        Wrong("a{b='c'} 1\n", 1, 5, .quoteExpected, "'''"),
        Wrong("a{b=\"c\\d\"} 1\n", 1, 7, .escapeInvalid, "'\\d'"),
        Wrong("a{b=\"c\n\"} 1\n", 1, 7, .lineFeedInQuotes, "\"c\""),
        Wrong("a{b=\"c\"\n", 1, 8, .labelEndExpected, "the end of the line"),
        Wrong("a{b=\"c\" d=\"e\"} 1\n", 1, 9, .labelEndExpected, "'d'"),
        Wrong("# TYPE s summary\ns{quantile=\"x\"} 1\n", 2, 13, .quantileInvalid, "\"x\""),
        Wrong("# TYPE s summary\ns_sum{quantile=\"\"} 1\n", 2, 17, .quantileInvalid, "\"\""),
        Wrong("# TYPE h histogram\nh_bucket{le=\"1,5\"} 1\n", 2, 14, .boundInvalid, "\"1,5\""),
    ]
    static let values: [Wrong] = [
        Wrong("a\n", 1, 2, .valueInvalid, "\"\""),
        Wrong("a \n", 1, 3, .valueInvalid, "\"\""),
        Wrong("a x\n", 1, 3, .valueInvalid, "\"x\""),
        Wrong("a.b 1\n", 1, 2, .valueInvalid, "\".b\""),
        Wrong("a{} 1,5\n", 1, 5, .valueInvalid, "\"1,5\""),
        Wrong("a 1\r\n", 1, 3, .valueInvalid, "\"1\\r\""),
        Wrong("# TYPE h histogram\nh_count -1\n", 2, 9, .countNegative, "\"h\""),
        Wrong("# TYPE h histogram\nh_bucket{le=\"1\"} -0.5\n", 2, 18, .bucketNegative, "\"h\""),
        Wrong("# TYPE h gaugehistogram\nh{le=\"1\"} -Inf 1\n", 2, 11, .bucketNegative, "\"h\""),
        Wrong("a 1 \n", 1, 5, .timestampInvalid, "\"\""),
        Wrong("a 1 1.5\n", 1, 5, .timestampInvalid, "\"1.5\""),
        Wrong("a 1 # {} 1\n", 1, 5, .timestampInvalid, "\"#\""),
        Wrong("a 1 9223372036854775808\n", 1, 5, .timestampInvalid),
        Wrong("a 1 2 3\n", 1, 6, .timestampTrailed, "\" 3\""),
        Wrong("a 1 2 \n", 1, 6, .timestampTrailed, "\" \""),
    ]
    static let ends: [Wrong] = [
        Wrong("a 1", 1, 4, .endUnexpected),
        Wrong("a 1\nb", 2, 2, .endUnexpected),
        Wrong("# EOF", 1, 6, .endUnexpected),
        Wrong("a x", 1, 4, .endUnexpected),
        Wrong("# TYPE a bogus", 1, 15, .endUnexpected),
        Wrong("a{b=\"c", 1, 7, .endUnexpected),
        Wrong("a{b=\"c\\", 1, 8, .endUnexpected),
        Wrong("{", 1, 2, .endUnexpected),
        // What comes before the end in byte order is still told.
        Wrong("a{b=c", 1, 5, .quoteExpected, "'c'"),
        Wrong("9", 1, 1, .metricNameExpected),
        Wrong("a x y", 1, 3, .valueInvalid, "\"x\""),
        Wrong("# HELP a b\n# HELP a b", 2, 8, .helpRepeated),
    ]

    @Test(arguments: names) func `a name`(_ wrong: Wrong) { wrong.expect(.grammar) }
    @Test(arguments: metadata) func `HELP and TYPE`(_ wrong: Wrong) { wrong.expect(.grammar) }
    @Test(arguments: labels) func `a label`(_ wrong: Wrong) { wrong.expect(.grammar) }
    @Test(arguments: values) func `a value`(_ wrong: Wrong) { wrong.expect(.grammar) }
    @Test(arguments: ends) func `the end of the input`(_ wrong: Wrong) { wrong.expect(.grammar) }

    static let notUTF8: [Wrong] =
        ([
            [0xFF], [0xC3], [0xC0, 0xAF], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80],
            [0xF0, 0x8F, 0xBF, 0xBF],
            [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82], [0x80],
        ] as [[UInt8]]).map { bytes in
            let body = Array("a{b=\"xyz".utf8) + bytes + Array("\"} 1\n".utf8)
            return Wrong(bytes: body, 1, 9, .labelValueInvalid, nil)
        }
    @Test(arguments: notUTF8)
    func `the first byte that is not UTF-8`(_ wrong: Wrong) { wrong.expect(.grammar) }
}

@Suite struct `Complaints` {
    @Test func `do not stop at the first broken line`() {
        let verdict = judge("a 1\nb x\nc 1\n9\nd{b=c} 1\ne 1\n")
        #expect(verdict.complaints.map(\.line) == [2, 4, 5])
        #expect(verdict.summary == .init(samples: 3, families: 3, complaints: 3))
    }

    @Test func `beyond twenty are only counted`() {
        let verdict = judge(String(repeating: "9\n", count: 1000))
        #expect(verdict.complaints.count == 20)
        #expect(verdict.complaints.last?.line == 20)
        #expect(verdict.summary.complaints == 1000)
    }

    @Test func `are forgotten by reset, with everything else`() {
        var validator = Validator()
        let bad = Array("# TYPE a gauge\na 1\na 1\n{} 1\n9".utf8)
        let good = Array("# TYPE a counter\na 1\n".utf8)
        #expect(judge(bad, with: &validator).complaints.count == 3)
        #expect(judge(good, with: &validator).complaints == [])
        #expect(judge(bad, with: &validator) == judge(bad))
    }

    @Test func `never arise from how a body was split`() {
        let body = Array("# HELP a \\n\na{b=\"c\\\\\"} 1\n".utf8)
        for cut in body.indices { #expect(judge(body, cuts: [cut]).isValid) }
        let broken = Array("{\"a} 1\n: 1\n".utf8)
        for cut in broken.indices { #expect(judge(broken, cuts: [cut]) == judge(broken)) }
    }

    @Test func `show little of the body, and nothing that moves the cursor`() {
        let body =
            "a{b=\"c\"} \u{1B}[2J\u{202E}\u{200B}\u{7F}x" + String(repeating: "y", count: 500)
            + "\n"
        let evidence = judge(body).first?.evidence ?? ""
        #expect(evidence.hasPrefix("\"\\x1b[2J\\xe2\\x80\\xae\\xe2\\x80\\x8b\\x7fx"))
        #expect(evidence.hasSuffix("y…\""))
        #expect(evidence.filter { $0 == "y" }.count == 60 - 12)
        let byte = judge(Array("a ".utf8) + [0xFF, 0x0A])
        #expect(byte.first?.message == "expected float as value, got \"\\xff\"")
    }

    @Test func `all complaints together show little of the body, and none hides where it is`() {
        let body = String(repeating: "a " + String(repeating: "z", count: 50) + "\n", count: 20)
        let complaints = judge(body).complaints
        #expect(complaints.map(\.line) == Array(1...20))
        let shown = complaints.map(\.message).joined()
        #expect(shown.filter { $0 == "z" }.count == 120)
        #expect(complaints[2].evidence == "\"" + String(repeating: "z", count: 20) + "…\"")
        #expect(complaints[3].message == "expected float as value, got \"…\"")

        var rules = Rules()
        rules.evidenceBytesMax = .max
        #expect(judge(body, rules).complaints.allSatisfy { $0.evidence.count == 52 })
    }

    @Test func `read like the Pushgateway's own`() {
        #expect(
            judge("# TYPE go_goroutines counter\ngo_goroutines 1\n").first?.message
                == "metric \"go_goroutines\" has type counter but should have gauge")
        #expect(
            judge("a{b=\"1\"} 1\n\na{b=\"1\"} 2\n").first?.message
                == "metric \"a\" was given in line 1 with the same label values")
        #expect(
            judge("a 1\n# TYPE a gauge\n").first?.message
                == "second TYPE line for metric name \"a\", or TYPE reported after samples")
    }
}

@Suite struct `A hint` {
    static let causes: [(String, Complaint.Cause?)] = [
        ("a 1\r\n", .carriageReturn), ("# TYPE a gauge\r\n", .carriageReturn),
        ("a 1\n\r\n", .carriageReturn), ("a{b=\"c\"} 1\r\n", .carriageReturn),
        ("# HELP a\r\n", .carriageReturn),
        ("a 1", .missingLineFeed), ("a 1\nb 2", .missingLineFeed),
        ("# HELP a x# TYPE a gaugea 1", .removedLineFeeds), ("a 1b 2c 3", .removedLineFeeds),
        ("x 1\na 1b 2\n", .gluedSamples), ("a 5ms\n", .unit), ("a 1_000\n", .unit),
        ("a 1e400\n", .hugeNumber), ("a\n", .missingValue), ("a{b=\"c\"}\n", .missingValue),
        ("a 1 1700000000000\n", .timestamp), ("a 1,5\n", .decimalComma), ("a 1 \n", .trailingBlank),
        ("a 1 2 \n", .trailingBlank), ("# TYPE a gauge \n", .trailingBlank),
        ("a 1 # c\n", .trailingComment), ("a \"1\"\n", .quotedNumber),
        ("a{b='c'} 1\n", .singleQuotes),
        ("a.b 1\n", .nameCharacters), ("a-b 1\n", .nameCharacters),
        ("a{b.c=\"d\"} 1\n", .nameCharacters),
        ("<html>\n", .markup), ("{\"a\": 1}\n", .json), ("{\n \"a\": 1\n}\n", .json),
        ("[1]\n", .json),
        ("# TYPE a unknown\n", .otherFormat), ("# HELP a x\n# HELP a x\n", .metadataTwice),
        ("push_time_seconds 1\n", .reservedName), ("{b=\"c\"} 1\n", .nameless),
        ("\u{FEFF}a 1\n", .byteOrderMark),
        ("a 0x10\n", nil), ("a NaN1\n", nil), ("9\n", nil), ("{\"a.b\"} 1\n", nil),
    ]

    @Test(arguments: causes)
    func `names the likely cause`(_ body: String, _ cause: Complaint.Cause?) {
        let first = judge(body).first
        #expect(first != nil)
        #expect(first?.cause == cause)
        #expect((first?.hint == nil) == (cause == nil))
    }

    @Test func `tells of gzip and UTF-16 by their first bytes`() {
        #expect(judge([0x1F, 0x8B, 8, 0, 0x0A]).first?.cause == .gzip)
        #expect(judge([0xFF, 0xFE, 0x61, 0, 0x0A, 0]).first?.cause == .utf16)
    }

    @Test(arguments: Complaint.Cause.allCases)
    func `is one line without a full stop`(_ cause: Complaint.Cause) {
        #expect(!cause.hint.contains("\n") && !cause.hint.hasSuffix(".") && cause.hint.count < 100)
    }
}

@Suite struct `The tables of a validator` {
    @Test func `grow with a body, and stay for the next`() {
        var validator = Validator()
        let atFirst = validator.storageBytes
        var body = ""
        for number in 0..<20_000 { body += "a\(number % 5000){n=\"\(number)\"} 1\n" }
        #expect(judge(Array(body.utf8), with: &validator).isValid)
        let grown = validator.storageBytes
        #expect(grown > atFirst + 20_000 * 20)
        #expect(grown < 20_000 * 100 + 5000 * 200)
        validator.reset()
        #expect(validator.storageBytes == grown)
        #expect(judge(Array("a 1\na 1\n".utf8), with: &validator).complaints.count == 1)
    }
}
