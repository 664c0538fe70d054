import Exposition
import Testing

@Suite struct `A push is refused for` {
    @Test func `a timestamp, unless the line is broken otherwise`() {
        #expect(judge("a 1 0\n").first?.reason == .timestampGiven)
        #expect(judge("a 1 0\n").first?.column == 5)
        #expect(judge("a{__b=\"c\"} x 0\n").first?.reason == .valueInvalid)
    }

    @Test func `a private label`() {
        #expect(judge("a{__b=\"c\"} 1\n").first?.reason == .labelNamePrivate)
        #expect(judge("a{x=\"\",__=\"c\"} 1\n").first?.column == 8)
        #expect(judge("a{_b=\"c\",b__=\"d\"} 1\n").isValid)
    }

    @Test(arguments: [
        "a 1\na 1\n", "a 1\na{} 2\n", "a 1\na{instance=\"\"} 2\n",
        "a{b=\"\"} 1\na{b=\"\",instance=\"\"} 2\n", "a{\"instance\"=\"\"} 1\na{} 1\n",
        "a{b=\"1\",c=\"2\"} 1\na{c=\"2\",b=\"1\"} 1\n", "a{b=\"1\"} 1\n{\"a\",b=\"1\"} 1\n",
        "a{b=\"1\"} 1\na{ \"b\" = \"1\" , } 1\n", "ab 1\na\"b\" 1\n",
        "a{b=\"\\\\\"} 1\na{b=\"\\\\\"} 1\n", "a{bc=\"1\",d=\"\"} 1\na{b\"c\"=\"1\",d=\"\"} 1\n",
        "# TYPE s summary\ns_sum 1\ns_count{instance=\"\"} 1\n",
        "# TYPE h histogram\nh_sum{instance=\"\",c=\"d\"} 1\nh_bucket{c=\"d\",le=\"1\"} 1\n",
    ])
    func `a series given twice`(_ body: String) {
        let verdict = judge(body)
        #expect(verdict.summary.complaints == 1)
        guard case .seriesRepeated(let line) = verdict.first?.reason else {
            Issue.record("\(verdict.complaints)")
            return
        }
        #expect(line == (verdict.first?.line ?? 0) - 1)
        #expect(judge(body, .grammar).isValid)
    }

    @Test(arguments: [
        "a{b=\"1\"} 1\na{b=\"2\"} 1\n", "a{b=\"1\"} 1\na{c=\"1\"} 1\n",
        "a 1\na{b=\"\"} 2\n", "a{b=\"\"} 1\na{c=\"\"} 1\n", "a 1\na{instance=\"b\"} 1\n",
        "# TYPE s summary\ns_sum 1\ns_count{b=\"\"} 1\n",
        "# TYPE h histogram\nh_sum{b=\"\",c=\"d\"} 1\nh_bucket{c=\"d\",le=\"1\"} 1\n",
        "a{b=\"12\"} 1\na{b=\"1\"} 1\n",
        "a{b=\"1\",c=\"2\"} 1\na{b=\"2\",c=\"1\"} 1\n", "a{b=\"1\"} 1\nb{b=\"1\"} 1\n",
        "a{le=\"1\"} 1\na{le=\"1.0\"} 1\n", "a{b=\"12345678\"} 1\na{b=\"123456789\"} 1\n",
        "# TYPE s summary\ns{quantile=\"1\"} 1\ns{quantile=\"2\"} 1\ns_sum 1\ns_count 1\ns_sum 2\n",
        "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"1\"} 1\n",
        "# TYPE h histogram\nh_bucket{b=\"\",le=\"1\"} 1\nh_sum{b=\"\"} 1\n",
        "# TYPE h histogram\nh_bucket{b=\"1\",le=\"1\"} 1\nh_bucket{b=\"2\",le=\"1\"} 1\n",
    ])
    func `no series that only look alike`(_ body: String) {
        #expect(judge(body).complaints == [])
    }

