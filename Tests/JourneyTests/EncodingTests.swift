import Foundation
import Testing

/// A compressed body is undone and proven before anything of it reaches the Pushgateway.
@Suite struct EncodingTests {
    let pushgateway: Pushgateway
    let gate: Gate
    static let push = "/metrics/job/gzip"
    static let gzip = "Content-Encoding: gzip"

    init() throws {
        pushgateway = try Pushgateway()
        gate = try Gate(upstream: pushgateway.port)
    }

    private func compressed(_ text: String) throws -> [UInt8] { try Bodies.compressed(text) }

    private func samples(_ count: Int) -> String {
        (0..<count).map { "load{core=\"\($0)\"} \($0)\n" }.joined()
    }

    private func push(_ bytes: [UInt8], fields: [String] = [gzip]) throws -> Answer {
        let client = try gate.connect()
        try client.send(TestClient.request("PUT", Self.push, bytes: bytes, fields: fields))
        return try client.answer()
    }

    @Test(arguments: ["gzip", "GZIP", "Gzip"])
    func `a gzip body is accepted, and the Pushgateway gets it undone`(name: String) throws {
        let answer = try push(try compressed(samples(9)), fields: ["Content-Encoding: \(name)"])
        #expect(answer.body == "accepted 9 samples in 1 families\n", "\(answer)")
        #expect(try pushgateway.samples(of: "load").count == 9)
    }

    @Test func `it may come in chunks and byte by byte, in several members`() throws {
        let client = try gate.connect()
        let bytes = try compressed(samples(5)) + compressed("b 1\n")
        let fields = [Self.gzip, "Transfer-Encoding: chunked"]
        try client.send(TestClient.request("PUT", Self.push, fields: fields))
        for byte in bytes { try client.send(Array("1\r\n".utf8) + [byte] + Array("\r\n".utf8)) }
        try client.send("0\r\n\r\n")
        let answer = try client.answer()
        #expect(answer.body == "accepted 6 samples in 2 families\n", "\(answer)")
        #expect(try client.send("POST", Self.push, body: "c 3\n").status == 200)
    }

    @Test func `a body far larger than what is undone at once comes out whole`() throws {
        let answer = try push(try compressed(samples(40_000)))
        #expect(answer.body == "accepted 40000 samples in 1 families\n", "\(answer)")
        #expect(try pushgateway.samples(of: "load").count == 40_000)
    }

    @Test(arguments: [1, 4, 8, 9, 40])
    func `cut anywhere it is refused, and the group is as it was`(missing: Int) throws {
        #expect(try gate.send("PUT", Self.push, body: "kept 1\n").status == 200)
        let answer = try push(try compressed(samples(9)).dropLast(missing))
        #expect(answer.status == 400 && answer.body.contains("too early"), "\(answer)")
        #expect(gate.log(holding: "reason=gzip_malformed") != nil)
        #expect(try pushgateway.samples(of: "kept").count == 1)
        #expect(try pushgateway.samples(of: "load").isEmpty)
    }

    @Test(arguments: [(1, "length"), (5, "checksum")])
    func `a trailer that lies is refused`(fromEnd: Int, word: String) throws {
        var bytes = try compressed(samples(9))
        bytes[bytes.count - fromEnd] ^= 1
        let answer = try push(bytes)
        #expect(answer.status == 400 && answer.body.contains(word), "\(answer)")
        #expect(try pushgateway.samples(of: "load").isEmpty)
    }

    @Test func `something behind the last member is refused`() throws {
        let answer = try push(try compressed(samples(9)) + [0])
        #expect(answer.status == 400, "\(answer)")
        #expect(try pushgateway.pushRequests() == 0)
    }

    @Test func `a bomb is 413, and so is what is too large once undone`() throws {
        let bomb = try push(try compressed(String(repeating: "\n", count: 16 << 20)))
        #expect(bomb.status == 413 && bomb.body.contains("grows"), "\(bomb)")
        #expect(gate.log(holding: "reason=body_too_dense") != nil)
        let numbers = (0..<400_000).map { "# \($0 &* 7919) \($0)\n" }.joined()
        let large = try push(try compressed(numbers))
        #expect(large.status == 413 && large.body.contains("larger"), "\(large)")
        #expect(try gate.send("POST", Self.push, body: "a 1\n").status == 200)
    }

    @Test func `what is wrong in it is told as in any body`() throws {
        let answer = try push(try compressed("a 1\nb x\n"))
        #expect(answer.status == 400 && answer.body.contains("line 2, column 3"), "\(answer)")
    }

    @Test func `gzip without its header is named`() throws {
        let answer = try push(try compressed("a 1\n"), fields: [])
        #expect(answer.status == 400 && answer.body.contains("Content-Encoding: gzip"), "\(answer)")
    }

    @Test(arguments: [false, true])
    func `a body of protobuf messages goes on as it is, undone from gzip`(isCompressed: Bool) throws
    {
        let body =
            Bodies.family("load", type: .gauge, value: 0.5)
            + Bodies.family("runs_total", type: .counter, value: 7)
        let fields = [Bodies.protobufField] + (isCompressed ? [Self.gzip] : [])
        let answer = try push(isCompressed ? Bodies.gzip(body) : body, fields: fields)
        #expect(answer.body == "accepted 2 samples in 2 families\n", "\(answer)")
        #expect(try pushgateway.samples(of: "load") == ["load{instance=\"\",job=\"gzip\"} 0.5"])
        #expect(try pushgateway.get("/metrics").body.contains("# TYPE runs_total counter"))
    }

    @Test func `a protobuf body that is cut is refused, and the message named`() throws {
        let body = Bodies.family("load", type: .gauge, value: 0.5)
        let answer = try push(Array(body.dropLast()), fields: [Bodies.protobufField])
        #expect(answer.status == 400 && answer.body.contains("message 1, byte"), "\(answer)")
        #expect(try pushgateway.pushRequests() == 0)
    }

    @Test func `names beyond the old kind pass where the Pushgateway takes them`() throws {
        let fake = try FakePushgateway { connection, _ in
            while let request = connection.request() {
                let isWhole = request.hasSuffix("\r\n\r\n{\"http.requests\"} 1\n")
                connection.answer(isWhole ? FakeConnection.ok : "HTTP/1.1 500 Oops\r\n\r\n")
            }
        }
        let body = "{\"http.requests\"} 1\n"
        let upstream = "url: \"http://127.0.0.1:\(fake.port)\""
        let taking = try Gate(
            upstream: fake.port, settings: "upstream: {\(upstream), utf8_names: true}")
        #expect(try taking.send("POST", Self.push, body: body).status == 200)
        let refusing = try Gate(upstream: fake.port, settings: "upstream: {\(upstream)}")
        let answer = try refusing.send("POST", Self.push, body: body)
        #expect(answer.status == 400, "\(answer)")
        #expect(answer.body.contains("invalid metric name \"http.requests\""), "\(answer)")
    }
}
