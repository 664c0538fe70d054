import Bytes

/// A text in which `*` stands for any run of bytes, an empty one too; every other byte is itself.
/// There is no escape: a value with a star in it is matched by a star.
///
/// Matching is linear in the value: the pieces before the first and behind the last star are
/// compared in their places, each piece between is looked for once, from left to right, by Knuth,
/// Morris and Pratt's method, so that no pattern and no value can make it go back. A pattern and a
/// value of UTF-8 match by whole characters, since UTF-8 synchronises itself.
internal struct ValuePattern: Sendable, Equatable {
    /// The pieces between the stars, one behind the other.
    private let text: [UInt8]
    /// At least one; with a star, the first and the last may be empty and the others are not.
    private let pieces: [Range<Int>]
    /// For each byte of `text`: how many bytes of its piece's beginning end with it.
    private let overlaps: [Int]

    internal init(_ pattern: Span<UInt8>) {
        var text: [UInt8] = []
        var pieces: [Range<Int>] = []
        var start = 0
        for index in pattern.indices {
            guard pattern[index] == UInt8(ascii: "*") else {
                text.append(pattern[index])
                continue
            }
            // Two stars in a row are one.
            if pieces.isEmpty || start < text.count { pieces.append(start..<text.count) }
            start = text.count
        }
        pieces.append(start..<text.count)
        (self.text, self.pieces) = (text, pieces)
        overlaps = ValuePattern.overlaps(in: text, pieces)
    }

    internal func matches(_ value: Span<UInt8>) -> Bool {
        guard let first = pieces.first, let last = pieces.last, pieces.count > 1 else {
            return value.isEqual(to: text.span)
        }
        // The two may not share bytes of the value: `a*a` does not match `a`.
        guard value.count >= first.count + last.count else { return false }
        let end = value.count - last.count
        guard value.extracting(0..<first.count).isEqual(to: text.span.extracting(first)),
            value.extracting(end..<value.count).isEqual(to: text.span.extracting(last))
        else { return false }

        var position = first.count
        for index in 1..<pieces.count - 1 {
            guard let found = self.end(of: pieces[index], in: value, position..<end) else {
                return false
            }
            position = found
        }
        return true
    }

    /// The end of the first place in `range` where the piece stands.
    private func end(of piece: Range<Int>, in value: Span<UInt8>, _ range: Range<Int>) -> Int? {
        var matched = 0
        for index in range {
            while matched > 0, text[piece.lowerBound + matched] != value[index] {
                matched = overlaps[piece.lowerBound + matched - 1]
            }
            if text[piece.lowerBound + matched] == value[index] { matched += 1 }
            if matched == piece.count { return index + 1 }
        }
        return nil
    }

    private static func overlaps(in text: [UInt8], _ pieces: [Range<Int>]) -> [Int] {
        var overlaps = Array(repeating: 0, count: text.count)
        for piece in pieces {
            var matched = 0
            for index in piece.dropFirst() {
                while matched > 0, text[piece.lowerBound + matched] != text[index] {
                    matched = overlaps[piece.lowerBound + matched - 1]
                }
                if text[piece.lowerBound + matched] == text[index] { matched += 1 }
                overlaps[index] = matched
            }
        }
        return overlaps
    }
}
