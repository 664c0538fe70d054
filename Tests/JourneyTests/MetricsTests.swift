import Foundation
import Synchronization
import Testing

/// Each metric moves when what it counts happens, and only then.
@Suite struct MetricsTests {
    /// What dashboards and alerts depend on, from the first scrape on.
    static let promised = [
        "kanmon_build_info", "kanmon_refusals_total", "kanmon_http_requests_total",
        "kanmon_push_duration_seconds_bucket", "kanmon_connections",
        "kanmon_connections_refused_total", "kanmon_buffered_bytes", "kanmon_tls_handshakes_total",
        "kanmon_tls_handshake_failures_total",
        "kanmon_tls_certificate_not_after_timestamp_seconds", "kanmon_password_checks_total",
        "kanmon_password_queue_length", "kanmon_password_cache_hits_total",
        "kanmon_upstream_requests_total", "kanmon_upstream_request_duration_seconds_bucket",
        "kanmon_upstream_scrape_ok", "kanmon_body_bytes_total", "kanmon_samples_total",
        "kanmon_label_conflicts_total", "kanmon_audit_records_total",
        "kanmon_audit_failures_total", "kanmon_config_last_reload_successful",
        "kanmon_config_last_reload_success_timestamp_seconds", "process_cpu_seconds_total",
        "process_open_fds", "process_max_fds", "process_virtual_memory_bytes",
        "process_resident_memory_bytes", "process_start_time_seconds", "process_threads",
    ]

    @Test func `every promised metric is there before anything has happened`() throws {
        let gate = try AdministeredGate(
            upstream: try freePort(),
            settings: "auth: {users_file: htpasswd, users: {prom: {groups: [{job: nightly}]}}}")
        let samples = try gate.metrics()
        let names = Set(samples.keys.map { String($0.prefix { $0 != "{" }) })
        for name in Self.promised { #expect(names.contains(name), "\(name)") }
        #expect(samples["kanmon_pushes_total{push_job=\"nightly\"}"] == 0)
        #expect(
            samples["kanmon_last_accepted_push_timestamp_seconds{push_job=\"nightly\"}"] == 0)
        #expect(samples["kanmon_refusals_total{reason=\"wrong_credentials\"}"] == 0)
        let labels = samples.keys.joined()
        #expect(!labels.contains(/[{,](job|instance)=/))
    }

