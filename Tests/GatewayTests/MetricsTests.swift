import Bytes
import Configuration
import HTTP
import Reactor
import Testing

@testable import Gateway

@Suite struct MetricTests {
    /// Other people's dashboards and alerts are made of these.
    static let promised = [
        "kanmon_build_info", "kanmon_pushes_total", "kanmon_last_accepted_push_timestamp_seconds",
        "kanmon_refusals_total", "kanmon_http_requests_total", "kanmon_push_duration_seconds",
        "kanmon_connections", "kanmon_connections_refused_total", "kanmon_buffered_bytes",
        "kanmon_tls_handshakes_total",
        "kanmon_tls_handshake_failures_total",
        "kanmon_tls_certificate_not_after_timestamp_seconds", "kanmon_password_checks_total",
        "kanmon_password_queue_length", "kanmon_password_cache_hits_total",
        "kanmon_upstream_requests_total", "kanmon_upstream_request_duration_seconds",
        "kanmon_loop_turn_cpu_seconds",
        "kanmon_upstream_scrape_ok", "kanmon_body_bytes_total", "kanmon_samples_total",
        "kanmon_label_conflicts_total", "kanmon_audit_records_total",
        "kanmon_audit_failures_total", "kanmon_config_last_reload_successful",
        "kanmon_config_last_reload_success_timestamp_seconds", "process_cpu_seconds_total",
        "process_open_fds", "process_max_fds", "process_virtual_memory_bytes",
        "process_virtual_memory_max_bytes", "process_resident_memory_bytes",
        "process_start_time_seconds", "process_threads",
    ]

