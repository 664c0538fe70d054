/// Reading borrowed bytes: comparisons with literals, numbers, searches. Nothing here allocates.
extension Span where Element == UInt8 {
    @inlinable public func isEqual(to other: borrowing Span<UInt8>) -> Bool {
        count == other.count && startsEqual(to: other)
    }

    @inlinable public func isEqual(to literal: StaticString) -> Bool {
        isEqual(to: literal.span)
    }

    /// Compares without regard to the case of ASCII letters. `lowercase` holds no capitals.
    @inlinable public func isEqualIgnoringCase(to lowercase: StaticString) -> Bool {
        let literal = lowercase.span
        guard count == literal.count else { return false }
        for index in indices where self[index].lowercased != literal[index] { return false }
        return true
    }

    @inlinable public func hasPrefix(_ literal: StaticString) -> Bool {
        count >= literal.utf8CodeUnitCount && startsEqual(to: literal.span)
    }

    @inlinable internal func startsEqual(to other: borrowing Span<UInt8>) -> Bool {
        for index in other.indices where self[index] != other[index] { return false }
        return true
    }

    /// The first place at or after `start` that holds `byte`.
    @inlinable public func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
        var index = start
        while index < count {
            if self[index] == byte { return index }
            index &+= 1
        }
        return nil
    }

    /// `1*DIGIT` as a number: no sign, no space, no separator. Nil when anything else stands there
    /// or the number does not fit.
    @inlinable public var decimal: Int? {
        guard count > 0 else { return nil }
        var value = 0
        for index in indices {
            guard self[index].isDigit else { return nil }
            let (tens, tooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowed) = tens.addingReportingOverflow(Int(self[index] &- 0x30))
            guard !tooLarge && !overflowed else { return nil }
            value = sum
        }
        return value
    }

    /// The range without the blanks (SP, HTAB) at both ends.
    @inlinable public func trimmingBlanks(_ range: Range<Int>) -> Range<Int> {
        var (lower, upper) = (range.lowerBound, range.upperBound)
        while lower < upper, self[lower].isBlank { lower &+= 1 }
        while lower < upper, self[upper &- 1].isBlank { upper &-= 1 }
        return lower..<upper
    }
}

extension [UInt8] {
    /// An owned copy of borrowed bytes, for what is read once and kept.
    public init(copying bytes: Span<UInt8>) {
        self = unsafe bytes.withUnsafeBufferPointer { unsafe Array($0) }
    }

    public mutating func append(copying bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { unsafe append(contentsOf: $0) }
    }
}

extension StaticString {
    /// The literal's bytes, which live as long as the program.
    @inlinable public var span: Span<UInt8> {
        @_lifetime(immortal)
        get {
            precondition(hasPointerRepresentation)
            let bytes = unsafe UnsafeBufferPointer(start: utf8Start, count: utf8CodeUnitCount)
            return unsafe _overrideLifetime(Span(_unsafeElements: bytes), copying: ())
        }
    }
}

extension String {
    /// Text for a person: a copy of the bytes, where what is not UTF-8 becomes U+FFFD. Never on the
    /// hot path.
    public init(decoding bytes: borrowing Span<UInt8>) {
        self = unsafe bytes.withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) }
    }
}
