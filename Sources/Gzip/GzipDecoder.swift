package import Bytes
internal import CZlib
internal import Glibc

/// Undoes gzip (RFC 1952) piece by piece, with a bound on what comes out.
///
/// A body is good when it is one member or several and nothing else, each with the CRC and length that
/// its trailer names. A Pushgateway up to 1.5 stores what came before a cut or a wrong checksum, so
/// nothing may be believed before `finish` says so.
@safe
package struct GzipDecoder: ~Copyable {
    /// zlib keeps a pointer to it, so it must stay where it is.
    private let stream: UnsafeMutablePointer<z_stream>
    private let limits: Limits
    private var place = Place.start
    private var isFirstMember = true
    private var encoded = 0
    private var decoded = 0

    /// How much may come out.
    package struct Limits: Sendable {
        package var decodedBytesMax: Int
        /// How many bytes may come out for one that went in, once `ratioFreeBytes` have come out.
        /// (Deflate makes at most 1,032 of one.)
        package var ratioMax: Int
        package var ratioFreeBytes = 1 << 20

        package init(decodedBytesMax: Int, ratioMax: Int) {
            precondition(decodedBytesMax > 0 && ratioMax > 0)
            self.decodedBytesMax = decodedBytesMax
            self.ratioMax = ratioMax
        }
    }

    /// What one decoder takes on the heap, roughly: window and tables.
    package static let storageBytes = 48 << 10

    private enum Place { case start, inMember, betweenMembers }

    package init(_ limits: Limits) throws(GzipError) {
        self.limits = limits
        unsafe stream = .allocate(capacity: 1)
        unsafe stream.initialize(to: z_stream())
        guard unsafe kanmon_inflate_begin(stream) == Z_OK else {
            unsafe stream.deallocate()
            throw .memoryShort
        }
    }

    deinit {
        unsafe inflateEnd(stream)
        unsafe stream.deallocate()
    }

    /// Why a step ended.
    package enum Step: Equatable, Sendable {
        /// All of the input is used.
        case needsInput
        /// `room` bytes have come out; there may be more of the same input.
        case needsRoom
    }

    /// Decodes from `input`, from which it drops what it has used, behind what `output` holds, at most
    /// `room` bytes, so that a turn of the caller stays short.
    package mutating func decode(
        _ input: inout ByteBuffer, into output: inout ByteBuffer, room: Int
    ) throws(GzipError) -> Step {
        var room = room
        while room > 0 {
            if place != .inMember {
                if input.isEmpty { return .needsInput }
                try beginMember()
            }
            let (used, made, code) = step(input.span, into: &output, room: room)
            input.consume(used)
            try count(used, made)
            room -= made
            switch code {
            case Z_STREAM_END: place = .betweenMembers
            case Z_OK where room > 0 && input.isEmpty, Z_BUF_ERROR where input.isEmpty:
                return .needsInput
            case Z_OK: continue
            case Z_MEM_ERROR: throw .memoryShort
            default: throw fault()
            }
        }
        return .needsRoom
    }

    /// Says whether the input could end here.
    package func finish() throws(GzipError) {
        guard place == .betweenMembers else { throw .cut }
    }

    private mutating func beginMember() throws(GzipError) {
        if place == .betweenMembers {
            guard unsafe inflateReset(stream) == Z_OK else { throw .malformed }
            isFirstMember = false
        }
        place = .inMember
    }

    private func step(
        _ input: Span<UInt8>, into output: inout ByteBuffer, room: Int
    ) -> (used: Int, made: Int, code: Int32) {
        let (given, wanted) = (UInt32(clamping: input.count), UInt32(clamping: room))
        let code = unsafe input.withUnsafeBufferPointer { input in
            output.append(upTo: Int(wanted)) { output in
                unsafe output.withUnsafeMutableBufferPointer { bytes, initializedCount in
                    unsafe stream.pointee.next_in = input.baseAddress
                    unsafe stream.pointee.avail_in = given
                    unsafe stream.pointee.next_out = bytes.baseAddress
                    unsafe stream.pointee.avail_out = wanted
                    let code = unsafe inflate(stream, Z_NO_FLUSH)
                    unsafe initializedCount = Int(wanted - stream.pointee.avail_out)
                    return code
                }
            }
        }
        let used = unsafe Int(given - stream.pointee.avail_in)
        let made = unsafe Int(wanted - stream.pointee.avail_out)
        return (used, made, code)
    }

    private mutating func count(_ used: Int, _ made: Int) throws(GzipError) {
        encoded += used
        decoded += made
        if decoded > limits.decodedBytesMax { throw .tooLarge(max: limits.decodedBytesMax) }
        guard decoded > limits.ratioFreeBytes else { return }
        let (most, overflowed) = encoded.multipliedReportingOverflow(by: limits.ratioMax)
        if !overflowed && decoded > most { throw .tooDense(max: limits.ratioMax) }
    }

    /// What zlib found wrong. Behind a good member, what does not begin like another is no gzip.
    private func fault() -> GzipError {
        guard let message = unsafe stream.pointee.msg else { return .malformed }
        if unsafe strcmp(message, "incorrect data check") == 0 { return .checksumWrong }
        if unsafe strcmp(message, "incorrect length check") == 0 { return .lengthWrong }
        guard unsafe strcmp(message, "incorrect header check") == 0 else { return .malformed }
        return isFirstMember ? .notGzip : .trailed
    }
}

/// Why a body that says it is gzip is not taken.
package enum GzipError: Error, Equatable, Sendable {
    case notGzip
    /// It ends before a trailer.
    case cut
    case checksumWrong
    case lengthWrong
    /// Something follows the last member.
    case trailed
    case malformed
    case tooLarge(max: Int)
    case tooDense(max: Int)
    /// There was no memory for the decoder.
    case memoryShort

    /// One sentence without a full stop.
    package var sentence: StaticString {
        switch self {
        case .notGzip: "the body says it is gzip and does not begin as gzip does"
        case .cut: "the gzip stream ends too early"
        case .checksumWrong: "the gzip stream has another checksum than its trailer says"
        case .lengthWrong: "the gzip stream has another length than its trailer says"
        case .trailed: "something follows the end of the gzip stream"
        case .malformed: "the gzip stream is broken"
        case .tooLarge: "the body is larger than this gate takes once it is decompressed"
        case .tooDense: "the body grows far more than metrics do when it is decompressed"
        case .memoryShort: "there is no memory to decompress the body in"
        }
    }
}
