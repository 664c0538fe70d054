import Bytes
import HTTP
import Testing

@Suite struct `A request head` {
    @Test func `shows where everything stands`() throws {
        let bytes = head(
            "PUT /metrics/job/xserver-bot?x=1 HTTP/1.1", "Authorization: Basic cHJvbTp4 ",
            "Content-Type:\ttext/plain", "Content-Encoding: gzip", "Accept: */*",
            "Content-Length: 531")
        let head = try #require(try parsedHead(bytes))
        let text = { (range: Range<Int>?) in
            range.map { String(decoding: bytes[$0], as: UTF8.self) }
        }
        #expect(head.method == .put)
        #expect(text(head.path) == "/metrics/job/xserver-bot")
        #expect(head.hasQuery)
        #expect(text(head.authorization) == "Basic cHJvbTp4")
        #expect(text(head.contentType) == "text/plain")
        #expect(text(head.contentEncoding) == "gzip")
        #expect(text(head.accept) == "*/*")
        #expect(head.body == .length(531))
        #expect(head.keepsAlive && !head.isHTTP10 && !head.expectsContinue)
        #expect(head.length == bytes.count)
    }

    @Test func `says nothing about fields that are absent`() throws {
        let head = try #require(try parsedHead(head("DELETE /metrics/job/x HTTP/1.1")))
        #expect(head.authorization == nil && head.contentType == nil)
        #expect(head.contentEncoding == nil && head.accept == nil)
        #expect(!head.hasQuery && head.body == .none)
    }

    @Test func `keeps the first Accept`() throws {
        let bytes = head("GET / HTTP/1.1", "Accept: a/b", "Accept: c/d")
        let accept = try #require(try parsedHead(bytes)?.accept)
        #expect(bytes[accept].elementsEqual("a/b".utf8))
    }

    @Test func `says which host was meant, and whether it comes from a web page`() throws {
        let bytes = head("POST /-/reload HTTP/1.1", "oRiGiN: null", "Origin: again")
        let parsed = try #require(try parsedHead(bytes))
        let host = try #require(parsed.host)
        #expect(bytes[host].elementsEqual("gate.example".utf8) && parsed.hasOrigin)
        #expect(try parsedHead(head("GET / HTTP/1.1", "X-Origin: a"))?.hasOrigin == false)
        let old = Array("GET / HTTP/1.0\r\n\r\n".utf8)
        #expect(try parsedHead(old)?.host == nil)
    }

    @Test(arguments: [
        ("GET /-/healthy HTTP/1.1", Method.get, "/-/healthy"),
        ("OPTIONS * HTTP/1.1", .options, "*"),
        ("CONNECT gate.example:443 HTTP/1.1", .connect, "gate.example:443"),
        ("HEAD http://gate.example/a/b?c HTTP/1.1", .head, "/a/b"),
        ("GET https://GATE.example HTTP/1.1", .get, ""),
        ("PRI / HTTP/1.1", .other, "/"),
        ("put / HTTP/1.1", .other, "/"),
        ("TRACE / HTTP/1.1", .trace, "/"),
        ("PATCH / HTTP/1.1", .patch, "/"),
        ("PUTT / HTTP/1.1", .other, "/"),
    ])
    func `has a method and a path in every form`(_ line: String, _ method: Method, _ path: String)
        throws
    {
        let bytes = head(line)
        let head = try #require(try parsedHead(bytes))
        #expect(head.method == method)
        #expect(String(decoding: bytes[head.path], as: UTF8.self) == path)
    }

    @Test(arguments: [
        Method.get, .head, .post, .put, .delete, .options, .patch, .connect, .trace,
    ])
    func `has the method that it names`(_ method: Method) {
        let name = method.name
        #expect(Method(token: name.span) == method)
    }

    @Test(arguments: [
        ("1.1", "", true), ("1.1", "close", false), ("1.1", "CLOSE", false),
        ("1.1", "keep-alive", true), ("1.1", "keep-alive, close", false),
        ("1.1", "x ,\tclose", false), ("1.1", "closed", true), ("1.1", "\"close\"", true),
        ("1.0", "", false), ("1.0", "keep-alive", true), ("1.0", "Keep-Alive", true),
        ("1.0", "keep-alive, close", false), ("1.0", "x", false),
    ])
    func `keeps the connection or ends it`(_ version: String, _ option: String, _ keeps: Bool)
        throws
    {
        let bytes = head("GET / HTTP/\(version)", "Connection: \(option)")
        #expect(try parsedHead(bytes)?.keepsAlive == keeps)
    }

    @Test func `is ended by close in any of several Connection fields`() throws {
        let bytes = head("GET / HTTP/1.1", "Connection: keep-alive", "Connection: close")
        #expect(try parsedHead(bytes)?.keepsAlive == false)
    }

