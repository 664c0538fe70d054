import Bytes
import HTTP
import Testing

private enum Outcome: Equatable {
    case decoded([UInt8], consumed: Int, isComplete: Bool)
    case refused(ChunkError)
}

private func decode(
    _ bytes: [UInt8], bodyBytesMax: Int = 1 << 20, limits: HeadLimits = HeadLimits()
) -> Outcome {
    var decoder = ChunkedDecoder(limits: limits)
    var body = ByteBuffer()
    do throws(ChunkError) {
        let progress = try decoder.decode(bytes.span, into: &body, bodyBytesMax: bodyBytesMax)
        return .decoded(
            HTTPTests.bytes(of: body.span), consumed: progress.consumed,
            isComplete: progress.isComplete)
    } catch {
        return .refused(error)
    }
}

private func decode(_ text: String, bodyBytesMax: Int = 1 << 20) -> Outcome {
    decode(Array(text.utf8), bodyBytesMax: bodyBytesMax)
}

@Suite struct `A chunked body` {
    @Test(arguments: [
        ("0\r\n\r\n", ""), ("000\r\n\r\n", ""), ("0;x\r\n\r\n", ""),
        ("5\r\nup 1\n\r\n0\r\n\r\n", "up 1\n"),
        ("1\r\na\r\n2\r\nbc\r\n0\r\nX: y\r\n\r\n", "abc"),
        ("1;a;b=c;d=\"e\\\"\"\r\na\r\n0\r\n\r\n", "a"),
        ("0000000000000001\r\na\r\n0\r\n\r\n", "a"),
    ])
    func `is put together`(_ text: String, _ body: String) {
        #expect(
            decode(text)
                == .decoded(Array(body.utf8), consumed: text.utf8.count, isComplete: true))
    }

    @Test func `ends where it ends`() {
        #expect(
            decode("1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n")
                == .decoded([0x61], consumed: 11, isComplete: true))
    }

    @Test func `takes nothing after its end`() throws {
        var decoder = ChunkedDecoder()
        var body = ByteBuffer()
        _ = try decoder.decode(Array("0\r\n\r\n".utf8).span, into: &body, bodyBytesMax: 9)
        let more = try decoder.decode(Array("5\r\n".utf8).span, into: &body, bodyBytesMax: 9)
        #expect(more.consumed == 0 && more.isComplete)
    }

    @Test func `is not complete before its last byte`() {
        let text = "1;a=\"b\"\r\na\r\n0\r\nX: y\r\n\r\n"
        for count in 0..<text.utf8.count {
            let part = Array(text.utf8.prefix(count))
            guard case .decoded(_, let consumed, let isComplete) = decode(part) else {
                Issue.record("refused at \(count)")
                return
            }
            #expect(consumed == count && !isComplete)
        }
    }

    @Test(arguments: [
        ("\r\n", ChunkError.badSize), ("g\r\n", .badSize), ("5 \r\n", .badSize),
        (" 5\r\n", .badSize), ("0x5\r\n", .badSize), ("-1\r\n", .badSize),
        ("00000000000000005\r\n", .sizeLineTooLong),
        ("5\n", .badLineEnd), ("5\r5", .badLineEnd), ("5;a\n", .badLineEnd),
        ("5;\r\n", .badExtension), ("5;a=\r\n", .badExtension), ("5;a=\"b\"c\r\n", .badExtension),
        ("5;a=\"\u{1}\"\r\n", .badExtension), ("5;a=\"\\\r\"\r\n", .badExtension),
        ("5; a\r\n", .badExtension),
        ("1\r\nab", .badDataEnd), ("1\r\na\n", .badDataEnd), ("1\r\na\ra", .badDataEnd),
        ("ffffffffffffffff\r\n", .bodyTooLarge), ("7fffffffffffffff\r\n", .bodyTooLarge),
        ("0\r\nX\r\n", .trailer(.missingColon)), ("0\r\n: y\r\n", .trailer(.emptyName)),
        ("0\r\n X: y\r\n", .trailer(.folded)), ("0\r\nX : y\r\n", .trailer(.blankBeforeColon)),
        ("0\r\n\n", .trailer(.bareLineFeed)), ("0\r\n\rX", .trailer(.bareCarriageReturn)),
        ("0\r\nX: \0\r\n", .trailer(.controlInValue)), ("0\r\nX[: y\r\n", .trailer(.badName)),
    ])
    func `is refused with a reason`(_ text: String, _ error: ChunkError) {
        #expect(decode(text) == .refused(error))
        #expect(error.sentence.span.count > 10)
    }

    @Test func `never grows past its limit, over all chunks`() {
        #expect(
            decode("4\r\nabcd\r\n0\r\n\r\n", bodyBytesMax: 4)
                == .decoded(Array("abcd".utf8), consumed: 14, isComplete: true))
        #expect(decode("5\r\n", bodyBytesMax: 4) == .refused(.bodyTooLarge))
        #expect(decode("3\r\nabc\r\n2\r\n", bodyBytesMax: 4) == .refused(.bodyTooLarge))
        #expect(decode("1\r\n", bodyBytesMax: 0) == .refused(.bodyTooLarge))
        #expect(decode("1\r\n", bodyBytesMax: -1) == .refused(.bodyTooLarge))
    }

    /// Draining the body between calls must not reset the count.
    @Test func `counts what was taken out of the buffer`() throws {
        var decoder = ChunkedDecoder()
        var body = ByteBuffer()
        _ = try decoder.decode(Array("4\r\nabcd\r\n".utf8).span, into: &body, bodyBytesMax: 6)
        body.removeAll()
        #expect(throws: ChunkError.bodyTooLarge) {
            try decoder.decode(Array("3\r\nabc".utf8).span, into: &body, bodyBytesMax: 6)
        }
    }

    @Test func `may not consist of overhead`() {
        let tiny = Array(repeating: "1\r\nx\r\n", count: 5000).joined() + "0\r\n\r\n"
        #expect(decode(tiny) == .refused(.tooMuchOverhead))
        let extended = Array(
            repeating: "1;\(String(repeating: "a", count: 200))\r\nx\r\n", count: 90)
        #expect(decode(extended.joined()) == .refused(.tooMuchOverhead))
    }

    /// What a program sends that writes one sample line at a time.
    @Test func `may have a chunk for every line`() {
        let line = "xserver_cpu_seconds_total{cpu=\"0\"} 1\n"
        let chunk = "\(String(line.utf8.count, radix: 16))\r\n\(line)\r\n"
        let text = Array(repeating: chunk, count: 20000).joined() + "0\r\n\r\n"
        let body = Array(Array(repeating: line, count: 20000).joined().utf8)
        #expect(decode(text) == .decoded(body, consumed: text.utf8.count, isComplete: true))
    }

    @Test func `has no credit for a flood after a large chunk`() {
        let large = "10000\r\n\(String(repeating: "x", count: 0x10000))\r\n"
        let flood = Array(repeating: "1\r\nx\r\n", count: 5000).joined()
        #expect(decode(large + flood) == .refused(.tooMuchOverhead))
    }

    @Test func `has bounded trailers`() {
        let limits = HeadLimits(headBytesMax: 32, fieldsMax: 2)
        let result = { (trailers: String) in
            decode(Array("0\r\n\(trailers)\r\n".utf8), limits: limits)
        }
        #expect(result("A: b\r\nC: d\r\n") == .decoded([], consumed: 17, isComplete: true))
        #expect(result("A: b\r\nA: b\r\nA: b\r\n") == .refused(.trailer(.tooMany)))
        #expect(result("A: \(String(repeating: "b", count: 30))\r\n") == .refused(.trailerTooLarge))
    }
}
