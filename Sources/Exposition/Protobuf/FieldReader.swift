/// How the bytes of a field are laid out. Groups (3 and 4) went out of use before this schema was
/// written; they would bring recursion by input, and are refused.
enum WireType: UInt8 {
    case varint = 0
    case fixed64 = 1
    case bytes = 2
    case fixed32 = 5
}

/// A field that the schema knows and that is as the schema has it.
struct Field {
    let number: UInt32
    /// Where its tag starts.
    let start: Int
    /// A varint's value, or the bits of a double; zero for what has bytes.
    let value: UInt64
    /// The bytes of a text or a message, or numbers packed together; otherwise nothing.
    let content: Range<Int>
    /// Whether several numbers are in `content`.
    let isPacked: Bool

    var double: Double { Double(bitPattern: value) }
}

/// Reads the fields of one message in the order they come.
///
/// Nothing is copied and nothing is allocated; a length is only ever compared with what is there.
/// Fields that the schema does not know are stepped over, as every decoder does: newer client
/// libraries have some. What they hold is not looked at, but they must end within their message.
struct FieldReader {
    private let type: MessageType
    private var offset: Int
    private let end: Int
    /// One bit for each field that has come. Numbers of the schema are below 32.
    private var given: UInt32 = 0

    /// A reader of the message whose bytes are `content`.
    init(_ type: MessageType, _ content: Range<Int>) {
        self.type = type
        offset = content.lowerBound
        end = content.upperBound
    }

    /// The next field of the schema; nil at the end of the message.
    mutating func next(in body: Span<UInt8>) throws(Flaw) -> Field? {
        while offset < end {
            let start = offset
            let tag = try readVarint(body)
            guard tag &>> 3 >= 1 && tag &>> 3 <= 0x1FFF_FFFF else {
                throw Flaw(.fieldNumberInvalid(in: type), in: start..<offset)
            }
            let number = UInt32(truncatingIfNeeded: tag &>> 3)
            guard let wireType = WireType(rawValue: UInt8(truncatingIfNeeded: tag & 7)) else {
                throw Flaw(.wireTypeInvalid(field: Int(number), of: type), in: start..<offset)
            }
            var value: UInt64 = 0
            var content = start..<start
            switch wireType {
            case .varint: value = try readVarint(body)
            case .fixed64: value = try readFixed(body, bytes: 8, since: start)
            case .fixed32: value = try readFixed(body, bytes: 4, since: start)
            case .bytes: content = try readBytes(body, since: start)
            }
            guard let rule = type.rule(of: number) else { continue }
            let field = Field(
                number: number, start: start, value: value, content: content,
                isPacked: rule.isPacked(wireType))
            try check(field, wireType, rule, in: body)
            return field
        }
        return nil
    }

    /// Holds a field against the schema.
    private mutating func check(
        _ field: Field, _ wireType: WireType, _ rule: FieldRule, in body: Span<UInt8>
    ) throws(Flaw) {
        func flaw(_ reason: Complaint.Reason) -> Flaw { Flaw(reason, in: field.start..<offset) }
        if field.isPacked {
            var numbers = PackedNumbers(field.content, of: rule.kind)
            while try numbers.next(in: body) != nil {}
            return
        }
        guard wireType == rule.kind.wireType else {
            throw flaw(.wireTypeContradicted(field: Int(field.number), of: type))
        }
        guard rule.kind.holds(field.value) else {
            throw flaw(.numberTooLarge(field: Int(field.number), of: type))
        }
        guard case .one = rule else { return }
        let bit = 1 as UInt32 &<< field.number
        guard given & bit == 0 else {
            throw flaw(.fieldRepeated(field: Int(field.number), of: type))
        }
        given |= bit
    }

    private mutating func readVarint(_ body: Span<UInt8>) throws(Flaw) -> UInt64 {
        try body.readVarint(&offset, upTo: end)
    }

    private mutating func readFixed(
        _ body: Span<UInt8>, bytes: Int, since start: Int
    ) throws(Flaw) -> UInt64 {
        guard end &- offset >= bytes else { throw Flaw(.fieldCut(in: type), in: start..<end) }
        defer { offset &+= bytes }
        return body.fixed(at: offset, bytes: bytes)
    }

    /// Steps over what has its length before it.
    private mutating func readBytes(
        _ body: Span<UInt8>, since start: Int
    ) throws(Flaw) -> Range<Int> {
        let length = try readVarint(body)
        guard length <= UInt64(truncatingIfNeeded: end &- offset) else {
            throw Flaw(.fieldCut(in: type), in: start..<end)
        }
        defer { offset &+= Int(length) }
        return offset..<offset &+ Int(length)
    }
}

/// Numbers that one field holds one after the other, without tags.
struct PackedNumbers {
    private var offset: Int
    private let end: Int
    private let kind: FieldKind

    init(_ content: Range<Int>, of kind: FieldKind) {
        (offset, end, self.kind) = (content.lowerBound, content.upperBound, kind)
    }

    /// The next number, or the bits of a double; nil at the end.
    mutating func next(in body: Span<UInt8>) throws(Flaw) -> UInt64? {
        guard offset < end else { return nil }
        guard kind == .double else { return try body.readVarint(&offset, upTo: end) }
        guard end &- offset >= 8 else { throw Flaw(.varintInvalid, in: offset..<end) }
        defer { offset &+= 8 }
        return body.fixed(at: offset, bytes: 8)
    }
}

extension FieldRule {
    /// Whether a field laid out like this holds several numbers.
    fileprivate func isPacked(_ wireType: WireType) -> Bool {
        guard case .many(let kind) = self else { return false }
        return wireType == .bytes && kind.wireType != .bytes
    }
}

extension Flaw {
    /// What is wrong with these bytes of a message.
    init(_ reason: Complaint.Reason, in range: Range<Int>) {
        self.init(reason, at: range.lowerBound, readTo: range.lowerBound, showing: range)
    }
}

extension Span<UInt8> {
    /// Reads a number of seven bits a byte, the lowest first, and moves behind it. It ends before
    /// `end`, has at most ten bytes, and fits into 64 bits. It need not be as short as it could be:
    /// decoders agree on what longer ones mean, and some encoders reserve the room.
    @inline(__always)
    func readVarint(_ offset: inout Int, upTo end: Int) throws(Flaw) -> UInt64 {
        let start = offset
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while offset < end && shift < 64 {
            let byte = self[offset]
            offset &+= 1
            // The tenth byte has room for the 64th bit and no other.
            if shift == 63 && byte > 1 { break }
            value |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { return value }
            shift &+= 7
        }
        throw Flaw(.varintInvalid, in: start..<offset)
    }

    /// A number of four or eight bytes, the lowest first. The bytes must be there.
    func fixed(at offset: Int, bytes: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<bytes {
            value |= UInt64(self[offset &+ index]) &<< UInt64(truncatingIfNeeded: index &* 8)
        }
        return value
    }

    /// Reads a message of which only its form matters, and all that is in it. As deep as the schema
    /// is, which does not contain itself: a Bucket's Exemplar's LabelPair at most.
    func checkForm(of type: MessageType, _ content: Range<Int>) throws(Flaw) {
        var reader = FieldReader(type, content)
        while let field = try reader.next(in: self) {
            guard case .message(let inner)? = type.rule(of: field.number)?.kind else { continue }
            try checkForm(of: inner, field.content)
        }
    }
}
