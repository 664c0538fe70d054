import Foundation
import Testing

/// What a Pushgateway does wrong on the wire, which a real one cannot be made to do: what the client is told,
/// and that the next push succeeds.
@Suite struct UpstreamFaultTests {
    struct Fault: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let status: Int
        /// What stands in the answer, where it is not one that is tested elsewhere.
        let text: String?
        /// Does the next push use another connection?
        let needsNewConnection: Bool
        let misbehave: @Sendable (FakeConnection) -> Void

        init(
            _ name: String, gets status: Int, _ text: String? = nil,
            needsNewConnection: Bool = true,
            _ misbehave: @escaping @Sendable (FakeConnection) -> Void
        ) {
            (testDescription, self.status, self.text) = (name, status, text)
            self.needsNewConnection = needsNewConnection
            self.misbehave = misbehave
        }

        /// A whole request comes, and this goes back; the connection stays open.
        static func answer(
            _ name: String, _ answer: String, gets status: Int, _ text: String? = nil,
            needsNewConnection: Bool = true
        ) -> Fault {
            Fault(name, gets: status, text, needsNewConnection: needsNewConnection) { connection in
                _ = connection.request()
                connection.answer(answer)
            }
        }

        /// The same, and then the connection ends, with a reset or with a farewell.
        static func cut(_ name: String, after answer: String, isReset: Bool = false) -> Fault {
            Fault(name, gets: 502, "sending it again is safe") { connection in
                _ = connection.request()
                connection.answer(answer)
                usleep(100_000)
                if isReset { connection.reset() } else { connection.finish() }
            }
        }

