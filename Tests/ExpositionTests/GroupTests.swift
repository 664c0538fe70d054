import Exposition
import Testing

/// Judges a body that is pushed to a group.
private func judge(
    _ body: String, to group: KeyValuePairs<String, String>, _ rules: Rules = Rules()
) -> Verdict {
    var validator = Validator(rules: rules)
    return judge(Array(body.utf8), with: &validator, group: group)
}

extension Rules {
    /// Where the Pushgateway may overwrite what contradicts the group.
    fileprivate static var overwriting: Rules {
        var rules = Rules()
        rules.labelConflicts = .overwritten
        return rules
    }
}

@Suite struct `A push to a group` {
    @Test(arguments: [
        "a{job=\"x\"} 1\na{} 2\n", "a 1\na{job=\"x\"} 2\n", "a 1\na{job=\"\"} 2\n",
        "a{job=\"x\",b=\"1\"} 1\na{b=\"1\"} 2\n", "a{b=\"1\",job=\"\"} 1\na{b=\"1\",job=\"x\"} 2\n",
        "a{\"job\"=\"x\"} 1\na 2\n", "a{j\"ob\"=\"x\"} 1\na 2\n", "{\"a\",job=\"x\"} 1\na 2\n",
        "a{job=\"x\",instance=\"\"} 1\na{} 1\n",
        "# TYPE s summary\ns_sum{job=\"x\"} 1\ns_count 1\n",
        "# TYPE h histogram\nh_bucket{job=\"x\",le=\"1\"} 1\nh_sum{job=\"\"} 1\n",
    ])
    func `repeats a series that differs only in a label of the group`(_ body: String) {
        let verdict = judge(body, to: ["job": "x"])
        #expect(verdict.summary.complaints == 1)
        let line = (verdict.first?.line ?? 0) - 1
        #expect(verdict.first?.reason == .seriesRepeated(line: line))
        if !body.contains("instance") { #expect(judge(body, to: [:]).isValid) }
        #expect(judge(body, to: ["job": "x"], .grammar).isValid)
    }

    @Test(arguments: [
        "a{job=\"x\"} 1\na{job=\"x\",b=\"\"} 2\n", "a{jo=\"x\"} 1\na{jo=\"y\"} 2\n",
        "a{job=\"x\",b=\"1\"} 1\na{job=\"x\",b=\"2\"} 1\na{b=\"3\"} 1\n",
        "a{jobs=\"y\"} 1\na 1\n", "job 1\n",
        "# TYPE h histogram\nh_bucket{job=\"x\",le=\"1\"} 1\nh_sum{job=\"x\"} 1\n",
        "# TYPE s summary\ns{job=\"x\",quantile=\"1\"} 1\ns{quantile=\"2\",job=\"x\"} 1\n",
    ])
    func `may name the group, and differ in other labels`(_ body: String) {
        #expect(judge(body, to: ["job": "x"]).complaints == [])
        #expect(judge(body, to: ["job": "x"]).summary.overwritten == 0)
    }

    static let contradictions: [Wrong] = [
        Wrong("a{job=\"y\"} 1\n", 1, 8, .labelContradictsGroup(label: 0), "job=\"y\""),
        Wrong("a{b=\"1\",job=\"xx\"} 1\n", 1, 14, .labelContradictsGroup(label: 0)),
        Wrong("a{\"job\"=\"y\"} 1\n", 1, 10, .labelContradictsGroup(label: 0)),
        Wrong("a{j\"ob\"=\"y\"} 1\n", 1, 10, .labelContradictsGroup(label: 0)),
        Wrong("{\"a\", job = \"y\"} 1\n", 1, 14, .labelContradictsGroup(label: 0), "job = \"y\""),
        Wrong("{job=\"y\",\"a\"} 1\n", 1, 7, .labelContradictsGroup(label: 0)),
        Wrong("a 1\na{zone=\"eu\"} 1\n", 2, 9, .labelContradictsGroup(label: 1)),
        Wrong("a{zone=\"q\\\"\\n\"} 1\n", 1, 9, .labelContradictsGroup(label: 1)),
        Wrong(
            "# TYPE h histogram\nh_bucket{le=\"1\",job=\"y\"} 1\n", 2, 22,
            .labelContradictsGroup(label: 0)),
        // Once a line, and only where the line is right.
        Wrong("a{zone=\"1\",job=\"2\"} 1\n", 1, 9, .labelContradictsGroup(label: 1)),
        Wrong("a{job=\"y\"} x\n", 1, 12, .valueInvalid),
        Wrong("a{job=\"y\",job=\"x\"} 1\n", 1, 11, .labelNameRepeated),
        Wrong("a{job=\"y\"} 1 2\n", 1, 8, .labelContradictsGroup(label: 0)),
        Wrong("a{job=\"y", 1, 9, .endUnexpected),
    ]

    @Test(arguments: contradictions)
    func `may not contradict it`(_ wrong: Wrong) {
        var validator = Validator()
        let group: KeyValuePairs = ["job": "x", "zone": "q\"\\\n"]
        let verdict = judge(wrong.body, with: &validator, group: group)
        #expect(verdict.complaints.count == 1)
        #expect(verdict.first?.line == wrong.line)
        #expect(verdict.first?.column == wrong.column)
        #expect(verdict.first?.reason == wrong.reason)
        if let evidence = wrong.evidence { #expect(verdict.first?.evidence == evidence) }
    }

    @Test func `is told what the path says, in few words`() {
        let complaint = judge("a{job=\"y\"} 1\n", to: ["job": "x\u{1B}\"\n"]).first
        #expect(
            complaint?.message
                == #"label job="y" contradicts the path of the push, which says "x\x1b\"\n""#)
        #expect(complaint?.expectation == #""x\x1b\"\n""#)
        #expect(complaint?.cause == .otherGroup)
        let long = String(repeating: "z", count: 3000)
        let message = judge("a{job=\"\(long)y\"} 1\n", to: ["job": long]).first?.message ?? ""
        #expect(message.utf8.count < 200)
        #expect(judge("a 1\na 1\n", to: ["job": "x"]).first?.expectation == nil)
    }

    @Test func `may write the group's value as it must be escaped`() {
        let group: KeyValuePairs = ["job": "x\"\\\né"]
        #expect(judge(#"a{job="x\"\\\né"} 1"# + "\n", to: group).complaints == [])
        #expect(judge(#"a{job="x\"\\né"} 1"# + "\n", to: group).summary.complaints == 1)
    }

    @Test func `is refused in each line that contradicts, whatever the line before had`() {
        let bad = "a{b=\"1\",job=\"y\",c=\"1\"} 1\n"
        let other = "a{b=\"1\",job=\"y\",c=\"2\"} 1\n"
        let verdict = judge(
            bad + bad + other + "a{b=\"1\",job=\"x\",c=\"2\"} 1\n" + other, to: ["job": "x"])
        #expect(verdict.complaints.map(\.line) == [1, 2, 3, 5])
        #expect(verdict.complaints.allSatisfy { $0.reason == .labelContradictsGroup(label: 0) })
    }

    @Test func `has each sample counted that the group overwrites`() {
        let bad = "{b=\"1\",job=\"y\",zone=\"1\"} 1\n"
        let body = "a\(bad)b\(bad)c{b=\"1\",job=\"x\"} 1\nc{b=\"2\",job=\"\"} 1\nd\(bad)d 1\n"
        let verdict = judge(body, to: ["job": "x", "zone": "2"], .overwriting)
        #expect(verdict.complaints == [])
        #expect(verdict.summary.overwritten == 3)
        #expect(verdict.summary.samples == 6)
        #expect(judge(body, to: [:], .overwriting).summary.overwritten == 0)
        var lax = Rules.overwriting
        lax.demandsPushable = false
        #expect(judge(body, to: ["job": "x"], lax).summary.overwritten == 0)
    }

    @Test func `that overwrites makes series equal that were not`() {
        let body = "a{job=\"1\"} 1\na{job=\"2\"} 1\n"
        let verdict = judge(body, to: ["job": "x"], .overwriting)
        #expect(verdict.complaints.map(\.reason) == [.seriesRepeated(line: 1)])
        let parts = "# TYPE s summary\ns_sum{job=\"1\"} 1\ns_count{job=\"2\"} 1\n"
        #expect(
            judge(parts, to: ["job": "x"], .overwriting).complaints.map(\.reason)
                == [.seriesRepeated(line: 2)])
        #expect(judge(parts, to: ["job": "x"]).complaints.count == 2)
    }

    @Test func `takes an instance for the group's own when the group has one`() {
        let body = "a{instance=\"\"} 1\na 1\n"
        #expect(judge(body, to: ["job": "x"]).first?.reason == .seriesRepeated(line: 1))
        #expect(judge(body, to: ["instance": "i"]).first?.reason == .seriesRepeated(line: 1))
        let named = "a{instance=\"i\"} 1\na{instance=\"k\"} 1\n"
        #expect(judge(named, to: ["job": "x"]).isValid)
        #expect(
            judge(named, to: ["instance": "i"]).complaints.map(\.reason)
                == [.labelContradictsGroup(label: 0)])
        #expect(
            judge(named, to: ["instance": "i"], .overwriting).complaints.map(\.reason)
                == [.seriesRepeated(line: 1)])
    }

    @Test(arguments: [
        ("histogram", "le", FamilyType.histogram), ("gaugehistogram", "le", .gaugeHistogram),
        ("summary", "quantile", .summary),
    ])
    func `cannot hold a family that needs a label of the group`(
        _ word: String, _ label: String, _ type: FamilyType
    ) {
        let body = "# TYPE f \(word)\nf{\(label)=\"1\"} 1\nf{\(label)=\"2\"} 1\nf_sum 1\n"
        let verdict = judge(body, to: ["job": "x", "\(label)": "1"])
        #expect(verdict.complaints.map(\.reason) == [.boundInGroup(type)])
        #expect(verdict.first?.line == 2)
        #expect(verdict.first?.evidence == "\"f\"")
        #expect(judge(body, to: ["job": "x"]).isValid)
        #expect(judge(body, to: ["\(label)": "1"], .grammar).isValid)
        #expect(judge("# TYPE f \(word)\n", to: ["\(label)": "1"]).isValid)
        let other = label == "le" ? "quantile" : "le"
        #expect(judge(body, to: ["\(other)": "1"]).isValid)
        let plain = "f{\(label)=\"2\"} 1\n"
        #expect(
            judge(plain, to: ["\(label)": "1"]).complaints.map(\.reason)
                == [.labelContradictsGroup(label: 0)])
    }

    @Test func `is forgotten by reset`() {
        var validator = Validator()
        let body = Array("a{job=\"y\"} 1\na 1\n# TYPE h histogram\nh{le=\"1\"} 1\n".utf8)
        #expect(
            judge(body, with: &validator, group: ["job": "x", "le": "1"]).complaints.count == 2)
        #expect(judge(body, with: &validator).isValid)
        #expect(validator.group.isEmpty)
    }

    @Test func `gets the same verdict however it was split`() {
        var random = SystemRandomNumberGenerator()
        let lines = [
            "a{job=\"x\"} 1\n", "a{b=\"1\",job=\"y\"} 1\n", "a{b=\"2\",zone=\"\\n\"} 1\n",
            "a{b=\"2\",zone=\"\"} 1\n", "{\"a\",job=\"z\"} 1\n", "# TYPE h histogram\n",
            "h_bucket{le=\"1\",job=\"x\"} 1\n", "h_sum 1\n", "a{\"zone\"=\"\\n\"} 1\n",
            "b{job=\"y\"} x\n",
        ]
        for conflicts in [LabelConflicts.refused, .overwritten] {
            var rules = Rules()
            rules.labelConflicts = conflicts
            var validator = Validator(rules: rules)
            for _ in 0..<100 {
                let body = Array(
                    (0..<8).map { _ in lines.randomElement(using: &random)! }.joined().utf8)
                let group: KeyValuePairs = ["job": "x", "zone": "\n"]
                let whole = judge(body, with: &validator, group: group)
                let cuts = (0..<4).map { _ in Int.random(in: 0...body.count, using: &random) }
                    .sorted()
                #expect(
                    judge(body, with: &validator, cuts: cuts, group: group) == whole,
                    "\(String(decoding: body, as: UTF8.self)) cut at \(cuts)")
            }
        }
    }
}
