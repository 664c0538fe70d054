import Foundation
import Testing

/// What a client is told when its request is refused, and that the Pushgateway never hears of it.
@Suite struct RefusalTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let name: String
        let request: String
        let status: Int
        /// What the log calls the reason.
        let word: String
        let text: String
        var fields: [String: String] = [:]
        /// Does the connection end? Where the next request begins is not known then.
        var isLast = false

        init(
            _ name: String, _ method: String, _ path: String, body: String? = nil,
            login: String? = "prom:secret", with more: [String] = [], gets status: Int,
            _ word: String,
            _ text: String,
            fields: [String: String] = [:], isLast: Bool = false
        ) {
            (self.name, self.status, self.word, self.text) = (name, status, word, text)
            (self.fields, self.isLast) = (fields, isLast)
            request = TestClient.request(method, path, body: body, login: login, fields: more)
        }

        var testDescription: String { name }
    }

    static let unauthorized = ["www-authenticate": "Basic realm=\"kanmon\", charset=\"UTF-8\""]
    static let push = "/metrics/job/refused"

    static let cases: [Case] = [
        Case(
            "a path that is no push", "POST", "/metrics", body: "a 1\n", gets: 404, "not_found",
            "nothing is here"),
        Case(
            "the Pushgateway's own paths", "PUT", "/api/v1/admin/wipe", body: "", gets: 404,
            "not_found",
            "nothing is here"),
        Case(
            "another case of letters", "POST", "/Metrics/job/a", body: "a 1\n", gets: 404,
            "not_found",
            "nothing is here"),
        Case(
            "an encoded route", "POST", "/metrics%2Fjob/a", body: "a 1\n", gets: 404, "not_found",
            "nothing is here"),
        Case(
            "a GET of a group", "GET", push, gets: 405, "method_not_allowed", "method",
            fields: ["allow": "DELETE, POST, PUT"]),
        Case(
            "a POST to health", "POST", "/healthz", body: "", login: nil, gets: 405,
            "method_not_allowed", "method",
            fields: ["allow": "GET, HEAD"]),
        Case(
            "no login", "POST", push, body: "a 1\n", login: nil, gets: 401, "credentials_missing",
            "user name and a password", fields: unauthorized),
        Case(
            "a login that is none", "POST", push, body: "a 1\n", login: nil,
            with: ["Authorization: Bearer x"], gets: 401, "credentials_missing",
            "user name and a password",
            fields: unauthorized),
        Case(
            "a wrong password", "POST", push, body: "a 1\n", login: "prom:wrong", gets: 401,
            "wrong_credentials",
            "user name or password is wrong", fields: unauthorized),
        Case(
            "an unknown user", "POST", push, body: "a 1\n", login: "nobody:secret", gets: 401,
            "wrong_credentials",
            "user name or password is wrong", fields: unauthorized),
        Case(
            "a password over 72 bytes", "POST", push, body: "a 1\n",
            login: "prom:" + String(repeating: "x", count: 73), gets: 401, "wrong_credentials",
            "user name or password is wrong", fields: unauthorized),
        Case(
            "a bad path and no login", "POST", "/metrics/job/%FF", body: "a 1\n", login: nil,
            gets: 401, "credentials_missing", "user name and a password"),
        Case(
            "a job that is not UTF-8", "POST", "/metrics/job/%FF", body: "a 1\n", gets: 400,
            "grouping_key_malformed", "UTF-8"
        ),
        Case(
            "a job that is not UTF-8 in base64", "POST", "/metrics/job@base64/_w", body: "a 1\n",
            gets: 400, "grouping_key_malformed", "UTF-8"),
        Case(
            "bad base64", "POST", "/metrics/job@base64/!!", body: "a 1\n", gets: 400,
            "grouping_key_malformed", "base64"),
        Case(
            "an encoded slash", "POST", "/metrics/job/a%2Fb", body: "a 1\n", gets: 400,
            "grouping_key_malformed", "%2F"),
        Case(
            "an odd number of parts", "POST", "/metrics/job/a/instance", body: "a 1\n", gets: 400,
            "grouping_key_malformed",
            "value"),
        Case(
            "a dot segment", "POST", "/metrics/job/../x", body: "a 1\n", gets: 400,
            "grouping_key_malformed", "base64"),
        Case(
            "an empty segment", "POST", "/metrics/job//x", body: "a 1\n", gets: 400,
            "grouping_key_malformed", "//"),
        Case(
            "a label given twice", "POST", "/metrics/job/a/l/1/l/2", body: "a 1\n", gets: 400,
            "grouping_key_malformed",
            "twice"),
        Case("a query", "POST", push + "?x=1", body: "a 1\n", gets: 400, "query_given", "no query"),
        Case(
            "no length", "POST", push, gets: 411, "length_missing", "Content-Length", isLast: true),
        Case(
            "an unknown encoding", "POST", push, body: "a 1\n", with: ["Content-Encoding: br"],
            gets: 415, "encoding_unknown", "Content-Encoding",
            fields: ["accept-encoding": "gzip, identity"]),
        Case(
            "two encodings", "POST", push, body: "a 1\n", with: ["Content-Encoding: gzip, gzip"],
            gets: 415, "encoding_unknown", "Content-Encoding"),
        Case(
            "text that says it is gzip", "POST", push, body: "a 1\n",
            with: ["Content-Encoding: gzip"], gets: 400, "gzip_malformed", "gzip"),
        Case(
            "no byte that says it is gzip", "POST", push, body: "",
            with: ["Content-Encoding: gzip"], gets: 400, "gzip_malformed", "too early"),
        Case(
            "a label that says something else than the path", "POST", push,
            body: "a{job=\"another\"} 1\n", gets: 400, "body_invalid", "job"),
        Case(
            "text that says it is protobuf", "POST", push, body: "a 1\n",
            with: [
                "Content-Type: application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
            ], gets: 400, "body_invalid", "this is text"),
        Case(
            "a body over the limit", "POST", push, with: ["Content-Length: 4194305"], gets: 413,
            "body_too_large",
            "larger", isLast: true),
        Case("an empty POST", "POST", push, body: "", gets: 400, "body_empty", "no sample"),
        Case(
            "a body of comments", "POST", push, body: "# nothing\n", gets: 400, "body_empty",
            "no sample"),
        Case(
            "a value that is no number", "POST", push, body: "ok 1\na b\n", gets: 400,
            "body_invalid",
            "line 2, column 3"),
        Case(
            "a body without its last line feed", "POST", push, body: "a 1", gets: 400,
            "body_invalid", "hint"),
        Case(
            "a timestamp", "POST", push, body: "a 1 1000\n", gets: 400, "body_invalid", "timestamp"),
        Case(
            "a DELETE with a body", "DELETE", push, body: "a 1\n", gets: 400, "body_not_expected",
            "no body",
            isLast: true),
        Case(
            "two lengths", "POST", push, body: "a 1\n", with: ["Content-Length: 5"], gets: 400,
            "head_malformed",
            "Content-Length", isLast: true),
        Case(
            "length and chunks", "POST", push, body: "a 1\n", with: ["Transfer-Encoding: chunked"],
            gets: 400, "head_malformed", "Transfer-Encoding", isLast: true),
        Case(
            "an unknown transfer coding", "POST", push, with: ["Transfer-Encoding: gzip"],
            gets: 501, "head_malformed", "chunked", isLast: true),
        Case(
            "an unknown expectation", "POST", push, body: "a 1\n", with: ["Expect: 200-ok"],
            gets: 417, "head_malformed", "100-continue", isLast: true),
        Case(
            "a target over the limit", "POST",
            "/metrics/job/" + String(repeating: "a", count: 4096), body: "a 1\n", gets: 414,
            "head_malformed",
            "too long", isLast: true),
        Case(
            "a head over the limit", "POST", push, body: "a 1\n",
            with: ["X: " + String(repeating: "a", count: 8192)], gets: 431, "head_malformed",
            "too large",
            isLast: true),
        Case(
            "too many fields", "POST", push, body: "a 1\n", with: (0..<65).map { "X\($0): y" },
            gets: 431, "head_malformed", "too many", isLast: true),
    ]

    @Test(arguments: cases)
    func `the refusal has its status and a text, and the Pushgateway sees nothing`(refused: Case)
        throws
    {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let before = try pushgateway.pushRequests()
        let client = try gate.connect()
        try client.send(refused.request)
        let answer = try client.answer(to: String(refused.request.prefix { $0 != " " }))
        #expect(answer.status == refused.status, "\(answer)")
        #expect(answer.body.contains(refused.text), "\(answer)")
        #expect(answer.body.hasSuffix("\n") && answer.body.utf8.count > 10, "\(answer)")
        for (name, value) in refused.fields { #expect(answer.fields[name] == value) }
        #expect(answer.isLast == refused.isLast, "\(answer)")
        #expect(try pushgateway.pushRequests() == before)
        #expect(gate.log(holding: "reason=\(refused.word)") != nil)

        // And a good push goes through right afterwards, on the same connection where it is kept.
        let next = refused.isLast ? try gate.connect() : client
        #expect(try next.send("POST", "/metrics/job/good", body: "a 1\n").status == 200)
    }

    @Test(arguments: ["GET / HTTP/3.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
    func `another version of HTTP is 505`(request: String) throws {
        let gate = try Gate(upstream: try freePort())
        let client = try gate.connect()
        try client.send(request)
        #expect(try client.answer().status == 505)
        #expect(client.waitForEnd(within: 5).ended)
    }

    @Test func `twenty problems are shown, and the rest is counted`() throws {
        let gate = try Gate(upstream: try freePort())
        let answer = try gate.send(
            "POST", Self.push, body: String(repeating: "a b\n", count: 30))
        #expect(answer.status == 400)
        #expect(answer.body.contains("line 20, column 3"))
        #expect(!answer.body.contains("line 21, column 3"))
        #expect(answer.body.contains("and 10 more"))
    }

    @Test func `no more than a little of the body comes back, and nothing that steers a terminal`()
        throws
    {
        let gate = try Gate(upstream: try freePort())
        let answer = try gate.send(
            "POST", Self.push, body: "a \u{1B}[31m" + String(repeating: "x", count: 1000) + "\n")
        #expect(answer.status == 400)
        #expect(!answer.body.utf8.contains(0x1B))
        #expect(answer.body.utf8.count < 400)
        let lines = String(repeating: "a " + String(repeating: "z", count: 500) + "\n", count: 50)
        let many = try gate.send("POST", Self.push, body: lines)
        #expect(many.body.contains("line 20, column 3"))
        #expect(many.body.filter { $0 == "z" }.count <= 120)
    }

    @Test func `a refused body is not taken for the next request`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let client = try gate.connect()
        let smuggled = TestClient.request("POST", "/metrics/job/smuggled", body: "a 1\n")
        let outer = TestClient.request(
            "POST", "/metrics/job/outer", body: smuggled, login: "prom:wrong",
            fields: ["Expect: 100-continue"])
        try client.send(outer)
        #expect(try client.answer().status == 401)
        #expect(client.waitForEnd(within: 5) == (true, ""))
        #expect(try pushgateway.samples(of: "a").isEmpty)
    }

    @Test func `who asks for JSON gets a problem document`() throws {
        let gate = try Gate(upstream: try freePort())
        let answer = try gate.send(
            "POST", Self.push, body: "ok 1\na \"b\n\\ 1\n",
            fields: ["Accept: application/problem+json"])
        #expect(answer.status == 400)
        #expect(answer.fields["content-type"] == "application/problem+json")
        let problem = try #require(
            try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any])
        #expect(problem["title"] as? String == "Bad Request")
        #expect(problem["status"] as? Int == 400)
        #expect(problem["detail"] as? String == "the body is not what a Pushgateway takes")
        #expect(problem["reason"] as? String == "body_invalid")
        #expect(problem["request_id"] as? String == answer.fields["x-request-id"])
        #expect(problem["problems"] as? Int == 2)
        let errors = try #require(problem["errors"] as? [[String: Any]])
        #expect(errors.map { $0["line"] as? Int } == [2, 3])
        #expect(errors.map { $0["column"] as? Int } == [3, 1])
        #expect((errors[0]["message"] as? String)?.contains("\"b") == true)
        #expect(errors[0]["hint"] as? String == "write the number without quotes")

        let missing = try gate.send("GET", "/nothing", fields: ["Accept: application/json"])
        #expect(missing.body.hasPrefix("{\"title\":\"Not Found\",\"status\":404,"), "\(missing)")
        let text = try gate.send("GET", "/nothing", fields: ["Accept: */*"])
        #expect(text.fields["content-type"] == "text/plain; charset=utf-8")
    }

    @Test func `where no byte may be buffered any more it is 503 at once`() throws {
        let gate = try Gate(
            upstream: try freePort(),
            settings: "limits: {buffered_bytes_max: 1MiB, body_bytes_max: 1MiB}")
        // One push of a megabyte that has only begun holds all there is.
        let holder = try gate.connect()
        try holder.send(
            TestClient.request("POST", Self.push, fields: ["Content-Length: 1048576"]) + "a 1\n")
        #expect(gate.log(holding: "never", within: 0.3) == nil)
        let answer = try gate.send("POST", Self.push, body: "a 1\n")
        #expect(answer.status == 503)
        #expect(answer.fields["retry-after"] != nil)
        #expect(gate.log(holding: "reason=memory_short") != nil)
    }
}