        static func drip(_ name: String, _ text: String) -> Fault {
            Fault(name, gets: 504, "sending it again is safe") { connection in
                _ = connection.request()
                for character in text {
                    connection.answer(String(character))
                    usleep(50_000)
                }
            }
        }
    }

    private static let senseless = "makes no sense"
    private static let ok = "HTTP/1.1 200 OK\r\n"
    private static let many = String(repeating: "x", count: 66_000)

    static let endings: [Fault] = [
        .cut("a reset before any answer", after: "", isReset: true),
        .cut("a reset in the middle of the head", after: ok + "Content-Le", isReset: true),
        .cut(
            "a reset in the middle of the body", after: ok + "Content-Length: 9\r\n\r\nx",
            isReset: true),
        .cut("an end in the middle of the status line", after: "HTTP/1.1 20"),
        .cut("an end in the middle of the head", after: ok + "Content-Length: 0\r\n"),
        .cut("an end before the body is whole", after: ok + "Content-Length: 9\r\n\r\nx"),
        .cut(
            "an end in the middle of a chunk",
            after: ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nx"),
        .cut(
            "an end before the last chunk",
            after: ok + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"),
    ]

    static let slowness: [Fault] = [
        Fault("nothing at all", gets: 504, "sending it again is safe") { connection in
            _ = connection.request()
            sleep(4)
        },
        .drip("a head that comes a byte at a time", ok + String(repeating: "X-A: b\r\n", count: 9)),
        .drip(
            "a body that comes a byte at a time",
            ok + "Content-Length: 64\r\n\r\n" + many.prefix(63)),
    ]

    static let nonsense: [Fault] = [
        "HTTP/0.9 200 OK\r\n\r\n", "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 0 OK\r\n\r\n",
        "HTTP/1.1 999 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
        "\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{16}",
        ok + "Content-Length: 0\r\nX: a\u{0}b\r\n\r\n", ok + "Content-Length: 0\nX: a\r\n\r\n",
        ok + "X: a\r\n b\r\nContent-Length: 0\r\n\r\n", ok + "X : a\r\nContent-Length: 0\r\n\r\n",
        ok + "X: \(String(repeating: "y", count: 20_000))\r\n\r\n",
        ok + String(repeating: "X: y\r\n", count: 10_000) + "\r\n",
        ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        ok + "Content-Length: -1\r\n\r\n", ok + "Content-Length: +1\r\n\r\nx",
        ok + "Content-Length: 1, 1\r\n\r\nx", ok + "Content-Length: 0\r\nContent-Length: 0\r\n\r\n",
        ok + "Transfer-Encoding: gzip, chunked\r\n\r\n", ok + "Transfer-Encoding: identity\r\n\r\n",
        ok + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        ok + "Content-Length: 66000\r\n\r\n" + many,
        ok + "Transfer-Encoding: chunked\r\n\r\n101d0\r\n" + many + "\r\n0\r\n\r\n",
        ok + "\r\n" + many,
        "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
        String(repeating: "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", count: 50),
    ].enumerated().map { number, text in
        .answer(
            "nonsense \(number): \(text.prefix(60).debugDescription)", text, gets: 502, senseless)
    }

    private static func status(_ line: String) -> String {
        "HTTP/1.1 \(line)\r\nContent-Length: 0\r\nLocation: http://elsewhere/\r\n\r\n"
    }

    static let refusals: [Fault] = [
        .answer("302", status("302 Found"), gets: 502, "upstream.url", needsNewConnection: false),
        .answer("304", status("304 Not Modified"), gets: 502, needsNewConnection: false),
        .answer("307", status("307 Temporary Redirect"), gets: 502, needsNewConnection: false),
        .answer(
            "401", status("401 Unauthorized"), gets: 502, "does not let the gate in",
            needsNewConnection: false),
        .answer(
            "403", status("403 Forbidden"), gets: 502, "does not let the gate in",
            needsNewConnection: false),
        .answer(
            "429", status("429 Too Many Requests"), gets: 503, "too busy", needsNewConnection: false
        ),
        .answer(
            "503", status("503 Service Unavailable"), gets: 503, "too busy",
            needsNewConnection: false),
        .answer("507", status("507 Insufficient Storage"), gets: 502, needsNewConnection: false),
        .answer(
            "a complaint in an encoding",
            "HTTP/1.1 400 Bad Request\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\u{1F}\u{8}\u{1}\u{1}",
            gets: 400, needsNewConnection: false),
        Fault("an answer before the body was sent", gets: 502, "error of its own") { connection in
            connection.answer("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            usleep(300_000)
            connection.reset()
        },
    ]

    static let oddities: [Fault] = [
        .answer(
            "bytes behind the answer", FakeConnection.ok + "HTTP/1.1 500 No\r\n\r\n", gets: 200),
        .answer("an end instead of a length, HTTP/1.0", "HTTP/1.0 200 OK\r\n\r\n", gets: 504),
        .answer(
            "extensions and trailers",
            ok + "Transfer-Encoding: chunked\r\n\r\n2;a=\"b\"\r\nok\r\n0\r\nX: y\r\n\r\n",
            gets: 200,
            needsNewConnection: false),
        .answer(
            "an interim answer first",
            "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
                + FakeConnection.ok, gets: 200, needsNewConnection: false),
        .answer(
            "a farewell in the answer", ok + "Connection: close\r\nContent-Length: 0\r\n\r\n",
            gets: 200),
        .answer(
            "fields that are for nobody",
            ok + "Set-Cookie: a=b\r\nServer: x\r\nStrict-Transport-Security: max-age=1\r\n"
                + "X-Request-Id: forged\r\nContent-Length: 0\r\n\r\n", gets: 200,
            needsNewConnection: false),
    ]

    @Test(arguments: [endings, slowness, nonsense, refusals, oddities].flatMap(\.self))
    func `the client is told what is true, and the next push succeeds`(fault: Fault) throws {
        let fake = try FakePushgateway { connection, number in
            if number == 1 { fault.misbehave(connection) }
            while connection.request() != nil { connection.answer(FakeConnection.ok) }
        }
        let gate = try Gate(
            upstream: fake.port,
            settings: "upstream: {url: \"http://127.0.0.1:\(fake.port)\", "
                + "first_byte_timeout: 1s, timeout: 1s}")
        let client = try gate.connect()
        let answer = try client.send("PUT", "/metrics/job/x", body: "a 1\n")
        #expect(answer.status == fault.status, "\(answer)")
        if let text = fault.text { #expect(answer.body.contains(text), "\(answer)") }
        #expect(
            Set(answer.fields.keys).isSubset(of: [
                "date", "content-type", "content-length", "x-request-id", "retry-after",
                "cache-control", "x-content-type-options",
            ]), "\(answer)")
        #expect(answer.fields["x-request-id"] != "forged")
        #expect((answer.fields["retry-after"] != nil) == (fault.status == 503))
        #expect(try client.send("PUT", "/metrics/job/x", body: "a 2\n").status == 200)
        #expect(fake.connectionCount == (fault.needsNewConnection ? 2 : 1))
    }

    @Test func `a large push that is refused before all of it has come is told of it`() throws {
        let fake = try FakePushgateway { connection, number in
            guard number == 1 else {
                while connection.request() != nil { connection.answer(FakeConnection.ok) }
                return
            }
            // Reads nothing: what comes fills the kernel's buffers.
            connection.answer("HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            sleep(1)
            connection.reset()
        }
        let gate = try Gate(upstream: fake.port)
        let filler = String(repeating: "x", count: 1000)
        let body = (0..<3500).map { "m{l=\"\($0)\",f=\"\(filler)\"} 1\n" }.joined()
        let answer = try gate.send("PUT", "/metrics/job/x", body: body)
        #expect(answer.status == 502, "\(answer)")
        #expect(answer.body.contains("error of its own"), "\(answer)")
        #expect(try gate.send("PUT", "/metrics/job/x", body: body).status == 200)
    }

    @Test func `a Pushgateway that takes no connection is given up after connect_timeout`() throws {
        let full = try FullListener()
        let gate = try Gate(
            upstream: full.port,
            settings: "upstream: {url: \"http://127.0.0.1:\(full.port)\", connect_timeout: 300ms}")
        let began = Date()
        let answer = try gate.send("PUT", "/metrics/job/x", body: "a 1\n")
        #expect(answer.status == 503)
        #expect(answer.body.contains("cannot be reached"))
        #expect(Date().timeIntervalSince(began) < 10)
        let log = try #require(gate.log(holding: "reason=upstream_unreachable"))
        #expect(log.contains("timed out"))
    }

    @Test func `a TLS handshake that never ends is given up after connect_timeout`() throws {
        let fake = try FakePushgateway { _, _ in sleep(5) }
        let gate = try Gate(
            upstream: fake.port,
            settings: "upstream: {url: \"https://127.0.0.1:\(fake.port)\", connect_timeout: 300ms}")
        let answer = try gate.send("PUT", "/metrics/job/x", body: "a 1\n")
        #expect(answer.status == 503)
        #expect(gate.log(holding: "reason=upstream_unreachable")?.contains("timed out") == true)
    }

    @Test func `connections that wait for a push are looked after by the kernel`() throws {
        let fake = try FakePushgateway { connection, _ in
            while connection.request() != nil { connection.answer(FakeConnection.ok) }
        }
        let gate = try Gate(upstream: fake.port)
        #expect(try gate.send("PUT", "/metrics/job/x", body: "a 1\n").status == 200)
        // Another timer may run while something is on its way.
        let end = Date().addingTimeInterval(5)
        while TCPTable.connections(to: fake.port).first?.hasKeepAliveTimer != true, Date() < end {
            usleep(10_000)
        }
        #expect(TCPTable.connections(to: fake.port).map(\.hasKeepAliveTimer) == [true])
        #expect(try gate.send("PUT", "/metrics/job/x", body: "a 2\n").status == 200)
        #expect(fake.connectionCount == 1)
    }
}

/// A listener whose queue is full, so that the kernel drops what else wants to connect.
private final class FullListener {
    let port: UInt16
    private let listener: Int32
    private var queued: [Int32] = []

    init() throws {
        port = try freePort()
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let type = Int32(SOCK_STREAM.rawValue)
        listener = socket(AF_INET, type, 0)
        unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard unsafe bind(listener, address, size) == 0, listen(listener, 0) == 0 else {
                    return
                }
                for _ in 0..<4 {
                    let number = socket(AF_INET, type | Int32(SOCK_NONBLOCK.rawValue), 0)
                    _ = unsafe connect(number, address, size)
                    queued.append(number)
                }
            }
        }
        guard queued.count == 4 else {
            throw RunningProgram.CannotStart(description: "cannot listen: errno \(errno)")
        }
    }

    deinit { for number in queued + [listener] { close(number) } }
}
