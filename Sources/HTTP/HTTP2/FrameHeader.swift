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

    static let bytes = 9

    init(type: UInt8, flags: UInt8, stream: UInt32, length: Int) {
        (self.stream, self.length) = (stream & 0x7FFF_FFFF, length)
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
    private var header = InlineArray<9, UInt8>(repeating: 0)
    private var headerCount = 0
    private var payloadLeft = 0

    /// Reads on to the end of a frame at most. Gives how many bytes that were, and the frame's header
    /// if it has become complete; then what there is of its payload is among them.
    mutating func next(in bytes: Span<UInt8>) -> (count: Int, header: FrameHeader?) {
        let ofPreface = min(prefaceLeft, bytes.count)
        prefaceLeft -= ofPreface
        if ofPreface > 0 { return (ofPreface, nil) }
        var position = min(payloadLeft, bytes.count)
        payloadLeft -= position
        if position > 0 { return (position, nil) }
        while headerCount < FrameHeader.bytes, position < bytes.count {
            header[headerCount] = bytes[position]
            headerCount += 1
            position += 1
        }
        guard headerCount == FrameHeader.bytes else { return (position, nil) }
        headerCount = 0
        payloadLeft = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
        let stream =
            UInt32(header[5]) << 24 | UInt32(header[6]) << 16 | UInt32(header[7]) << 8
            | UInt32(header[8])
        let frame = FrameHeader(
            type: header[3], flags: header[4], stream: stream, length: payloadLeft)
        let ofPayload = min(payloadLeft, bytes.count - position)
        payloadLeft -= ofPayload
        return (position + ofPayload, frame)
    }
}
