import Bytes
import CZlib
import Testing

@testable import Gzip

/// One member as zlib writes it.
private func member(_ text: [UInt8]) -> [UInt8] {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    unsafe stream.initialize(to: z_stream())
    defer { unsafe stream.deallocate() }
    unsafe deflateInit2_(
        stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
        Int32(MemoryLayout<z_stream>.size))
    var output = [UInt8](repeating: 0, count: text.count + 1024)
    let count = unsafe text.withUnsafeBufferPointer { text in
        unsafe output.withUnsafeMutableBufferPointer { output in
            unsafe stream.pointee.next_in = text.baseAddress
            unsafe stream.pointee.avail_in = UInt32(text.count)
            unsafe stream.pointee.next_out = output.baseAddress
            unsafe stream.pointee.avail_out = UInt32(output.count)
            #expect(unsafe deflate(stream, Z_FINISH) == Z_STREAM_END)
            return unsafe output.count - Int(stream.pointee.avail_out)
        }
    }
    unsafe deflateEnd(stream)
    return Array(output[..<count])
}

private let generous = GzipDecoder.Limits(decodedBytesMax: 64 << 20, ratioMax: 10_000)

/// Decodes in pieces of `pieceBytes`, with so much room for each step.
private func decode(
    _ bytes: [UInt8], limits: GzipDecoder.Limits = generous, pieceBytes: Int = .max,
    room: Int = 64 << 10
) throws(GzipError) -> [UInt8] {
    var decoder = try GzipDecoder(limits)
    var input = ByteBuffer()
    var output = ByteBuffer()
    var position = 0
    while position < bytes.count {
        let end = position + min(pieceBytes, bytes.count - position)
        let piece = Array(bytes[position..<end])
        input.append(piece.span)
        position = end
        while true {
            let before = output.count
            let step = try decoder.decode(&input, into: &output, room: room)
            #expect(output.count - before <= room)
            if step == .needsInput { break }
        }
        let isUsed = input.isEmpty
        #expect(isUsed)
    }
    try decoder.finish()
    var decoded: [UInt8] = []
    for index in 0..<output.count { decoded.append(output.span[index]) }
    return decoded
}

private let metrics = (0..<500).flatMap { Array("cpu_seconds{core=\"\($0)\"} \($0 * 7)\n".utf8) }

@Suite struct GzipDecoderTests {
    @Test(arguments: [1, 2, 7, 100, 4096, Int.max], [1, 3, 1000, 1 << 20])
    func `what was compressed comes out, however it is split`(pieceBytes: Int, room: Int) throws {
        let decoded = try decode(member(metrics), pieceBytes: pieceBytes, room: room)
        #expect(decoded == metrics)
    }

    @Test(arguments: [1, 5, Int.max])
    func `several members are one body`(pieceBytes: Int) throws {
        let bytes = member(metrics) + member([]) + member(Array("a 1\n".utf8))
        let decoded = try decode(bytes, pieceBytes: pieceBytes)
        #expect(decoded == metrics + Array("a 1\n".utf8))
    }

    @Test func `a stream cut at any byte is never good`() throws {
        let bytes = member(Array(metrics.prefix(300)))
        for count in 0..<bytes.count {
            #expect(throws: GzipError.cut) { try decode(Array(bytes[..<count])) }
        }
    }

    @Test func `a cut second member is never good`() throws {
        let first = member(metrics)
        let bytes = first + member(Array(metrics.prefix(100)))
        for count in first.count + 1..<bytes.count {
            #expect(throws: GzipError.cut) { try decode(Array(bytes[..<count])) }
        }
    }

    @Test func `a changed byte never gives another body`() {
        let bytes = member(Array(metrics.prefix(400)))
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 0x10
            do throws(GzipError) {
                // Time, name and system in the header mean nothing; everything else is proven.
                let decoded = try decode(changed)
                #expect(decoded == Array(metrics.prefix(400)), "byte \(index)")
                #expect((4..<10).contains(index), "byte \(index)")
            } catch {
                continue
            }
        }
    }

    @Test func `a wrong checksum and a wrong length are told apart`() {
        var bytes = member(metrics)
        bytes[bytes.count - 8] ^= 1
        #expect(throws: GzipError.checksumWrong) { try decode(bytes) }
        bytes[bytes.count - 8] ^= 1
        bytes[bytes.count - 4] ^= 1
        #expect(throws: GzipError.lengthWrong) { try decode(bytes) }
    }

    @Test(arguments: [[0], [0, 0, 0, 0], Array("a 1\n".utf8), [0x1F, 0x8C]])
    func `nothing may follow the last member`(rest: [UInt8]) {
        #expect(throws: GzipError.self) { try decode(member(metrics) + rest) }
    }

    @Test func `what begins as no gzip does is named as such`() {
        #expect(throws: GzipError.notGzip) { try decode(Array("a 1\n".utf8)) }
        #expect(throws: GzipError.trailed) { try decode(member(metrics) + Array("a 1\n".utf8)) }
    }

    @Test func `no more comes out than is allowed`() throws {
        let limits = GzipDecoder.Limits(decodedBytesMax: metrics.count, ratioMax: 10_000)
        #expect(try decode(member(metrics), limits: limits) == metrics)
        let more = member(metrics + [0x0A])
        #expect(throws: GzipError.tooLarge(max: metrics.count)) { try decode(more, limits: limits) }
    }

    @Test func `a bomb is found long before it has grown`() throws {
        let bomb = member([UInt8](repeating: 0x0A, count: 32 << 20))
        var limits = GzipDecoder.Limits(decodedBytesMax: 64 << 20, ratioMax: 100)
        #expect(throws: GzipError.tooDense(max: 100)) { try decode(bomb, limits: limits) }
        // The first bytes may be as dense as they like.
        limits.ratioFreeBytes = 32 << 20
        #expect(try decode(bomb, limits: limits).count == 32 << 20)
    }
}