    /// What two lines have in common from the brace on is read once only.
    @Suite struct `labels, whatever the line before had,` {
        @Test func `when they share only the start`() {
            let many = (0..<9).map { "l\($0)=\"\($0)\"" }.joined(separator: ",")
            let body = "a{\(many),x=\"1\"} 1\na{\(many),y=\"1\"} 1\na{\(many),y=\"2\"} 1\n"
            #expect(judge(body).isValid)
            let verdict = judge(body + "a{\(many),y=\"1\"} 1\n")
            #expect(verdict.complaints.map(\.reason) == [.seriesRepeated(line: 2)])
            let repeated = judge("a{\(many),x=\"1\"} 1\na{\(many),l8=\"1\"} 1\n")
            #expect(repeated.first?.line == 2)
            #expect(repeated.first?.reason == .labelNameRepeated)
        }

        @Test func `when a line in between was broken or named in braces`() {
            for between in [
                "a{b=\"1\",c", "a{c=\"1\",b=\"1\"} x", "{d=\"1\",\"x\",e=\"1\"} 1", "z{} 1",
                "{\"x\",d=\"1\"} 1",
            ] {
                let body = "a{b=\"1\",c=\"1\"} 1\n\(between)\na{b=\"1\",c=\"2\"} 1\n"
                let last = judge(body + "a{b=\"1\",b=\"2\"} 1\na{b=\"1\",c=\"1\"} 1\n").complaints
                #expect(last.suffix(2).map(\.line) == [4, 5])
                #expect(
                    last.suffix(2).map(\.reason) == [
                        .labelNameRepeated, .seriesRepeated(line: 1),
                    ])
            }
        }

        @Test func `when they must be refused each time`() {
            let verdict = judge("a{__b=\"1\",c=\"1\"} 1\na{__b=\"1\",c=\"2\"} 1\n")
            #expect(verdict.complaints.map(\.reason) == [.labelNamePrivate, .labelNamePrivate])
        }

