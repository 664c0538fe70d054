import Bytes
import Exposition
import Foundation
import Testing

@testable import Catalogue

/// The real Pushgateway as the judge: what it holds is read as it is, and what breaks its scrape is
/// found and mended by the commands that are named.
@Suite(
    .enabled(if: Pushgateway.isInstalled, "prometheus-pushgateway and curl are not installed"),
    .timeLimit(.minutes(10)))
struct PushgatewayTests {
    struct Push: Sendable {
        let method, path: String
        let body: [UInt8]
        let isProtobuf: Bool

        init(_ method: String, _ path: String, _ body: String = "m 1\n") {
            (self.method, self.path, self.body) = (method, path, Array(body.utf8))
            isProtobuf = false
        }

        /// A family with a type by Protobuf's number and without any metric.
        init(_ path: String, emptyFamily name: String, type: UInt8) {
            (method, self.path, isProtobuf) = ("POST", path, true)
            let family = [0x0A, UInt8(name.utf8.count)] + Array(name.utf8) + [0x18, type]
            body = [UInt8(family.count)] + family
        }

        func send(to pushgateway: Pushgateway) throws {
            try pushgateway.request(method, path, body, isProtobuf: isProtobuf)
        }
    }

    private func listing(of pushgateway: Pushgateway) throws -> GroupListing {
        let answer = try pushgateway.request("GET", "/api/v1/metrics")
        try #require(answer.status == 200)
        return try CatalogueTests.listing(answer.body, pieces: 1000)
    }

    @Test func `what was pushed is what is listed`() throws {
        let pushgateway = try Pushgateway()
        let all = """
            # TYPE c counter
            c 1
            # TYPE g gauge
            g NaN
            # HELP h he\\\\l\\np"q
            # TYPE h histogram
            h_bucket{le="+Inf"} 2
            h_sum 3
            h_count 2
            # TYPE s summary
            s{quantile="0.5"} 1
            s_sum 1
            s_count 1
            u{x="a\\"b\\\\c\\nd é 😀 ]}"} +Inf

            """
        let time = Date().timeIntervalSince1970
        try Push("PUT", "/metrics/job/all", all).send(to: pushgateway)
        try Push("PUT", "/metrics/job/odd/l/x%22y%5Cz%0A%09%01%7F%3C%26%E2%80%A8%F0%9F%98%80", "")
            .send(to: pushgateway)
        try Push(
            "PUT", "/metrics/job/names/l/x",
            "labels{l2=\"2\"} 1\nlast_push_successful 2\nstatus 3\ndata 4\nmetrics 5\ntype 6\n"
        ).send(to: pushgateway)
        try Push("PUT", "/metrics/job/labels/type/GAUGE/metrics/x/a/b", "").send(to: pushgateway)
        try Push("PUT", "/metrics/job/failed", "m 1 1\n").send(to: pushgateway)
        try Push("/metrics/job/empty", emptyFamily: "e", type: 5).send(to: pushgateway)
        try Push("PUT", "/metrics/job/none/l@base64/=", "").send(to: pushgateway)

        let listing = try listing(of: pushgateway)
        #expect(listing.isComplete)
        let groups = Dictionary(
            uniqueKeysWithValues: described(listing).map { ($0.labels["job"] ?? "", $0) })
        let own = ["push_time_seconds": "gauge", "push_failure_time_seconds": "gauge"]
        func check(_ job: String, _ labels: [String: String], _ families: [String: String]) {
            #expect(groups[job]?.labels == labels.merging(["job": job]) { $1 })
            #expect(groups[job]?.families == families.merging(own) { $1 })
        }
        check(
            "all", [:],
            ["c": "counter", "g": "gauge", "h": "histogram", "s": "summary", "u": "untyped"])
        check("odd", ["l": "x\"y\\z\n\t\u{1}\u{7F}<&\u{2028}😀"], [:])
        check(
            "names", ["l": "x"],
            [
                "labels": "untyped", "last_push_successful": "untyped", "status": "untyped",
                "data": "untyped", "metrics": "untyped", "type": "untyped",
            ])
        check("labels", ["type": "GAUGE", "metrics": "x", "a": "b"], [:])
        check("failed", [:], [:])
        check("empty", [:], ["e": "gaugehistogram?"])
        check("none", ["l": ""], [:])
        #expect(groups.count == 7)

        #expect(abs((groups["all"]?.pushTime ?? 0) - time) < 5)
        #expect(groups["all"]?.pushFailureTime == 0)
        #expect(groups["failed"]?.pushTime == 0)
        #expect(abs((groups["failed"]?.pushFailureTime ?? 0) - time) < 5)

        let catalogue = FamilyCatalogue(listing)
        let other = key(["job": "other"])
        #expect(catalogue.clash(family("h"), .histogram, in: other) == nil)
        #expect(catalogue.clash(family("h"), .gauge, in: key(["job": "all"])) == nil)
        let clash = try #require(catalogue.clash(family("labels"), .gauge, in: other))
        #expect(clash.type == .untyped)
        guard case .listed(let number) = clash.holder else { throw Pushgateway.Trouble.noAnswer }
        #expect(listing.withValue(of: "job", in: number) { String(decoding: $0) } == "names")
    }