    @Test func `every promised metric exists, each once, with a meaning`() {
        let names = Metric.allCases.map { "\($0.name)" }
        #expect(Set(names).count == names.count)
        for name in Self.promised { #expect(names.contains(name), "\(name)") }
        for metric in Metric.allCases {
            let help = "\(metric.help)"
            #expect(help.hasSuffix(".") && !help.contains("\\") && !help.contains("\n"), "\(help)")
            #expect((metric.kind == .counter) == "\(metric.name)".hasSuffix("_total"))
        }
    }

    @Test func `every status that has a name can be counted`() {
        let named = (100...599).map { Status(code: $0) }
            .filter { $0.reason.utf8CodeUnitCount > 0 }
        #expect(Status.all == named)
        for head in [Method.put, .post, .delete, .get, .head, .options, .other] {
            #expect(RequestLabels.index(of: .versionNotSupported, head) < 132)
        }
    }

    @Test func `the words of a label are different`() {
        for words in [
            Refusal.Reason.allCases.map { "\($0.word)" },
            HandshakeFailure.allCases.map { "\($0.word)" },
            UpstreamOutcome.allCases.map { "\($0.word)" },
            RequestLabels.methods.map { "\(RequestLabels.word($0))" },
        ] { #expect(Set(words).count == words.count) }
    }

    @Test func `a status of the Pushgateway is counted under its own number, or as another`() {
        for status in 100...599 {
            let word = "\(UpstreamOutcome(status: status).word)"
            #expect(word == "\(status)" || word == "other")
        }
        #expect(UpstreamOutcome(status: 202) == .accepted)
    }
}

@Suite struct MetricsTextTests {
    private func text(_ write: (inout MetricsText) -> Void) -> String {
        var text = MetricsText()
        write(&text)
        return String(decoding: text.bytes.span)
    }

    @Test(arguments: [
        (0, "0"), (1, "0.000000001"), (1_500_000_000, "1.5"), (1_000_000_000, "1"),
        (1_795_256_077_505_000_000, "1795256077.505"), (10_000_000, "0.01"),
    ])
    func `times are seconds with as many decimals as there are`(
        nanoseconds: UInt64, expected: String
    ) {
        let shown = text {
            $0.begin(.processStart)
            $0.add(nanoseconds: nanoseconds)
        }
        #expect(shown.hasSuffix("\nprocess_start_time_seconds \(expected)\n"))
    }

    @Test func `a label's value cannot end its line, and is UTF-8 whatever it was`() {
        let value = Array("a\"b\\c\nd".utf8) + [0xFF]
        let shown = text {
            $0.begin(.pushes)
            $0.add(1, MetricsText.Label("push_job", value))
        }
        #expect(shown.hasSuffix("kanmon_pushes_total{push_job=\"a\\\"b\\\\c\\nd\u{FFFD}\"} 1\n"))
    }

    @Test func `the bounds of a histogram are told with all that lies below them`() {
        let histogram = Histogram()
        for nanoseconds: UInt64 in [1, 1_000_000, 1_000_001, 10_000_000_000, .max] {
            histogram.observe(nanoseconds: nanoseconds)
        }
        let counts = Histogram.places.map { histogram.count(at: $0) }
        #expect(counts.reduce(0, +) == 5 && counts.count == Histogram.bounds.count + 1)
        let shown = text {
            $0.begin(.pushDuration)
            $0.add(counts: counts, sumOfNanoseconds: 3)
        }
        for line in [
            "_bucket{le=\"0.001\"} 2", "_bucket{le=\"0.0025\"} 3", "_bucket{le=\"5\"} 3",
            "_bucket{le=\"10\"} 4", "_bucket{le=\"+Inf\"} 5", "_count 5", "_sum 0.000000003",
        ] { #expect(shown.contains("kanmon_push_duration_seconds\(line)\n"), "\(line)") }
    }
}

@Suite struct CellsTests {
    @Test func `a reader sees what the writer has counted, and never more`() throws {
        let tally = Tally()
        try Thread.start(name: "test-writer") {
            for _ in 0..<100_000 { tally.count(.samples, 2) }
        }
        var last = 0
        while last < 200_000 {
            let now = tally[.samples]
            #expect(now >= last && now <= 200_000 && now % 2 == 0)
            last = now
        }
        #expect(tally[.bodyBytes] == 0 && tally[.active] == 0)
    }
}

@Suite struct RecentRefusalsTests {
    private func entry(
        _ number: UInt32, _ reason: Refusal.Reason = .notFound, id: UInt64 = 0
    ) -> RecentRefusals.Entry {
        RecentRefusals.Entry(
            time: WallClock(milliseconds: UInt64(number)), requestID: id,
            address: IPAddress(ipv4: number), user: nil, reason: reason, status: .notFound,
            count: 1)
    }

    @Test func `the latest are kept, and those of one kind are one`() {
        let refusals = RecentRefusals()
        for number in 0..<UInt32(100) { refusals.note(entry(number)) }
        #expect(refusals.all.count == RecentRefusals.entriesMax)
        #expect(refusals.all.first?.address == IPAddress(ipv4: 99))
        refusals.note(entry(90, id: 7))
        refusals.note(entry(90, .queryGiven))
        #expect(refusals.all.count == RecentRefusals.entriesMax)
        #expect(refusals.all.prefix(2).map(\.count) == [1, 2])
        #expect(refusals.all[1].requestID == 7)
    }
}

@Suite struct StrangersTests {
    @Test func `who comes often is remembered when a scan of many addresses passes`() {
        var strangers = Strangers()
        for _ in 0..<5 {
            strangers.note(IPAddress(ipv4: 7), at: WallClock(milliseconds: 1))
        }
        for number in 0..<UInt32(100_000) {
            strangers.note(
                IPAddress(ipv4: 1000 + number), at: WallClock(milliseconds: UInt64(number)))
        }
        #expect(strangers.total == 100_005)
        let busiest = strangers.busiest(max: 2)
        #expect(busiest.map(\.address) == [IPAddress(ipv4: 7), IPAddress(ipv4: 100_999)])
        #expect(busiest.first?.count == 5)
        #expect(strangers.busiest(max: .max).count <= 1024)
    }
}
