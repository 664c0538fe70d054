import CVector

/// A metric or label name as it stands in a body: a range, never a copy.
struct Name {
    /// Both at most `Validator.bodyBytesMax`, which fits.
    private let start, end: UInt32
    /// A quote within the range that is not part of the name, as in `foo"bar"`; zero for none.
    private let gap: UInt32
    /// Whether any of it was in quotes, so that the grammar alone does not vouch for it.
    let isQuoted: Bool
    let hash: UInt64

    static let none = Name(0..<0, hash: 0)

    /// A name that is written as it is.
    @inline(__always)
    init(_ range: Range<Int>, hash: UInt64) {
        start = UInt32(truncatingIfNeeded: range.lowerBound)
        end = UInt32(truncatingIfNeeded: range.upperBound)
        gap = 0
        isQuoted = false
        self.hash = hash
    }

    /// A name in quotes, or one that a quote stands within.
    init(quoted range: Range<Int>, gap: Int, in body: Span<UInt8>, with hash: KeyedHash) {
        start = UInt32(truncatingIfNeeded: range.lowerBound)
        end = UInt32(truncatingIfNeeded: range.upperBound)
        self.gap = UInt32(truncatingIfNeeded: gap)
        isQuoted = true
        guard gap != 0 else {
            self.hash = hash(body, range)
            return
        }
        var bytes: [UInt8] = []
        for offset in range where offset != gap { bytes.append(body[offset]) }
        self.hash = hash(bytes.span, 0..<bytes.count)
    }

    @inline(__always)
    var range: Range<Int> { unsafe Range(uncheckedBounds: (Int(start), Int(end))) }
    var isEmpty: Bool { count == 0 }
    @inline(__always)
    var count: Int { Int(end &- start) &- (gap == 0 ? 0 : 1) }

    /// The byte at a place of the name, from 0.
    @inline(__always)
    func byte(_ index: Int, of body: Span<UInt8>) -> UInt8 {
        let offset = Int(start) &+ index
        return body[gap != 0 && offset >= Int(gap) ? offset &+ 1 : offset]
    }

    /// The last byte; zero when there is none.
    @inline(__always)
    func lastByte(of body: Span<UInt8>) -> UInt8 { end > start ? body[Int(end) &- 1] : 0 }

    @inline(__always)
    func isEqual(to other: Name, in body: Span<UInt8>) -> Bool {
        guard hash == other.hash && count == other.count else { return false }
        if gap == 0 && other.gap == 0 {
            return body.isEqual(Int(start), Int(other.start), count: count)
        }
        for index in 0..<count where byte(index, of: body) != other.byte(index, of: body) {
            return false
        }
        return true
    }

    /// Whether another text is this name.
    func isEqual(_ text: Span<UInt8>, in body: Span<UInt8>) -> Bool {
        guard count == text.count else { return false }
        if gap == 0 { return body.isEqual(range, to: text) }
        for index in 0..<count where byte(index, of: body) != text[index] { return false }
        return true
    }

    @inline(__always)
    func isEqual(to text: StaticString, in body: Span<UInt8>) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        guard gap == 0 else { return hasPrefix(text, in: body) }
        for index in 0..<text.utf8CodeUnitCount
        where unsafe body[Int(start) &+ index] != text.utf8Start[index] { return false }
        return true
    }

    func hasPrefix(_ text: StaticString, in body: Span<UInt8>) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        for index in 0..<text.utf8CodeUnitCount
        where unsafe byte(index, of: body) != text.utf8Start[index] { return false }
        return true
    }

    func hasSuffix(_ text: StaticString, in body: Span<UInt8>) -> Bool {
        let rest = count &- text.utf8CodeUnitCount
        guard rest >= 0 else { return false }
        if gap == 0 { return body.isEqual(Int(end) &- text.utf8CodeUnitCount..<Int(end), to: text) }
        for index in 0..<text.utf8CodeUnitCount
        where unsafe byte(rest &+ index, of: body) != text.utf8Start[index] { return false }
        return true
    }

    /// The name that the first `count` bytes of this one make.
    func first(_ length: Int, in body: Span<UInt8>, with hash: KeyedHash) -> Name {
        let isBeyondGap = gap != 0 && length > Int(gap &- start)
        let range = Int(start)..<Int(start) &+ length &+ (isBeyondGap ? 1 : 0)
        guard isQuoted else { return Name(range, hash: hash(body, range)) }
        return Name(quoted: range, gap: isBeyondGap ? Int(gap) : 0, in: body, with: hash)
    }
}

