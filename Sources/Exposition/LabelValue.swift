import CVector

/// A label value as written, and its hash.
struct LabelValue {
    let range: Range<Int>
    let hash: UInt64
}

extension Span<UInt8> {
    /// Reads a label value whose opening quote has been passed, and moves behind the closing one.
    ///
    /// One pass over whole blocks finds the end, notices bytes beyond ASCII and hashes. Values with
    /// escapes, and those in the last bytes of a body, take the slower way.
    @inline(__always)
    func readLabelValue(_ offset: inout Int, _ hash: KeyedHash) throws(Flaw) -> LabelValue {
        let start = offset
        var state = hash.begin
        var notASCII: UInt32 = 0
        while hasBlock(at: offset) {
            let block = block(at: offset)
            let ends = kanmon_quote_ends(block)
            guard ends != 0 else {
                notASCII |= kanmon_not_ascii(block)
                state = hash.absorb(self, offset, into: state)
                offset &+= 16
                continue
            }
            let rest = offset
            offset &+= ends.trailingZeroBitCount
            guard self[offset] == 0x22 else { break }
            notASCII |= kanmon_not_ascii(block) & ((ends &- 1) & ~ends)
            let range = unsafe Range(uncheckedBounds: (start, offset))
            if notASCII != 0 { try checkUTF8(range) }
            let end = unsafe Range(uncheckedBounds: (rest, offset))
            offset &+= 1
            return LabelValue(
                range: range, hash: hash.end(self, end, length: range.count, of: state))
        }
        return try readRareValue(&offset, from: start, hash)
    }

    @inline(never)
    private func readRareValue(
        _ offset: inout Int, from start: Int, _ hash: KeyedHash
    ) throws(Flaw) -> LabelValue {
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
