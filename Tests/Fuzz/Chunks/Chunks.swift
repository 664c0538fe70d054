import Bytes
import Fuzzing
import HTTP

/// Chunked bodies, whole and cut, beside a reading of all at once; and any bytes, made chunked.
@main
struct ChunksFuzzer {
    private struct Decoded: Equatable {
        var data: [UInt8] = []
        var consumed = 0
        var isComplete = false
    }

    private typealias Reading = Outcome<Decoded, ChunkError>

    static func main() { fuzz(check) }

    private static func check(_ input: Span<UInt8>) {
        var choices = Choices(from: input)
        let whole = decode(input)
        let cuts = choices.cuts(of: input.count)
        promise(decode(input, cuts: cuts) == whole, "cut at \(cuts) it is the same body")
        let bounded = decode(input, bodyBytesMax: 64)
        promise(bounded == whole || bounded.isRefused, "the bound changes nothing but the end")
        if case .value(let decoded) = whole, decoded.isComplete {
            promise(plain(input.copy) == decoded, "read at once it is the same body")
            let part = choices.number(upTo: decoded.consumed - 1)
            guard case .value(let partial) = decode(input.extracting(0..<part)) else {
                return promise(false, "\(part) bytes of a good body are good")
            }
            promise(!partial.isComplete, "\(part) bytes are no body")
        }
        checkEncoded(input.copy, &choices)
    }

    private static func decode(
        _ input: Span<UInt8>, cuts: [Int] = [], bodyBytesMax: Int = 1 << 20
    ) -> Reading {
        let limits = HeadLimits(headBytesMax: 128, targetBytesMax: 1, fieldsMax: 4)
        var decoder = ChunkedDecoder(limits: limits)
        var body = ByteBuffer()
        var decoded = Decoded()
        do throws(ChunkError) {
            for end in cuts + [input.count] where !decoded.isComplete {
                let piece = input.copy(decoded.consumed..<end)
                let progress = try decoder.decode(
                    piece.span, into: &body, bodyBytesMax: bodyBytesMax)
                promise(progress.consumed <= piece.count, "no more is used than is there")
                let isUsed = progress.isComplete || progress.consumed == piece.count
                promise(isUsed, "only the end leaves bytes behind it")
                promise(body.count <= bodyBytesMax, "the body is bounded")
                decoded.consumed += progress.consumed
                decoded.isComplete = progress.isComplete
            }
        } catch {
            return .refused(error)
        }
        decoded.data = body.span.copy
        return .value(decoded)
    }

    /// A good body, line by line.
    private static func plain(_ input: [UInt8]) -> Decoded {
        var rest = input[...]
        func line() -> String {
            let end = rest.firstIndex(of: 0x0A) ?? rest.endIndex - 1
            let line = rest[..<end]
            promise(line.last == 0x0D, "lines end with CR LF")
            rest = rest[(end + 1)...]
            return String(decoding: line.dropLast(), as: UTF8.self)
        }
        var data: [UInt8] = []
        while let size = Int(line().prefix { $0 != ";" }, radix: 16), size > 0 {
            data += rest.prefix(size)
            rest = rest.dropFirst(size)
            promise(line() == "", "data ends where its size says")
        }
        while line() != "" {}
        return Decoded(data: data, consumed: rest.startIndex, isComplete: true)
    }

    private static func checkEncoded(_ data: [UInt8], _ choices: inout Choices) {
        var encoded: [UInt8] = []
        var start = 0
        for end in choices.cuts(of: data.count) + [data.count] where end > start {
            let digits = String(end - start, radix: 16, uppercase: choices.number(upTo: 1) == 0)
            encoded += Array("\(digits)\r\n".utf8) + data[start..<end] + Array("\r\n".utf8)
            start = end
        }
        encoded += Array("0\r\n\r\n".utf8)
        let expected = Decoded(data: data, consumed: encoded.count, isComplete: true)
        let cuts = choices.cuts(of: encoded.count)
        promise(decode(encoded.span, cuts: cuts) == .value(expected), "what went in comes out")
    }
}
