internal import Bytes

/// What the Connection fields of a message say about the connection (RFC 9112 section 9.3). All other
/// options name fields that we do not forward anyway, or protocols that we do not speak.
struct ConnectionOptions: Sendable {
    private var closes = false
    private var keepsAlive = false

    /// Takes one field's list.
    mutating func take(_ value: Span<UInt8>) {
        var start = 0
        while start <= value.count {
            let end = value.firstIndex(of: ASCII.comma, from: start) ?? value.count
            let option = value.extracting(value.trimmingBlanks(start..<end))
            if option.isEqualIgnoringCase(to: "close") { closes = true }
            if option.isEqualIgnoringCase(to: "keep-alive") { keepsAlive = true }
            start = end + 1
        }
    }

    /// `close` wins over `keep-alive`; without either, the version decides.
    func keepsAlive(isHTTP10: Bool) -> Bool { !closes && (keepsAlive || !isHTTP10) }
}
