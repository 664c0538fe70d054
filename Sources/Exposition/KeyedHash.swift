/// Hashes of names and label sets. The key is random for each process, so that nobody can prepare a
/// body whose series all fall into one place of a table.
struct KeyedHash {
    private let key: (UInt64, UInt64, UInt64)

    /// The key of this process.
    static let ofProcess = KeyedHash()

    private init() {
        var generator = SystemRandomNumberGenerator()
        // Odd, and so never zero: a factor of zero would forget the other one.
        key = (generator.next() | 1, generator.next() | 1, generator.next() | 1)
    }

    /// The hash of a range of bytes.
    @inline(__always)
    func callAsFunction(
        _ body: Span<UInt8>, _ range: Range<Int>, seed: UInt64? = nil
    ) -> UInt64 {
        var hash = seed ?? begin
        var offset = range.lowerBound
        while offset &+ 16 <= range.upperBound {
            hash = absorb(body, offset, into: hash)
            offset &+= 16
        }
        return end(body, offset..<range.upperBound, length: range.count, of: hash)
    }

    @inline(__always)
    var begin: UInt64 { key.0 }

    /// Takes the next sixteen bytes, which must be there.
    @inline(__always)
    func absorb(_ body: Span<UInt8>, _ offset: Int, into hash: UInt64) -> UInt64 {
        fold(hash ^ body.word(at: offset), key.1 ^ body.word(at: offset &+ 8))
    }

    /// Takes the last bytes, at most fifteen, and the length of all.
    @inline(__always)
    func end(_ body: Span<UInt8>, _ rest: Range<Int>, length: Int, of hash: UInt64) -> UInt64 {
        let words = body.partialWords(rest)
        let last = fold(hash ^ words.0, key.2 ^ words.1)
        // Zeros at the end look like bytes that are not there. The length tells them apart, and
        // spread over all bits, so that such texts find different places in a table.
        return last &+ UInt64(truncatingIfNeeded: length) &* 0x9E37_79B9_7F4A_7C15
    }

    /// One hash of two. The order matters.
    @inline(__always)
    func pair(_ first: UInt64, _ second: UInt64) -> UInt64 { fold(first ^ key.0, second ^ key.2) }

    /// Both halves of the product: every bit of either factor reaches every bit of the result.
    @inline(__always)
    private func fold(_ first: UInt64, _ second: UInt64) -> UInt64 {
        let product = first.multipliedFullWidth(by: second)
        return product.high ^ product.low
    }
}
