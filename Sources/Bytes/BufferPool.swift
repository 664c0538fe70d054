/// Empty buffers of one size, kept for whoever needs one next.
///
/// A connection has bytes on its way only now and then; it takes a buffer when it does and gives it
/// back when it is done, so that ten thousand idle connections hold none.
@safe
public struct BufferPool: ~Copyable {
    private let kept: UnsafeMutablePointer<ByteBuffer>
    private let keptMax: Int
    public let bufferBytes: Int
    private var count = 0

    /// - Parameters:
    ///   - bufferBytes: the capacity of each buffer.
    ///   - keptMax: how many are kept; further ones are freed.
    public init(bufferBytes: Int, keptMax: Int) {
        precondition(bufferBytes > 0 && keptMax > 0)
        (self.bufferBytes, self.keptMax) = (bufferBytes, keptMax)
        unsafe kept = .allocate(capacity: keptMax)
    }

    deinit {
        unsafe kept.deinitialize(count: count)
        unsafe kept.deallocate()
    }

    /// An empty buffer, for the caller to keep or to give back.
    public mutating func take() -> ByteBuffer {
        guard count > 0 else { return ByteBuffer(capacity: bufferBytes) }
        count -= 1
        return unsafe (kept + count).move()
    }

    /// Takes a buffer back. What it holds is dropped; one that has grown is freed.
    public mutating func give(_ buffer: consuming ByteBuffer) {
        guard count < keptMax, buffer.capacity == bufferBytes else { return }
        buffer.removeAll()
        unsafe (kept + count).initialize(to: buffer)
        count += 1
    }
}
