internal import Bytes

/// The field lines behind the last chunk (RFC 9112 section 7.1.2), byte by byte, since they are used
/// up as they come. The rules are those of `FieldSection`; what the fields say is of no interest.
struct TrailerSection: Sendable {
    private enum State { case lineStart, name, value, lineFeed, lastLineFeed }

    private var state = State.lineStart
    private var nameIsEmpty = true
    private var bytesLeft: Int
    private var fieldsLeft: Int

    init(limits: HeadLimits) {
        bytesLeft = limits.headBytesMax
        fieldsLeft = limits.fieldsMax
    }

    /// True when `byte` is the last one of the message.
    mutating func take(_ byte: UInt8) throws(ChunkError) -> Bool {
        guard bytesLeft > 0 else { throw .trailerTooLarge }
        bytesLeft -= 1
        do throws(FieldError) {
            return try judge(byte)
        } catch {
            throw .trailer(error)
        }
    }

    private mutating func judge(_ byte: UInt8) throws(FieldError) -> Bool {
        switch state {
        case .lineStart: try startLine(byte)
        case .name: try readName(byte)
        case .value:
            if byte == ASCII.carriageReturn {
                state = .lineFeed
            } else if !byte.isText {
                throw FieldError(inValue: byte)
            }
        case .lineFeed:
            guard byte == ASCII.lineFeed else { throw .bareCarriageReturn }
            state = .lineStart
        case .lastLineFeed:
            guard byte == ASCII.lineFeed else { throw .bareCarriageReturn }
            return true
        }
        return false
    }

    private mutating func startLine(_ byte: UInt8) throws(FieldError) {
        if byte == ASCII.carriageReturn {
            state = .lastLineFeed
            return
        }
        if byte == ASCII.lineFeed { throw .bareLineFeed }
        if byte.isBlank { throw .folded }
        guard fieldsLeft > 0 else { throw .tooMany }
        fieldsLeft -= 1
        nameIsEmpty = true
        state = .name
        try readName(byte)
    }

    private mutating func readName(_ byte: UInt8) throws(FieldError) {
        if byte.isTokenCharacter {
            nameIsEmpty = false
        } else if byte == ASCII.colon {
            guard !nameIsEmpty else { throw .emptyName }
            state = .value
        } else {
            throw FieldError(inName: byte)
        }
    }
}
