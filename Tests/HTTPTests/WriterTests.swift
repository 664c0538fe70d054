import Bytes
import Foundation
import HTTP
import Testing

private func date(_ seconds: Int) -> String {
    var buffer = ByteBuffer()
    HTTPDate.append(secondsSince1970: seconds, to: &buffer)
    return String(decoding: buffer.span)
}

private func written(
    _ answer: Answer, _ persistence: ResponseWriter.Persistence = .kept
) -> String {
    var buffer = ByteBuffer()
    ResponseWriter.append(
        answer, persistence: persistence, date: Array(date(784_111_777).utf8).span,
        requestId: Array("01JD3Z6W9K".utf8).span, to: &buffer)
    return String(decoding: buffer.span)
}

@Suite struct `A date` {
    @Test(arguments: [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (253_402_300_800, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (.max, "Fri, 31 Dec 9999 23:59:59 GMT"),
        (-1, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (.min, "Thu, 01 Jan 1970 00:00:00 GMT"),
    ])
    func `is written as IMF-fixdate`(_ seconds: Int, _ text: String) {
        #expect(date(seconds) == text)
        #expect(text.utf8.count == HTTPDate.length)
    }

    @Test func `a date is read back to its second, and nothing else is read`() {
        var random = SeededGenerator(state: 8)
        for _ in 0..<3000 {
            let seconds = Int.random(in: 0...253_402_300_799, using: &random)
            let text = Array(date(seconds).utf8)
            #expect(HTTPDate.secondsSince1970(text.span) == seconds)
        }
        for text in [
            "", "Sun, 06 Nov 1994 08:49:37", "Mon, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 06 nov 1994 08:49:37 GMT",
            "Wed, 30 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 0000 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GM",
        ] {
            let bytes = Array(text.utf8)
            #expect(HTTPDate.secondsSince1970(bytes.span) == nil, "\(text)")
        }
    }

    @Test func `agrees with the C library`() {
        var random = SeededGenerator(state: 7)
        for _ in 0..<3000 {
            var seconds = time_t(Int.random(in: 0...253_402_300_799, using: &random))
            var parts = unsafe tm()
            unsafe gmtime_r(&seconds, &parts)
            var text = [CChar](repeating: 0, count: 64)
            _ = unsafe strftime(&text, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
            let expected = text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            #expect(date(seconds) == String(decoding: expected, as: UTF8.self))
        }
    }
}

@Suite struct `The head of an answer` {
    @Test func `says what it must and no more`() {
        let answer = Answer(.ok, contentType: "text/plain; charset=utf-8", contentLength: 35)
        #expect(
            written(answer) == """
                HTTP/1.1 200 OK\r
                Date: Sun, 06 Nov 1994 08:49:37 GMT\r
                Content-Type: text/plain; charset=utf-8\r
                Content-Length: 35\r
                X-Request-Id: 01JD3Z6W9K\r
                Cache-Control: no-store\r
                X-Content-Type-Options: nosniff\r
                \r

                """)
    }

    @Test func `carries what its status needs`() {
        var answer = Answer(.unauthorized)
        answer.challenge = "Basic realm=\"kanmon\", charset=\"UTF-8\""
        answer.allow = "PUT, POST, DELETE"
        answer.retryAfterSeconds = 5
        answer.acceptEncoding = "gzip, identity"
        let lines = written(answer, .closed).components(separatedBy: "\r\n")
        #expect(lines.first == "HTTP/1.1 401 Unauthorized")
        for line in [
            "WWW-Authenticate: Basic realm=\"kanmon\", charset=\"UTF-8\"",
            "Allow: PUT, POST, DELETE", "Retry-After: 5", "Accept-Encoding: gzip, identity",
            "Connection: close", "Content-Length: 0",
        ] { #expect(lines.filter { $0 == line }.count == 1, "\(line)") }
        #expect(!lines.contains { $0.hasPrefix("Content-Type:") || $0.hasPrefix("Server:") })
    }

    @Test(arguments: [
        (ResponseWriter.Persistence.kept, nil), (.closed, "Connection: close"),
        (.keptForHTTP10, "Connection: keep-alive"),
    ])
    func `tells what becomes of the connection`(
        _ persistence: ResponseWriter.Persistence, _ line: String?
    ) {
        let lines = written(Answer(.ok), persistence).components(separatedBy: "\r\n")
        #expect(lines.first { $0.hasPrefix("Connection:") } == line)
    }

    @Test(arguments: [
        Status.ok, .accepted, .badRequest, .unauthorized, .forbidden, .notFound, .methodNotAllowed,
        .requestTimeout, .lengthRequired, .contentTooLarge, .targetTooLong, .unsupportedMediaType,
        .expectationFailed, .tooManyRequests, .fieldsTooLarge, .internalError, .notImplemented,
        .badGateway, .unavailable, .gatewayTimeout, .versionNotSupported,
    ])
    func `has a reason phrase and is understood by our own reader`(_ status: Status) {
        #expect(status.reason.span.count > 0)
        #expect(Status(code: status.code) == status)
        let text = Array(written(Answer(status, contentLength: 7)).utf8)
        let head = ResponseHead(
            status: status.code, body: .length(7), keepsAlive: true, length: text.count)
        #expect(answer(text) == .head(head))
    }

    @Test func `has an empty reason for a status it does not know`() {
        #expect(written(Answer(Status(code: 418))).hasPrefix("HTTP/1.1 418 \r\n"))
    }

    @Test func `can be an interim one`() {
        var buffer = ByteBuffer()
        ResponseWriter.appendContinue(to: &buffer)
        #expect(String(decoding: buffer.span) == "HTTP/1.1 100 Continue\r\n\r\n")
    }
}

@Suite struct `The head of a request to the Pushgateway` {
    private func written(
        _ method: Method, prefix: String = "", authorization: String? = nil,
        _ body: RequestWriter.Body?
    ) -> String {
        var buffer = ByteBuffer()
        let path = Array("/metrics/job/x".utf8)
        let host = Array("127.0.0.1:9091".utf8)
        let prefix = Array(prefix.utf8)
        let login = Array((authorization ?? "").utf8)
        RequestWriter.append(
            method, pathPrefix: prefix.span, path: path.span, host: host.span,
            authorization: authorization == nil ? nil : login.span, body: body, to: &buffer)
        return String(decoding: buffer.span)
    }

    @Test func `has an exact length, even of nothing`() {
        #expect(
            written(.put, RequestWriter.Body(.text, length: 0)) == """
                PUT /metrics/job/x HTTP/1.1\r
                Host: 127.0.0.1:9091\r
                Content-Type: text/plain; version=0.0.4; charset=utf-8\r
                Content-Length: 0\r
                \r

                """)
    }

    @Test func `has a prefix, a login and the other format when asked`() {
        let body = RequestWriter.Body(.delimitedProtobuf, length: 531)
        #expect(
            written(.post, prefix: "/push", authorization: "Basic Z2F0ZTp4", body) == """
                POST /push/metrics/job/x HTTP/1.1\r
                Host: 127.0.0.1:9091\r
                Authorization: Basic Z2F0ZTp4\r
                Content-Type: application/vnd.google.protobuf; \
                proto=io.prometheus.client.MetricFamily; encoding=delimited\r
                Content-Length: 531\r
                \r

                """)
    }

    @Test func `has nothing about a body without one`() {
        #expect(
            written(.delete, nil)
                == "DELETE /metrics/job/x HTTP/1.1\r\nHost: 127.0.0.1:9091\r\n\r\n")
    }

    @Test func `is understood by our own reader`() throws {
        let bytes = Array(written(.put, RequestWriter.Body(.text, length: 9)).utf8)
        let head = try #require(try parsedHead(bytes))
        #expect(head.method == .put && head.body == .length(9) && head.length == bytes.count)
    }
}
