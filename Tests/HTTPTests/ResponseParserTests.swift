import Bytes
import HTTP
import Testing

enum Answered: Equatable {
    case head(ResponseHead)
    case waiting
    case refused(ResponseError)
}

/// What the parser makes of an answer that comes in pieces.
func answer(_ bytes: [UInt8], ends: [Int] = [], to method: Method = .put) -> Answered {
    var parser = ResponseParser()
    do throws(ResponseError) {
        for end in ends + [bytes.count] {
            let part = bytes.span.extracting(0..<end)
            if let head = try parser.parse(part, requestMethod: method) { return .head(head) }
        }
        return .waiting
    } catch {
        return .refused(error)
    }
}

private func answer(_ text: String, to method: Method = .put) -> Answered {
    answer(Array(text.utf8), to: method)
}

@Suite struct `An answer of the Pushgateway` {
    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, ResponseHead.Body.length(0), true),
        ("HTTP/1.1 202 Accepted\r\ncontent-length: 12\r\n\r\n", 202, .length(12), true),
        ("HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n", 400, .chunked, true),
        ("HTTP/1.1 200 \r\nContent-Length: 3\r\nConnection: close\r\n\r\n", 200, .length(3), false),
        ("HTTP/1.1 200 OK\r\n\r\n", 200, .untilClose, false),
        ("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", 200, .untilClose, false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", 200, .length(3), false),
        (
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n", 200,
            .length(3), true
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, .none, true),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", 204, .none, true),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, .none, true),
        ("HTTP/1.1 100 Continue\r\n\r\n", 100, .none, true),
        ("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 103, .none, true),
        (
            "HTTP/1.1 301 Moved\r\nLocation: /metrics\r\nContent-Length: 0\r\n\r\n", 301,
            .length(0), true
        ),
        ("HTTP/1.1 599 \u{E9}t\u{E9}\t!\r\nContent-Length: 0\r\n\r\n", 599, .length(0), true),
    ])
    func `is understood`(_ text: String, _ status: Int, _ body: ResponseHead.Body, _ keeps: Bool) {
        guard case .head(let head) = answer(text) else {
            Issue.record("\(answer(text))")
            return
        }
        #expect(head.status == status)
        #expect(head.body == body)
        #expect(head.keepsAlive == keeps)
        #expect(head.length == text.utf8.count)
    }

    @Test(arguments: ["Content-Length: 1700", "Transfer-Encoding: chunked", "X: y"])
    func `to HEAD has no body, whatever it announces`(_ field: String) {
        guard case .head(let head) = answer("HTTP/1.1 200 OK\r\n\(field)\r\n\r\n", to: .head) else {
            Issue.record("not understood")
            return
        }
        #expect(head.body == .none && head.keepsAlive)
    }

    @Test func `follows an interim one`() throws {
        let interim = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
        let final = Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8)
        let both = interim + final
        var parser = ResponseParser()
        #expect(try parser.parse(both.span, requestMethod: .put)?.length == interim.count)
        #expect(try parser.parse(final.span, requestMethod: .put)?.status == 200)
    }

    private static let refused: [(String, ResponseError)] = [
        ("HTTP/0.9 200 OK\r\n\r\n", .badStatusLine),
        ("HTTP/2.0 200 OK\r\n\r\n", .badStatusLine),
        ("HTTP/1.2 200 OK\r\n\r\n", .badStatusLine),
        ("http/1.1 200 OK\r\n\r\n", .badStatusLine),
        ("HTTP/1.1 0\r\n\r\n", .badStatusLine),
        ("HTTP/1.1 99 x\r\n\r\n", .badStatusLine),
        ("HTTP/1.1 099 x\r\n\r\n", .badStatusLine),
        ("HTTP/1.1 600 x\r\n\r\n", .badStatusLine),
        ("HTTP/1.1 999 x\r\n\r\n", .badStatusLine),
        ("HTTP/1.1 2OO OK\r\n\r\n", .badStatusLine),
        ("HTTP/1.1 2000 OK\r\n\r\n", .badStatusLine),
        ("HTTP/1.1 200\r\n\r\n", .badStatusLine),
        ("HTTP/1.1  200 OK\r\n\r\n", .badStatusLine),
        ("HTTP/1.1 200 OK\n\n", .badStatusLine),
        ("HTTP/1.1 200 OK\rX", .badStatusLine),
        ("HTTP/1.1 200 O\0K\r\n\r\n", .badStatusLine),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", .badStatusLine),
        ("<html>nginx</html>", .badStatusLine),
        ("HTTP/1.1 200 OK\r\nA: b\n\r\n", .field(.bareLineFeed)),
        ("HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", .field(.folded)),
        ("HTTP/1.1 200 OK\r\nA: \0\r\n\r\n", .field(.controlInValue)),
        ("HTTP/1.1 200 OK\r\nA\r\n\r\n", .field(.missingColon)),
        ("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", .field(.blankBeforeColon)),
        ("HTTP/1.1 200 OK\r\n: b\r\n\r\n", .field(.emptyName)),
        ("HTTP/1.1 200 OK\r\nA: b\r\n\rX", .field(.bareCarriageReturn)),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
            .repeated(.contentLength)
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            .repeated(.transferEncoding)
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", .framing(.badContentLength)),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\n", .framing(.badContentLength)),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            .framing(.unsupportedTransferCoding)
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
            .framing(.lengthAndTransferEncoding)
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            .framing(.transferEncodingInHTTP10)
        ),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", .bodyNotAllowed),
        ("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", .bodyNotAllowed),
        ("HTTP/1.1 100 Continue\r\nContent-Length: 5\r\n\r\n", .bodyNotAllowed),
        ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", .protocolSwitched),
    ]

    @Test(arguments: refused)
    func `is not believed`(_ text: String, _ error: ResponseError) {
        #expect(answer(text) == .refused(error))
        #expect(error.sentence.span.count > 10)
    }

    @Test(arguments: refused)
    func `is not believed however it is cut`(_ text: String, _ error: ResponseError) {
        let bytes = Array(text.utf8)
        for cut in 0...bytes.count { #expect(answer(bytes, ends: [cut]) == .refused(error)) }
        #expect(answer(bytes, ends: Array(0..<bytes.count)) == .refused(error))
    }

    @Test func `has a bounded head`() {
        let start = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
        let fitting = start + "X: " + String(repeating: "y", count: 16384 - start.utf8.count - 7)
        guard case .head = answer(fitting + "\r\n\r\n") else {
            Issue.record("a head at the limit is refused")
            return
        }
        #expect(answer(fitting + "y\r\n\r\n") == .refused(.headTooLarge))
        #expect(
            answer("HTTP/1.1 200 " + String(repeating: "x", count: 20000))
                == .refused(.headTooLarge))
        let fields = { (count: Int) in start + String(repeating: "X: y\r\n", count: count) + "\r\n"
        }
        guard case .head = answer(fields(99)) else {
            Issue.record("100 fields are refused")
            return
        }
        #expect(answer(fields(100)) == .refused(.field(.tooMany)))
    }

    @Test func `is waited for until its last byte`() {
        let text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        for count in 0..<text.utf8.count {
            #expect(answer(Array(text.utf8.prefix(count))) == .waiting)
        }
    }
}
