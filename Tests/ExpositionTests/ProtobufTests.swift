import Exposition
import Testing

/// A body with what should be said of it.
struct MessageCase: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let body: Bytes
    var samples = 0
    var families = 0
    var reason: Complaint.Reason?
    var byte: Int?

    /// A good body.
    init(_ description: String, samples: Int, families: Int = 1, _ messages: Bytes...) {
        testDescription = description
        body = messages.flatMap { varint(UInt64($0.count)) + $0 }
        (self.samples, self.families) = (samples, families)
    }

    /// One with a single flaw, in its last message.
    init(
        _ description: String, _ reason: Complaint.Reason, byte: Int? = nil, _ messages: Bytes...
    ) {
        testDescription = description
        body = messages.flatMap { varint(UInt64($0.count)) + $0 }
        (self.reason, self.byte) = (reason, byte)
    }
}

private let goodBody = body(goodFamily)

/// Each was tried on a Pushgateway, whose scrape was read again.
@Suite struct `Delimited protobuf` {
    static let taken: [MessageCase] = [
        MessageCase("nothing", samples: 0, families: 0),
        MessageCase(
            "each type", samples: 11, families: 5,
            family("c", .counter, help: "c.", metric(["a": "b"], counter())),
            family("g", .gauge, help: "", metric([:], gauge(.nan))),
            family("u", .untyped, metric([:], untyped(-1))),
            family("s", .summary, metric([:], summary(0.5, 0.9))),
            family("h", .histogram, metric([:], histogram(1, .infinity)))),
        MessageCase(
            "a counter without a type", samples: 1, family("c", nil, metric([:], counter()))),
        MessageCase("no help", samples: 1, family("g", .gauge, metric([:], gauge()))),
        MessageCase(
            "a value that is left out", samples: 1,
            family("g", .gauge, metric([:], field(2, [])))),
        MessageCase(
            "a label value that is left out", samples: 1,
            family("g", .gauge, metric([:], field(1, field(1, "a")), gauge()))),
        MessageCase(
            "any characters in label values and help", samples: 1,
            family("g", .gauge, help: "\n\\ é", metric(["a": "\n\"\\\u{0}é"], gauge()))),
        MessageCase(
            "the name behind the metrics", samples: 1,
            metric([:], gauge()) + field(3, varint: 1) + field(1, "g")),
        MessageCase(
            "the labels behind the value", samples: 2,
            family(
                "g", .gauge, metric([:], gauge(), label("a", "1")),
                metric([:], gauge(), label("a", "2")))),
        MessageCase(
            "a histogram without buckets", samples: 3,
            family("h", .histogram, metric([:], field(7, [])))),
        MessageCase(
            "bounds twice and NaN, as in text", samples: 11,
            family(
                "h", .histogram, metric([:], histogram(1, 1, .nan)),
                metric(["a": ""], summaryless))),
        MessageCase(
            "quantiles twice and NaN, as in text", samples: 5,
            family("s", .summary, metric([:], summary(1, 1, .nan)))),
        MessageCase(
            "le on a gauge, quantile on a histogram", samples: 5, families: 2,
            family("g", .gauge, metric(["le": "1"], gauge())),
            family("h", .histogram, metric(["quantile": "1"], histogram(1)))),
        MessageCase(
            "fields of newer schemas", samples: 1,
            family("g", .gauge, metric([:], gauge() + field(99, "x") + field(98, varint: 1)))
                + tag(97, 5) + [1, 2, 3, 4] + field(96, 1.0)),
        MessageCase(
            "exemplars and times of creation", samples: 8, families: 3,
            family(
                "c", .counter,
                metric(
                    [:],
                    field(
                        3,
                        field(1, 1.0) + field(2, exemplar)
                            + field(3, time)))),
            family("s", .summary, metric([:], summary(0.5, more: field(4, time)))),
            family(
                "h", .histogram,
                metric(
                    [:],
                    histogram(
                        more: field(15, time)
                            + field(3, field(1, varint: 1) + field(2, 1.0) + field(3, exemplar))
                            + field(16, exemplar))))),
        MessageCase(
            "lengths and tags with room to spare", samples: 1,
            [0x8A, 0x80, 0x00, 0x81, 0x00, 0x67] + field(3, varint: 1) + metric([:], gauge())),
        MessageCase(
            "a family of the Pushgateway's own with its type", samples: 1,
            family("go_goroutines", .gauge, metric([:], gauge()))),
        MessageCase(
            "one that needs the Pushgateway's help", samples: 1,
            family(
                "pushgateway_http_requests_total", .counter,
                help: "Total HTTP requests processed by the Pushgateway, excluding scrapes.",
                metric([:], counter()))),
        MessageCase(
            "labels without values that tell series apart", samples: 3,
            family(
                "g", .gauge, metric([:], gauge()), metric(["a": ""], gauge()),
                metric(["b": ""], gauge()))),
        MessageCase(
            "native histograms", samples: 18,
            family(
                "h", .histogram,
                metric(["n": "1"], histogram(count: 2, more: native())),
                metric(["n": "2"], histogram(count: 4, more: native(zeroCount: 2))),
                metric(["n": "3"], histogram(count: 9, sum: .nan, more: native())),
                metric(["n": "4"], histogram(count: 0, more: native(spans: [(0, 0)], deltas: []))),
                metric(
                    ["n": "5"],
                    histogram(
                        count: 4, more: native(spans: [(-7, 1), (0, 1)], deltas: [3, -2]))),
                metric(
                    ["n": "6"],
                    field(
                        7,
                        field(4, 1.5) + field(12, field(2, varint: 2))
                            + field(14, double(1) + double(0)) + field(5, varint: 2))))),
        MessageCase(
            "native buckets that are not packed", samples: 3,
            family(
                "h", .histogram,
                metric(
                    [:],
                    histogram(
                        count: 2, more: native(deltas: [1]) + field(13, varint: 0))))),
    ]