    @Test(arguments: [
        ("1.1", "Content-Length: 1", true), ("1.1", "Transfer-Encoding: chunked", true),
        ("1.1", "Content-Length: 0", false), ("1.1", "X: y", false),
        ("1.0", "Content-Length: 1", false),
    ])
    func `waits for 100 Continue only with a body`(
        _ version: String, _ framing: String, _ expects: Bool
    ) throws {
        let bytes = head("PUT / HTTP/\(version)", "Expect: 100-continue", framing)
        #expect(try parsedHead(bytes)?.expectsContinue == expects)
    }

    @Test(arguments: [
        ("Content-Length: 0", BodyFraming.length(0)),
        ("Content-Length: 7", .length(7)),
        ("CONTENT-LENGTH:  \(Int.max) ", .length(Int.max)),
        ("Transfer-Encoding: chunked", .chunked),
        ("transfer-encoding: CHUNKED ", .chunked),
        ("X-Content-Length: 7", .none),
    ])
    func `frames its body in one way`(_ field: String, _ framing: BodyFraming) throws {
        #expect(try parsedHead(head("PUT / HTTP/1.1", field))?.body == framing)
    }

    @Test func `leaves the next request alone`() throws {
        let first = head("PUT /a HTTP/1.1", "Authorization: x", "Connection: close")
        let second = head("GET /b HTTP/1.1")
        let both = first + second
        var parser = RequestParser()
        #expect(try parser.parse(both.span)?.length == first.count)
        let next = try #require(try parser.parse(second.span))
        #expect(next.length == second.count)
        #expect(next.method == .get && next.authorization == nil && next.keepsAlive)
    }

    @Test func `counts the empty lines before it`() throws {
        let bytes = Array("\r\n\r\n".utf8) + head()
        #expect(try parsedHead(bytes)?.length == bytes.count)
    }
}

/// The statuses are in the names of the corpus; here each case of the error proves to be reachable.
@Suite struct `A refused head` {
    @Test(arguments: [
        ("GET  ", HeadError.badRequestLine),
        ("GET /\r", .badRequestLine),
        ("\r\n\r\n\r", .emptyLines),
        ("G@", .badMethod),
        (String(repeating: "A", count: 33), .badMethod),
        ("GET /a^", .badTarget),
        ("GET /a#", .fragmentInTarget),
        ("GET / HTTP/1,1\r\n", .badVersion),
        ("GET / HTTP/1.2\r\n", .unsupportedVersion),
        ("PRI * HTTP/2.0\r\n", .unsupportedVersion),
        ("GET / HTTP/1.1\n", .field(.bareLineFeed)),
        ("GET / HTTP/1.1\r\r", .field(.bareCarriageReturn)),
        ("GET / HTTP/1.1\r\n\t", .field(.folded)),
        ("GET / HTTP/1.1\r\nA ", .field(.blankBeforeColon)),
        ("GET / HTTP/1.1\r\nA\r", .field(.missingColon)),
        ("GET / HTTP/1.1\r\nA\n", .field(.bareLineFeed)),
        ("GET / HTTP/1.1\r\n:", .field(.emptyName)),
        ("GET / HTTP/1.1\r\nA(", .field(.badName)),
        ("GET / HTTP/1.1\r\nA: \0", .field(.controlInValue)),
        ("GET / HTTP/1.1\r\nContent_Length: 1\r\n", .imitatedFraming),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n", .repeated(.host)),
        ("GET / HTTP/1.1\r\nAuthorization: é\r\n", .nonASCII(.authorization)),
        ("GET / HTTP/1.1\r\nContent-Length: x\r\n", .framing(.badContentLength)),
        ("GET / HTTP/1.1\r\nTransfer-Encoding: ,\r\n", .framing(.badTransferEncoding)),
        (
            "GET / HTTP/1.1\r\nTransfer-Encoding: br\r\nHost: a\r\n\r\n",
            .framing(.unsupportedTransferCoding)
        ),
        (
            "GET / HTTP/1.1\r\nTransfer-Encoding: br\r\nContent-Length: 1\r\n\r\n",
            .framing(.lengthAndTransferEncoding)
        ),
        (
            "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
            .framing(.transferEncodingInHTTP10)
        ),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n", .badHost),
        ("GET / HTTP/1.1\r\n\r\n", .missingHost),
        ("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", .hostMismatch),
        ("GET / HTTP/1.1\r\nExpect: x\r\n", .unknownExpectation),
    ])
    func `has a reason, given at the first byte that is wrong`(_ text: String, _ error: HeadError) {
        let bytes = Array(text.utf8)
        #expect(headError(bytes) == error)
        #expect(headError(Array(bytes.dropLast())) == nil)
        #expect(error.sentence.span.count > 10)
    }

