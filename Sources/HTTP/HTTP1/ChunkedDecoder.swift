package import Bytes

/// Takes a chunked body apart (RFC 9112 section 7.1), from whatever pieces it comes in. A state
/// machine over single bytes, except that data is copied whole, so the verdict is the same for every
/// way the bytes can be cut.
package struct ChunkedDecoder: Sendable {
    package struct Progress: Equatable, Sendable {
        /// Bytes of the input that are used up. What is behind them belongs to the next message.
        package var consumed: Int
        /// The last chunk and the trailer section have been seen.
        package var isComplete: Bool
    }

    /// How many bytes that are not data a body may spend beyond one for each byte of data. Honest
    /// senders stay far below; a flood of tiny chunks or of extensions does not.
    package static let overheadBytesMax = 16 << 10
    private static let sizeDigitsMax = 16

    private enum State {
        case size, chunkExtension, sizeLineFeed
        case data, dataCarriageReturn, dataLineFeed
        case trailer
        case end
    }

    private var state = State.size
    /// Of the chunk at hand: announced, then still to come.
    private var size: UInt64 = 0
    private var digits = 0
    private var chunkExtension = ChunkExtension()
    private var overheadBytes = 0
    private var decodedBytes = 0
    private var trailer: TrailerSection

    /// The trailer section is bounded as the header section is.
    package init(limits: HeadLimits = HeadLimits()) { trailer = TrailerSection(limits: limits) }

    /// Decodes from the front of `input` and appends what it finds to `body`. Extensions and trailer
    /// fields are checked and dropped: none can change what the head said (RFC 9110 section 6.5.1).
    /// `bodyBytesMax` bounds the whole of the decoded body, over all calls; a chunk that would pass
    /// it is refused when it is announced. After an error the decoder is of no more use.
    package mutating func decode(
        _ input: Span<UInt8>, into body: inout ByteBuffer, bodyBytesMax: Int
    ) throws(ChunkError) -> Progress {
        var position = 0
        while position < input.count, state != .end {
            if state == .data {
                position += copyData(input, from: position, into: &body)
                continue
            }
            if state == .trailer {
                if try trailer.take(input[position]) { state = .end }
            } else {
                try take(input[position], bodyBytesMax: bodyBytesMax)
            }
            position += 1
        }
        return Progress(consumed: position, isComplete: state == .end)
    }

    /// Each byte of data makes good for one byte of overhead. Credit does not pile up, or a large
    /// chunk would pay for a flood after it.
    private mutating func copyData(
        _ input: Span<UInt8>, from position: Int, into body: inout ByteBuffer
    ) -> Int {
        let available = input.count - position
        let count = size < UInt64(available) ? Int(size) : available
        body.append(input.extracting(position..<(position + count)))
        size -= UInt64(count)
        decodedBytes += count
        overheadBytes = max(0, overheadBytes - count)
        if size == 0 { state = .dataCarriageReturn }
        return count
    }

    private mutating func take(_ byte: UInt8, bodyBytesMax: Int) throws(ChunkError) {
        overheadBytes += 1
        guard overheadBytes <= ChunkedDecoder.overheadBytesMax else { throw .tooMuchOverhead }
        switch state {
        case .size: try takeSize(byte)
        case .chunkExtension: if try chunkExtension.take(byte) { state = .sizeLineFeed }
        case .sizeLineFeed:
            guard byte == ASCII.lineFeed else { throw .badLineEnd }
            try startChunk(bodyBytesMax: bodyBytesMax)
        case .dataCarriageReturn:
            guard byte == ASCII.carriageReturn else { throw .badDataEnd }
            state = .dataLineFeed
        case .dataLineFeed:
            guard byte == ASCII.lineFeed else { throw .badDataEnd }
            (state, digits) = (.size, 0)
        case .data, .trailer, .end:
            preconditionFailure("decode handles these itself")
        }
    }

    /// `1*HEXDIG`: no sign, no prefix, no blank. Sixteen digits are the most that `size` can hold.
    private mutating func takeSize(_ byte: UInt8) throws(ChunkError) {
        if let digit = byte.hexDigitValue {
            guard digits < ChunkedDecoder.sizeDigitsMax else { throw .sizeLineTooLong }
            digits += 1
            size = size << 4 | UInt64(digit)
            return
        }
        guard digits > 0 else { throw .badSize }
        switch byte {
        case ASCII.carriageReturn: state = .sizeLineFeed
        case ASCII.lineFeed: throw .badLineEnd
        case ASCII.semicolon:
            chunkExtension = ChunkExtension()
            state = .chunkExtension
        default: throw .badSize
        }
    }

    private mutating func startChunk(bodyBytesMax: Int) throws(ChunkError) {
        guard size > 0 else {
            state = .trailer
            return
        }
        guard size <= UInt64(max(0, bodyBytesMax - decodedBytes)) else { throw .bodyTooLarge }
        state = .data
    }
}