    private static let summaryless = histogram(1, 2)
    private static let time = field(1, varint: 1_700_000_000) + field(2, varint: 999_999_999)
    private static let exemplar = label("trace", "x") + field(2, 1.0) + field(3, time)

    @Test(arguments: taken)
    func `is taken with`(_ sample: MessageCase) {
        let verdict = judgeMessages(sample.body)
        #expect(verdict.complaints == [])
        #expect(verdict.summary.samples == sample.samples)
        #expect(verdict.summary.families == sample.families)
    }

    private static func gauges(_ more: Bytes) -> Bytes {
        family("g", .gauge, metric([:], gauge())) + more
    }

    static let malformed: [MessageCase] = [
        MessageCase("a number that does not end", .varintInvalid, byte: 20, gauges([0x80])),
        MessageCase(
            "a number of eleven bytes", .varintInvalid,
            gauges(tag(9, 0) + varint(0, padding: 10))),
        MessageCase(
            "a number of 65 bits", .varintInvalid,
            gauges(tag(9, 0) + Bytes(repeating: 0xFF, count: 9) + [0x02])),
        MessageCase(
            "a field number of zero", .fieldNumberInvalid(in: .metricFamily), byte: 20,
            gauges([0x00, 0x00])),
        MessageCase(
            "a field number beyond 29 bits", .fieldNumberInvalid(in: .metricFamily),
            gauges(tag(1 << 29, 0) + [0])),
        MessageCase(
            "a group", .wireTypeInvalid(field: 9, of: .metricFamily),
            gauges(tag(9, 3) + tag(9, 4))),
        MessageCase(
            "the end of a group", .wireTypeInvalid(field: 9, of: .metricFamily),
            gauges(tag(9, 4))),
        MessageCase(
            "wire type 6", .wireTypeInvalid(field: 9, of: .metricFamily),
            gauges(tag(9, 6))),
        MessageCase(
            "wire type 7", .wireTypeInvalid(field: 9, of: .metricFamily),
            gauges(tag(9, 7))),
        MessageCase(
            "a text longer than its message", .fieldCut(in: .metricFamily), byte: 20,
            gauges(tag(2, 2) + [2, 0x61])),
        MessageCase(
            "an unknown field of a length beyond all", .fieldCut(in: .metricFamily),
            gauges(tag(9, 2) + varint(.max))),
        MessageCase(
            "a metric longer than its message", .fieldCut(in: .metricFamily),
            gauges(tag(4, 2) + [1])),
        MessageCase(
            "a double cut short", .fieldCut(in: .gauge),
            family("g", .gauge, metric([:], field(2, tag(1, 1) + [1, 2, 3, 4, 5, 6, 7])))),
        MessageCase(
            "four bytes cut short", .fieldCut(in: .metricFamily),
            gauges(tag(9, 5) + [1, 2, 3])),
        MessageCase(
            "a help that is a number", .wireTypeContradicted(field: 2, of: .metricFamily),
            gauges(field(2, varint: 1))),
        MessageCase(
            "a metric that is a number", .wireTypeContradicted(field: 4, of: .metricFamily),
            gauges(field(4, varint: 1))),
        MessageCase(
            "a gauge of an integer", .wireTypeContradicted(field: 1, of: .gauge),
            family("g", .gauge, metric([:], field(2, field(1, varint: 1))))),
        MessageCase(
            "a type in packed form", .wireTypeContradicted(field: 3, of: .metricFamily),
            family("g", nil, metric([:], counter())) + field(3, [0])),
        MessageCase(
            "a name twice", .fieldRepeated(field: 1, of: .metricFamily), byte: 20,
            gauges(field(1, "g"))),
        MessageCase(
            "a help twice", .fieldRepeated(field: 2, of: .metricFamily),
            gauges(field(2, "h") + field(2, "h"))),
        MessageCase(
            "a type twice", .fieldRepeated(field: 3, of: .metricFamily),
            gauges(field(3, varint: 1))),
        MessageCase(
            "a value twice", .fieldRepeated(field: 2, of: .metric),
            family("g", .gauge, metric([:], gauge(), gauge()))),
        MessageCase(
            "a number twice", .fieldRepeated(field: 1, of: .gauge),
            family("g", .gauge, metric([:], field(2, field(1, 1.0) + field(1, 2.0))))),
        MessageCase(
            "a label's name twice", .fieldRepeated(field: 1, of: .labelPair),
            family("g", .gauge, metric([:], field(1, field(1, "a") + field(1, "b")), gauge()))),
        MessageCase(
            "an exemplar's time twice", .fieldRepeated(field: 3, of: .exemplar),
            family("c", .counter, metric([:], field(3, field(2, field(3, []) + field(3, [])))))),
        MessageCase(
            "a span of 33 bits", .numberTooLarge(field: 2, of: .bucketSpan),
            family(
                "h", .histogram,
                metric(
                    [:],
                    histogram(
                        more:
                            field(12, field(2, varint: 1 << 32)))))),
        MessageCase(
            "a schema of 33 bits", .numberTooLarge(field: 5, of: .histogram),
            family("h", .histogram, metric([:], histogram(more: field(5, varint: 1 << 32))))),
        MessageCase(
            "nanoseconds of 33 bits", .numberTooLarge(field: 2, of: .timestamp),
            family("c", .counter, metric([:], field(3, field(3, field(2, varint: 1 << 31)))))),
        MessageCase(
            "packed numbers of which the last does not end", .varintInvalid,
            family("h", .histogram, metric([:], histogram(more: field(13, [0x02, 0x80]))))),
        MessageCase(
            "packed doubles of which the last is cut", .varintInvalid,
            family("h", .histogram, metric([:], histogram(more: field(14, double(1) + [0]))))),
        MessageCase(
            "junk in a quantile", .varintInvalid,
            family("s", .summary, metric([:], summary(more: field(3, [0x80]))))),
        MessageCase(
            "junk in an exemplar", .fieldNumberInvalid(in: .exemplar),
            family("h", .histogram, metric([:], histogram(more: field(16, [0]))))),
        MessageCase(
            "junk in a value of another type", .fieldNumberInvalid(in: .counter),
            family("g", .gauge, metric([:], field(3, [0])))),
    ]