    @Test func `is too large at the limit itself, complete or not`() {
        let limits = HeadLimits(headBytesMax: 64)
        let fitting = head("GET / HTTP/1.1", "X: " + String(repeating: "y", count: 21))
        #expect(fitting.count == 64)
        #expect(headError(fitting, limits: limits) == nil)
        #expect(headError(fitting.dropLast() + [1], limits: limits) == .field(.bareCarriageReturn))
        let long = head("GET / HTTP/1.1", "X: " + String(repeating: "y", count: 22))
        #expect(headError(long, limits: limits) == .headTooLarge)
        #expect(headError(Array(long[..<64]), limits: limits) == .headTooLarge)
        #expect(headError(Array(long[..<63]), limits: limits) == nil)
    }

    @Test func `has one field too many`() {
        let limits = HeadLimits(fieldsMax: 2)
        #expect(headError(head("GET / HTTP/1.1", "A: b"), limits: limits) == nil)
        #expect(
            headError(head("GET / HTTP/1.1", "A: b", "A: b"), limits: limits) == .field(.tooMany))
    }

    @Test func `has a target one byte too long`() {
        let limits = HeadLimits(targetBytesMax: 8)
        for target in ["/2345678", "/23?5678"] {
            #expect(headError(head("GET \(target) HTTP/1.1"), limits: limits) == nil)
            #expect(headError(head("GET \(target)9 HTTP/1.1"), limits: limits) == .targetTooLong)
        }
        #expect(headError(head("GET http://x HTTP/1.1"), limits: limits) == .hostMismatch)
        #expect(headError(head("GET http://xy HTTP/1.1"), limits: limits) == .targetTooLong)
    }

    @Test func `has a byte in a name that is no token character`() {
        let token = Set("!#$%&'*+-.^_`|~0123456789".utf8)
        for byte in UInt8.min...UInt8.max {
            let isToken = token.contains(byte) || byte.isLetter
            let bytes =
                Array("GET / HTTP/1.1\r\nHost: a\r\nX".utf8) + [byte] + Array("X: y\r\n\r\n".utf8)
            // A colon ends the name; what follows is the value.
            #expect((headError(bytes) == nil) == (isToken || byte == UInt8(ascii: ":")), "\(byte)")
        }
    }

    /// At every offset, since values are read by words of eight bytes.
    @Test(arguments: 0..<20)
    func `has a control character in a value`(_ offset: Int) {
        let before = [UInt8](repeating: UInt8(ascii: "v"), count: offset)
        for byte in UInt8.min...UInt8.max {
            let start = Array(head("GET / HTTP/1.1", "X: ").dropLast(4))
            let bytes = start + before + [byte] + Array("vvvvvvvvvv\r\n\r\n".utf8)
            let isText = byte == 0x09 || byte >= 0x20 && byte != 0x7F
            #expect((headError(bytes) == nil) == isText, "\(byte)")
        }
    }

    /// The mark of a byte over 0x7F must reach exactly to the end of its own value.
    @Test(arguments: 0..<20)
    func `has a byte that is not ASCII in a field that matters`(_ offset: Int) {
        let text = String(repeating: "v", count: offset)
        let bytes = head("GET / HTTP/1.1", "Accept: \(text)é\(text)")
        #expect(headError(bytes) == .nonASCII(.accept))
        let others = head("GET / HTTP/1.1", "A: \(text)é", "Accept: \(text)", "B: é\(text)")
        #expect(headError(others) == nil)
        let neighbour = Array("GET / HTTP/1.1\r\nHost: a\r\nAccept: \(text)\r\nX: éé\r\n\r\n".utf8)
        #expect(headError(neighbour) == nil)
    }

    @Test func `has a byte in the target that must be encoded`() {
        let plain = Set("-._~%!$&'()*+,;=:@/?".utf8)
        for byte in UInt8.min...UInt8.max {
            let isPlain = plain.contains(byte) || byte.isLetter || byte.isDigit
            for prefix in ["/a", "/a?b"] {
                let line = Array("GET \(prefix)".utf8) + [byte] + Array("c HTTP/1.1\r\n".utf8)
                let bytes = line + Array("Host: a\r\n\r\n".utf8)
                #expect((headError(bytes) == nil) == isPlain, "\(byte) behind \(prefix)")
            }
        }
    }

    /// A client that drips must not make the gate look at the same bytes again and again.
    @Test func `costs linear time however slowly it comes`() {
        let bytes = head("GET / HTTP/1.1", "X: " + String(repeating: "y", count: 8000))
        let clock = ContinuousClock()
        let atOnce = clock.measure { for _ in 0..<50 { _ = converse(bytes) } } / 50
        let dripping = clock.measure { _ = converseByBytes(bytes) }
        // Quadratic would be a factor of 4000 and more; the calls themselves are most of this.
        #expect(dripping < atOnce * 1500 + .milliseconds(20))
    }
}
