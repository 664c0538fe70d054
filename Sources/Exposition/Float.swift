import CVector

/// What a float is to the rules of a family. Its value is never needed, so none is computed.
enum Float: Equatable {
    case notNegative, negative, nan

    /// Reads the decimal syntax of Go's `strconv.ParseFloat`, less what the exposition format forbids
    /// (hexadecimal, underscores). Nil for anything else, and for what rounds to infinity, which is an
    /// error there; what rounds to zero is none.
    init?(_ body: Span<UInt8>, in range: Range<Int>) {
        var offset = range.lowerBound
        let end = range.upperBound
        guard offset < end else { return nil }
        if body.skipPlainDecimal(&offset), offset == end {
            self = .notNegative
            return
        }
        offset = range.lowerBound
        let sign = body[offset]
        if sign == 0x2B || sign == 0x2D { offset &+= 1 }
        if let word = FloatWord(body, in: offset..<end) {
            // ParseFloat knows signed infinities, but no signed NaN.
            guard word == .infinity || offset == range.lowerBound else { return nil }
            self = word == .nan ? .nan : sign == 0x2D ? .negative : .notNegative
            return
        }
        guard let decimal = Decimal(body, in: offset..<end), !decimal.overflows(body) else {
            return nil
        }
        self = sign == 0x2D && !decimal.roundsToZero(body) ? .negative : .notNegative
    }
}

/// The values that are written as words, in any case.
private enum FloatWord {
    case infinity, nan

    init?(_ body: Span<UInt8>, in range: Range<Int>) {
        switch range.count {
        case 3 where FloatWord.isEqual(body, range, "nan"): self = .nan
        case 3 where FloatWord.isEqual(body, range, "inf"): self = .infinity
        case 8 where FloatWord.isEqual(body, range, "infinity"): self = .infinity
        default: return nil
        }
    }

    private static func isEqual(
        _ body: Span<UInt8>, _ range: Range<Int>, _ lowercase: StaticString
    ) -> Bool {
        for index in 0..<range.count {
            let byte = body[range.lowerBound &+ index] | 0x20
            if unsafe byte != lowercase.utf8Start[index] { return false }
        }
        return true
    }
}

/// A decimal number without sign: what its digits are, and where its point belongs.
private struct Decimal {
    /// From the first digit that is not zero to the end of the mantissa; empty for zero. May hold the
    /// point.
    private let digits: Range<Int>
    /// The value is 0.d₁d₂d₃… × 10^magnitude.
    private let magnitude: Int

    /// digits [ "." digits ] or "." digits, then an exponent of either sign.
    init?(_ body: Span<UInt8>, in range: Range<Int>) {
        var offset = range.lowerBound
        let end = range.upperBound
        var firstDigit = -1
        var magnitude = 0
        var (hasDigit, hasPoint) = (false, false)
        while offset < end {
            let byte = body[offset]
            if byte.isDigit {
                hasDigit = true
                if firstDigit < 0 && byte != 0x30 { firstDigit = offset }
                // Before the point each digit counts, once one was not zero; after it, each zero
                // before that one counts the other way.
                if !hasPoint && firstDigit >= 0 { magnitude &+= 1 }
                if hasPoint && firstDigit < 0 { magnitude &-= 1 }
            } else if byte == 0x2E && !hasPoint {
                hasPoint = true
            } else {
                break
            }
            offset &+= 1
        }
        guard hasDigit else { return nil }
        let mantissaEnd = offset
        if offset < end {
            guard body[offset] | 0x20 == 0x65,
                let exponent = Decimal.exponent(body, in: offset &+ 1..<end)
            else { return nil }
            magnitude &+= exponent
        }
        digits = firstDigit < 0 ? mantissaEnd..<mantissaEnd : firstDigit..<mantissaEnd
        self.magnitude = magnitude
    }

    /// [ sign ] digits. As in Go, digits that follow once 10,000 is reached are not taken in.
    private static func exponent(_ body: Span<UInt8>, in range: Range<Int>) -> Int? {
        var offset = range.lowerBound
        guard offset < range.upperBound else { return nil }
        let isNegative = body[offset] == 0x2D
        if isNegative || body[offset] == 0x2B { offset &+= 1 }
        guard offset < range.upperBound else { return nil }
        var exponent = 0
        while offset < range.upperBound {
            guard body[offset].isDigit else { return nil }
            if exponent < 10_000 { exponent = exponent &* 10 &+ Int(body[offset] &- 0x30) }
            offset &+= 1
        }
        return isNegative ? -exponent : exponent
    }

    /// Whether the nearest double is infinity: from 2^1024 - 2^970 on, where ties go up.
    func overflows(_ body: Span<UInt8>) -> Bool {
        guard !digits.isEmpty, magnitude >= 309 else { return false }
        return magnitude > 309 || isAtLeast(Decimal.firstInfinite, body)
    }

    /// Whether the nearest double is zero: up to 2^-1075, of which twenty digits must do. (They decide
    /// whether a count as small as that is negative.)
    func roundsToZero(_ body: Span<UInt8>) -> Bool {
        guard !digits.isEmpty, magnitude >= -323 else { return true }
        return magnitude == -323 && !isAtLeast(Decimal.lastZero, body)
    }