    static let meaningless: [MessageCase] = [
        MessageCase("no name", .familyNameMissing, byte: 2, family(nil, .gauge)),
        MessageCase("an empty name", .familyNameMissing, family("", .gauge)),
        MessageCase("nothing in a message", .familyNameMissing, byte: 2, []),
        MessageCase("a name with a blank", .metricNameInvalid, byte: 4, family("a b", .gauge)),
        MessageCase("a name that starts with a digit", .metricNameInvalid, family("1a", .gauge)),
        MessageCase("a name with a dot", .metricNameInvalid, family("a.b", .gauge)),
        MessageCase("a name that would be two lines", .metricNameInvalid, family("a 1\nb", .gauge)),
        MessageCase(
            "a name that is not UTF-8", .metricNameInvalid,
            field(1, [0xFF]) + field(3, varint: 1)),
        MessageCase(
            "a help that is not UTF-8", .helpInvalid, byte: 9,
            field(1, "g") + field(2, [0x61, 0x62, 0xFF])),
        MessageCase(
            "a type that only newer ones know", .typeNumberUnknown(5), byte: 5,
            family("g", .gaugeHistogram, metric([:], histogram()))),
        MessageCase(
            "a type nobody knows", .typeNumberUnknown(6),
            field(1, "g") + field(3, varint: 6)),
        MessageCase(
            "a type that Go would cut to counter", .typeNumberUnknown(1 << 32),
            field(1, "g") + field(3, varint: 1 << 32) + metric([:], counter())),
        MessageCase(
            "a metric without a value", .valueMissing(.gauge), byte: 7,
            family("g", .gauge, metric())),
        MessageCase(
            "a gauge where no type makes it a counter",
            .valueContradicted(given: .gauge, type: .counter),
            family("g", nil, metric([:], gauge()))),
        MessageCase(
            "a second value of another type",
            .valueContradicted(given: .counter, type: .gauge),
            family("g", .gauge, metric([:], gauge(), counter()))),
        MessageCase(
            "a timestamp", .metricTimestamped,
            family("g", .gauge, metric([:], gauge(), field(6, varint: 0)))),
        MessageCase(
            "a label without a name", .labelNameInvalid,
            family("g", .gauge, metric([:], field(1, field(2, "v")), gauge()))),
        MessageCase(
            "a label with an empty name", .labelNameInvalid,
            family("g", .gauge, metric(["": "v"], gauge()))),
        MessageCase(
            "a label name with a colon", .labelNameInvalid,
            family("g", .gauge, metric(["a:b": "v"], gauge()))),
        MessageCase(
            "a label name with a NUL", .labelNameInvalid,
            family("g", .gauge, metric(["a\0": "v"], gauge()))),
        MessageCase(
            "a label called __name__", .labelNameReserved,
            family("g", .gauge, metric(["__name__": "v"], gauge()))),
        MessageCase(
            "a private label", .labelNamePrivate,
            family("g", .gauge, metric(["__a": "v"], gauge()))),
        MessageCase(
            "a label twice", .labelNameRepeated, byte: 29,
            family("g", .gauge, metric(["a": "v", "b": "w", "a": "v"], gauge()))),
        MessageCase(
            "a label value that is not UTF-8", .labelValueInvalid,
            family(
                "g", .gauge, metric([:], field(1, field(1, "a") + field(2, [0xC0, 0x80])), gauge()))
        ),
        MessageCase(
            "le on a histogram", .boundAmongLabels(.histogram),
            family("h", .histogram, metric(["le": "1"], histogram()))),
        MessageCase(
            "quantile on a summary", .boundAmongLabels(.summary),
            family("s", .summary, metric(["quantile": "1"], summary()))),
        MessageCase(
            "a series twice", .metricRepeated(byte: 7), byte: 20,
            family("g", .gauge, metric([:], gauge()), metric([:], gauge(2)))),
        MessageCase(
            "a series twice, the labels in another order", .metricRepeated(byte: 7),
            family(
                "g", .gauge, metric(["a": "1", "b": "2"], gauge()),
                metric(["b": "2", "a": "1"], gauge(2)))),
        MessageCase(
            "a series twice, but for an empty instance", .metricRepeated(byte: 7),
            family("g", .gauge, metric([:], gauge()), metric(["instance": ""], gauge(2)))),
        MessageCase(
            "a histogram twice", .metricRepeated(byte: 7),
            family("h", .histogram, metric([:], histogram(1)), metric([:], histogram(2)))),
        MessageCase(
            "the gateway's own time", .pushTimeGiven, byte: 4,
            family("push_time_seconds", .gauge, metric([:], gauge()))),
        MessageCase(
            "another type than the Pushgateway's own",
            .typeContradicted(given: .counter, own: .gauge), byte: 4,
            family("go_goroutines", .counter, metric([:], counter()))),
        MessageCase("a family without metrics", .familyEmpty, byte: 4, family("g", .gauge)),
        MessageCase(
            "another help than the Pushgateway's own", .helpContradicted,
            family("pushgateway_http_requests_total", .counter, metric([:], counter()))),
        MessageCase(
            "a name that a summary's parts have", .suffixTaken, byte: 4,
            family("s", .summary, metric([:], summary())),
            family("s_count", .gauge, metric([:], gauge()))),
        MessageCase(
            "a histogram whose parts have a name that is there", .suffixTaken,
            family("h_bucket", .gauge, metric([:], gauge())),
            family("h", .histogram, metric([:], histogram()))),
        MessageCase(
            "a name that parts of the Pushgateway's own have", .suffixTaken,
            family("go_gc_duration_seconds_sum", .gauge, metric([:], gauge()))),
        MessageCase(
            "a negative float count", .countNegative,
            family("h", .histogram, metric([:], histogram(more: field(4, -0.5))))),
        MessageCase(
            "a negative float bucket", .bucketNegative,
            family("h", .histogram, metric([:], histogram(more: field(3, field(4, -1.0)))))),
    ]