    @Test func `promtool finds nothing to say, whatever the jobs are called`() throws {
        let promtool = try #require(Programs.promtool, "prometheus is not installed")
        let pushgateway = try Pushgateway()
        let gate = try AdministeredGate(upstream: pushgateway.port)
        for job in ["plain", "a%22b%5Cc", "%E9%96%A2%E9%96%80", "a%20b%7B%7D", "(other)"] {
            #expect(try gate.gate.send("POST", "/metrics/job/\(job)", body: "a 1\n").status == 200)
        }
        _ = try gate.gate.send("POST", "/metrics/job/x", body: "a\n")
        let page = try gate.ask("/metrics").body
        let checked = try run(promtool, ["check", "metrics"], input: page)
        #expect(
            checked.status == 0 && checked.output.isEmpty && checked.errors.isEmpty, "\(checked)")
        #expect(page.contains("push_job=\"a\\\"b\\\\c\""), "\(page)")
        #expect(page.contains("push_job=\"関門\""))
    }

    @Test func `an accepted push shows in every metric it concerns`() throws {
        let pushgateway = try Pushgateway()
        let gate = try AdministeredGate(upstream: pushgateway.port)
        let began = Date().timeIntervalSince1970
        let growth = try gate.growth(until: "kanmon_samples_total") {
            let answer = try gate.gate.send("PUT", "/metrics/job/x", body: "a 1\nb 2\n")
            #expect(answer.status == 200)
        }
        for (sample, expected) in [
            "kanmon_pushes_total{push_job=\"x\"}": 1.0, "kanmon_samples_total": 2,
            "kanmon_body_bytes_total": 8, "kanmon_push_duration_seconds_count": 1,
            "kanmon_push_duration_seconds_bucket{le=\"+Inf\"}": 1,
            "kanmon_http_requests_total{code=\"200\",method=\"put\"}": 1,
            "kanmon_tls_handshakes_total{version=\"TLS13\"}": 1,
            "kanmon_password_checks_total{result=\"right\"}": 1,
            "kanmon_password_cache_hits_total": 0,
            "kanmon_upstream_requests_total{code=\"200\"}": 1,
            "kanmon_upstream_request_duration_seconds_count": 1,
            "kanmon_label_conflicts_total": 0,
        ] { #expect(growth[sample] == expected, "\(sample)") }
        #expect(
            growth.filter { $0.key.hasPrefix("kanmon_refusals_total") }.values.allSatisfy {
                $0 == 0
            })
        let time = try #require(
            try gate.metrics()["kanmon_last_accepted_push_timestamp_seconds{push_job=\"x\"}"])
        #expect((began - 1...Date().timeIntervalSince1970 + 1).contains(time))

        // The second needs no bcrypt; a deletion is no push.
        let more = try gate.growth(
            until: "kanmon_http_requests_total{code=\"202\",method=\"delete\"}"
        ) { () throws in
            #expect(try gate.gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
            #expect(try gate.gate.send("DELETE", "/metrics/job/x").status == 202)
        }
        #expect(more["kanmon_password_cache_hits_total"] == 2)
        #expect(more["kanmon_password_checks_total{result=\"right\"}"] == 0)
        #expect(more["kanmon_pushes_total{push_job=\"x\"}"] == 1)
        #expect(more["kanmon_upstream_requests_total{code=\"202\"}"] == 1)
    }

    /// A request that is refused: how, and with which word.
    struct Refused: Sendable {
        let method: String
        let path: String
        var body: String?
        var login: String? = "prom:secret"
        let status: Int
        let reason: String
    }

    static let refused = [
        Refused(method: "GET", path: "/", status: 404, reason: "not_found"),
        Refused(method: "PATCH", path: "/metrics/job/x", status: 405, reason: "method_not_allowed"),
        Refused(
            method: "POST", path: "/metrics/job/x", body: "a 1\n", login: nil, status: 401,
            reason: "credentials_missing"),
        Refused(
            method: "POST", path: "/metrics/job/x", body: "a 1\n", login: "prom:wrong", status: 401,
            reason: "wrong_credentials"),
        Refused(
            method: "POST", path: "/metrics/job/%FF", body: "a 1\n", status: 400,
            reason: "grouping_key_malformed"),
        Refused(
            method: "POST", path: "/metrics/job/other", body: "a 1\n", status: 403,
            reason: "access_refused"),
        Refused(
            method: "POST", path: "/metrics/job/x", body: "a b\n", status: 400,
            reason: "body_invalid"),
        Refused(
            method: "POST", path: "/metrics/job/x", body: "", status: 400, reason: "body_empty"),
        Refused(
            method: "POST", path: "/metrics/job/x", body: "a 1\n", status: 503,
            reason: "upstream_unreachable"),
    ]

    @Test func `each refusal is counted once, by its reason and its status`() throws {
        let gate = try AdministeredGate(
            upstream: try freePort(),
            settings: "auth: {users_file: htpasswd, users: {prom: {groups: [{job: x}]}}}")
        for refused in Self.refused {
            let reason = "kanmon_refusals_total{reason=\"\(refused.reason)\"}"
            let method = refused.method == "PATCH" ? "other" : refused.method.lowercased()
            let request =
                "kanmon_http_requests_total{code=\"\(refused.status)\",method=\"\(method)\"}"
            let growth = try gate.growth(until: request) {
                let answer = try gate.gate.send(
                    refused.method, refused.path, body: refused.body, login: refused.login)
                #expect(answer.status == refused.status, "\(refused): \(answer)")
            }
            let moved = growth.filter { $0.value != 0 }.keys.filter {
                $0.hasPrefix("kanmon_refusals") || $0.hasPrefix("kanmon_http_requests")
            }
            #expect(Set(moved) == [reason, request], "\(refused)")
            #expect(growth[reason] == 1 && growth[request] == 1, "\(refused)")
        }
        #expect(try gate.metrics()["kanmon_password_checks_total{result=\"wrong\"}"] == 1)
        #expect(try gate.metrics()["kanmon_upstream_requests_total{code=\"none\"}"] == 1)
        #expect(try gate.metrics()["kanmon_samples_total"] == 0)
    }

    @Test func `an address that is not allowed is counted, and shown with how often it came`()
        throws
    {
        let gate = try AdministeredGate(upstream: try freePort(), settings: "allow: [127.0.0.2]")
        for _ in 0..<3 {
            let socket = try BlockingSocket(port: gate.gate.port)
            #expect(socket.receiveAll().isEmpty)
        }
        #expect(try gate.metrics()["kanmon_connections_refused_total"] == 3)
        let status = try gate.status()
        let addresses = try #require(status["refused_addresses"] as? [[String: Any]])
        #expect(addresses.count == 1 && addresses.first?["from"] as? String == "127.0.0.1")
        #expect(addresses.first?["count"] as? Int == 3)
    }

    @Test func `a handshake that fails is counted by what was wrong`() throws {
        let curl = try #require(Programs.curl)
        let gate = try AdministeredGate(
            upstream: try freePort(),
            settings: "tls: {cert_file: tls.crt, key_file: tls.key, min_version: TLS13}")
        let url = "https://localhost:\(gate.gate.port)/healthz"
        let failures: [(reason: String, attempt: () throws -> Void)] = [
            ("not_tls", { _ = try run(curl, ["-s", "http://127.0.0.1:\(gate.gate.port)/"]) }),
            ("version", { _ = try run(curl, ["-sk", "--tls-max", "1.2", url]) }),
            ("certificate_not_trusted", { _ = try run(curl, ["-s", url]) }),
            ("peer_gone", { _ = try BlockingSocket(port: gate.gate.port) }),
        ]
        for (reason, attempt) in failures {
            let sample = "kanmon_tls_handshake_failures_total{reason=\"\(reason)\"}"
            let growth = try gate.growth(until: sample, of: attempt)
            let moved = growth.filter { $0.value != 0 && $0.key.hasPrefix("kanmon_tls_handshake") }
            #expect(moved == [sample: 1], "\(reason): \(moved)")
        }
    }

    @Test func `connections are counted by what they do, and all of them go again`() throws {
        let fake = try FakePushgateway { connection, _ in
            _ = connection.request()
            sleep(4)
            connection.answer(FakeConnection.ok)
        }
        let gate = try AdministeredGate(upstream: fake.port, settings: "workers: 2")
        let state = { (name: String) in "kanmon_connections{state=\"\(name)\"}" }
        let growth = try gate.growth(until: state("active")) {
            let idle = try gate.gate.connect()
            #expect(try idle.send("GET", "/healthz", login: nil).status == 200)
            let silent = try BlockingSocket(port: gate.gate.port)
            let busy = try gate.gate.connect()
            try busy.send(TestClient.request("POST", "/metrics/job/x", body: "a 1\n"))
            usleep(500_000)
            let now = try gate.metrics()
            #expect(now[state("active")] == 1 && now[state("idle")] == 1, "\(now)")
            #expect(now[state("handshaking")] == 1)
            #expect(try busy.answer().status == 200)
            // The answer is with the client a moment before its worker has counted that.
            var later = try gate.metrics()
            for _ in 0..<20 where later[state("active")] != 0 {
                usleep(50_000)
                later = try gate.metrics()
            }
            #expect(later[state("active")] == 0 && later[state("idle")] == 2, "\(later)")
            _ = (idle, silent)
        }
        _ = growth
        let end = Date().addingTimeInterval(10)
        var left = try gate.metrics()
        while Date() < end,
            ["active", "idle", "handshaking", "closing"].contains(where: { left[state($0)] != 0 })
        {
            usleep(50_000)
            left = try gate.metrics()
        }
        for name in ["active", "idle", "handshaking", "closing"] {
            #expect(left[state(name)] == 0, "\(name)")
        }
    }

    @Test func `labels that are overwritten, and pushes the Pushgateway refuses, are counted`()
        throws
    {
        let pushgateway = try Pushgateway()
        let gate = try AdministeredGate(
            upstream: pushgateway.port, settings: "label_conflicts: overwrite")
        let growth = try gate.growth(until: "kanmon_upstream_refused_pushes_total") { () throws in
            let body = "a{job=\"y\"} 1\nb{job=\"z\"} 2\nc 3\n"
            #expect(try gate.gate.send("POST", "/metrics/job/x", body: body).status == 200)
            let summary = "# TYPE s summary\ns_sum 1\n"
            #expect(try gate.gate.send("POST", "/metrics/job/s", body: summary).status == 200)
            #expect(try gate.gate.send("POST", "/metrics/job/t", body: "s_sum 1\n").status == 400)
        }
        #expect(growth["kanmon_label_conflicts_total"] == 2)
        #expect(growth["kanmon_upstream_refused_pushes_total"] == 1)
        #expect(growth["kanmon_upstream_requests_total{code=\"400\"}"] == 1)
    }

    @Test func `what is written to the audit trail is counted, and shown`() throws {
        let pushgateway = try Pushgateway()
        let gate = try AdministeredGate(
            upstream: pushgateway.port, settings: "audit: {file: audit.jsonl}")
        let growth = try gate.growth(until: "kanmon_audit_records_total") { () throws in
            #expect(try gate.gate.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        }
        #expect(growth["kanmon_audit_records_total"] == 1)
        #expect(growth["kanmon_audit_failures_total"] == 0)
        let audit = try #require(try gate.status()["audit"] as? [String: Any])
        #expect(audit["kept"] as? Bool == true && audit["records"] as? Int == 1)
    }

    // MARK: Jobs

    @Test func `jobs have labels up to the bound, and all others share one`() throws {
        let pushgateway = try Pushgateway()
        let gate = try AdministeredGate(
            upstream: pushgateway.port,
            settings: """
                limits: {job_labels_max: 2}
                auth: {users_file: htpasswd, users: {prom: {groups: [{job: named}, {job: "*"}]}}}
                """)
        let client = try gate.gate.connect()
        for job in ["a", "b", "c", "d", "named", "a", "c", "(other)"] {
            #expect(try client.send("POST", "/metrics/job/\(job)", body: "a 1\n").status == 200)
        }
        let pushes = try gate.metrics().filter { $0.key.hasPrefix("kanmon_pushes_total") }
        let label = { (job: String) in "kanmon_pushes_total{push_job=\"\(job)\"}" }
        #expect(
            pushes == [label("named"): 1, label("a"): 2, label("b"): 1, label("(other)"): 4],
            "\(pushes)")
    }

    @Test func `a gate that starts anew knows when each job was last pushed`() throws {
        let pushgateway = try Pushgateway()
        let began = Date().timeIntervalSince1970
        try pushgateway.push("/metrics/job/nightly", body: "a 1\n")
        try pushgateway.push("/metrics/job/nightly/instance/b", body: "a 1\n")
        let gate = try AdministeredGate(upstream: pushgateway.port)
        let sample = "kanmon_last_accepted_push_timestamp_seconds{push_job=\"nightly\"}"
        let end = Date().addingTimeInterval(15)
        while try gate.metrics()[sample] == nil, Date() < end { usleep(50_000) }
        let time = try #require(try gate.metrics()[sample])
        #expect((began - 1...Date().timeIntervalSince1970 + 1).contains(time))
        #expect(try gate.metrics()["kanmon_pushes_total{push_job=\"nightly\"}"] == 0)
    }

    @Test func `a reload makes newly named jobs visible`() throws {
        let gate = try AdministeredGate(upstream: try freePort())
        let text = String(decoding: gate.gate.folder.read("kanmon.yml"), as: UTF8.self)
        gate.gate.folder.write(
            "kanmon.yml",
            text.replacing(
                "auth: {users_file: htpasswd}",
                with: "auth: {users_file: htpasswd, users: {prom: {groups: [{job: fresh}]}}}"))
        #expect(try gate.ask("/-/reload", method: "POST").status == 200)
        #expect(
            try gate.metrics()["kanmon_last_accepted_push_timestamp_seconds{push_job=\"fresh\"}"]
                == 0)
    }

    // MARK: Under load

    @Test(arguments: [1, 2])
    func `scrapes and pushes at the same time are all answered, and every push is counted`(
        workers: Int
    ) throws {
        let pushgateway = try Pushgateway()
        let gate = try AdministeredGate(upstream: pushgateway.port, settings: "workers: \(workers)")
        let pushers = 4
        let pushesEach = 25
        let failures = FailureCount()
        let group = DispatchGroup()
        for number in 0..<pushers {
            group.enter()
            Thread.detachNewThread {
                defer { group.leave() }
                do {
                    let client = try gate.gate.connect()
                    for _ in 0..<pushesEach {
                        let answer = try client.send(
                            "POST", "/metrics/job/p\(number)", body: "a 1\n")
                        if answer.status != 200 { failures.add() }
                        usleep(50_000)
                    }
                } catch {
                    failures.add()
                }
            }
        }
        usleep(100_000)
        var scrapes = 0
        while group.wait(timeout: .now()) == .timedOut {
            #expect(try gate.ask("/metrics").status == 200)
            #expect(try gate.ask("/-/status").status == 200)
            scrapes += 1
        }
        #expect(failures.count == 0 && scrapes > 5)
        let samples = try gate.metrics()
        for number in 0..<pushers {
            #expect(samples["kanmon_pushes_total{push_job=\"p\(number)\"}"] == Double(pushesEach))
        }
        #expect(
            samples["kanmon_http_requests_total{code=\"200\",method=\"post\"}"]
                == Double(pushers * pushesEach))
        #expect(samples["kanmon_push_duration_seconds_count"] == Double(pushers * pushesEach))
    }
}

/// Failures that several threads may report.
final class FailureCount: Sendable {
    private let failures = Mutex(0)
    var count: Int { failures.withLock { $0 } }
    func add() { failures.withLock { $0 += 1 } }
}
