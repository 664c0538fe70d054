internal import Bytes

/// Writes the path under which a bare Pushgateway finds a group, whatever its labels are: job first,
/// then by name; values percent-encoded but for the unreserved characters (RFC 3986 section 2.3), and
/// in base64 (RFC 4648 section 5) where a percent-encoded one would be split, cleaned away or empty.
struct GroupPath: ~Copyable {
    private var output = ByteBuffer()

    init(job: Span<UInt8>) {
        output.append("/metrics/job")
        append(value: job)
    }

    /// Adds a label other than the job.
    mutating func append(name: Span<UInt8>, value: Span<UInt8>) {
        output.append(UInt8(ascii: "/"))
        append(name: name)
        append(value: value)
    }

    var text: String { output.withSpan { String(decoding: $0) } }

    /// A name that is none of the old kind can only be there with `--push.enable-utf8-names`, and is
    /// then written in Prometheus's own escaping: `U__`, underscores doubled, the rest as `_hex_`.
    private mutating func append(name: Span<UInt8>) {
        var isPlain = name.count > 0 && !name[0].isDigit
        for index in name.indices where !name[index].isNameByte { isPlain = false }
        if isPlain { return output.append(name) }
        output.append("U__")
        for scalar in String(decoding: name).unicodeScalars {
            if scalar == "_" {
                output.append("__")
            } else if scalar.isASCII, UInt8(truncatingIfNeeded: scalar.value).isNameByte {
                output.append(UInt8(truncatingIfNeeded: scalar.value))
            } else {
                output.append(UInt8(ascii: "_"))
                output.append(text: String(scalar.value, radix: 16))
                output.append(UInt8(ascii: "_"))
            }
        }
    }

    private mutating func append(value: Span<UInt8>) {
        guard value.count > 0 else { return output.append("@base64/=") }
        let isDots = value.isEqual(to: ".") || value.isEqual(to: "..")
        if isDots || value.firstIndex(of: UInt8(ascii: "/")) != nil {
            output.append("@base64/")
            return append(base64: value)
        }
        output.append(UInt8(ascii: "/"))
        for index in value.indices {
            let byte = value[index]
            if byte.isNameByte || byte == 0x2D || byte == 0x2E || byte == 0x7E {
                output.append(byte)
            } else {
                output.append(UInt8(ascii: "%"))
                output.append(("0123456789ABCDEF" as StaticString).span[Int(byte >> 4)])
                output.append(("0123456789ABCDEF" as StaticString).span[Int(byte & 15)])
            }
        }
    }

    private mutating func append(base64 value: Span<UInt8>) {
        let alphabet: StaticString =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        var (bits, bitCount) = (UInt32(0), UInt32(0))
        for index in value.indices {
            bits = bits << 8 | UInt32(value[index])
            bitCount += 8
            while bitCount >= 6 {
                bitCount -= 6
                output.append(alphabet.span[Int(bits >> bitCount & 63)])
            }
        }
        if bitCount > 0 { output.append(alphabet.span[Int(bits << (6 - bitCount) & 63)]) }
    }
}

extension UInt8 {
    fileprivate var isNameByte: Bool { isLetter || isDigit || self == UInt8(ascii: "_") }
}
