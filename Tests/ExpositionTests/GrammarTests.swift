import Exposition
import Testing

@Suite struct `The grammar` {
    static let accepted = [
        "", "\n", " \t", " \n\t\n", "# EOF\n", "#\n", "# \n", "# HELP\n", "# HELP a\n",
        "# TYPE a\n",
        "# HELP a \n", "#HELP a b\n#TYPE a gauge\na 1\n", "# help a b\n# help a b\n",
        "# HELPER a\n",
        "# HELP a b\r\na 1\n", "#\r\n", "# UNIT a b\na 1\n", "a 1\n", " a 1\n", "a\t1\n", "a{} 1\n",
        "a{ } 1\n", "a {b=\"c\"} 1\n", "a{b=\"c\",} 1\n", "a { b = \"c\" , d=\"\" , } \t 1\n",
        "a{}1\n",
        "a+1\n", "a-1\n", "a.5\n", "a:b 1\n", ":a 1\n", "_ 1\n",
        "a{b=\"\\\\\\\"\\n\"} 1\n", "a{b=\"}{,=#\"} 1\n", "a{b=\"é€😀\"} 1\n",
        "# HELP a x\n# TYPE a gauge\na 1\n", "# TYPE a gauge\n# HELP a x\na 1\n",
        "a 1\n# HELP a x\n",
        "a 1\n# TYPE b gauge\nb 1\na{x=\"y\"} 1\n", "# TYPE a COUNTER\na 1\n",
        "# TYPE a  \t gauge\n", "# TYPE a cou\\nter\n", "# TYPE a h\u{131}stogram\n",
        "# TYPE a \u{17F}ummary\n", "# TYPE a ga\\uge\\_\\histogram\n",
        "# TYPE a gauge_histogram\n", "# TYPE a GaugeHistogram\n",
        "# HELP a \\\" \\\\ \\n\n", "{\"a\"} 1\n", "{a} 1\n", "{b=\"c\",a,d=\"e\"} 1\n",
        "\"a\" 1\n",
        "a\"b\" 1\n", "a\"\" 1\n", "a{\"b\"=\"c\"} 1\n",
    ]
    @Test(arguments: accepted) func `takes`(_ body: String) {
        #expect(judge(body, .grammar).complaints == [])
        #expect(judge(body).complaints == [])
    }

    /// The parser takes backslashes out of a type before it looks at letters.
    @Test func `takes a type with a backslash within a letter`() {
        let body = Array("# TYPE a h".utf8) + [0xC4, 0x5C, 0xB1] + Array("stogram\n".utf8)
        #expect(judge(body).isValid)
        #expect(!judge("# TYPE a h\u{131}\u{131}stogram\n").isValid)
        #expect(!judge("# TYPE a \(String(repeating: "s", count: 100))\n").isValid)
    }

    @Test func `lets UTF-8 names pass only where they are allowed`() {
        for body in [
            "{\"a.b\"} 1\n", "a{\"b.c\"=\"d\"} 1\n", "{\"é\\\\\"} 1\n", "# TYPE \"1 2\" gauge\n",
        ] {
            #expect(judge(body, .utf8).isValid)
            #expect(!judge(body, .grammar).isValid)
        }
        #expect(!judge(Array("{\"".utf8) + [0xFF] + Array("\"} 1\n".utf8), .utf8).isValid)
        #expect(!judge("{\"\"} 1\n", .utf8).isValid)
    }

    static let floats = [
        "0", "-0", "+1", ".5", "5.", "+.5", "-.5e-3", "007", "1e5", "1E+05", "1e007", "1.5e-400",
        "1e-400",
        "0e999999999", "nan", "NaN", "inf", "+Inf", "-INFINITY", "1.7976931348623158e308",
        "179769313486231580e291", "0.00017976931348623158e312", "1e308",
        String(repeating: "9", count: 308), "0" + String(repeating: "0", count: 400),
        String(repeating: "1", count: 309), "1" + String(repeating: "0", count: 308),
    ]
    static let notFloats = [
        "+", "-", ".", "e5", "1e", "1e+", "1e5.", "1.2.3", "--1", "+-1", "+NaN", "-nan", "infin",
        "nan(1)",
        "0x10", "0x1p3", "1_0", "1,5", "1e400", "-1e400", "1.797693134862315808e308", "2e308",
        "1e309",
        "17976931348623158080e289", "١", "1d", "1f", "0b1", "\"1\"", "Infinityy", "nann", "in",
        "1e99999999999",
        String(repeating: "1", count: 310), String(repeating: "9", count: 309), "1\0",
    ]
    @Test(arguments: floats) func `knows a float`(_ text: String) {
        #expect(judge("a \(text)\n", .grammar).isValid)
        #expect(judge("# TYPE h histogram\nh{le=\"\(text)\"} 1\n", .grammar).isValid)
        #expect(judge("a \(text) 1\n", .grammar).isValid)
    }
    @Test(arguments: notFloats) func `knows what is no float`(_ text: String) {
        #expect(judge("a \(text)\n", .grammar).first?.reason == .valueInvalid)
        #expect(!judge("# TYPE s summary\ns{quantile=\"\(text)\"} 1\n", .grammar).isValid)
    }