/// What follows the size of a chunk: `*( ";" name [ "=" ( token / quoted-string ) ] )` of section
/// 7.1.1, without the blanks that only a recipient has to bear. Nothing reads it; it is checked so
/// that nothing hides in it that another reader takes for the end of the line.
private struct ChunkExtension: Sendable {
    private enum State { case nameStart, name, valueStart, value, quoted, escaped, quotedEnd }

    private static let bytesMax = 256

    private var state = State.nameStart
    private var bytesLeft = ChunkExtension.bytesMax

    /// Takes the bytes behind the first semicolon. True when `byte` is the CR that ends the line.
    mutating func take(_ byte: UInt8) throws(ChunkError) -> Bool {
        guard bytesLeft > 0 else { throw .sizeLineTooLong }
        bytesLeft -= 1
        switch (state, byte) {
        case (.nameStart, _) where byte.isTokenCharacter: state = .name
        case (.valueStart, _) where byte.isTokenCharacter: state = .value
        case (.valueStart, ASCII.quote): state = .quoted
        case (.name, _) where byte.isTokenCharacter: break
        case (.value, _) where byte.isTokenCharacter: break
        case (.name, ASCII.equals): state = .valueStart
        case (.quoted, ASCII.quote): state = .quotedEnd
        case (.quoted, ASCII.backslash): state = .escaped
        case (.quoted, _) where byte.isText: break
        case (.escaped, _) where byte.isText: state = .quoted
        case (.name, ASCII.semicolon), (.value, ASCII.semicolon), (.quotedEnd, ASCII.semicolon):
            state = .nameStart
        case (.name, ASCII.carriageReturn), (.value, ASCII.carriageReturn),
            (.quotedEnd, ASCII.carriageReturn):
            return true
        default: throw byte == ASCII.lineFeed ? .badLineEnd : .badExtension
        }
        return false
    }
}

extension UInt8 {
    /// What a field value or a quoted string may hold: no control character but HTAB.
    var isText: Bool { !isControl || self == ASCII.tab }
}

/// Why a chunked body is refused. The connection cannot be used any more.
package enum ChunkError: Error, Equatable, Sendable {
    case badSize
    /// More than 16 digits, or more than 256 bytes of extensions.
    case sizeLineTooLong
    case badExtension
    case badLineEnd
    /// The data is longer than its chunk said, or CR LF is missing behind it.
    case badDataEnd
    case tooMuchOverhead
    case bodyTooLarge
    case trailer(FieldError)
    case trailerTooLarge

    package var status: Status {
        switch self {
        case .badSize, .sizeLineTooLong, .badExtension, .badLineEnd, .badDataEnd, .tooMuchOverhead:
            .badRequest
        case .bodyTooLarge: .contentTooLarge
        case .trailer(let error): error.status
        case .trailerTooLarge: .fieldsTooLarge
        }
    }

    package var sentence: StaticString {
        switch self {
        case .badSize: "a chunk size is not a hexadecimal number"
        case .sizeLineTooLong: "a chunk size line is too long"
        case .badExtension: "a chunk extension is malformed"
        case .badLineEnd: "a chunk size line does not end with CR LF"
        case .badDataEnd: "the data of a chunk does not end with CR LF where its size says"
        case .tooMuchOverhead: "the chunks are too small for what they hold"
        case .bodyTooLarge: "the body is too large"
        case .trailer(let error): error.sentence
        case .trailerTooLarge: "the trailer section is too large"
        }
    }
}
