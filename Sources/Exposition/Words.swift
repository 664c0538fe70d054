/// Reading a body eight bytes at a time. Every offset is checked by the span; the only thing said to
/// be unsafe is that raw bytes become a number, and any bytes are one.
extension Span<UInt8> {
    /// Eight bytes, the first in the lowest place.
    @inline(__always)
    func word(at offset: Int) -> UInt64 {
        let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        return UInt64(littleEndian: word)
    }

    /// The first `count` bytes, at most seven, with zeros above.
    @inline(__always)
    func partialWord(at offset: Int, count wanted: Int) -> UInt64 {
        if offset &+ 8 <= count {
            return word(at: offset) & ((1 &<< (UInt64(truncatingIfNeeded: wanted) &* 8)) &- 1)
        }
        var word: UInt64 = 0
        var index = wanted
        while index > 0 {
            index &-= 1
            word = word &<< 8 | UInt64(self[offset &+ index])
        }
        return word
    }

    /// The first line feed at or after `start`; `count` when there is none.
    func lineFeed(from start: Int) -> Int {
        var offset = start
        while offset &+ 8 <= count {
            let found = word(at: offset).bytes(equalTo: 0x0A)
            if found != 0 { return offset &+ found.firstByte }
            offset &+= 8
        }
        while offset < count, self[offset] != 0x0A { offset &+= 1 }
        return offset
    }

    @inline(__always)
    func skipBlanks(_ offset: inout Int) {
        while self[offset].isBlank { offset &+= 1 }
    }

    /// Whether two ranges of the same length hold the same bytes.
    @inline(__always)
    func isEqual(_ first: Int, _ second: Int, count length: Int) -> Bool {
        var done = 0
        while done &+ 8 <= length {
            if word(at: first &+ done) != word(at: second &+ done) { return false }
            done &+= 8
        }
        let rest = length &- done
        return partialWord(at: first &+ done, count: rest)
            == partialWord(at: second &+ done, count: rest)
    }

    func isEqual(_ range: Range<Int>, to text: Span<UInt8>) -> Bool {
        guard range.count == text.count else { return false }
        for index in 0..<text.count where self[range.lowerBound &+ index] != text[index] {
            return false
        }
        return true
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
    /// A mark in the top bit of bytes that equal `byte`. Marks above the lowest one may be false.
    @inline(__always)
    func bytes(equalTo byte: UInt8) -> UInt64 {
        let difference = self ^ (0x0101_0101_0101_0101 &* UInt64(byte))
        return (difference &- 0x0101_0101_0101_0101) & ~difference & 0x8080_8080_8080_8080
    }

    /// Which byte holds the lowest mark.
    @inline(__always)
    var firstByte: Int { trailingZeroBitCount &>> 3 }
}

extension UInt8 {
    /// SP or TAB, the only white space of the format.
    @inline(__always)
    var isBlank: Bool { self == 0x20 || self == 0x09 }
    @inline(__always)
    var isDigit: Bool { self &- 0x30 < 10 }
    /// Where a token outside quotes ends.
    @inline(__always)
    var endsToken: Bool { self == 0x20 || self == 0x0A || self == 0x09 }
}
