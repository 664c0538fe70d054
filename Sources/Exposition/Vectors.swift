import CVector

/// Reading a body sixteen bytes at a time: about a quarter of the instructions that eight at a time
/// take. (Thirty-two would need a newer processor than every machine has.)
extension Span<UInt8> {
    /// Whether a block starts here, and may be read.
    @inline(__always)
    func hasBlock(at offset: Int) -> Bool { offset &+ 16 <= count }

    /// Sixteen bytes. All of them must be there, as with `word`.
    @inline(__always)
    func block(at offset: Int) -> SIMD16<UInt8> {
        assert(offset >= 0 && offset &+ 16 <= count)
        return unsafe bytes.unsafeLoadUnaligned(
            fromUncheckedByteOffset: offset, as: SIMD16<UInt8>.self)
    }

    /// Whether the same bytes stand here and in another text, so many of them from either place on. The
    /// last block may overlap the one before.
    @inline(__always)
    func isEqual(_ offset: Int, to text: Span<UInt8>, _ start: Int, count length: Int) -> Bool {
        guard offset &+ length <= count, start &+ length <= text.count else { return false }
        guard length >= 16 else {
            return partialWords(offset..<offset &+ length)
                == text.partialWords(start..<start &+ length)
        }
        let last = length &- 16
        var done = 0
        while done < last {
            let differences = kanmon_differences(
                block(at: offset &+ done), text.block(at: start &+ done))
            if differences != 0 { return false }
            done &+= 16
        }
        return kanmon_differences(block(at: offset &+ last), text.block(at: start &+ last)) == 0
    }

    /// The first line feed at or after `start`; `count` when there is none.
    func lineFeed(from start: Int) -> Int {
        var offset = start
        while hasBlock(at: offset) {
            let found = kanmon_line_feeds(block(at: offset))
            if found != 0 { return offset &+ found.trailingZeroBitCount }
            offset &+= 16
        }
        while offset < count, self[offset] != 0x0A { offset &+= 1 }
        return offset
    }

    /// How many bytes are the same from two places on, at most `most`. The second place is the
    /// earlier one.
    @inline(__always)
    func sharedCount(_ first: Int, _ second: Int, most: Int) -> Int {
        assert(most == 0 || second < first)
        guard hasBlock(at: first &+ most) else {
            return sharedCountAtEnd(first, second, most: most)
        }
        var shared = 0
        while shared < most {
            let differences = kanmon_differences(
                block(at: first &+ shared), block(at: second &+ shared))
            if differences != 0 {
                return Swift.min(shared &+ differences.trailingZeroBitCount, most)
            }
            shared &+= 16
        }
        return most
    }

    @inline(never)
    private func sharedCountAtEnd(_ first: Int, _ second: Int, most: Int) -> Int {
        var shared = 0
        while shared &+ 8 <= most, first &+ shared &+ 8 <= count,
            word(at: first &+ shared) == word(at: second &+ shared)
        {
            shared &+= 8
        }
        while shared < most, first &+ shared < count,
            self[first &+ shared] == self[second &+ shared]
        {
            shared &+= 1
        }
        return shared
    }
}
