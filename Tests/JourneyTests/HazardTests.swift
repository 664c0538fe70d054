import Foundation
import Testing

/// What one push can do to everybody's Pushgateway, and that through the gate it cannot. Each attempt
/// is made twice: to a bare Pushgateway, where the harm has to be seen, so that the second half means
/// something; and through the gate, after which somebody else pushes, the scrape works, and there is
/// no group that no accepted push made.
@Suite struct HazardTests {
    struct Attempt: Sendable {
        let method, path: String
        var body = Array("m 1\n".utf8)
        var fields: [String] = []
        /// What a bare Pushgateway answers.
        let bare: Int
        let gate: Verdict

        enum Verdict: Sendable {
            case accepted(Labels)
            /// 400, with this in its text.
            case refused(String)
        }

        init(
            _ method: String, _ path: String, _ body: String = "m 1\n", bare: Int, _ gate: Verdict
        ) {
            (self.method, self.path, self.bare, self.gate) = (method, path, bare, gate)
            self.body = Array(body.utf8)
        }

        init(_ path: String, message: [UInt8], bare: Int, _ gate: Verdict) {
            (method, self.path, self.bare, self.gate) = ("POST", path, bare, gate)
            (body, fields) = (message, [Bodies.protobufField])
        }
    }

    enum Harm: Sendable {
        /// Everybody's next push is 400, every scrape 500, and its health page says 200.
        case outage
        /// There is a group that nobody was told had been made.
        case groupOfNobody(Labels)
        /// The scrape has this line, which its reader takes for something else.
        case misleadingLine(String)
        /// This push of somebody else's, right by itself, is refused.
        case refusal(of: String)
    }

    struct Hazard: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let harm: Harm
        let attempts: [Attempt]

