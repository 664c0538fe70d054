import Exposition
import Testing

@Suite struct `A body of messages` {
    private func rules(_ change: (inout Rules) -> Void) -> Rules {
        var rules = Rules()
        change(&rules)
        return rules
    }

    // MARK: framing

    private static let wrongLengths: [(Bytes, Complaint.Reason)] = [
        ([0x80, 0x80, 0x80, 0x80, 0x80, 0x00], .lengthInvalid),
        ([0xFF, 0xFF, 0xFF, 0xFF, 0xFF], .lengthInvalid),
        ([0xFF, 0xFF, 0xFF, 0xFF, 0x7F], .bodyTooLong(max: Validator.bodyBytesMax)),
        ([0xFF, 0xFF, 0xFF, 0xFF, 0x07], .bodyTooLong(max: Validator.bodyBytesMax)),
    ]

    @Test(arguments: wrongLengths)
    func `is given up at once where a length is wrong`(_ length: Bytes, _ reason: Complaint.Reason)
    {
        let broken = body(goodFamily) + length
        var validator = Validator()
        validator.reset(for: .delimitedProtobuf)
        validator.validate(broken.span, isComplete: false)
        #expect(validator.complaints.map(\.reason) == [reason])
        #expect(validator.complaints.first?.line == 2)
        #expect(validator.complaints.first?.column == 1)
        #expect(validator.complaints.first?.metric == nil)
        let verdict = judgeMessages(broken + body(goodFamily, family("a b", nil)))
        #expect(verdict.complaints == validator.complaints)
        #expect(verdict.summary.samples == 1)
    }

    @Test(arguments: [[0x80], [0x05], [0x05, 0x0A], [0xFE, 0xFF, 0xFF, 0xFF, 0x06]] as [Bytes])
    func `waits for what a length announces, and misses it at the end only`(_ rest: Bytes) {
        let cut = body(goodFamily) + rest
        var validator = Validator()
        validator.reset(for: .delimitedProtobuf)
        validator.validate(cut.span, isComplete: false)
        let isGoodSoFar = validator.isValid
        #expect(isGoodSoFar)
        #expect(validator.summary.samples == 1)
        validator.validate(cut.span, isComplete: true)
        #expect(validator.complaints.map(\.reason) == [.messageCut])
        #expect(validator.complaints.first?.line == 2)
        #expect(validator.complaints.first?.column == rest.count + 1)
    }

