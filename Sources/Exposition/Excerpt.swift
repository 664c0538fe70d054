extension Span<UInt8> {
    /// What a complaint shows of the body: in quotes, at most `excerptBytesMax` bytes of it and no more
    /// than are left, with everything escaped that could hide or move in a terminal, a log or a page.
    func excerpt(_ flaw: Flaw, bytesLeft: inout Int) -> String {
        let range = flaw.evidence.clamped(to: 0..<count)
        switch flaw.reason {
        case .metricNameExpected, .labelNameExpected, .equalsExpected, .quoteExpected,
            .labelEndExpected, .metricNameEndExpected, .commentNameInvalid:
            return character(at: range.lowerBound, &bytesLeft)
        case .labelValueInvalid: return "'" + escaped(range, &bytesLeft) + "'"
        case .escapeInvalid:
            let end = Swift.max(range.lowerBound &+ 1, characterEnd(at: range.upperBound &- 1))
            return "'" + escaped(range.lowerBound..<end, &bytesLeft) + "'"
        case .labelContradictsGroup: return escaped(range, &bytesLeft)
        case .metricNameInvalid, .labelNameInvalid:
            return quoted(unquoted(range), bytesLeft: &bytesLeft)
        default: return quoted(range, bytesLeft: &bytesLeft)
        }
    }

    /// A text in double quotes, made printable, and cut where it is long or where too little is left.
    func quoted(_ range: Range<Int>, bytesLeft: inout Int) -> String {
        "\"" + escaped(range, &bytesLeft) + "\""
    }

    /// A name without the quotes around it, where it has some.
    private func unquoted(_ range: Range<Int>) -> Range<Int> {
        guard range.count >= 2, self[range.lowerBound] == 0x22, self[range.upperBound &- 1] == 0x22
        else { return range }
        return range.lowerBound &+ 1..<range.upperBound &- 1
    }

    private static var excerptBytesMax: Int { 60 }

    /// The one character that was found where another one should be.
    private func character(at offset: Int, _ bytesLeft: inout Int) -> String {
        guard offset < count, self[offset] != 0x0A else { return "the end of the line" }
        return "'" + escaped(offset..<characterEnd(at: offset), &bytesLeft) + "'"
    }

    private func characterEnd(at offset: Int) -> Int {
        guard offset < count else { return count }
        return offset &+ Swift.max(1, characterLength(at: offset, upTo: count))
    }

    private func escaped(_ range: Range<Int>, _ bytesLeft: inout Int) -> String {
        var text = ""
        var offset = range.lowerBound
        let most = Swift.min(Span.excerptBytesMax, Swift.max(0, bytesLeft))
        let end = Swift.min(range.upperBound, offset &+ most)
        while offset < end {
            let length = Swift.max(1, characterLength(at: offset, upTo: range.upperBound))
            guard offset &+ length <= end else { break }
            let isWhole = characterLength(at: offset, upTo: range.upperBound) > 0
            text += isWhole ? printable(offset..<offset &+ length) : self[offset].escape
            offset &+= length
        }
        bytesLeft &-= offset &- range.lowerBound
        return offset < range.upperBound ? text + "…" : text
    }

    /// One well-formed character, or its escape.
    private func printable(_ range: Range<Int>) -> String {
        switch self[range.lowerBound] {
        case 0x09: return "\\t"
        case 0x0A: return "\\n"
        case 0x0D: return "\\r"
        default: break
        }
        var bytes: [UInt8] = []
        for offset in range { bytes.append(self[offset]) }
        let text = String(decoding: bytes, as: UTF8.self)
        guard let scalar = text.unicodeScalars.first else { return "" }
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
            .paragraphSeparator:
            return bytes.map(\.escape).joined()
        case .spaceSeparator where scalar != " ": return bytes.map(\.escape).joined()
        default: return text
        }
    }
}

extension UInt8 {
    fileprivate var escape: String { "\\x" + (self < 16 ? "0" : "") + String(self, radix: 16) }
}
