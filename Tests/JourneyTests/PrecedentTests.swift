import Foundation
import Testing

/// A client pushes what it pushed before, with other values, or almost. Whether a body was compared with
/// the one before or judged is nothing that anybody should notice.
@Suite struct `The push after a push` {
    private static let push = "/metrics/job/again/instance/a"

    /// Families of all kinds, and a label that every group but one contradicts.
    private static func body(_ value: Int, last: String? = nil) -> String {
        let gauges = (0..<40).map { "load{core=\"\($0)\",instance=\"a\"} \($0 * value)\n" }
        let histogram = "h_bucket{le=\"+Inf\"} \(value)\nh_sum \(value).5\nh_count \(value)\n"
        return "# TYPE h histogram\n" + histogram + gauges.joined() + "last \(last ?? "\(value)")\n"
    }
    private static let accepted = "accepted 44 samples in 3 families\n"

    @Test(arguments: ["POST", "PUT"])
    func `is counted and stored with its own values`(method: String) throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let clients = try (0..<2).map { _ in try gate.connect() }
        for value in [1, 22, 333, 4] {
            for client in clients {
                let answer = try client.send(method, Self.push, body: Self.body(value))
                #expect(answer.body == Self.accepted, "\(answer)")
                let stored = try pushgateway.samples(of: "last").joined()
                #expect(stored.hasSuffix(" \(value)"), "\(stored)")
            }
        }
    }

    @Test(arguments: [
        ("x", "line 45, column 6"),
        ("1 2", "line 45"), ("1e999", "line 45"), ("1\n1", "line 46"), ("1\nlast 2", "line 46"),
        ("1\nh_count{a=\"b\"} -1", "line 46"),
    ])
    func `with one fault is told the fault as if it were the first`(
        last: String, words: String
    ) throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let client = try gate.connect()
        let wrong = Self.body(7, last: last)
        let first = try client.send("POST", Self.push, body: wrong)
        #expect(first.status == 400 && first.body.contains(words), "\(first)")
        for _ in 0..<3 {
            #expect(try client.send("POST", Self.push, body: Self.body(3)).body == Self.accepted)
            let again = try client.send("POST", Self.push, body: wrong)
            #expect(again.status == 400)
            #expect(Self.complaints(of: again) == Self.complaints(of: first))
        }
        #expect(try pushgateway.samples(of: "last").joined().hasSuffix(" 3"))
    }

    /// All but what names the request.
    private static func complaints(of answer: Answer) -> [Substring] {
        answer.body.split(separator: "\n").filter { !$0.contains("request") }
    }

    /// A body that comes slowly follows one that others have replaced meanwhile.
    @Test(arguments: [("5", 200), ("x", 400)])
    func `may take its time while others push something else`(
        last: String, status: Int
    ) throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let (slow, quick) = (try gate.connect(), try gate.connect())
        for value in 1..<3 {
            #expect(
                try quick.send("POST", Self.push, body: Self.body(value)).body == Self.accepted)
        }
        let request = TestClient.request(
            "POST", Self.push, bytes: Array(Self.body(4, last: last).utf8), fields: [])
        try slow.send(Array(request.dropLast(200)))
        Thread.sleep(forTimeInterval: 0.2)
        for value in 1..<9 {
            let other = Self.body(value) + "more 1\n"
            #expect(try quick.send("POST", Self.push, body: other).status == 200)
        }
        try slow.send(Array(request.suffix(200)))
        let answer = try slow.answer()
        #expect(answer.status == status, "\(answer)")
        #expect(answer.body.contains(status == 200 ? Self.accepted : "line 45"), "\(answer)")
    }

    @Test func `to another group is judged by that group`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let client = try gate.connect()
        #expect(try client.send("POST", Self.push, body: Self.body(1)).status == 200)
        let answer = try client.send("POST", "/metrics/job/again/instance/b", body: Self.body(2))
        #expect(answer.status == 400 && answer.body.contains("instance"), "\(answer)")
        #expect(try client.send("POST", Self.push, body: Self.body(3)).body == Self.accepted)
    }

    @Test func `goes by the rules in force`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, settings: "limits: {series_max: 50}")
        let client = try gate.connect()
        #expect(try client.send("POST", Self.push, body: Self.body(1)).body == Self.accepted)
        gate.reconfigure("series_max: 50", "series_max: 43")
        #expect(gate.reload(expecting: "users=1"))
        let refused = try client.send("POST", Self.push, body: Self.body(2))
        #expect(refused.status == 400 && refused.body.contains("43"), "\(refused)")
        gate.reconfigure("series_max: 43", "series_max: 44")
        #expect(gate.reload(expecting: "users=1", times: 2))
        for value in 3..<5 {
            let answer = try client.send("POST", Self.push, body: Self.body(value))
            #expect(answer.body == Self.accepted, "\(answer)")
        }
    }

    @Test func `may come in chunks, in gzip, or be empty`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let client = try gate.connect()
        func send(_ bytes: [UInt8], _ fields: [String]) throws -> String {
            try client.send(TestClient.request("PUT", Self.push, bytes: bytes, fields: fields))
            return try client.answer().body
        }
        for value in 1..<5 {
            let body = Self.body(value)
            #expect(try send(Array(body.utf8), []) == Self.accepted)
            let gzip = try Bodies.compressed(Self.body(value * 1000))
            #expect(try send(gzip, [Bodies.gzipField]) == Self.accepted)
            try client.send(
                TestClient.request("PUT", Self.push, fields: ["Transfer-Encoding: chunked"]))
            for piece in Array(body.utf8).chunks(of: 7) {
                try client.send(Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece)
                try client.send("\r\n")
            }
            try client.send("0\r\n\r\n")
            #expect(try client.answer().body == Self.accepted)
            #expect(try pushgateway.samples(of: "last").joined().hasSuffix(" \(value)"))
        }
        #expect(try client.send("POST", Self.push, body: "").status == 400)
    }

    @Test func `counts the labels that are overwritten each time`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port, settings: "label_conflicts: overwrite")
        let client = try gate.connect()
        for value in 1..<4 {
            let answer = try client.send(
                "POST", "/metrics/job/again/instance/b", body: Self.body(value))
            #expect(answer.body == Self.accepted, "\(answer)")
        }
        gate.program.signal(SIGTERM)
        #expect(gate.log(holding: "label_conflicts=120 pushgateway_refused=0") != nil)
    }
}

extension [UInt8] {
    fileprivate func chunks(of size: Int) -> [[UInt8]] {
        stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
    }
}