        @Test func `when they are a quantile or bucket for one of them`() {
            let types = "# TYPE s summary\n# TYPE h histogram\n"
            let labels = "{a=\"b\",le=\"1\",quantile=\"1\"} 1\n"
            let body = types + "s\(labels)h\(labels)g\(labels)s\(labels)h\(labels)"
            #expect(judge(body).isValid)
            let verdict = judge(body + "g\(labels)")
            #expect(verdict.complaints.map(\.reason) == [.seriesRepeated(line: 5)])
            let broken = "s{le=\"x\",quantile=\"y\"} 1\nh{le=\"x\",quantile=\"y\"} 1\n"
            #expect(
                judge(types + "g{le=\"x\",quantile=\"y\"} 1\n" + broken).complaints.map(\.reason)
                    == [.quantileInvalid, .boundInvalid])
        }

        @Test func `when an empty instance is among them`() {
            let body = "a{instance=\"\",b=\"1\"} 1\na{instance=\"\",b=\"2\"} 1\na{b=\"2\"} 1\n"
            let verdict = judge(body)
            #expect(verdict.complaints.map(\.reason) == [.seriesRepeated(line: 2)])
        }
    }

    @Test func `series given twice among very many`() {
        var body = ""
        for number in 0..<5000 { body += "a{n=\"\(number)\",m=\"\(number % 7)\"} 1\n" }
        #expect(judge(body).isValid)
        let verdict = judge(body + "a{m=\"4\",n=\"4000\"} 1\n" + "a{m=\"0\",n=\"0\"} 1\n")
        #expect(verdict.complaints.map(\.reason) == [.seriesRepeated(line: 1)])
    }

    @Test(arguments: ["push_time_seconds", "push_failure_time_seconds"])
    func `the gateway's own times`(_ name: String) {
        #expect(
            judge("# TYPE \(name) gauge\n\(name) 1\n\(name){a=\"b\"} 1\n").complaints.count == 1)
        #expect(judge("\(name)_ 1\nx\(name) 1\n# HELP \(name) x\n").isValid)
    }

    @Test(arguments: [
        ("# TYPE s summary\ns 1\n", "s_count"), ("# TYPE s summary\ns 1\n", "s_sum"),
        ("# TYPE h histogram\nh 1\n", "h_count"), ("# TYPE h histogram\nh 1\n", "h_sum"),
        ("# TYPE h histogram\nh 1\n", "h_bucket"),
    ])
    func `a name that another family's parts have`(_ family: String, _ part: String) {
        #expect(judge("\(part) 1\n" + family).first?.line == 3)
        #expect(judge("\(part) 1\n" + family).first?.reason == .suffixTaken)
        #expect(judge("# HELP \(part) x\n" + family + "\(part) 1\n").first?.line == 4)
        #expect(judge("# HELP \(part) x\n" + family + "\(part) 1\n").first?.reason == .suffixTaken)
        #expect(judge("# HELP \(part) x\n" + family).isValid)
    }

    @Test func `no name that only looks like a part`() {
        #expect(judge("s_bucket 1\n# TYPE s summary\ns 1\n").isValid)
        #expect(judge("a_count 1\na 1\n_count 1\n_sum 1\n").isValid)
        #expect(judge("h_bucket 1\n# TYPE h gaugehistogram\nh 1\n").isValid)
        #expect(judge("go_gc_duration_seconds_count 1\n").first?.reason == .suffixTaken)
    }

    @Test func `another type than the Pushgateway's own family has`() {
        let reason = Complaint.Reason.typeContradicted(given: .untyped, own: .gauge)
        #expect(
            judge("go_goroutines 1\ngo_goroutines{a=\"b\"} 1\n").complaints.map(\.reason) == [
                reason
            ])
        #expect(judge("# TYPE go_goroutines gauge\ngo_goroutines 1\n").isValid)
        #expect(judge("# TYPE go_goroutines counter\n").isValid)
        var rules = Rules()
        rules.ownFamilies = [OwnFamily("a", .counter)]
        #expect(judge("go_goroutines 1\n", rules).isValid)
        #expect(!judge("a 1\n", rules).isValid)
    }

    @Test func `another HELP where the Pushgateway keeps its own`() {
        let name = "pushgateway_http_requests_total"
        let type = "# TYPE \(name) counter\n"
        let help =
            "# HELP \(name) Total HTTP requests processed by the Pushgateway, excluding scrapes.\n"
        #expect(judge(type + "\(name) 1\n" + help).isValid)
        let verdict = judge(type + "\(name) 1\n9\n")
        #expect(verdict.complaints.map(\.reason) == [.helpContradicted, .metricNameExpected])
        #expect(verdict.first?.line == 2)
        #expect(
            judge("# HELP \(name) x\n" + type + "\(name) 1\n").first?.reason == .helpContradicted)
        #expect(judge("# HELP go_threads x\n# TYPE go_threads gauge\ngo_threads 1\n").isValid)
    }

    /// The parser remembers the line before where it should not.
    @Test func `a summary or histogram named in braces where the parser would confuse it`() {
        let types = "# TYPE h histogram\n# TYPE s summary\n"
        #expect(judge(types + "{\"s\",a=\"b\"} 1\n").isValid)
        #expect(judge(types + "s 1\n{\"s\",a=\"b\"} 1\n").isValid)
        for body in [
            "{\"h\",a=\"b\"} 1\n", "x 1\n{\"s\",a=\"b\"} 1\n", "s 1\nx 1\n{a=\"b\",\"s\"} 1\n",
        ] {
            #expect(judge(types + body, .grammar).first?.reason == .metricNameMisplaced)
        }
        for body in ["{le=\"1\",\"h\"} 1\n", "s 1\n{\"h\",le=\"1\"} 1\n"] {
            #expect(judge(types + body).first?.reason == .metricNameMisplaced)
            #expect(judge(types + body, .grammar).isValid)
        }
        #expect(judge(types + "x 1\n{\"s\",quantile=\"1\"} 1\n").isValid)
    }
}

