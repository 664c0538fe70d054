/// A label value as written, and its hash.
struct LabelValue {
    let range: Range<Int>
    let hash: UInt64
}

extension Span<UInt8> {
    /// Reads a label value whose opening quote has been passed, and moves behind the closing one.
    ///
    /// One pass over whole words finds the end, notices bytes beyond ASCII and hashes. Values with
    /// escapes, and those in the last bytes of a body, take the slower way.
    @inline(__always)
    func readLabelValue(_ offset: inout Int, _ hash: KeyedHash) throws(Flaw) -> LabelValue {
        let start = offset
        var state = hash.begin
        var seen: UInt64 = 0
        while offset &+ 8 <= count {
            let word = word(at: offset)
            let stops =
                word.bytes(equalTo: 0x22) | word.bytes(equalTo: 0x5C) | word.bytes(equalTo: 0x0A)
            guard stops != 0 else {
                seen |= word
                state = hash.absorb(word, into: state)
                offset &+= 8
                continue
            }
            let length = stops.firstByte
            offset &+= length
            guard self[offset] == 0x22 else { break }
            let last = word.before(stops)
            seen |= last
            let range = unsafe Range(uncheckedBounds: (start, offset))
            if seen & 0x8080_8080_8080_8080 != 0 { try checkUTF8(range) }
            offset &+= 1
            return LabelValue(
                range: range, hash: hash.end(last, length: range.count, of: state))
        }
        try skipQuoted(&offset, from: start)
        let range = start..<offset &- 1
        try checkUTF8(range)
        return LabelValue(range: range, hash: hash(self, range))
    }

    /// The escapes are ASCII, so a value is UTF-8 just when it is as written.
    private func checkUTF8(_ range: Range<Int>) throws(Flaw) {
        guard let offset = firstNonUTF8(in: range) else { return }
        throw Flaw(
            .labelValueInvalid, at: offset, readTo: range.upperBound, showing: offset..<offset &+ 1)
    }
}
