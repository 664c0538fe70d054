import CVector

/// Reading a body eight bytes at a time.
extension Span<UInt8> {
    /// Eight bytes, the first in the lowest place. All of them must be there: whoever asks for a word
    /// had to find that out first, and the span's own check would double what a word costs.
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        assert(offset >= 0 && offset &+ 8 <= count)
        let word = unsafe bytes.unsafeLoadUnaligned(
            fromUncheckedByteOffset: offset, as: UInt64.self)
        return UInt64(littleEndian: word)
    }

    /// The first `count` bytes, at most seven, with zeros above.
    @inline(__always)
    func partialWord(at offset: Int, count wanted: Int) -> UInt64 {
        if offset &+ 8 <= count {
            return word(at: offset).first(wanted)
        }
        var word: UInt64 = 0
        var index = wanted
        while index > 0 {
            index &-= 1
            word = word &<< 8 | UInt64(self[offset &+ index])
        }
        return word
    }

    /// At most fifteen bytes as two words, with zeros above.
    @inline(__always)
    func partialWords(_ range: Range<Int>) -> (UInt64, UInt64) {
        let wanted = range.upperBound &- range.lowerBound
        guard hasBlock(at: range.lowerBound) else {
            let half = Swift.min(wanted, 7)
            let first = partialWord(at: range.lowerBound, count: half)
            if wanted < 8 { return (first, 0) }
            let eighth = UInt64(self[range.lowerBound &+ 7]) &<< 56
            return (
                first | eighth, partialWord(at: range.lowerBound &+ 8, count: wanted &- 8)
            )
        }
        let words = kanmon_first(block(at: range.lowerBound), UInt32(truncatingIfNeeded: wanted))
        return (words.x, words.y)
    }

    /// A copy that owns its bytes.
    var copied: [UInt8] { unsafe withUnsafeBufferPointer { unsafe Array($0) } }

    /// A copy with a line feed behind it.
    func copiedWithLineFeed() -> [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(count &+ 1)
        unsafe withUnsafeBufferPointer { unsafe copy.append(contentsOf: $0) }
        copy.append(0x0A)
        return copy
    }

    /// Mostly there is one blank, or none.
    @inline(__always)
    func skipBlanks(_ offset: inout Int) {
        if self[offset] == 0x20 { offset &+= 1 }
        if self[offset] <= 0x20 { skipMoreBlanks(&offset) }
    }

    @inline(never)
    private func skipMoreBlanks(_ offset: inout Int) {
        while self[offset].isBlank { offset &+= 1 }
    }

    /// Whether two ranges of the same length hold the same bytes.
    @inline(__always)
    func isEqual(_ first: Int, _ second: Int, count length: Int) -> Bool {
        if length < 8 {
            return partialWord(at: first, count: length) == partialWord(at: second, count: length)
        }
        var done = 0
        while done &+ 16 < length {
            let differences =
                (word(at: first &+ done) ^ word(at: second &+ done))
                | (word(at: first &+ done &+ 8) ^ word(at: second &+ done &+ 8))
            if differences != 0 { return false }
            done &+= 16
        }
        // At most sixteen are left: eight from their start, and the last eight, which may overlap.
        let next = Swift.min(done, length &- 8)
        let last = length &- 8
        let differences =
            (word(at: first &+ next) ^ word(at: second &+ next))
            | (word(at: first &+ last) ^ word(at: second &+ last))
        return differences == 0
    }

    func isEqual(_ range: Range<Int>, to text: Span<UInt8>) -> Bool {
        range.count == text.count && isEqual(range.lowerBound, to: text, 0, count: text.count)
    }

    /// Whether the range holds exactly this ASCII text.
    func isEqual(_ range: Range<Int>, to text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for index in 0..<range.count
        where unsafe self[range.lowerBound &+ index] != text.utf8Start[index] { return false }
        return true
    }
}

extension UInt64 {
    /// A mark in the top bit of each byte that is no digit. With the bits of '0' taken out, digits are
    /// what stays below ten; no sum reaches into the next byte.
    @inline(__always)
    var marksOfNonDigits: UInt64 {
        let tops: UInt64 = 0x8080_8080_8080_8080
        let rest = self ^ 0x3030_3030_3030_3030
        return ((rest & ~tops) &+ 0x7676_7676_7676_7676 | rest) & tops
    }

    /// The first `count` bytes, at most seven, with zeros above.
    @inline(__always)
    func first(_ count: Int) -> UInt64 {
        self & ((1 &<< (UInt64(truncatingIfNeeded: count) &* 8)) &- 1)
    }

    /// Eight characters as they stand in a body.
    @inline(__always)
    init(characters text: StaticString) {
        precondition(text.utf8CodeUnitCount == 8)
        let word = unsafe UnsafeRawPointer(text.utf8Start).loadUnaligned(as: UInt64.self)
        self.init(littleEndian: word)
    }

    /// Which byte holds the lowest mark.
    @inline(__always)
    var firstByte: Int { trailingZeroBitCount &>> 3 }
}

extension UInt8 {
    /// SP or TAB, the only white space of the format.
    @inline(__always)
    var isBlank: Bool { self <= 0x20 && (self == 0x20 || self == 0x09) }
    @inline(__always)
    var isDigit: Bool { self &- 0x30 < 10 }
    /// Where a token outside quotes ends.
    @inline(__always)
    var endsToken: Bool { self <= 0x20 && (self == 0x0A || self == 0x20 || self == 0x09) }
}
