import Bytes
import Testing

@Suite struct ByteBufferTests {
    private func text(_ buffer: borrowing ByteBuffer) -> String { String(decoding: buffer.span) }

    @Test func `what is appended comes out in order, what is consumed is gone`() {
        var buffer = ByteBuffer()
        let capacity = buffer.capacity
        #expect(capacity == 0)
        buffer.append("hello ")
        buffer.append(Array("world".utf8).span)
        buffer.append(UInt8(ascii: "!"))
        #expect(text(buffer) == "hello world!")
        buffer.consume(6)
        #expect(text(buffer) == "world!")
        buffer.truncate(to: 5)
        #expect(text(buffer) == "world")
        buffer.consume(5)
        #expect(text(buffer).isEmpty)
    }

    @Test func `steady traffic reuses the storage it has`() {
        var buffer = ByteBuffer(capacity: 64)
        for round in 0..<1000 {
            buffer.append("0123456789")
            if round % 2 == 1 { buffer.consume(20) }
        }
        let capacity = buffer.capacity
        #expect(capacity == 64)
        // Bytes that wait are moved to the front rather than into a new allocation.
        buffer.append("0123456789")
        buffer.consume(5)
        for _ in 0..<5 { buffer.append("0123456789") }
        let sameCapacity = buffer.capacity
        #expect(sameCapacity == 64)
        #expect(text(buffer).hasPrefix("567890123456789"))
    }

    @Test func `it grows with what it is given and loses nothing`() {
        var buffer = ByteBuffer(capacity: 1)
        var expected: [UInt8] = []
        for number in 0..<5000 {
            buffer.append(decimal: number)
            expected += Array("\(number)".utf8)
            if number % 7 == 0 {
                buffer.consume(1)
                expected.removeFirst()
            }
        }
        let bytes = [UInt8](copying: buffer.span)
        #expect(bytes == expected)
    }

    @Test
    func
        `a body that fills the free space is kept as far as it went, and not at all when it throws`()
    {
        struct Failure: Error {}
        var buffer = ByteBuffer()
        buffer.append("a")
        let count = buffer.append(upTo: 10) { output in
            output.append(UInt8(ascii: "b"))
            output.append(UInt8(ascii: "c"))
            return output.count
        }
        #expect(count == 2)
        #expect(text(buffer) == "abc")
        #expect(throws: Failure.self) {
            try buffer.append(upTo: 10) { (output) throws(Failure) in
                output.append(UInt8(ascii: "d"))
                throw Failure()
            }
        }
        #expect(text(buffer) == "abc")
    }

    @Test(arguments: [0, 7, -7, 10, 1_234_567_890, .max, .min])
    func `a number is written in decimal`(number: Int) {
        var buffer = ByteBuffer()
        buffer.append(decimal: number)
        #expect(text(buffer) == "\(number)")
    }

    @Test(arguments: [(5, 2, "05"), (0, 3, "000"), (123, 2, "123"), (99, 4, "0099")])
    func `a number is given leading zeros`(number: Int, width: Int, expected: String) {
        var buffer = ByteBuffer()
        buffer.append(decimal: number, width: width)
        #expect(text(buffer) == expected)
    }

    @Test func `a pool gives back what it was given, empty, and keeps no more than it may`() {
        var pool = BufferPool(bufferBytes: 32, keptMax: 2)
        for _ in 0..<3 {
            var buffer = pool.take()
            buffer.append("left over")
            pool.give(buffer)
        }
        let buffer = pool.take()
        let (count, capacity) = (buffer.count, buffer.capacity)
        #expect(count == 0)
        #expect(capacity == 32)
        // One that has grown is not kept.
        var grown = pool.take()
        for _ in 0..<10 { grown.append("0123456789") }
        pool.give(grown)
        let next = pool.take().capacity
        #expect(next == 32)
    }
}

@Suite struct SpanTests {
    @Test(arguments: [
        ("0", 0), ("42", 42), ("007", 7), ("9223372036854775807", Int.max), ("", nil), ("-1", nil),
        ("+1", nil),
        (" 1", nil), ("1 ", nil), ("1_0", nil), ("0x1", nil), ("9223372036854775808", nil),
        ("99999999999999999999999", nil), ("１", nil),
    ])
    func `decimal is digits that fit, and nothing else`(text: String, number: Int?) {
        let bytes = Array(text.utf8)
        let decimal = bytes.span.decimal
        #expect(decimal == number)
    }

    @Test func `comparisons know their case and their length`() {
        let isIn = { (text: String, compare: (Span<UInt8>) -> Bool) -> Bool in
            let bytes = Array(text.utf8)
            return compare(bytes.span)
        }
        #expect(isIn("Content-Length") { $0.isEqualIgnoringCase(to: "content-length") })
        #expect(!isIn("Content-Length") { $0.isEqual(to: "content-length") })
        #expect(isIn("Content-Length") { $0.isEqual(to: "Content-Length") })
        #expect(!isIn("Content-Length") { $0.isEqual(to: "Content-Lengt") })
        #expect(isIn("Content-Length") { $0.hasPrefix("Content") })
        #expect(!isIn("Content") { $0.hasPrefix("Content-") })
        // `@` and the backtick differ from each other as capitals from small letters do.
        #expect(!isIn("@") { $0.isEqualIgnoringCase(to: "`") })
    }

    @Test func `blanks are trimmed at both ends only`() {
        let bytes = Array(" \ta b\t ".utf8)
        let (whole, blanks) = (bytes.span.trimmingBlanks(0..<7), bytes.span.trimmingBlanks(0..<2))
        #expect(whole == 2..<5)
        #expect(blanks.isEmpty)
    }
}

@Suite struct CivilTimeTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z", 4), (951_782_400, "2000-02-29T00:00:00.000Z", 2),
        (951_868_799, "2000-02-29T23:59:59.000Z", 2),
        (1_709_164_800, "2024-02-29T00:00:00.000Z", 4),
        (4_107_542_400, "2100-03-01T00:00:00.000Z", 1),
        (1_795_233_906, "2026-11-21T04:05:06.000Z", 6),
        (253_402_300_799, "9999-12-31T23:59:59.000Z", 5), (-5, "1970-01-01T00:00:00.000Z", 4),
    ])
    func `a moment is written as people do`(seconds: Int, text: String, weekday: Int) {
        var buffer = ByteBuffer()
        buffer.append(timestampInMilliseconds: UInt64(max(seconds, 0)) * 1000)
        #expect(String(decoding: buffer.span) == text)
        #expect(CivilTime(secondsSince1970: seconds).weekday == weekday)
    }
}

@Suite struct ASCIITests {
    @Test func `every byte has the class that RFC 9110 gives it`() {
        let token = Set(
            "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
        for byte in UInt8.min...UInt8.max {
            #expect(byte.isTokenCharacter == token.contains(byte), "\(byte)")
            #expect(byte.isControl == (byte < 32 || byte == 127))
            let scalar = Character(Unicode.Scalar(byte))
            #expect(byte.isDigit == (byte < 128 && scalar.isNumber))
            #expect(byte.hexDigitValue.map(Int.init) == (byte < 128 ? scalar.hexDigitValue : nil))
        }
    }
}