@Suite struct `A limit` {
    private func rules(_ change: (inout Rules) -> Void) -> Rules {
        var rules = Rules()
        change(&rules)
        return rules
    }

    @Test func `holds for samples`() {
        let rules = rules { $0.seriesMax = 3 }
        #expect(judge("a 1\nb 1\nc 1\n", rules).isValid)
        let verdict = judge("a 1\nb 1\nb{x=\"1\"} 1\nb{x=\"2\"} 1\nb{x=\"3\"} 1\nb x\n", rules)
        #expect(verdict.complaints.map(\.reason) == [.tooManySeries(max: 3), .valueInvalid])
        #expect(verdict.first?.line == 4)
        #expect(verdict.summary.samples == 3)
    }

    @Test func `holds for names without samples`() {
        let rules = rules { $0.seriesMax = 3 }
        let verdict = judge("# HELP a \n# HELP b \n# HELP c \n# HELP d \n# HELP a x\n", rules)
        #expect(verdict.complaints.map(\.reason) == [.tooManyFamilies(max: 3)])
    }

    @Test func `holds for labels`() {
        let labels = (0..<65).map { "l\($0)=\"\"" }
        #expect(judge("a{\(labels.prefix(64).joined(separator: ","))} 1\n").isValid)
        let verdict = judge("a{\(labels.joined(separator: ","))} 1\n")
        #expect(verdict.first?.reason == .tooManyLabels(max: 64))
        let repeated = labels.prefix(63).joined(separator: ",")
        #expect(judge("a{\(repeated),l50=\"\"} 1\n").first?.reason == .labelNameRepeated)
        #expect(judge("a{\(repeated),l3=\"\"} 1\n").first?.reason == .labelNameRepeated)
    }

    @Test func `holds for label values`() {
        let value = String(repeating: "x", count: 2048)
        #expect(judge("a{b=\"\(value)\"} 1\n").isValid)
        let reason = Complaint.Reason.labelValueTooLong(max: 2048)
        #expect(judge("a{b=\"\(value)y\"} 1\n").first?.reason == reason)
        #expect(judge("a{b=\"\(value)y\"} x\n").first?.reason == .valueInvalid)
        let help = rules {
            $0.labelValueBytesMax = 3
            $0.demandsPushable = false
        }
        #expect(judge("a{b=\"1234\"} 1\n", help).first?.column == 6)
    }

    @Test func `holds for lines`() {
        let text = String(repeating: "x", count: 262_144)
        #expect(judge("#" + text.dropFirst() + "\n").isValid)
        let verdict = judge("#" + text + "\na 1\na 2\n")
        #expect(verdict.complaints.map(\.line) == [1, 3])
        #expect(verdict.first?.reason == .lineTooLong(max: 262_144))
        #expect(verdict.first?.column == 262_145)
    }

    @Test func `of zero is a limit too`() {
        let none = rules {
            $0.complaintsMax = 0
            $0.seriesMax = 0
            $0.sampleLabelsMax = 0
            $0.lineBytesMax = 0
            $0.labelValueBytesMax = 0
        }
        #expect(judge("\n", none).isValid)
        #expect(judge("a 1\n", none).summary.complaints == 1)
        #expect(judge("a 1\n", none).complaints.isEmpty)
    }

    @Test func `is as cheap to break as to keep`() {
        // Linear in everything a client can repeat: minutes, if any of them were not.
        let labels = (0..<20_000).map { "l\($0)=\"\"" }.joined(separator: ",")
        #expect(judge("a{\(labels)} 1\n", .grammar).isValid)
        let repeated = judge(String(repeating: "a{x=\"y\"} 1\n", count: 50_000))
        #expect(repeated.summary.complaints == 49_999)
        #expect(judge(String(repeating: "\\", count: 200_000) + "\n").summary.complaints == 1)
        #expect(judge("a{b=\"" + String(repeating: "\\\\", count: 100_000)).summary.complaints == 1)
    }
}
