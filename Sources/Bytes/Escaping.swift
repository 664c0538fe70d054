extension ByteBuffer {
    /// Appends `text` so that it can stand in JSON or between quotes: `"`, `\` and controls escaped,
    /// what is not UTF-8 as `\ufffd`, and nothing past `bytesMax` bytes of it.
    /// Where it is not quoted, `"` and `\` stand for themselves.
    public mutating func append(escaping text: Span<UInt8>, bytesMax: Int, isQuoted: Bool = true) {
        var index = 0
        while index < min(text.count, bytesMax) {
            let byte = text[index]
            switch byte {
            case UInt8(ascii: "\"") where isQuoted: append("\\\"")
            case UInt8(ascii: "\\") where isQuoted: append("\\\\")
            case 0x0A: append("\\n")
            case 0x0D: append("\\r")
            case 0x09: append("\\t")
            case 0x20..<0x7F: append(byte)
            case 0x00..<0x80: append(unicodeEscape: UInt32(byte))
            default:
                let scalar = utf8Scalar(in: text, at: index)
                if scalar.length == 0 || steersDisplay(scalar.value) {
                    append(unicodeEscape: scalar.length == 0 ? 0xFFFD : scalar.value)
                } else {
                    append(text.extracting(index..<index + scalar.length))
                }
                index += max(scalar.length, 1) - 1
            }
            index += 1
        }
        if text.count > bytesMax { append("...") }
    }

    private mutating func append(unicodeEscape value: UInt32) {
        append("\\u")
        for shift in [UInt32(12), 8, 4, 0] {
            let digit = UInt8(value >> shift & 0xF)
            append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
    }
}

/// C1 controls, which steer terminals as C0 do; what turns the direction of the text behind it; and the
/// separators that some readers take for the end of a line.
private func steersDisplay(_ scalar: UInt32) -> Bool {
    switch scalar {
    case 0x80..<0xA0, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
}

/// The scalar that begins at `index`, with the bytes it takes; length 0 when it is not UTF-8 (RFC 3629).
private func utf8Scalar(in text: Span<UInt8>, at index: Int) -> (value: UInt32, length: Int) {
    let lead = text[index]
    let length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2
    guard (0xC2...0xF4).contains(lead), index + length <= text.count else { return (0, 0) }
    var value = UInt32(lead) & (0x7F >> UInt32(length))
    for offset in 1..<length {
        let byte = text[index + offset]
        guard byte & 0xC0 == 0x80 else { return (0, 0) }
        value = value << 6 | UInt32(byte & 0x3F)
    }
    let smallest: UInt32 = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80
    guard value >= smallest, value <= 0x10FFFF, !(0xD800...0xDFFF).contains(value) else {
        return (0, 0)
    }
    return (value, length)
}

extension String {
    /// One word of a command that a person can paste into a shell.
    public var quotedForShell: String {
        let isPlain =
            !isEmpty
            && utf8.allSatisfy { byte in
                byte.isLetter || byte.isDigit || "/._-".utf8.contains(byte)
            }
        return isPlain ? self : "'\(replacing("'", with: "'\\''"))'"
    }
}