    static let contradictory = contradictions.map {
        MessageCase(
            $0.name, $0.reason,
            family("h", .histogram, metric([:], histogram(count: 2, more: $0.fields))))
    }

    private static let contradictions: [(name: String, reason: Complaint.Reason, fields: Bytes)] = [
        ("spans longer than the buckets", .spansContradicted, native(spans: [(0, 3)])),
        ("spans shorter than the buckets", .spansContradicted, native(spans: [(0, 1)])),
        (
            "spans without any bucket", .spansContradicted,
            native(spans: [(0, 4_294_967_295)], deltas: [])
        ),
        ("buckets without any span", .spansContradicted, native(spans: [])),
        ("spans that overlap", .spansContradicted, native(spans: [(0, 1), (-1, 1)])),
        (
            "integer buckets beside float ones", .spansContradicted,
            native(more: field(14, double(1)))
        ),
        ("a float count for integer buckets", .spansContradicted, native(more: field(4, 2.0))),
        (
            "negative buckets that are not there", .spansContradicted,
            native(more: field(9, field(2, varint: 1)))
        ),
        ("a bucket below zero", .bucketNegative, native(deltas: [1, -2])),
        ("a bucket beyond 63 bits", .bucketNegative, native(deltas: [.max, 1])),
        (
            "a float bucket below zero", .bucketNegative,
            native(spans: [], deltas: [], more: field(11, double(-1)))
        ),
        (
            "a float zero bucket below zero", .bucketNegative,
            native(spans: [], deltas: [], more: field(8, -1.0))
        ),
        ("more in the buckets than counted", .countContradicted, native(deltas: [1, 1])),
        ("less in the buckets than counted", .countContradicted, native(deltas: [1, -1])),
        (
            "buckets beyond 64 bits", .countContradicted,
            native(spans: [(0, 3)], deltas: [.max, 0, 0])
        ),
        ("a zero bucket beyond 64 bits", .countContradicted, native(zeroCount: .max)),
        ("a schema too fine", .schemaUnknown(9), native(schema: 9)),
        ("a schema too coarse", .schemaUnknown(-5), native(schema: -5)),
    ]

