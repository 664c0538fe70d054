import Foundation
import Testing

/// What the Pushgateway will not have beside what it holds.
@Suite struct ConflictTests {
    let pushgateway: Pushgateway
    let gate: Gate

    init() throws {
        pushgateway = try Pushgateway()
        gate = try Gate(upstream: pushgateway.port)
    }

    @Test(arguments: [
        ("# TYPE x counter\nx{secret=\"s\"} 1\n", "# TYPE x gauge\nx 1\n", "another type"),
        ("# TYPE x summary\nx_sum{secret=\"s\"} 1\n", "x_sum 1\n", "another name"),
        ("# TYPE x histogram\nx_sum{secret=\"s\"} 1\n", "x_bucket 1\n", "another name"),
    ])
    func `a push that clashes with another group is told so, and nothing of that group`(
        first: String, second: String, text: String
    ) throws {
        #expect(try gate.send("POST", "/metrics/job/one", body: first).status == 200)
        let answer = try gate.send("POST", "/metrics/job/two", body: second)
        #expect(answer.status == 400)
        #expect(answer.body.hasPrefix("the Pushgateway refused the push: "), "\(answer)")
        #expect(answer.body.contains(text), "\(answer)")
        #expect(!answer.body.contains("secret") && !answer.body.contains("label:"), "\(answer)")
        #expect(gate.log(holding: "reason=upstream_refused") != nil)
        // The operator sees all of it.
        #expect(gate.log(holding: "said=\"pushed metrics are invalid or inconsistent") != nil)
    }

    @Test func `when the Pushgateway is broken already, nobody is blamed for it`() throws {
        #expect(try gate.send("POST", "/metrics/job/one", body: "x 1\n").status == 200)
        try pushgateway.push("/metrics/job/one/instance@base64/=", body: "y 1\n")
        #expect(try pushgateway.get("/metrics").status == 500)
        let answer = try gate.send("POST", "/metrics/job/two", body: "z 1\n")
        #expect(answer.status == 400)
        #expect(answer.body.contains("it is not this push"), "\(answer)")
    }
}