    /// 2^1024 - 2^970 lies half way between the largest double and what would be the next.
    @Test func `overflows exactly where rounding does`() {
        let half =
            "1797693134862315807937289714053034150799341327100378269361737789804449682927"
            + "6475094664901797758720709633028641669288791094655554785194040263065748867150"
            + "5820681908902000708383676273854845817711531764475730270069855571366959622842"
            + "9148198608349364752927190741684443655107043427115596995080930428801779041744"
            + "97792"
        let below = half.dropLast() + "1"
        #expect(!judge("a \(half)\n", .grammar).isValid)
        #expect(judge("a \(below)\n", .grammar).isValid)
        #expect(judge("a \(below).9999\n", .grammar).isValid)
        #expect(!judge("a \(half.prefix(200)).\(half.dropFirst(200))e109\n", .grammar).isValid)
        #expect(judge("a \(below.prefix(200)).\(below.dropFirst(200))e109\n", .grammar).isValid)
    }

    /// Against the standard library, which knows the same grammar but for words and hexadecimals.
    @Test func `agrees with another reader of decimals`() {
        var generator = Numbers(state: 42)
        for _ in 0..<20_000 {
            let text = generator.decimal()
            let double = Double(text)
            let isFinite = double?.isFinite ?? false
            #expect(judge("a \(text)\n", .grammar).isValid == isFinite, "\(text)")
            let isNegative = (double ?? 0) < 0
            let count = judge("# TYPE h histogram\nh_count \(text)\n", .grammar).first?.reason
            if isFinite { #expect((count == .countNegative) == isNegative, "\(text)") }
        }
    }

    static let timestamps = [
        "0", "-0", "+5", "-5", "007", "9223372036854775807", "-9223372036854775808",
        "0000000000000000000000001",
    ]
    static let notTimestamps = [
        "9223372036854775808", "-9223372036854775809", "1e3", "1.0", "+", "-", "0x1", "1_0",
        "99999999999999999999",
    ]
    @Test(arguments: timestamps) func `knows a timestamp`(_ text: String) {
        #expect(judge("a 1 \(text)\n", .grammar).isValid)
        #expect(judge("a 1 \(text)\n").first?.reason == .timestampGiven)
    }
    @Test(arguments: notTimestamps) func `knows what is no timestamp`(_ text: String) {
        #expect(judge("a 1 \(text)\n", .grammar).first?.reason == .timestampInvalid)
    }

    static let unsigned = ["-0", "-1e-400", "NaN", "+Inf", "1.5", "1e20", "-2e-324"]
    static let signed = ["-1", "-.5", "-Inf", "-5e-324", "-3e-324", "-1e308"]
    @Test(arguments: unsigned) func `lets a histogram count`(_ text: String) {
        #expect(judge("# TYPE h histogram\nh_count \(text)\n", .grammar).isValid)
    }
    @Test(arguments: signed) func `lets no histogram count below zero`(_ text: String) {
        let type = "# TYPE h histogram\n"
        #expect(judge(type + "h_count \(text)\n").first?.reason == .countNegative)
        #expect(judge(type + "h_bucket{le=\"1\"} \(text)\n").first?.reason == .bucketNegative)
        #expect(judge(type + "h_sum \(text)\n").isValid)
        #expect(judge(type + "h_bucket{le=\"NaN\"} \(text)\n").isValid)
        #expect(judge("h_count \(text)\n" + type).isValid)
        #expect(judge("# TYPE s summary\ns_count \(text)\n").isValid)
    }

    @Test func `remembers what a name meant when it first came`() {
        let histogram = "# TYPE h histogram\n"
        #expect(judge(histogram + "h_bucket{le=\"x\"} 1\n").first?.reason == .boundInvalid)
        #expect(judge("# HELP h_bucket x\n" + histogram + "h_bucket{le=\"x\"} 1\n").isValid)
        #expect(judge("# TYPE h_bucket gauge\n" + histogram + "h_bucket{le=\"x\"} 1\n").isValid)
        #expect(judge("# TYPE s summary\ns_bucket{quantile=\"x\"} 1\n").isValid)
        #expect(judge("# TYPE _sum summary\n_sum_sum{quantile=\"x\"} 1\n").complaints.count == 1)
        #expect(judge("a{le=\"x\",quantile=\"y\"} 1\n").isValid)
        #expect(judge(histogram + "h{quantile=\"x\",le=\"1\",le=\"2\"} 1\n").isValid)
    }

    @Test func `counts samples, and families that have any`() {
        let body = "# TYPE h histogram\nh_sum 1\nh_count 1\nh_bucket{le=\"1\"} 1\n# HELP b x\na 1\n"
        #expect(judge(body).summary == .init(samples: 4, families: 2, complaints: 0))
    }
}

/// Decimals near all the edges.
struct Numbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ state >> 29
    }

    mutating func decimal() -> String {
        let sign = ["", "-", "+"].randomElement(using: &self) ?? ""
        let parts = [
            "0", "00", "1", "17976931348623157", "17976931348623159", "24703282292062328", ".", "9",
        ]
        var text = sign
        for _ in 0...Int.random(in: 0...3, using: &self) {
            text += parts.randomElement(using: &self) ?? ""
        }
        switch Int.random(in: 0...4, using: &self) {
        case 0: break
        case 1: text += "e\(Int.random(in: 280...312, using: &self))"
        case 2: text += "E-\(Int.random(in: 300...345, using: &self))"
        case 3: text += "e+0\(Int.random(in: 0...9, using: &self))"
        default: text += "e\(Int.random(in: -99999...99999, using: &self))"
        }
        return text
    }
}
