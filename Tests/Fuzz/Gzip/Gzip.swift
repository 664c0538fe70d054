import Bytes
import CZlib
import Fuzzing
import Gzip

/// Gzip bodies, beside zlib in one go. What does not begin as gzip does is compressed and then damaged,
/// since chance seldom finds a checksum.
@main
struct GzipFuzzer {
    private static let generous: GzipDecoder.Limits = {
        var limits = GzipDecoder.Limits(decodedBytesMax: decodedBytesMax, ratioMax: 1 << 20)
        limits.ratioFreeBytes = decodedBytesMax
        return limits
    }()
    private static let tight: GzipDecoder.Limits = {
        var limits = GzipDecoder.Limits(decodedBytesMax: 4096, ratioMax: 4)
        limits.ratioFreeBytes = 64
        return limits
    }()
    /// More than inputs of the length that fuzzing uses can become.
    private static let decodedBytesMax = 8 << 20

    static func main() { fuzz(judge) }

    private static func judge(_ input: Span<UInt8>) {
        var choices = Choices(from: input)
        let body = input.copy
        if body.starts(with: [0x1F, 0x8B]) { return check(body, &choices) }
        var member = zlibMember(body)
        promise(decode(member, generous, &choices) == .success(body), "what went in comes out")
        if choices.number(upTo: 1) == 0 { member += zlibMember(body.reversed()) }
        let place = choices.number(upTo: member.count - 1)
        switch choices.number(upTo: 2) {
        case 0: member[place] ^= UInt8(1 << choices.number(upTo: 7))
        case 1: member.removeSubrange(place...)
        default: member.append(UInt8(place & 0xFF))
        }
        check(member, &choices)
    }

    private static func check(_ encoded: [UInt8], _ choices: inout Choices) {
        var none = Choices(from: [UInt8]().span)
        let whole = decode(encoded, generous, &none, isWhole: true)
        promise(decode(encoded, generous, &choices) == whole, "cut or not, it is the same stream")
        let expected = zlibDecoded(encoded)
        switch (whole, expected) {
        case (.success(let ours), let theirs): promise(ours == theirs, "zlib decodes the same")
        case (.failure(.tooLarge), _): break
        case (.failure, let theirs): promise(theirs == nil, "zlib refuses it too")
        }
        guard case .success(let bounded) = decode(encoded, tight, &choices) else { return }
        promise(bounded == expected, "bounds change nothing but the end")
        promise(bounded.count <= tight.decodedBytesMax, "the bound is kept")
        let isDense = bounded.count > encoded.count * tight.ratioMax
        promise(!isDense || bounded.count <= tight.ratioFreeBytes, "the ratio is kept")
    }

    /// Decodes in pieces and with rooms that the choices say.
    private static func decode(
        _ encoded: [UInt8], _ limits: GzipDecoder.Limits, _ choices: inout Choices,
        isWhole: Bool = false
    ) -> Result<[UInt8], GzipError> {
        do throws(GzipError) {
            var decoder = try GzipDecoder(limits)
            var output = ByteBuffer()
            var start = 0
            let cuts = isWhole ? [] : choices.cuts(of: encoded.count)
            for end in cuts + [encoded.count] {
                var input = ByteBuffer()
                let piece = Array(encoded[start..<end])
                input.append(piece.span)
                start = end
                var step = GzipDecoder.Step.needsRoom
                while step == .needsRoom {
                    let before = output.count
                    let room = isWhole ? 64 << 10 : 1 + choices.number(upTo: 4096)
                    step = try decoder.decode(&input, into: &output, room: room)
                    promise(output.count - before <= room, "a step keeps to its room")
                    let limit = limits.decodedBytesMax
                    promise(output.count <= limit, "no more than \(limit) bytes come out")
                }
                let isUsed = input.isEmpty
                promise(isUsed, "all of the input is used")
            }
            try decoder.finish()
            return .success(output.span.copy)
        } catch {
            return .failure(error)
        }
    }
}

extension GzipFuzzer {
    /// What zlib makes of whole members and nothing else. Nil when it does not like them, and for no
    /// member at all.
    private static func zlibDecoded(_ encoded: [UInt8]) -> [UInt8]? {
        var decoded: [UInt8] = []
        var rest = encoded[...]
        repeat {
            let member = Array(rest)
            // Most need little, and clearing much takes long.
            let short = zlibDecodedMember(member, bytesMax: 1 << 14)
            let found = short ?? zlibDecodedMember(member, bytesMax: decodedBytesMax)
            guard let (text, used) = found else { return nil }
            decoded += text
            rest = rest.dropFirst(used)
        } while !rest.isEmpty
        return decoded
    }

    private static func zlibDecodedMember(
        _ encoded: [UInt8], bytesMax: Int
    ) -> ([UInt8], used: Int)? {
        var input = encoded
        var output = [UInt8](repeating: 0, count: bytesMax)
        var stream = unsafe z_stream()
        guard unsafe kanmon_inflate_begin(&stream) == Z_OK else { return nil }
        defer { unsafe inflateEnd(&stream) }
        let (made, used, code) = unsafe input.withUnsafeMutableBufferPointer { input in
            unsafe output.withUnsafeMutableBufferPointer { output in
                unsafe stream.next_in = UnsafePointer(input.baseAddress)
                unsafe stream.avail_in = UInt32(input.count)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(output.count)
                let code = unsafe inflate(&stream, Z_FINISH)
                return unsafe (
                    output.count - Int(stream.avail_out), input.count - Int(stream.avail_in), code
                )
            }
        }
        return code == Z_STREAM_END ? (Array(output[..<made]), used) : nil
    }

    private static func zlibMember(_ text: [UInt8]) -> [UInt8] {
        var input = text
        var output = [UInt8](repeating: 0, count: text.count + 1024)
        var stream = unsafe z_stream()
        let size = unsafe Int32(MemoryLayout<z_stream>.size)
        let begun = unsafe deflateInit2_(
            &stream, 1, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
        promise(begun == Z_OK, "there is memory to compress in")
        defer { unsafe deflateEnd(&stream) }
        let made = unsafe input.withUnsafeMutableBufferPointer { input in
            unsafe output.withUnsafeMutableBufferPointer { output in
                unsafe stream.next_in = UnsafePointer(input.baseAddress)
                unsafe stream.avail_in = UInt32(input.count)
                unsafe stream.next_out = output.baseAddress
                unsafe stream.avail_out = UInt32(output.count)
                promise(unsafe deflate(&stream, Z_FINISH) == Z_STREAM_END, "it fits")
                return unsafe output.count - Int(stream.avail_out)
            }
        }
        return Array(output[..<made])
    }
}