    @Test func `what the catalogue calls a clash is what the Pushgateway refuses`() throws {
        let types = ["counter", "gauge", "untyped", "summary", "histogram"]
        let pushgateway = try Pushgateway()
        for type in types {
            try Push("PUT", "/metrics/job/\(type)", "# TYPE f_\(type) \(type)\nf_\(type) 1\n")
                .send(to: pushgateway)
        }
        let catalogue = FamilyCatalogue(try listing(of: pushgateway))
        for held in types {
            for type in FamilyType.all where type != .gaugeHistogram {
                for job in [held, "new"] {
                    let name = "f_\(held)"
                    let clash = catalogue.clash(family(name), type, in: key(["job": job]))
                    let answer = try pushgateway.request(
                        "POST", "/metrics/job/\(job)", "# TYPE \(name) \(type.word)\n\(name) 1\n")
                    #expect((clash == nil) == (answer.status == 200), "\(held) \(type) \(job)")
                    // As it was: the group itself may have changed its type.
                    let body = "# TYPE \(name) \(held)\n\(name) 1\n"
                    try pushgateway.request("DELETE", "/metrics/job/new")
                    try pushgateway.request("POST", "/metrics/job/\(held)", body)
                }
            }
        }
    }

    struct State: Sendable, CustomTestStringConvertible {
        let name: String
        var isChecking = false
        let pushes: [Push]
        let trouble: ScrapeDiagnosis.Trouble
        /// The paths to delete, sorted.
        let paths: [String]
        /// Whether the listing alone shows it.
        var isListed = true
        var testDescription: String { name }
    }

