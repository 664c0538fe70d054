extension Span<UInt8> {
    /// The first byte that does not belong to well-formed UTF-8 (Unicode 15, table 3-7): no overlong
    /// form, no surrogate, nothing above U+10FFFF.
    func firstNonUTF8(in range: Range<Int>) -> Int? {
        var offset = range.lowerBound
        while offset < range.upperBound {
            if offset &+ 8 <= range.upperBound, word(at: offset) & 0x8080_8080_8080_8080 == 0 {
                offset &+= 8
                continue
            }
            let length = characterLength(at: offset, upTo: range.upperBound)
            guard length > 0 else { return offset }
            offset &+= length
        }
        return nil
    }

    /// How many bytes the character at `offset` takes; zero when it is malformed or cut.
    func characterLength(at offset: Int, upTo end: Int) -> Int {
        let lead = self[offset]
        let left = end &- offset
        switch lead {
        case 0..<0x80: return 1
        case 0xC2...0xDF: return left >= 2 && isContinuation(offset &+ 1) ? 2 : 0
        case 0xE0...0xEF:
            guard left >= 3, isContinuation(offset &+ 1), isContinuation(offset &+ 2) else {
                return 0
            }
            let second = self[offset &+ 1]
            if lead == 0xE0 && second < 0xA0 || lead == 0xED && second > 0x9F { return 0 }
            return 3
        case 0xF0...0xF4:
            guard left >= 4, isContinuation(offset &+ 1), isContinuation(offset &+ 2),
                isContinuation(offset &+ 3)
            else { return 0 }
            let second = self[offset &+ 1]
            if lead == 0xF0 && second < 0x90 || lead == 0xF4 && second > 0x8F { return 0 }
            return 4
        default: return 0
        }
    }

    @inline(__always)
    private func isContinuation(_ offset: Int) -> Bool { self[offset] & 0xC0 == 0x80 }
}