    @Test func `tells what is wrong with each metric and each message`() {
        let broken = family(
            "g", .gauge, metric(["a": "1"], gauge()), metric(), metric(["__a": "1"], gauge()),
            metric(["a": "2"], gauge()), metric(["a": "1"], gauge()))
        let verdict = judgeMessages(
            body(
                family("1", .gauge), broken, goodFamily,
                family("go_info", .counter, metric([:], counter()))))
        #expect(
            verdict.complaints.map(\.reason) == [
                .metricNameInvalid, .valueMissing(.gauge), .labelNamePrivate,
                .metricRepeated(byte: 7), .typeContradicted(given: .counter, own: .gauge),
            ])
        #expect(verdict.complaints.map(\.line) == [1, 2, 2, 2, 4])
        #expect(verdict.summary.samples == 5)
        #expect(verdict.summary.families == 3)
        var rules = Rules()
        rules.complaintsMax = 2
        let short = judgeMessages(body(family("1", .gauge), broken, goodFamily), rules)
        #expect(short.complaints.count == 2)
        #expect(short.summary.complaints == 4)
    }

    // MARK: what is said of it

    @Test func `is told about by message, byte and name`() {
        let verdict = judgeMessages(
            body(goodFamily, family("g", .gauge, metric(["__a": "1"], gauge()))))
        let complaint = verdict.first
        #expect(complaint?.place == "message 2, byte 13")
        #expect(complaint?.message == "label name \"__a\" starts with '__' (in metric \"g\")")
        #expect(judge("a{__b=\"\"} 1\n").first?.place == "line 1, column 3")
        let own = judgeMessages(
            body(family("go_info", .counter, metric([:], counter())))
        ).first
        #expect(own?.message == "metric \"go_info\" has type counter but should have gauge")
        let hidden = judgeMessages(body(family("\u{1B}[2J", .counter))).first
        #expect(hidden?.message == "invalid metric name \"\\x1b[2J\"")
    }

    private static let causes: [(Bytes, Complaint.Cause)] = [
        (Bytes("# TYPE a gauge\na 1\n".utf8), Complaint.Cause.textInPlaceOfMessages),
        (Bytes("a_metric 1\n".utf8) + Bytes(repeating: 0x0A, count: 200), .textInPlaceOfMessages),
        (Bytes("{\"a\": 1}".utf8), .textInPlaceOfMessages),
        (goodFamily, .undelimited),
        (family("a_name_longer_than_ten_bytes", .gauge), .undelimited),
        ([0x1F, 0x8B, 8, 0, 0, 0, 0, 0], .gzip),
        (body(goodFamily) + [9], .framing),
        (body(goodFamily) + Bytes(repeating: 0xFF, count: 9), .framing),
        (body(family("h", .histogram, metric(["le": "1"], histogram()))), .boundTwice),
        (body(family("g", .gauge, metric([:], gauge(), field(6, varint: 1)))), .timestamp),
        (body(family("push_time_seconds", .gauge, metric([:], gauge()))), .reservedName),
    ]

    @Test(arguments: causes)
    func `hints at what probably happened`(_ body: Bytes, _ cause: Complaint.Cause) {
        let verdict = judgeMessages(body)
        #expect(verdict.first?.cause == cause)
        #expect(verdict.first?.hint?.isEmpty == false)
    }

    @Test func `hints at nothing where nothing speaks for it`() {
        #expect(judgeMessages(body(family("a b", .gauge))).first?.cause == nil)
        #expect(judgeMessages(body(goodFamily, Bytes("# TYPE".utf8))).first?.cause == nil)
    }

    // MARK: names given twice

    @Test func `keeps the last family of a name, as the Pushgateway does`() {
        let series = metric(["a": "1"], gauge())
        let twice = judgeMessages(
            body(family("g", .gauge, series, metric([:], gauge())), family("g", .gauge, series)))
        #expect(twice.complaints == [])
        #expect(twice.summary == Validator.Summary(samples: 1, families: 1, complaints: 0))
        let emptied = judgeMessages(body(family("g", .gauge, series), family("g", .gauge)))
        #expect(emptied.complaints.map(\.reason) == [.familyEmpty])
        let other = judgeMessages(
            body(
                family("s", .summary, metric([:], summary(1))),
                family("s_count", .gauge, series),
                family("s", .gauge, series)))
        #expect(other.complaints == [])
        #expect(other.summary == Validator.Summary(samples: 2, families: 2, complaints: 0))
        let clash = judgeMessages(
            body(
                family("s", .gauge, series), family("s_count", .gauge, series),
                family("s", .summary, metric([:], summary(1)))))
        #expect(clash.complaints.map(\.reason) == [.suffixTaken])
        let flawed = judgeMessages(body(family("g", .gauge, metric()), family("g", .gauge, series)))
        #expect(flawed.complaints.map(\.reason) == [.valueMissing(.gauge)])
    }

    // MARK: the group

    private static let group: GroupLabels = {
        var group = GroupLabels()
        group.append(name: "job", value: "a\"b\\\n")
        group.append(name: "zone", value: "é")
        return group
    }()

    @Test func `may repeat the group's labels, which then tell no series apart`() {
        let same = body(
            family(
                "g", .gauge, metric(["job": "a\"b\\\n", "zone": "é", "x": "1"], gauge()),
                metric(["x": "2"], gauge())))
        #expect(judgeMessages(same, group: Self.group).isValid)
        let empty = body(family("g", .gauge, metric(["job": "", "zone": ""], gauge())))
        #expect(judgeMessages(empty, group: Self.group).isValid)
        let repeated = body(
            family("g", .gauge, metric(["job": "a\"b\\\n"], gauge()), metric([:], gauge())))
        #expect(
            judgeMessages(repeated, group: Self.group).complaints.map(\.reason)
                == [.metricRepeated(byte: 7)])
        #expect(judgeMessages(repeated).isValid)
    }

    @Test(arguments: ["a", "a\"b\\", "a\"b\\\n\n", "a\\\"b\\\\\\n"])
    func `contradicts the group with another value, unless that is overwritten`(_ job: String) {
        let other = body(
            family("g", .gauge, metric(["job": job], gauge())),
            family("h", .histogram, metric(["job": job, "zone": ""], histogram(1, 2))),
            family("s", .summary, metric([:], summary(1))))
        let verdict = judgeMessages(other, group: Self.group)
        #expect(verdict.summary.complaints == 2)
        #expect(verdict.first?.line == 1)
        #expect(verdict.first?.column == 13)
        let rules = rules { $0.labelConflicts = .overwritten }
        let overwritten = judgeMessages(other, rules, group: Self.group)
        #expect(overwritten.complaints == [])
        #expect(overwritten.summary.overwritten == 6)
        let twice = body(
            family("g", .gauge, metric(["job": job], gauge()), metric(["job": "x"], gauge())))
        #expect(
            judgeMessages(twice, rules, group: Self.group).complaints.map(\.reason)
                == [.metricRepeated(byte: 7)])
        let replaced = judgeMessages(
            other
                + body(
                    family("g", .gauge, metric([:], gauge())),
                    family("h", .gauge, metric([:], gauge()))), rules, group: Self.group)
        #expect(replaced.summary.overwritten == 0)
    }

    @Test(arguments: [
        ("le", FamilyType.histogram, true), ("le", .summary, false), ("le", .gauge, false),
        ("quantile", .summary, true), ("quantile", .histogram, false), ("quantile", .gauge, false),
    ])
    func `cannot hold a type whose own label the group has`(
        _ name: String, _ type: FamilyType, _ isRefused: Bool
    ) {
        var group = GroupLabels()
        group.append(name: "job", value: "j")
        group.append(name: name, value: "1")
        let value = type == .gauge ? gauge() : type == .summary ? summary() : histogram()
        let verdict = judgeMessages(body(family("x", type, metric([:], value))), group: group)
        #expect(verdict.complaints.map(\.reason) == (isRefused ? [.boundInGroup(type)] : []))
    }

    // MARK: bounds

    @Test func `is bounded in samples, and a bucket and a quantile are some`() {
        let rules = rules { $0.seriesMax = 5 }
        let taken = family("h", .histogram, metric([:], histogram(1, 2)))
        #expect(judgeMessages(body(taken), rules).summary.samples == 5)
        for one in [
            family("h", .histogram, metric([:], histogram(1, 2, 3))),
            family("s", .summary, metric([:], summary(1, 2, 3, 4))),
        ] {
            let verdict = judgeMessages(body(one), rules)
            #expect(verdict.complaints.map(\.reason) == [.tooManySeries(max: 5)])
            #expect(verdict.summary.samples == 0)
        }
        let more = family("g", .gauge, metric([:], gauge()), metric(["a": "1"], gauge()))
        let verdict = judgeMessages(body(taken, more, more), rules)
        #expect(verdict.complaints.map(\.reason) == [.tooManySeries(max: 5)])
        #expect(verdict.summary.samples == 5)
    }

    @Test func `is bounded in families, labels and lengths`() {
        func reasons(_ message: Bytes, _ change: (inout Rules) -> Void) -> [Complaint.Reason] {
            judgeMessages(body(message, goodFamily), rules(change)).complaints.map(\.reason)
        }
        let labels = family("g", .gauge, metric(["a": "12345", "b": "", "c": ""], gauge()))
        #expect(reasons(labels) { $0.sampleLabelsMax = 3 } == [])
        #expect(reasons(labels) { $0.sampleLabelsMax = 2 } == [.tooManyLabels(max: 2)])
        #expect(reasons(labels) { $0.labelValueBytesMax = 5 } == [])
        #expect(reasons(labels) { $0.labelValueBytesMax = 4 } == [.labelValueTooLong(max: 4)])
        #expect(reasons(labels) { $0.seriesMax = 1 }.last == .tooManyFamilies(max: 1))
        for long in [
            family("abcdef", .gauge, metric([:], gauge())),
            family("g", .gauge, help: "abcdef", metric([:], gauge())),
            family("g", .gauge, metric(["abcdef": ""], gauge())),
        ] {
            #expect(reasons(long) { $0.lineBytesMax = 6 } == [])
            #expect(reasons(long) { $0.lineBytesMax = 5 } == [.textTooLong(max: 5)])
        }
    }

    @Test func `may hold very many series, of which one is given twice`() {
        let metrics = (0..<3000).map { metric(["n": "\($0)", "m": "\($0 % 7)"], gauge()) }
        let many = family("g", .gauge) + metrics.joined()
        #expect(judgeMessages(body(many, goodFamily)).summary.samples == 3001)
        let verdict = judgeMessages(body(many + metric(["m": "0", "n": "7"], gauge()), goodFamily))
        #expect(verdict.summary.complaints == 1)
        guard case .metricRepeated = verdict.first?.reason else {
            Issue.record("\(verdict.complaints)")
            return
        }
    }

    // MARK: what the rules allow

    @Test func `may have names in UTF-8 where they are allowed`() {
        let dotted = body(family("a.b", .gauge, metric(["é.x": ""], gauge())))
        #expect(judgeMessages(dotted).summary.complaints == 1)
        #expect(judgeMessages(dotted, .utf8).isValid)
        let bad = field(1, [0x61, 0xFF]) + field(3, varint: 1)
        #expect(judgeMessages(body(bad), .utf8).complaints.map(\.reason) == [.metricNameInvalid])
    }

    @Test func `may hold what only a push cannot, where none is meant`() {
        for one in [
            family("go_info", .counter), family("push_time_seconds", .gauge),
            family("g", .gauge, metric([:], gauge(), field(6, varint: 1))),
            family("g", .gauge, metric(["__a": ""], gauge())),
            family("g", .gauge, metric([:], gauge()), metric([:], gauge())),
            family("s", .summary) + Bytes(),
        ] {
            #expect(judgeMessages(body(one, family("s_count", .gauge)), .grammar).isValid)
        }
    }

    // MARK: and text

    private static let twins: [(text: String, messages: Bytes)] = [
        (
            "# TYPE g gauge\ng 1\ng{a=\"1\"} 2\n",
            body(family("g", .gauge, metric([:], gauge()), metric(["a": "1"], gauge(2))))
        ),
        (
            "# TYPE s summary\ns{quantile=\"0.5\"} 7.5\ns_sum 3.5\ns_count 1\n",
            body(family("s", .summary, metric([:], summary(0.5))))
        ),
        (
            "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
            body(family("h", .histogram, metric([:], histogram(1))))
        ),
        (
            "# TYPE h histogram\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
            body(family("h", .histogram, metric([:], histogram(.infinity))))
        ),
        (
            "# TYPE g gauge\n# TYPE c counter\nc{a=\"\"} 1\n",
            body(family("c", nil, metric(["a": ""], counter())))
        ),
        ("a 1\na 1\n", body(family("a", .untyped, metric([:], untyped()), metric([:], untyped())))),
        (
            "# TYPE s summary\ns_sum 1\ns_count 1\ns_bucket 1\n",
            body(
                family("s", .summary, metric([:], summary())),
                family("s_bucket", .untyped, metric([:], untyped())))
        ),
        ("go_info 1\n", body(family("go_info", .untyped, metric([:], untyped())))),
    ]

    @Test(arguments: twins)
    func `is summed up as its twin in text is`(_ text: String, _ messages: Bytes) {
        #expect(judge(text).summary == judgeMessages(messages).summary)
    }

    @Test func `leaves nothing behind for the next body`() {
        var validator = Validator()
        let text = Bytes("# TYPE s summary\ns 1\na{b=\"1\"} 1\n".utf8)
        let messages = body(
            family("s_count", .gauge, metric(["b": "1"], gauge())),
            family("h", .histogram, metric([:], histogram(1))), family("a", .gauge, metric()))
        let (ofText, ofMessages) = (judge(text), judgeMessages(messages))
        for _ in 0..<3 {
            #expect(judge(text, with: &validator) == ofText)
            #expect(judgeMessages(messages, with: &validator) == ofMessages)
            #expect(judgeMessages(messages, group: Self.group, with: &validator) == ofMessages)
        }
    }

    // MARK: chance

    /// A sequence that is the same in every run.
    private struct Chance: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state ^ state >> 31) &* 0x9E37_79B9_7F4A_7C15
        }
    }

    @Test(arguments: 0..<20 as Range<UInt64>)
    func `is judged the same in any pieces, whatever bytes are changed`(_ seed: UInt64) {
        var chance = Chance(state: seed)
        var validator = Validator()
        let bodies = `Delimited protobuf`.taken.map(\.body).filter { !$0.isEmpty }
        for _ in 0..<150 {
            var body = bodies.randomElement(using: &chance) ?? []
            if Bool.random(using: &chance) { body += bodies.randomElement(using: &chance) ?? [] }
            for _ in 0..<Int.random(in: 1...4, using: &chance) {
                let place = Int.random(in: 0..<body.count, using: &chance)
                switch Int.random(in: 0..<4, using: &chance) {
                case 0: body[place] ^= 1 << UInt8.random(in: 0..<8, using: &chance)
                case 1: body[place] = UInt8.random(in: 0...255, using: &chance)
                case 2: body.insert(UInt8.random(in: 0...255, using: &chance), at: place)
                default: if body.count > 1 { body.remove(at: place) }
                }
            }
            let cuts = (0..<5).map { _ in Int.random(in: 0...body.count, using: &chance) }.sorted()
            let whole = judgeMessages(body, with: &validator)
            #expect(judgeMessages(body, with: &validator, cuts: cuts) == whole, "\(body) \(cuts)")
        }
    }
}
