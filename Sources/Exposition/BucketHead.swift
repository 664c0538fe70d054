/// How the lines of one histogram or summary metric start that differ only in the bound and the value:
/// the name, the labels, and `le="` or `quantile="` as the last of them. Most lines of most bodies are
/// such lines. What is known of the first holds for all: they are of the same family, whose name never
/// changes its meaning, and of the same series.
struct BucketHead {
    /// Where the line starts whose head it is, and its bytes; zero for none.
    private let start: Int
    private let length: Int

    static let none = BucketHead(start: 0, length: 0)

    init(start: Int, length: Int) { (self.start, self.length) = (start, length) }

    /// Moves behind the line feed of a line with this head, when bound and value are plain numbers
    /// without a sign, or the bound is `+Inf`. Otherwise false, and nothing moved.
    @inline(__always)
    func skipLine(_ body: Span<UInt8>, _ offset: inout Int) -> Bool {
        guard length > 0, body.sharedCount(offset, start, most: length) == length else {
            return false
        }
        var end = offset &+ length
        guard body.hasBlock(at: end) else { return false }
        if body.word(at: end).first(7) == UInt64(characters: "+Inf\"} \0") {
            end &+= 7
        } else {
            guard body.skipPlainDecimal(&end), body.hasBlock(at: end),
                body.word(at: end).first(3) == UInt64(characters: "\"} \0\0\0\0\0")
            else { return false }
            end &+= 3
        }
        guard body.skipPlainDecimal(&end), body[end] == 0x0A else { return false }
        offset = end &+ 1
        return true
    }
}
