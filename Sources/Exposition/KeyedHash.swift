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
    func callAsFunction(_ body: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
        var hash = begin
        var offset = range.lowerBound
        while offset &+ 8 <= range.upperBound {
            hash = absorb(body.word(at: offset), into: hash)
            offset &+= 8
        }
        let rest = range.upperBound &- offset
        return end(body.partialWord(at: offset, count: rest), length: range.count, of: hash)
    }

    @inline(__always)
    var begin: UInt64 { key.0 }

    /// Takes the next eight bytes.
    @inline(__always)
    func absorb(_ word: UInt64, into hash: UInt64) -> UInt64 { fold(hash ^ word, key.1) }

    /// Takes the last bytes, at most seven, and the length of all.
    @inline(__always)
    func end(_ word: UInt64, length: Int, of hash: UInt64) -> UInt64 {
        fold(hash ^ word, key.2 ^ UInt64(truncatingIfNeeded: length))
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