    static let states = [
        State(
            name: "an empty instance beside none", isChecking: true,
            pushes: [
                Push("PUT", "/metrics/job/a"), Push("PUT", "/metrics/job/a/instance@base64/="),
            ],
            trouble: .emptyLabelGhost, paths: ["/metrics/job/a/instance@base64/="]),
        State(
            name: "none beside an empty instance", isChecking: true,
            pushes: [
                Push("PUT", "/metrics/job/a/instance@base64/="), Push("PUT", "/metrics/job/a"),
            ],
            trouble: .emptyLabelGhost, paths: ["/metrics/job/a/instance@base64/="]),
        State(
            name: "an empty instance beside none, whose labels a family hides", isChecking: true,
            pushes: [
                Push("PUT", "/metrics/job/a/x/y", "labels 1\n"),
                Push("PUT", "/metrics/job/a/instance@base64/=/x/y", "m 1\n"),
            ],
            trouble: .emptyLabelGhost, paths: ["/metrics/job/a/instance@base64/=/x/y"]),
        State(
            name: "an empty instance, whose labels a family hides, beside none", isChecking: true,
            pushes: [
                Push("PUT", "/metrics/job/a/instance@base64/=", "labels 1\n"),
                Push("PUT", "/metrics/job/a", "m 1\n"),
            ],
            trouble: .emptyLabelGhost, paths: ["/metrics/job/a/instance@base64/="]),
        State(
            name: "an empty instance beside none, both hidden",
            pushes: [
                Push("PUT", "/metrics/job/a/instance@base64/=", "labels 1\n"),
                Push("PUT", "/metrics/job/a", "labels 1\n"),
            ],
            trouble: .emptyLabelGhost, paths: ["/metrics/job/a/instance@base64/="]),
        State(
            name: "a job that is not UTF-8", isChecking: true,
            pushes: [Push("PUT", "/metrics/job/%ff")],
            trouble: .notUTF8, paths: ["/metrics/job/%FF"], isListed: false),
        State(
            name: "labels that are not UTF-8 and look the same", isChecking: true,
            pushes: [
                Push("PUT", "/metrics/job/a/x/%fe"), Push("PUT", "/metrics/job/a/x/%fd"),
                Push("PUT", "/metrics/job/a/x/%EF%BF%BD"),
                Push("PUT", "/metrics/job/a/x/%22%5c%0a%ff%c3%a9%01"),
                Push("PUT", "/metrics/job@base64/L_8/x/%ed%a0%80%e2%82"),
            ],
            trouble: .notUTF8,
            paths: [
                "/metrics/job/a/x/%22%5C%0A%FF%C3%A9%01", "/metrics/job/a/x/%FD",
                "/metrics/job/a/x/%FE", "/metrics/job@base64/L_8/x/%ED%A0%80%E2%82",
            ], isListed: false),
        State(
            name: "a push_failure_time_seconds that is a counter", isChecking: true,
            pushes: [
                Push("PUT", "/metrics/job/a"),
                Push(
                    "PUT", "/metrics/job/a",
                    "# TYPE push_failure_time_seconds counter\npush_failure_time_seconds 9\n"),
                Push("PUT", "/metrics/job/b"),
            ],
            trouble: .ownFamilyContradicted, paths: ["/metrics/job/a"]),
        State(
            name: "one counter among gauges",
            pushes: [
                Push("PUT", "/metrics/job/a", "# TYPE m gauge\nm 1\n"),
                Push("PUT", "/metrics/job/b", "# TYPE m gauge\nm 1\n"),
                Push("PUT", "/metrics/job/c", "# TYPE m counter\nm 1\n"),
            ],
            trouble: .typeClash, paths: ["/metrics/job/c"]),
        State(
            name: "two types, the first pushed longest ago",
            pushes: [
                Push("PUT", "/metrics/job/a", "# TYPE m gauge\nm 1\n"),
                Push("PUT", "/metrics/job/b", "# TYPE m histogram\nm 1\n"),
            ],
            trouble: .typeClash, paths: ["/metrics/job/a"]),
        State(
            name: "three types",
            pushes: [
                Push("PUT", "/metrics/job/a", "# TYPE m gauge\nm 1\n"),
                Push("PUT", "/metrics/job/b", "# TYPE m summary\nm{quantile=\"1\"} 1\n"),
                Push("PUT", "/metrics/job/c", "m 1\n"), Push("PUT", "/metrics/job/d", "m 1\n"),
            ],
            trouble: .typeClash, paths: ["/metrics/job/a", "/metrics/job/b"]),
        State(
            name: "a family of the Pushgateway's with another type",
            pushes: [Push("PUT", "/metrics/job/a", "go_goroutines 1\n")],
            trouble: .ownFamilyContradicted, paths: ["/metrics/job/a"]),
        State(
            name: "a family of the Pushgateway's with another HELP",
            pushes: [
                Push(
                    "PUT", "/metrics/job/a",
                    "# TYPE pushgateway_http_requests_total counter\n"
                        + "pushgateway_http_requests_total 1\n")
            ],
            trouble: .ownFamilyContradicted, paths: ["/metrics/job/a"], isListed: false),
        State(
            name: "a suffix of a summary",
            pushes: [
                Push("PUT", "/metrics/job/a", "s_count 1\n"),
                Push("PUT", "/metrics/job/b", "# TYPE s summary\ns_sum 1\ns_count 2\n"),
                Push("PUT", "/metrics/job/c", "# TYPE s summary\ns_sum 1\ns_count 2\n"),
            ],
            trouble: .suffixTaken, paths: ["/metrics/job/a"]),
        State(
            name: "a suffix of a histogram that is alone",
            pushes: [
                Push("PUT", "/metrics/job/a", "s_bucket 1\n"),
                Push("PUT", "/metrics/job/b", "s_bucket 1\n"),
                Push("PUT", "/metrics/job/c", "# TYPE s histogram\ns_sum 1\ns_count 2\n"),
            ],
            trouble: .suffixTaken, paths: ["/metrics/job/c"]),
        State(
            name: "a suffix of the Pushgateway's own summary",
            pushes: [Push("PUT", "/metrics/job/a", "go_gc_duration_seconds_count 1\n")],
            trouble: .suffixTaken, paths: ["/metrics/job/a"]),
        State(
            name: "a series twice in one group",
            pushes: [
                Push("PUT", "/metrics/job/a", "m{x=\"1\"} 1\nm{instance=\"\",x=\"1\"} 2\n"),
                Push("PUT", "/metrics/job/b", "m{x=\"1\"} 1\n"),
            ],
            trouble: .seriesRepeated, paths: ["/metrics/job/a"], isListed: false),
        State(
            name: "a series in two groups",
            pushes: [
                Push("PUT", "/metrics/job/a/instance/i", "m 2\n"),
                Push("PUT", "/metrics/job/a", "m{instance=\"i\"} 1\n"),
            ],
            trouble: .seriesRepeated, paths: ["/metrics/job/a"], isListed: false),
        State(
            name: "a private label",
            pushes: [Push("PUT", "/metrics/job/a", "m{__x=\"1\"} 1\n")],
            trouble: .seriesInvalid, paths: ["/metrics/job/a"], isListed: false),
        State(
            name: "a quantile in the grouping key",
            pushes: [
                Push(
                    "PUT", "/metrics/job/a/quantile/1",
                    "# TYPE h summary\nh{quantile=\"1\"} 1\nh_sum 1\nh_count 1\n")
            ],
            trouble: .seriesInvalid, paths: ["/metrics/job/a/quantile/1"], isListed: false),
    ]

