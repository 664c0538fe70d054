/// What a byte is to a protocol. Only ASCII has a meaning there; every class below is a table or a
/// range of RFC 9110 section 5.6.2 and RFC 3986 section 2.
extension UInt8 {
    @inlinable public var isDigit: Bool { self &- 0x30 < 10 }
    @inlinable public var isLowercaseLetter: Bool { self &- 0x61 < 26 }
    @inlinable public var isLetter: Bool { (self | 0x20) &- 0x61 < 26 }
    /// SP or HTAB: the only white space HTTP and the exposition format know inside a line.
    @inlinable public var isBlank: Bool { self == 0x20 || self == 0x09 }
    /// C0 controls and DEL.
    @inlinable public var isControl: Bool { self < 0x20 || self == 0x7F }

    /// The letter in lower case; every other byte as it is.
    @inlinable public var lowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

    /// The value of a hexadecimal digit of either case.
    @inlinable public var hexDigitValue: UInt8? {
        if isDigit { return self &- 0x30 }
        let letter = (self | 0x20) &- 0x61
        return letter < 6 ? letter &+ 10 : nil
    }

    /// `tchar` of RFC 9110 section 5.6.2: what methods and field names are made of.
    @inlinable public var isTokenCharacter: Bool {
        if isLetter || isDigit { return true }
        switch self {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: return true
        default: return false
        }
    }
}
