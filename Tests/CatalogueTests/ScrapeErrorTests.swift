import Exposition
import Testing

@testable import Catalogue

@Suite struct ScrapeErrorTests {
    private func errors(_ text: String) -> (errors: [ScrapeError], unread: Int) {
        ScrapeError.all(in: Array(text.utf8).span)
    }

    /// The same reason as the old and as the new Protobuf library writes it.
    static let series = [
        #"collected metric "m" { label:<name:"job" value:"a\377\"\\\n\303\251" > "#
            + #"label:<name:"x" value:"" > untyped:<value:1 > } "#,
        #"collected metric "m" { label:{name:"job" value:"a\xff\"\\\né"}  "#
            + #"label:{name:"x"  value:""}  untyped:{value:1}} "#,
        #"collected metric "m" { label:{name:"job"  value:"a\xff\"\\\n\u00e9"} "#
            + #"label:{name: "x" value: ""} untyped:{value:1}} "#,
    ]

    @Test(arguments: series)
    func `a series is read to the byte`(series: String) throws {
        let kinds: [(String, ScrapeError.Kind)] = [
            ("was collected before with the same name and label values", .repeated),
            ("is not a COUNTER", .otherType),
            (
                "has a label with an invalid name: __x",
                .badSeries("has a label with an invalid name: __x")
            ),
        ]
        for (words, kind) in kinds {
            let (errors, unread) = errors("heading\n\n2 error(s) occurred:\n* \(series)\(words)\n")
            #expect(unread == 1)
            let error = try #require(errors.first)
            #expect(errors.count == 1 && error.kind == kind)
            #expect(error.family == Array("m".utf8))
            #expect(error.labels.map(\.name) == [Array("job".utf8), [0x78]])
            #expect(
                error.labels.map(\.value) == [[0x61, 0xFF, 0x22, 0x5C, 0x0A, 0xC3, 0xA9], []])
        }
    }

    @Test func `reasons about families are read`() {
        let text = """
            An error has occurred while serving metrics:

            5 error(s) occurred:
            * gathered metric family go_goroutines has type UNTYPED but should have GAUGE
            * gathered metric family x has help "" but should have "a \\" b"
            * collected metric named "s_count" collides with previously collected summary named "s"
            * collected histogram named "s" collides with previously collected metric named "s_sum"
            * collected histogram or summary named "s" collides with previously collected metric \
            named "s_sum"

            """
        let (errors, unread) = errors(text)
        #expect(unread == 0)
        let s = Array("s".utf8)
        #expect(
            errors.map(\.kind) == [
                .ownType, .ownHelp, .suffixTaken(by: s), .suffixTaken(by: Array("s_sum".utf8)),
                .suffixTaken(by: Array("s_sum".utf8)),
            ])
        #expect(
            errors.map { String(decoding: $0.family, as: UTF8.self) }
                == ["go_goroutines", "x", "s_count", "s", "s"])
    }

    @Test(arguments: [
        "<html>", "collected metric m", #"collected metric "m"#, #"collected metric "m" { label:<"#,
        #"collected metric "m\400" { } x"#, #"collected metric "m\x4" { } x"#,
        #"collected metric "m\ud800" { } x"#, #"collected metric "m\q" { } x"#,
        #"collected metric "m\"#, "gathered metric family ", "gathered metric family x",
        #"collected metric named "a""#, #"collected metric named "a" collides with previously "#,
    ])
    func `what is not understood is counted`(line: String) {
        let (errors, unread) = errors(line + "\n")
        #expect(errors.isEmpty && unread == 1)
    }

    @Test func `a line that is cut is not believed`() {
        let line = Self.series[0] + "was collected before with the same name and label values"
        for end in 1...line.utf8.count {
            let (errors, unread) = errors(String(line.prefix(end)))
            #expect(errors.isEmpty && unread == 1)
        }
        let long = errors(String(repeating: line + "\n", count: 1000))
        #expect(long.errors.count < 500 && long.errors.count > 200 && long.unread == 1)
    }

    @Test func `no change of a byte makes the reader trap`() throws {
        let listing = try listing(listingText([(["job": "a"], ["m": "GAUGE", "s": "SUMMARY"])]))
        let text = Array((Self.series.joined(separator: "is not a COUNTER\n") + "\n").utf8)
        for _ in 0..<3000 {
            var changed = text
            for _ in 0..<3 {
                let place = Int.random(in: 0..<changed.count)
                if Bool.random() {
                    changed[place] = Array("\\\"{}<>x0u\n".utf8).randomElement() ?? 0
                } else {
                    changed.remove(at: place)
                }
            }
            _ = ScrapeDiagnosis(listing, answer: changed.span)
        }
    }

    @Test func `without the answer, bytes that were lost are asked for`() throws {
        let text = #"{"status":"success","data":[{"labels":{"job":"a\ufffd"}}]}"#
        let diagnosis = ScrapeDiagnosis(try listing(text), answer: [UInt8]().span)
        let finding = try #require(diagnosis.findings.first)
        #expect(finding.trouble == .notUTF8 && finding.path == nil && !diagnosis.isComplete)
        #expect(finding.command(at: "http://h:1") == "curl http://h:1/metrics")
    }

    @Test(arguments: [
        (["job": "a"], "/metrics/job/a"),
        (["job": "a b", "z": "~._-", "b": "é"], "/metrics/job/a%20b/b/%C3%A9/z/~._-"),
        (["job": "a/b", "c": "..", "d": "."], "/metrics/job@base64/YS9i/c@base64/Li4/d@base64/Lg"),
        (["job": "';$(x)`&|", "e": ""], "/metrics/job/%27%3B%24%28x%29%60%26%7C/e@base64/="),
        (["job": "a", "x.y_z é": "1"], "/metrics/job/a/U__x_2e_y__z_20__e9_/1"),
    ])
    func `a group's path holds nothing that a shell or a proxy would touch`(
        labels: [String: String], path: String
    ) {
        let job = Array((labels["job"] ?? "").utf8)
        var written = GroupPath(job: job.span)
        for (name, value) in labels.sorted(by: { $0.key < $1.key }) where name != "job" {
            written.append(name: Array(name.utf8).span, value: Array(value.utf8).span)
        }
        #expect(written.text == path)
    }
}