/// Which bytes a name may be made of, outside quotes.
enum NameKind {
    case metric, label

    /// Letters, digits and '_', and ':' in metrics. One bit for each ASCII character.
    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let digits: UInt64 = self == .metric ? 0x07FF_0000_0000_0000 : 0x03FF_0000_0000_0000
        let row = byte & 0x40 == 0 ? digits : 0x07FF_FFFE_87FF_FFFE
        return byte < 0x80 && row &>> UInt64(byte & 0x3F) & 1 == 1
    }

    /// The last of the digits, or what follows them and counts as one.
    var lastDigit: UInt8 { self == .metric ? 0x3A : 0x39 }
}

extension Span<UInt8> {
    /// Reads a name and moves behind it. Empty, and nothing moved, when none starts here.
    ///
    /// Quotes may stand around all of it or around its end (`foo"bar"`); the closing one ends it.
    @inline(__always)
    func readName(
        _ offset: inout Int, _ kind: NameKind, _ hash: KeyedHash
    ) throws(Flaw) -> Name {
        let start = offset
        let nameHash = self[start].isDigit ? 0 : skipNameBytes(&offset, kind, hash)
        guard self[offset] == 0x22 else {
            let range = unsafe Range(uncheckedBounds: (start, offset))
            return Name(range, hash: nameHash)
        }
        return try readQuotedEnd(&offset, from: start, hash)
    }

    /// Moves behind the bytes that may stand in a name, and gives their hash.
    @inline(__always)
    private func skipNameBytes(
        _ offset: inout Int, _ kind: NameKind, _ hash: KeyedHash
    ) -> UInt64 {
        let start = offset
        var rest = start
        var state = hash.begin
        while hasBlock(at: offset) {
            let others = kanmon_not_in_name(block(at: offset), kind.lastDigit)
            if others != 0 {
                offset &+= others.trailingZeroBitCount
                return hash.end(self, rest..<offset, length: offset &- start, of: state)
            }
            state = hash.absorb(self, offset, into: state)
            offset &+= 16
            rest = offset
        }
        while kind.contains(self[offset]) { offset &+= 1 }
        return hash.end(self, rest..<offset, length: offset &- start, of: state)
    }

    /// Whether a metric name that has been read up to here ends here.
    @inline(__always)
    func endsName(at offset: Int) -> Bool {
        guard offset < count else { return false }
        let byte = self[offset]
        if byte == 0x7B || byte == 0x20 { return true }
        return !NameKind.metric.contains(byte) && byte != 0x22
    }

    @inline(never)
    private func readQuotedEnd(
        _ offset: inout Int, from start: Int, _ hash: KeyedHash
    ) throws(Flaw) -> Name {
        let quote = offset
        offset &+= 1
        try skipQuoted(&offset, from: offset)
        let end = offset &- 1
        if quote == start {
            return Name(quoted: quote &+ 1..<end, gap: 0, in: self, with: hash)
        }
        if quote &+ 1 == end { return Name(quoted: start..<quote, gap: 0, in: self, with: hash) }
        return Name(quoted: start..<end, gap: quote, in: self, with: hash)
    }

    /// Moves behind the closing quote of a text that started at `start`. Only `\\`, `\"` and `\n`
    /// may be escaped, and nothing that may be escaped can stand for itself: so two texts mean the
    /// same only when they are written the same.
    func skipQuoted(_ offset: inout Int, from start: Int) throws(Flaw) {
        while true {
            switch self[offset] {
            case 0x22:
                offset &+= 1
                return
            case 0x5C: try skipEscape(&offset)
            case 0x0A:
                throw Flaw(.lineFeedInQuotes, at: offset, readTo: offset, showing: start..<offset)
            default: offset &+= 1
            }
        }
    }

    /// Moves behind a backslash and the byte it escapes.
    @inline(__always)
    func skipEscape(_ offset: inout Int) throws(Flaw) {
        switch self[offset &+ 1] {
        case 0x5C, 0x6E, 0x22: offset &+= 2
        default:
            throw Flaw(
                .escapeInvalid, at: offset, readTo: offset &+ 1, showing: offset..<offset &+ 2)
        }
    }

    /// Whether what was written in quotes is a name after all.
    func isName(_ name: Name, _ kind: NameKind, allowsUTF8: Bool) -> Bool {
        guard !name.isEmpty else { return false }
        if allowsUTF8 { return firstNonUTF8(in: name.range) == nil }
        guard !name.byte(0, of: self).isDigit else { return false }
        for index in 0..<name.count where !kind.contains(name.byte(index, of: self)) {
            return false
        }
        return true
    }
}