    @Test(arguments: states)
    func `what breaks the scrape is named, and the command named mends it`(state: State) throws {
        let pushgateway = try Pushgateway(isChecking: state.isChecking)
        for push in state.pushes {
            try push.send(to: pushgateway)
            usleep(20_000)  // What is stored has a time, which tells the younger from the older.
        }
        // Where pushes are checked, this one is refused already, and leaves a group all the same.
        try Push("PUT", "/metrics/job/innocent/l/x", "innocent 1\n").send(to: pushgateway)
        let scrape = try pushgateway.request("GET", "/metrics")
        #expect(scrape.status == 500)
        let listing = try listing(of: pushgateway)
        let diagnosis = ScrapeDiagnosis(listing, answer: scrape.body.span)
        #expect(diagnosis.isComplete)
        #expect(diagnosis.findings.map(\.trouble).allSatisfy { $0 == state.trouble })
        #expect(diagnosis.findings.compactMap(\.path).sorted() == state.paths)

        #expect(diagnosis.findings.allSatisfy { $0.sentence.hasPrefix("the group {") })
        let unaided = ScrapeDiagnosis(listing, answer: [UInt8]().span)
        #expect((unaided.findings.compactMap(\.path).sorted() == state.paths) == state.isListed)

        for finding in diagnosis.findings {
            #expect(try shell(finding.command(at: pushgateway.url)) == 0)
        }
        #expect(try pushgateway.request("GET", "/metrics").status == 200)
        let left = try self.listing(of: pushgateway)
        #expect(left.groupCount == listing.groupCount - state.paths.count)
        #expect(described(left).contains { $0.labels["job"] == "innocent" })
        #expect(ScrapeDiagnosis(left, answer: [UInt8]().span).findings.isEmpty)
    }

    @Test func `a clash is told with both groups and both types`() throws {
        let pushgateway = try Pushgateway(isChecking: false)
        try Push("PUT", "/metrics/job/a/x/%22", "m 1\n").send(to: pushgateway)
        for job in ["b", "c"] {
            try Push("PUT", "/metrics/job/\(job)", "# TYPE m gauge\nm 1\n").send(to: pushgateway)
        }
        let diagnosis = ScrapeDiagnosis(try listing(of: pushgateway), answer: [UInt8]().span)
        let finding = try #require(diagnosis.findings.first)
        let start = #"the group {job="a",x="\""} holds m as untyped, the group {job=""#
        #expect(finding.sentence.hasPrefix(start))
        #expect(finding.sentence.hasSuffix(#""} as gauge"#))
        #expect(
            finding.command(at: "http://127.0.0.1:9091")
                == "curl -X DELETE http://127.0.0.1:9091/metrics/job/a/x/%22")
    }

    @Test func `all of it at once is mended in a few rounds`() throws {
        let pushgateway = try Pushgateway(isChecking: false)
        for push in Self.states.flatMap(\.pushes) { try push.send(to: pushgateway) }
        try Push("/metrics/job/empty", emptyFamily: "m", type: 2).send(to: pushgateway)
        var rounds = 0
        while true {
            let scrape = try pushgateway.request("GET", "/metrics")
            if scrape.status == 200 { break }
            rounds += 1
            try #require(rounds < 6)
            let diagnosis = ScrapeDiagnosis(
                try listing(of: pushgateway), answer: scrape.body.span)
            try #require(!diagnosis.findings.isEmpty)
            for finding in diagnosis.findings {
                #expect(try shell(finding.command(at: pushgateway.url)) == 0)
            }
        }
        #expect(rounds > 0)
    }

    @Test func `an empty label other than the instance is told though the scrape stands`() throws {
        let pushgateway = try Pushgateway()
        try Push("PUT", "/metrics/job/a").send(to: pushgateway)
        try Push("PUT", "/metrics/job/a/l@base64/=").send(to: pushgateway)
        #expect(try pushgateway.request("GET", "/metrics").status == 200)
        let diagnosis = ScrapeDiagnosis(try listing(of: pushgateway), answer: [UInt8]().span)
        #expect(diagnosis.findings.map(\.trouble) == [.emptyLabelShadow])
        #expect(diagnosis.findings.map(\.path) == ["/metrics/job/a/l@base64/="])
    }
}
