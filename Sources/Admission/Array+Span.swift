/// Owned copies of borrowed bytes, for what is read once and kept.
extension [UInt8] {
    internal init(copying bytes: Span<UInt8>) {
        self = []
        append(copying: bytes)
    }

    internal mutating func append(copying bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }
}
