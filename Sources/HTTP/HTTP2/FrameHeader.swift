internal import Bytes

/// The nine bytes before every frame (RFC 9113 section 4.1).
struct FrameHeader {
    enum Kind {
        case data, headers, priority, reset, settings, ping, goAway, windowUpdate, continuation
        case other
    }

    let type: Kind
    let stream: UInt32
    let length: Int
    /// Of DATA and HEADERS: nothing follows on this stream.
    let endsStream: Bool
    /// Of SETTINGS: it says that ours were read. The same flag as `endsStream`.
    var isAcknowledgement: Bool { endsStream }
    /// Of PRIORITY: the stream it depends on.
    let dependency: UInt32?

    init(type: UInt8, flags: UInt8, stream: UInt32, length: Int, dependency: UInt32? = nil) {
        (self.stream, self.length) = (stream & 0x7FFF_FFFF, length)
        self.dependency = dependency.map { $0 & 0x7FFF_FFFF }
        endsStream = flags & 0x1 != 0
        self.type =
            switch type {
            case 0x0: .data
            case 0x1: .headers
            case 0x2: .priority
            case 0x3: .reset
            case 0x4: .settings
            case 0x6: .ping
            case 0x7: .goAway
            case 0x8: .windowUpdate
            case 0x9: .continuation
            default: .other
            }
    }
}

/// Finds where frames begin, in whatever pieces their bytes come. The library does not tell of those
/// that it ignores, and they are what has to be counted.
struct FrameBoundaries {
    private var prefaceLeft = 24
    /// Nine bytes, and of PRIORITY the four that follow: the library, which keeps no tree, does not
    /// look at them.
    private var header = InlineArray<13, UInt8>(repeating: 0)
    private var headerCount = 0
    private var completed = 0
    private var payloadLeft = 0
    private var isOfHeaderSection = false
    private var endsHeaderSection = false

    /// A header section has begun and not ended (section 4.3).
    var isInHeaderSection: Bool { isOfHeaderSection && (payloadLeft > 0 || !endsHeaderSection) }

    enum Piece {
        /// Of the preface, or of a payload: so many bytes.
        case rest(Int)
        /// Of a header, which is not complete: so many bytes.
        case partOfHeader(Int)
        /// A header's end, so many bytes, behind what came of it before.
        case header(Int, FrameHeader)
    }

    /// The next piece of what comes, which is not empty.
    mutating func next(in bytes: Span<UInt8>) -> Piece {
        let ofPreface = min(prefaceLeft, bytes.count)
        prefaceLeft -= ofPreface
        if ofPreface > 0 { return .rest(ofPreface) }
        var position = min(payloadLeft, bytes.count)
        payloadLeft -= position
        if position > 0 { return .rest(position) }
        while headerCount < headerBytes, position < bytes.count {
            header[headerCount] = bytes[position]
            headerCount += 1
            position += 1
        }
        guard headerCount == headerBytes else { return .partOfHeader(position) }
        let frame = FrameHeader(
            type: header[3], flags: header[4], stream: word(at: 5), length: length,
            dependency: headerCount > 9 ? word(at: 9) : nil)
        payloadLeft = length - (headerCount - 9)
        completed = headerCount
        headerCount = 0
        isOfHeaderSection = frame.type == .headers || frame.type == .continuation
        endsHeaderSection = header[4] & 0x4 != 0
        return .header(position, frame)
    }

    /// Shows the bytes of the header that became complete last.
    func withHeader(_ body: (Span<UInt8>) -> Void) {
        body(header.span.extracting(0..<completed))
    }

    /// How much of this frame has to be seen before it is told of.
    private var headerBytes: Int {
        guard headerCount >= 9 else { return 9 }
        return header[3] == 0x2 && length == 5 ? 13 : 9
    }

    private var length: Int { Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2]) }

    private func word(at place: Int) -> UInt32 {
        UInt32(header[place]) << 24 | UInt32(header[place + 1]) << 16
            | UInt32(header[place + 2]) << 8 | UInt32(header[place + 3])
    }
}
