import Glibc

/// Bytes that must not stay in memory: wiped before they are replaced, when the owner says so, and
/// when it goes. Keeps its allocation, so reuse costs none.
@safe
internal struct Secret: ~Copyable {
    private var base: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    internal private(set) var count = 0

    internal init() {
        capacity = 256
        unsafe base = .allocate(capacity: capacity)
    }

    deinit {
        unsafe explicit_bzero(base, capacity)
        unsafe base.deallocate()
    }

    /// Replaces the content by what `body` writes, at most `limit` bytes.
    internal mutating func fill<R>(
        upTo limit: Int, _ body: (inout OutputSpan<UInt8>) -> R
    ) -> R {
        wipe()
        if limit > capacity { grow(to: limit) }
        let free = unsafe UnsafeMutableBufferPointer(start: base, count: limit)
        var output = unsafe OutputSpan(buffer: free, initializedCount: 0)
        let result = body(&output)
        count = unsafe output.finalize(for: free)
        return result
    }

    /// Overwrites what is held. `explicit_bzero` is the one call a compiler may not leave out.
    internal mutating func wipe() {
        unsafe explicit_bzero(base, count)
        count = 0
    }

    internal func withBytes<R>(_ body: (Span<UInt8>) -> R) -> R {
        let bytes = unsafe UnsafeBufferPointer(start: base, count: count)
        return unsafe body(Span(_unsafeElements: bytes))
    }

    /// Only ever called on a wiped secret: nothing is moved, nothing is left behind.
    private mutating func grow(to newCapacity: Int) {
        unsafe base.deallocate()
        unsafe base = .allocate(capacity: newCapacity)
        capacity = newCapacity
    }
}
