internal import Bytes

/// The field lines between a start line and the empty line (RFC 9112 section 5), one at a time, for
/// requests and responses alike. Every byte is judged once, when it is first seen, so the verdict
/// does not depend on how the bytes were cut into reads.
struct FieldSection: Sendable {
    enum Step { case needsMore, field, end }

    /// The first byte that is not judged yet; after `.end` the first one of the body.
    private(set) var position: Int
    /// The line that `.field` announced. The value still has the blanks around it.
    private(set) var name = 0..<0
    private(set) var value = 0..<0
    private(set) var valueHasNonASCII = false

    private enum Phase { case lineStart, name, value }
    private var phase = Phase.lineStart
    private var fieldsLeft: Int

    init(from position: Int, fieldsMax: Int) {
        self.position = position
        fieldsLeft = fieldsMax
    }

    /// Reads on to the end of a line. `bytes` begin where they began in the calls before.
    mutating func next(in bytes: Span<UInt8>) throws(FieldError) -> Step {
        if phase == .lineStart {
            guard position < bytes.count else { return .needsMore }
            if bytes[position] == ASCII.carriageReturn { return try endSection(bytes) }
            try startLine(bytes[position])
        }
        if phase == .name {
            guard try readName(bytes) else { return .needsMore }
        }
        return try readValue(bytes) ? .field : .needsMore
    }

    private func endOfLineIsComplete(_ bytes: Span<UInt8>) throws(FieldError) -> Bool {
        guard position + 1 < bytes.count else { return false }
        guard bytes[position + 1] == ASCII.lineFeed else { throw .bareCarriageReturn }
        return true
    }

    private mutating func endSection(_ bytes: Span<UInt8>) throws(FieldError) -> Step {
        guard try endOfLineIsComplete(bytes) else { return .needsMore }
        position += 2
        return .end
    }

    private mutating func startLine(_ first: UInt8) throws(FieldError) {
        if first == ASCII.lineFeed { throw .bareLineFeed }
        if first.isBlank { throw .folded }
        guard fieldsLeft > 0 else { throw .tooMany }
        fieldsLeft -= 1
        name = position..<position
        phase = .name
    }

    private mutating func readName(_ bytes: Span<UInt8>) throws(FieldError) -> Bool {
        position = bytes.firstIndex(outside: ByteClass.token, from: position)
        name = name.lowerBound..<position
        guard position < bytes.count else { return false }
        guard bytes[position] == ASCII.colon else { throw FieldError(inName: bytes[position]) }
        guard !name.isEmpty else { throw .emptyName }
        position += 1
        value = position..<position
        valueHasNonASCII = false
        phase = .value
        return true
    }

    private mutating func readValue(_ bytes: Span<UInt8>) throws(FieldError) -> Bool {
        position = bytes.firstIndexOutsideText(from: position, sawNonASCII: &valueHasNonASCII)
        guard position < bytes.count else { return false }
        guard bytes[position] == ASCII.carriageReturn else {
            throw FieldError(inValue: bytes[position])
        }
        guard try endOfLineIsComplete(bytes) else { return false }
        value = value.lowerBound..<position
        position += 2
        phase = .lineStart
        return true
    }
}

/// What may be wrong with a field line of a head or of a trailer section.
package enum FieldError: Error, Equatable, Sendable {
    /// LF without CR ends a line for some readers only (RFC 9112 section 2.2).
    case bareLineFeed
    case bareCarriageReturn
    /// White space at the start of a line: obsolete folding, or before the first field (sections
    /// 2.2 and 5.2).
    case folded
    /// White space between the name and the colon (section 5.1).
    case blankBeforeColon
    case missingColon
    case emptyName
    case badName
    case controlInValue
    case tooMany

    init(inName byte: UInt8) {
        self =
            switch byte {
            case ASCII.space, ASCII.tab: .blankBeforeColon
            case ASCII.carriageReturn: .missingColon
            case ASCII.lineFeed: .bareLineFeed
            default: .badName
            }
    }

    init(inValue byte: UInt8) { self = byte == ASCII.lineFeed ? .bareLineFeed : .controlInValue }

    package var status: Status { self == .tooMany ? .fieldsTooLarge : .badRequest }

    package var sentence: StaticString {
        switch self {
        case .bareLineFeed: "a line ends with LF alone; HTTP lines end with CR LF"
        case .bareCarriageReturn: "a CR stands without the LF that must follow it"
        case .folded: "a field line begins with white space"
        case .blankBeforeColon: "a field line has white space before the colon"
        case .missingColon: "a field line has no colon"
        case .emptyName: "a field line has no name before the colon"
        case .badName: "a field name holds a character that may not stand there"
        case .controlInValue: "a field value holds a control character"
        case .tooMany: "there are too many field lines"
        }
    }
}
