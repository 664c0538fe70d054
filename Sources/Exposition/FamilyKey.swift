/// A family's name as a table knows it: 64 bits under a key that is random for each process.
///
/// Two names with one key are possible, and nobody outside can look for them. So an equal key is a
/// reason to look closer, never a proof.
public struct FamilyKey: Hashable, Sendable, BitwiseCopyable {
    /// The same for the same bytes, for as long as the process lives.
    public let hash: UInt64

    init(hash: UInt64) { self.hash = hash }

    /// The key of a name, of any length and any bytes.
    public init(_ name: Span<UInt8>) { hash = KeyedHash.ofProcess(name, 0..<name.count) }
}
