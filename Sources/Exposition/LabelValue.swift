import CVector

extension Span<UInt8> {
    /// Reads a label value whose opening quote has been passed, and moves behind the closing one. Gives
    /// its hash, into which the seed goes: the hash of the name makes it one of the pair.
    ///
    /// One pass over whole blocks finds the end, notices bytes beyond ASCII and hashes. Values with
    /// escapes, and those in the last bytes of a body, take the slower way.
    @inline(__always)
    func readLabelValue(
        _ offset: inout Int, _ hash: KeyedHash, seed: UInt64
    ) throws(Flaw) -> UInt64 {
        let start = offset
        var state = seed
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
            if notASCII != 0 { try checkUTF8(start..<offset) }
            let end = unsafe Range(uncheckedBounds: (rest, offset))
            offset &+= 1
            return hash.end(self, end, length: end.upperBound &- start, of: state)
        }
        return try readRareValue(&offset, from: start, hash, seed: seed)
    }

    @inline(never)
    private func readRareValue(
        _ offset: inout Int, from start: Int, _ hash: KeyedHash, seed: UInt64
    ) throws(Flaw) -> UInt64 {
        try skipQuoted(&offset, from: start)
        let range = start..<offset &- 1
        try checkUTF8(range)
        return hash(self, range, seed: seed)
    }

    /// The escapes are ASCII, so a value is UTF-8 just when it is as written.
    private func checkUTF8(_ range: Range<Int>) throws(Flaw) {
        guard let offset = firstNonUTF8(in: range) else { return }
        throw Flaw(
            .labelValueInvalid, at: offset, readTo: range.upperBound, showing: offset..<offset &+ 1)
    }
}