    /// Compares the digits, as of a number of the same magnitude.
    private func isAtLeast(_ limit: StaticString, _ body: Span<UInt8>) -> Bool {
        var offset = digits.lowerBound
        for index in 0..<limit.utf8CodeUnitCount {
            if offset < digits.upperBound, body[offset] == 0x2E { offset &+= 1 }
            let digit = offset < digits.upperBound ? body[offset] : 0x30
            let wanted = unsafe limit.utf8Start[index]
            if digit != wanted { return digit > wanted }
            offset &+= 1
        }
        return true
    }

    /// 2^1024 - 2^970, to the last of its 309 digits.
    private static let firstInfinite: StaticString = """
        1797693134862315807937289714053034150799341327100378269361737789804449682927\
        6475094664901797758720709633028641669288791094655554785194040263065748867150\
        5820681908902000708383676273854845817711531764475730270069855571366959622842\
        9148198608349364752927190741684443655107043427115596995080930428801779041744\
        97792
        """
    private static let lastZero: StaticString = "24703282292062327208"
}

extension Span<UInt8> {
    /// Reads a sample's value up to the blank or line feed behind it. The sign is all that the usual
    /// forms (digits with at most one point, too few to overflow) are asked for.
    @inline(__always)
    func readValue(_ offset: inout Int) throws(Flaw) -> Float {
        let start = offset
        if skipPlainDecimal(&offset), self[offset] == 0x0A || self[offset].endsToken {
            return .notNegative
        }
        return try readRareValue(&offset, from: start)
    }

    /// Moves behind a number as most are written: within one block, and else as `skipLongDecimal`
    /// has it. When it is another, false, and nothing is said of the offset.
    @inline(__always)
    func skipPlainDecimal(_ offset: inout Int) -> Bool {
        guard hasBlock(at: offset) else { return skipLongDecimal(&offset) }
        let others = kanmon_not_digits(block(at: offset))
        let digits = others.trailingZeroBitCount
        guard digits &- 1 < 15, digits > 0 else { return skipLongDecimal(&offset) }
        var end = offset &+ digits
        if self[end] == 0x2E {
            let laterOthers = others & (others &- 1)
            guard laterOthers != 0 else { return skipLongDecimal(&offset) }
            end = offset &+ laterOthers.trailingZeroBitCount
        }
        offset = end
        return self[end] != 0x65 || skipExponent(&offset)
    }

    /// Moves behind digits with at most one point after the first, too few to overflow. An exponent of
    /// one or two digits may follow.
    @inline(never)
    private func skipLongDecimal(_ offset: inout Int) -> Bool {
        let start = offset
        guard self[offset].isDigit else { return false }
        skipDigits(&offset)
        if self[offset] == 0x2E {
            offset &+= 1
            skipDigits(&offset)
        }
        guard offset &- start < 200 else { return false }
        return self[offset] != 0x65 || skipExponent(&offset)
    }

    /// Moves behind an exponent of one or two digits.
    @inline(__always)
    private func skipExponent(_ offset: inout Int) -> Bool {
        offset &+= 1
        if self[offset] == 0x2B || self[offset] == 0x2D { offset &+= 1 }
        guard self[offset].isDigit else { return false }
        offset &+= 1
        if self[offset].isDigit { offset &+= 1 }
        return true
    }

    /// Moves to the first byte that is no digit.
    @inline(__always)
    private func skipDigits(_ offset: inout Int) {
        while offset &+ 8 <= count {
            let others = word(at: offset).marksOfNonDigits
            if others != 0 {
                offset &+= others.firstByte
                return
            }
            offset &+= 8
        }
        while self[offset].isDigit { offset &+= 1 }
    }

    @inline(never)
    private func readRareValue(_ offset: inout Int, from start: Int) throws(Flaw) -> Float {
        while !self[offset].endsToken { offset &+= 1 }
        guard let float = Float(self, in: start..<offset) else {
            throw Flaw(.valueInvalid, at: start, readTo: offset, showing: start..<offset)
        }
        return float
    }

    /// Whether the range is a number that Go's `strconv.ParseInt(_, 10, 64)` takes.
    func isInteger(_ range: Range<Int>) -> Bool {
        var offset = range.lowerBound
        guard offset < range.upperBound else { return false }
        let isNegative = self[offset] == 0x2D
        if isNegative || self[offset] == 0x2B { offset &+= 1 }
        guard offset < range.upperBound else { return false }
        while offset < range.upperBound, self[offset] == 0x30 { offset &+= 1 }
        guard range.upperBound &- offset <= 19 else { return false }
        var magnitude: UInt64 = 0  // 19 digits always fit.
        while offset < range.upperBound {
            guard self[offset].isDigit else { return false }
            magnitude = magnitude &* 10 &+ UInt64(self[offset] &- 0x30)
            offset &+= 1
        }
        return magnitude <= UInt64(Int64.max) &+ (isNegative ? 1 : 0)
    }
}
