/// Bytes on their way: appended at the end, consumed at the start, contiguous in between.
///
/// One allocation and two indices. What is consumed from the front is reclaimed when the buffer
/// runs empty or has to make room, so steady traffic copies nothing and allocates nothing.
///
/// A buffer has no bound of its own: whoever fills it decides how much, and says so in `Limits`. It has
/// one owner, who may be on another thread than the one before.
@safe
public struct ByteBuffer: ~Copyable, @unchecked Sendable {
    @usableFromInline internal var base: UnsafeMutablePointer<UInt8>?
    /// The bytes this buffer can hold without another allocation.
    public private(set) var capacity: Int
    @usableFromInline internal var start = 0
    @usableFromInline internal var end = 0

    /// Makes an empty buffer. With a capacity of 0 (the default) nothing is allocated yet.
    public init(capacity: Int = 0) {
        precondition(capacity >= 0)
        self.capacity = capacity
        unsafe base = capacity == 0 ? nil : .allocate(capacity: capacity)
    }

    deinit { unsafe base?.deallocate() }

    /// How many bytes wait to be consumed.
    @inlinable public var count: Int { end &- start }
    @inlinable public var isEmpty: Bool { end == start }
    /// How many bytes can be appended without an allocation, once the front is reclaimed.
    public var freeCapacity: Int { capacity - count }

    /// The bytes that wait, in order.
    @inlinable public var span: Span<UInt8> {
        @_lifetime(borrow self)
        get {
            let first = unsafe base.map { unsafe UnsafePointer($0 + start) }
            let bytes = unsafe UnsafeBufferPointer(start: first, count: count)
            return unsafe _overrideLifetime(Span(_unsafeElements: bytes), borrowing: self)
        }
    }

    /// Shows the bytes that wait to `body`. For a buffer inside a class instance, whose `span` cannot
    /// outlive the access to it.
    @inlinable public func withSpan<E: Error, R: ~Copyable>(
        _ body: (Span<UInt8>) throws(E) -> R
    ) throws(E) -> R {
        try body(span)
    }

    /// Drops `count` bytes from the front.
    public mutating func consume(_ count: Int) {
        precondition(count >= 0 && count <= self.count)
        start += count
        if start == end { (start, end) = (0, 0) }
    }

    /// Drops everything and keeps the allocation.
    public mutating func removeAll() { (start, end) = (0, 0) }

    /// Drops bytes from the end, so that `count` of them stay.
    public mutating func truncate(to count: Int) {
        precondition(count >= 0 && count <= self.count)
        end = start + count
    }

    /// Makes sure that `additional` bytes fit behind those that wait. Grows at least by half, so
    /// that appending stays linear.
    @inlinable public mutating func reserve(_ additional: Int) {
        precondition(additional >= 0)
        if capacity &- end < additional { makeRoom(for: additional) }
    }

    @usableFromInline internal mutating func makeRoom(for additional: Int) {
        if capacity - count >= additional { return moveToFront() }
        reallocate(to: max(count + additional, capacity + capacity / 2, 64))
    }

    /// Lets `body` write into the free space, at most `limit` bytes of it, and keeps what it
    /// initialised; nothing when it throws. Makes room first when less than `limit` is free behind
    /// the waiting bytes.
    public mutating func append<E: Error, R: ~Copyable>(
        upTo limit: Int, _ body: (inout OutputSpan<UInt8>) throws(E) -> R
    ) throws(E) -> R {
        reserve(limit)
        let first = unsafe base.map { unsafe $0 + end }
        let free = unsafe UnsafeMutableBufferPointer(start: first, count: limit)
        var output = unsafe OutputSpan(buffer: free, initializedCount: 0)
        let result = try body(&output)
        end += unsafe output.finalize(for: free)
        return result
    }

    @inlinable public mutating func append(_ byte: UInt8) {
        reserve(1)
        unsafe base.unsafelyUnwrapped[end] = byte
        end += 1
    }

    @inlinable public mutating func append(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe append(copying: $0) }
    }

    /// Always inlined: then the compiler knows the literal, and writes it without a call.
    @inline(__always) @inlinable
    public mutating func append(_ literal: StaticString) {
        let bytes = unsafe UnsafeBufferPointer(
            start: literal.utf8Start, count: literal.utf8CodeUnitCount)
        unsafe append(copying: bytes)
    }

    /// Off the hot path only: log lines, error texts. Named apart, since a literal would be taken for a
    /// String before it is taken for a StaticString.
    public mutating func append(text: String) {
        var text = text
        text.withUTF8 { unsafe append(copying: $0) }
    }

    /// Appends a number in decimal.
    public mutating func append(decimal value: Int) {
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var first = digits.count
        var rest = value.magnitude
        repeat {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        if value < 0 { append(UInt8(ascii: "-")) }
        append(digits.span.extracting(first..<digits.count))
    }

    @inline(__always) @inlinable
    internal mutating func append(copying bytes: UnsafeBufferPointer<UInt8>) {
        guard let source = bytes.baseAddress, bytes.count > 0 else { return }
        reserve(bytes.count)
        unsafe (base.unsafelyUnwrapped + end).update(from: source, count: bytes.count)
        end += bytes.count
    }

    private mutating func moveToFront() {
        guard start > 0, let base = unsafe base else { return }
        unsafe base.update(from: base + start, count: count)
        (start, end) = (0, count)
    }

    private mutating func reallocate(to newCapacity: Int) {
        let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: newCapacity)
        if let base = unsafe base {
            unsafe moved.update(from: base + start, count: count)
            unsafe base.deallocate()
        }
        unsafe base = moved
        capacity = newCapacity
        (start, end) = (0, count)
    }
}
