/// How far a body that grows consists of complete lines. Each byte is searched for a line feed once,
/// however small the pieces are that it comes in.
struct CompleteLines {
    private var searched = 0
    private var end = 0

    /// Where the last complete line ends: behind the last line feed.
    mutating func end(in body: Span<UInt8>) -> Int {
        var offset = body.count
        while offset > searched, body[offset &- 1] != 0x0A { offset &-= 1 }
        if offset > searched { end = offset }
        searched = body.count
        return end
    }
}