        init(_ name: String, _ harm: Harm, _ attempts: Attempt...) {
            (testDescription, self.harm, self.attempts) = (name, harm, attempts)
        }
    }

    private static let a: Labels = ["job": "a"]
    private static let first = Attempt("PUT", "/metrics/job/a", bare: 200, .accepted(a))
    private static let histogram = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_count 1\nh_sum 1\n"
    private static let summary = "# TYPE s summary\ns{quantile=\"0.5\"} 1\ns_count 1\ns_sum 1\n"
    private static let pushTimes = "the Pushgateway's own"

    static let hazards: [Hazard] = [
        Hazard(
            "an instance of no value beside none", .outage, first,
            Attempt("POST", "/metrics/job/a/instance/", bare: 400, .refused("last part is missing"))
        ),
        Hazard(
            "the same in base64", .outage, first,
            Attempt("POST", "/metrics/job/a/instance@base64/=", "n 1\n", bare: 400, .accepted(a))),
        Hazard(
            "the same in base64 without padding", .outage, first,
            Attempt(
                "PUT", "/metrics/job/a/instance@base64/", bare: 400,
                .refused("last part is missing"))),
        Hazard(
            "the same the other way round", .outage,
            Attempt("PUT", "/metrics/job/a/instance@base64/=", bare: 200, .accepted(a)),
            Attempt("PUT", "/metrics/job/a", bare: 400, .accepted(a))),
        Hazard(
            "the same beside other labels, without a sample", .outage,
            Attempt("PUT", "/metrics/job/a/l/x", bare: 200, .accepted(["job": "a", "l": "x"])),
            Attempt(
                "POST", "/metrics/job/a/instance@base64/=/l/x", "", bare: 400,
                .refused("holds no sample"))),
        Hazard(
            "a job that is not text", .outage,
            Attempt("PUT", "/metrics/job/%ff", bare: 400, .refused("UTF-8"))),
        Hazard(
            "the same in base64, without a sample", .outage,
            Attempt("POST", "/metrics/job@base64/_w", "", bare: 400, .refused("UTF-8"))),
        Hazard(
            "a label that is not text", .outage,
            Attempt("PUT", "/metrics/job/a/l/x%fe", bare: 400, .refused("UTF-8"))),
        Hazard(
            "an over-long form of a slash", .outage,
            Attempt("PUT", "/metrics/job/%c0%af", bare: 400, .refused("UTF-8"))),
        Hazard(
            "half a surrogate pair", .outage,
            Attempt("PUT", "/metrics/job/a/l/%ed%a0%80", bare: 400, .refused("UTF-8"))),
        Hazard(
            "the Pushgateway's own gauge as a counter", .outage, first,
            Attempt(
                "POST", "/metrics/job/a",
                "# TYPE push_failure_time_seconds counter\npush_failure_time_seconds 9\n",
                bare: 200, .refused(pushTimes))),
        Hazard(
            "the same in protobuf", .outage, first,
            Attempt(
                "/metrics/job/a",
                message: Bodies.family("push_failure_time_seconds", type: .counter, value: 9),
                bare: 200, .refused(pushTimes))),
        Hazard(
            "a refused push to a new group", .groupOfNobody(["job": "new"]),
            Attempt("POST", "/metrics/job/new", "m 1 1000\n", bare: 400, .refused("timestamp"))),
        Hazard(
            "a refused push of a reserved label", .groupOfNobody(["job": "new"]),
            Attempt("POST", "/metrics/job/new", "m{__x=\"1\"} 1\n", bare: 400, .refused("__x"))),
        Hazard(
            "a refused push of a series twice", .groupOfNobody(["job": "new"]),
            Attempt("POST", "/metrics/job/new", "m 1\nm 2\n", bare: 400, .refused("line 2"))),
        Hazard(
            "a refused push of a type that is taken", .groupOfNobody(["job": "new"]), first,
            Attempt(
                "POST", "/metrics/job/new", "# TYPE m counter\nm 1\n", bare: 400,
                .refused("in group job=a"))),
        Hazard(
            "a refused push of what the Pushgateway exports itself",
            .groupOfNobody(["job": "new"]),
            Attempt(
                "POST", "/metrics/job/new", "go_goroutines 1\n", bare: 400,
                .refused("go_goroutines"))),
        Hazard(
            "a group with the label of quantiles", .groupOfNobody(["job": "a", "quantile": "5"]),
            Attempt(
                "PUT", "/metrics/job/a/quantile/5", summary, bare: 400,
                .refused("label quantile"))),
        Hazard(
            "a group with the label of buckets",
            .misleadingLine("h_bucket{instance=\"\",job=\"a\",le=\"5\",le=\"1\"} 1"),
            Attempt("PUT", "/metrics/job/a/le/5", histogram, bare: 200, .refused("label le"))),
        Hazard(
            "any other label of no value beside none",
            .misleadingLine("m{instance=\"\",job=\"a\",l=\"\"} 1"), first,
            Attempt("PUT", "/metrics/job/a/l@base64/=", bare: 200, .accepted(a))),
        Hazard(
            "the same as a path's end",
            .misleadingLine("m{instance=\"\",job=\"a\",l=\"\"} 1"), first,
            Attempt("PUT", "/metrics/job/a/l/", bare: 200, .refused("last part is missing"))),
        Hazard(
            "a family without metrics", .refusal(of: "# TYPE e counter\ne 1\n"),
            Attempt(
                "/metrics/job/a", message: Bodies.family("e", type: .gauge), bare: 200,
                .refused("no value"))),
        Hazard(
            "the same behind one with metrics", .refusal(of: "# TYPE e counter\ne 1\n"),
            Attempt(
                "/metrics/job/a",
                message: Bodies.family("m", type: .gauge, value: 1)
                    + Bodies.family("e", type: .gauge), bare: 200, .refused("no value"))),
    ]

    @Test(arguments: hazards)
    func `a bare Pushgateway is harmed`(hazard: Hazard) throws {
        let pushgateway = try Pushgateway()
        for attempt in hazard.attempts {
            let answer = try pushgateway.push(
                attempt.path, bytes: attempt.body, method: attempt.method, fields: attempt.fields)
            #expect(answer.status == attempt.bare, "\(attempt.path): \(answer)")
        }
        if case .outage = hazard.harm {
            #expect(try pushgateway.push("/metrics/job/innocent", body: "i 1\n").status == 400)
            #expect(try pushgateway.get("/-/healthy").status == 200)
        }
        let scrape = try pushgateway.get("/metrics")
        switch hazard.harm {
        case .outage: #expect(scrape.status == 500)
        case .groupOfNobody(let labels):
            #expect(try pushgateway.groups().contains(labels))
            #expect(scrape.status == 200)
        case .misleadingLine(let line):
            #expect(scrape.status == 200)
            #expect(scrape.body.contains(line + "\n"), "\(scrape.body)")
        case .refusal(let body):
            // It goes through its groups in no order, and refuses when the guilty one comes first.
            let statuses = try (0..<40).map { _ in
                try pushgateway.push("/metrics/job/innocent", body: body).status
            }
            #expect(statuses.contains(400), "\(statuses)")
        }
    }

    @Test(arguments: hazards)
    func `one behind the gate is not`(hazard: Hazard) throws {
        let pushgateway = try Pushgateway()
        let gate = try HazardTests.gate(upstream: pushgateway.port)
        var groups: Set<Labels> = []
        for attempt in hazard.attempts {
            let client = try gate.connect()
            try client.send(
                TestClient.request(
                    attempt.method, attempt.path, bytes: attempt.body, fields: attempt.fields))
            let answer = try client.answer()
            switch attempt.gate {
            case .accepted(let labels):
                #expect(answer.status == 200, "\(attempt.path): \(answer)")
                groups.insert(labels)
            case .refused(let text):
                #expect(answer.status == 400, "\(attempt.path): \(answer)")
                #expect(answer.body.contains(text), "\(answer)")
            }
        }
        if case .refusal(let body) = hazard.harm {
            let answer = try gate.send("POST", "/metrics/job/e", body: body, login: "ops:secret")
            #expect(answer.status == 200, "\(answer)")
            groups.insert(["job": "e"])
        }
        try HazardTests.expectUnharmed(pushgateway, gate, groups: groups)
    }

    /// A gate with two users; whoever harms is `prom`, and `ops` knows nothing of him.
    static func gate(upstream: UInt16, _ settings: String = "") throws -> Gate {
        try Gate(
            upstream: upstream, settings: settings, users: AccessTests.users("prom", "ops"))
    }

    /// Somebody else is served as ever, and nothing is there but the groups of accepted pushes.
    static func expectUnharmed(
        _ pushgateway: Pushgateway, _ gate: Gate, groups: Set<Labels> = []
    ) throws {
        let answer = try gate.send(
            "POST", "/metrics/job/innocent", body: "i 1\n", login: "ops:secret")
        #expect(answer.status == 200, "\(answer)")
        let scrape = try pushgateway.get("/metrics")
        #expect(scrape.status == 200, "\(scrape.body)")
        #expect(scrape.body.contains("i{instance=\"\",job=\"innocent\"} 1\n"))
        #expect(!scrape.body.contains(/\bl=""/))
        #expect(try pushgateway.groups() == groups.union([["job": "innocent"]]))
        #expect(gate.program.isRunning && pushgateway.program.isRunning)
    }

    // MARK: What the Pushgateway exports itself

    @Test func `whatever it exports itself is refused with another type`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Self.gate(upstream: pushgateway.port)
        try Self.expectUnharmed(pushgateway, gate)  // After a push it exports all it ever will.
        let types = try pushgateway.get("/metrics").body
            .matches(of: /(?m)^# TYPE (\S+) (\S+)$/).map { (String($0.1), String($0.2)) }
            .filter { $0.0 != "i" }
        #expect(types.count > 30)
        let client = try gate.connect()
        for (name, type) in types {
            let other = type == "histogram" ? "summary" : "histogram"
            let answer = try client.send(
                "POST", "/metrics/job/own", body: "# TYPE \(name) \(other)\n\(name)_sum 1\n")
            #expect(answer.status == 400 && answer.body.contains(name), "\(answer)")
            guard type == "summary" else { continue }
            let part = try client.send("POST", "/metrics/job/own", body: "\(name)_count 1\n")
            #expect(part.status == 400 && part.body.contains(name), "\(part)")
        }
        #expect(try pushgateway.groups() == [["job": "innocent"]])
    }

    // MARK: Bad base64

    private static let loops: [(method: String, tail: String)] = [
        ("PUT", ""), ("POST", ""), ("PUT", "/a/b"), ("POST", "/a/b"), ("DELETE", ""),
        ("DELETE", "/a/b"),
    ]

    @Test(arguments: loops)
    func `after a job in bad base64 a bare Pushgateway answers nobody`(method: String, tail: String)
        throws
    {
        let pushgateway = try Pushgateway()
        let path = "/metrics/job@base64/"
        #expect(try pushgateway.push(path + "!!" + tail, body: "", method: method).status == 400)
        let next = try pushgateway.push(
            path + "YQ" + tail, bytes: [], method: method, within: 2)
        #expect(next.status == 0, "\(next)")
        #expect(try pushgateway.get("/-/healthy").status == 200)
    }

    @Test func `after a job in bad base64 one behind the gate answers as ever`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Self.gate(upstream: pushgateway.port)
        for (method, tail) in Self.loops {
            let body = method == "DELETE" ? "" : "m 1\n"
            let path = "/metrics/job@base64/"
            let answer = try gate.send(method, path + "!!" + tail, body: body)
            #expect(answer.status == 400 && answer.body.contains("base64"), "\(answer)")
            let status = method == "DELETE" ? 202 : 200
            #expect(try gate.send(method, path + "YQ" + tail, body: body).status == status)
            #expect(
                try pushgateway.push(
                    path + "YQ" + tail, bytes: Array(body.utf8), method: method, within: 5
                ).status == status)
        }
        // A deletion is queued.
        usleep(200_000)
        try Self.expectUnharmed(pushgateway, gate)
    }

    // MARK: Lengths that a message claims

    static let lengths: [UInt64] = [1 << 31, 1 << 35 - 1]

    @Test(arguments: lengths)
    func `a bare Pushgateway believes what a message says of its length`(length: UInt64) throws {
        let pushgateway = try Pushgateway(addressSpaceBytesMax: 3 << 30)
        let answer = try pushgateway.push(
            "/metrics/job/a", bytes: Bodies.varint(length), fields: [Bodies.protobufField])
        #expect(answer.status == 0)
        #expect(pushgateway.program.exitStatus(within: 10) == 2)
        #expect(pushgateway.program.output.contains("out of memory"))
    }

    @Test(arguments: lengths + [1 << 22, 5, 1 << 63])
    func `the gate compares what a message says of its length with the body`(length: UInt64) throws
    {
        let pushgateway = try Pushgateway(addressSpaceBytesMax: 3 << 30)
        let gate = try Self.gate(upstream: pushgateway.port)
        for fields in [[Bodies.protobufField], [Bodies.protobufField, Bodies.gzipField]] {
            let message = Bodies.varint(length)
            let client = try gate.connect()
            try client.send(
                TestClient.request(
                    "POST", "/metrics/job/a",
                    bytes: fields.count == 1 ? message : Bodies.gzip(message), fields: fields))
            let answer = try client.answer()
            #expect(answer.status == 400 && answer.body.contains("message"), "\(answer)")
        }
        try Self.expectUnharmed(pushgateway, gate)
    }

    // MARK: Bodies that are cut

    static let cuts: [(name: String, fields: [String], bytes: [UInt8])] = {
        let gzip = Bodies.gzip(Array("m 2\n".utf8))
        return [
            ("a length too long", ["Content-Length: 100"], Array("m 2\n".utf8)),
            ("chunks without an end", ["Transfer-Encoding: chunked"], Array("4\r\nm 2\n\r\n".utf8)),
            (
                "gzip without its trailer",
                [Bodies.gzipField, "Content-Length: \(gzip.count - 8)"], gzip.dropLast(8)
            ),
            (
                "gzip with half its trailer",
                [Bodies.gzipField, "Content-Length: \(gzip.count - 4)"], gzip.dropLast(4)
            ),
        ]
    }()

    private static let whole = "m 1\nkept 1\n"

    @Test(arguments: cuts)
    func `a body that was cut replaces a group of a bare Pushgateway`(
        name: String, fields: [String], bytes: [UInt8]
    ) throws {
        let pushgateway = try Pushgateway()
        try pushgateway.push("/metrics/job/a", body: Self.whole)
        let request = TestClient.request(
            "PUT", "/metrics/job/a", fields: fields + ["Connection: close"])
        #expect(try pushgateway.ask(Array(request.utf8) + bytes, isCut: true).status == 200)
        #expect(try pushgateway.samples(of: "kept").isEmpty)
    }

    @Test(arguments: cuts)
    func `a body that was cut replaces nothing behind the gate`(
        name: String, fields: [String], bytes: [UInt8]
    ) throws {
        let pushgateway = try Pushgateway()
        let gate = try Self.gate(upstream: pushgateway.port)
        #expect(try gate.send("PUT", "/metrics/job/a", body: Self.whole).status == 200)
        let client = try gate.connect()
        try client.send(
            Array(TestClient.request("PUT", "/metrics/job/a", fields: fields).utf8) + bytes)
        client.finishSending()
        let (ended, rest) = client.waitForEnd(within: 5)
        #expect(ended && !rest.contains("HTTP/1.1 2"), "\(rest)")
        #expect(try pushgateway.samples(of: "kept").count == 1)
        try Self.expectUnharmed(pushgateway, gate, groups: [Self.a])
    }

    // MARK: Bodies without bounds

    /// The limits, small, so that little suffices to pass them.
    static let small = """
        limits:
          body_bytes_max: 256KiB
          buffered_bytes_max: 512KiB
          inflate_ratio_max: 10
          body_timeout: 2s
          body_rate_min: {bytes_per_second: 1KiB, after: 1s}
        """

    /// A megabyte of nothing.
    private static let large = String(repeating: "#\n", count: 1 << 19)

    @Test func `a bare Pushgateway takes a body of any size, density and duration`() throws {
        let pushgateway = try Pushgateway()
        #expect(try pushgateway.push("/metrics/job/a", body: Self.large).status == 200)
        let dense = try Bodies.compressed(Self.large)
        #expect(dense.count < 4096)
        #expect(
            try pushgateway.push("/metrics/job/a", bytes: dense, fields: [Bodies.gzipField]).status
                == 200)
        let slow = try BlockingSocket(port: pushgateway.port)
        let request = TestClient.request(
            "PUT", "/metrics/job/slow", fields: ["Content-Length: 4", "Connection: close"])
        try slow.send(Array((request + "m ").utf8))
        sleep(4)
        try slow.send(Array("1\n".utf8))
        #expect(String(decoding: slow.receiveAll(), as: UTF8.self).hasPrefix("HTTP/1.1 200"))
    }

    @Test func `behind the gate each of them has its bound`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Self.gate(upstream: pushgateway.port, Self.small)
        // No more than a gate that has refused already reads on for the client's sake.
        let start = String(Self.large.prefix(40_000))
        let long = try gate.connect()
        try long.send(
            TestClient.request(
                "PUT", "/metrics/job/a", fields: ["Content-Length: \(Self.large.utf8.count)"])
                + start)
        #expect(try long.answer().status == 413)
        let client = try gate.connect()
        try client.send(
            TestClient.request(
                "PUT", "/metrics/job/a", bytes: try Bodies.compressed(Self.large),
                fields: [Bodies.gzipField]))
        #expect(try client.answer().status == 413)
        let chunked = try gate.connect()
        try chunked.send(
            TestClient.request("PUT", "/metrics/job/a", fields: ["Transfer-Encoding: chunked"])
                + "80000\r\n" + start)
        #expect(try chunked.answer().status == 413)
        let slow = try gate.connect()
        let began = Date()
        try slow.send(
            TestClient.request("PUT", "/metrics/job/a", fields: ["Content-Length: 4"]) + "m ")
        #expect(try slow.answer(within: 4).status == 408)
        #expect(Date().timeIntervalSince(began) < 4)
        try Self.expectUnharmed(pushgateway, gate)
    }

    @Test func `and so have all of them together`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Self.gate(upstream: pushgateway.port, Self.small)
        // One that stops half way through holds half of what there is; of the same address a second, that
        // would leave less to others than it has itself, is told so at once.
        let request = TestClient.request(
            "PUT", "/metrics/job/a", fields: ["Content-Length: \(250 << 10)"])
        let holding = try gate.connect()
        try holding.send(request + "m 1\n")
        usleep(300_000)
        let second = try gate.connect()
        try second.send(request)
        let answer = try second.answer()
        #expect(answer.status == 503 && answer.fields["retry-after"] != nil, "\(answer)")
        #expect(try holding.answer(within: 6).status == 408)
        try Self.expectUnharmed(pushgateway, gate)
    }

    // MARK: A Pushgateway that stands still

    @Test func `whoever pushes to a bare Pushgateway that stands still waits for ever`() throws {
        let pushgateway = try Pushgateway()
        pushgateway.program.signal(SIGSTOP)
        let request = Array(
            (TestClient.request(
                "PUT", "/metrics/job/a", body: "m 1\n",
                fields: [
                    "Connection: close"
                ])).utf8)
        let sockets = try (0..<20).map { _ in
            let socket = try BlockingSocket(port: pushgateway.port, within: 1)
            try socket.send(request)
            return socket
        }
        #expect(sockets[0].receive() == nil && sockets[19].receive() == nil)
        pushgateway.program.signal(SIGCONT)
        for socket in sockets {
            let answer = socket.receive() ?? []
            #expect(String(decoding: answer, as: UTF8.self).hasPrefix("HTTP/1.1 200"))
        }
    }

    @Test func `behind the gate he is told so, and few reach it at once`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Self.gate(
            upstream: pushgateway.port,
            """
            upstream:
              url: "\(pushgateway.url)"
              connections_max: 3
              first_byte_timeout: 1s
            """)
        try Self.expectUnharmed(pushgateway, gate)
        pushgateway.program.signal(SIGSTOP)
        let clients = try (0..<20).map { _ in try gate.connect() }
        let began = Date()
        for (number, client) in clients.enumerated() {
            try client.send(TestClient.request("PUT", "/metrics/job/s\(number)", body: "m 1\n"))
        }
        let statuses = try clients.map { try $0.answer(within: 8).status }
        #expect(Date().timeIntervalSince(began) < 6)
        #expect(Set(statuses).isSubset(of: [503, 504]), "\(statuses)")
        #expect(statuses.count { $0 == 503 } >= 10, "\(statuses)")
        pushgateway.program.signal(SIGCONT)
        // What had been sent may still be stored: 504 says so. What got 503 was not.
        let mayBe = (0..<20).filter { statuses[$0] == 504 }.map { ["job": "s\($0)"] }
        sleep(1)
        let groups = try pushgateway.groups().subtracting([["job": "innocent"]])
        #expect(groups.isSubset(of: Set(mayBe)))
        try Self.expectUnharmed(pushgateway, gate, groups: groups)
    }

    // MARK: Redirects and pages

    @Test(arguments: [
        ("/metrics/job/a//l/x", 301), ("/metrics/job//instance/x", 301), ("//metrics/job/a", 301),
        ("/metrics/job/./l/x", 301), ("/metrics/job/x/../a", 301), ("/metrics/JOB/a", 307),
        ("/metrics/job/", 307),
    ])
    func `a path that a bare Pushgateway redirects is refused`(path: String, status: Int) throws {
        let pushgateway = try Pushgateway()
        #expect(try pushgateway.push(path, body: "m 1\n").status == status)
        let gate = try Self.gate(upstream: pushgateway.port)
        let answer = try gate.send("PUT", path, body: "m 1\n")
        #expect(answer.status == 400 || answer.status == 404, "\(answer)")
        #expect(answer.fields["location"] == nil)
        try Self.expectUnharmed(pushgateway, gate)
    }

    @Test func `what a bare Pushgateway shows and does for everybody is not there`() throws {
        let pushgateway = try Pushgateway("--web.enable-lifecycle", "--web.enable-admin-api")
        let gate = try Self.gate(upstream: pushgateway.port)
        for path in [
            "/", "/status", "/metrics", "/debug/pprof/", "/debug/pprof/heap", "/api/v1/status",
            "/api/v1/metrics",
        ] {
            #expect(try pushgateway.get(path).status == 200, "\(path)")
            #expect(try gate.send("GET", path).status == 404, "\(path)")
        }
        try Self.expectUnharmed(pushgateway, gate)
        for path in ["/api/v1/admin/wipe", "/-/quit"] {
            #expect(try gate.send("PUT", path, body: "").status == 404, "\(path)")
        }
        try Self.expectUnharmed(pushgateway, gate)
        #expect(try pushgateway.push("/api/v1/admin/wipe", body: "").status == 202)
        #expect(try pushgateway.push("/-/quit", body: "").status == 200)
        #expect(pushgateway.program.exitStatus(within: 10) == 0)
    }
}