    @Test(arguments: malformed + meaningless + contradictory)
    func `is refused with`(_ sample: MessageCase) {
        let verdict = judgeMessages(sample.body)
        #expect(verdict.complaints.map(\.reason) == [sample.reason])
        if let byte = sample.byte { #expect(verdict.first?.column == byte) }
        #expect(verdict.first?.format == .delimitedProtobuf)
        // What is wrong with one message does not hide the others, nor make them wrong.
        let between = judgeMessages(
            body(goodFamily) + sample.body + body(family("z", .gauge, metric([:], gauge()))))
        #expect(between.complaints.map(\.reason) == [sample.reason])
        #expect(between.first?.line == (verdict.first?.line ?? 0) + 1)
        #expect(between.summary.samples >= 2)
    }

    @Test(arguments: taken + malformed + meaningless + contradictory)
    func `has the same verdict however it was split, and a cut one is never good`(
        _ sample: MessageCase
    ) {
        var validator = Validator()
        let body = sample.body + goodBody
        let whole = judgeMessages(body, with: &validator)
        for cut in body.indices {
            #expect(judgeMessages(body, with: &validator, cuts: [cut]) == whole)
        }
        #expect(judgeMessages(body, with: &validator, cuts: Array(body.indices)) == whole)
        for end in sample.body.count + 1..<body.count {
            #expect(!judgeMessages(Array(body[..<end]), with: &validator).isValid)
        }
    }
}
