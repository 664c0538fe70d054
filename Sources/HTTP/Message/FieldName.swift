internal import Bytes

/// The fields that mean something here. All others are checked for their syntax and forgotten.
package enum FieldName: UInt8, Sendable, CaseIterable {
    case accept, authorization, connection, contentEncoding, contentLength, contentType, expect
    case host, origin, transferEncoding

    /// Recognises a name in any case. Length tells all but three apart, so most names cost one
    /// comparison and unknown ones mostly none.
    package init?(_ name: Span<UInt8>) {
        switch name.count {
        case 4 where name.isToken("host"): self = .host
        case 6 where name.isToken("accept"): self = .accept
        case 6 where name.isToken("expect"): self = .expect
        case 6 where name.isToken("origin"): self = .origin
        case 10 where name.isToken("connection"): self = .connection
        case 12 where name.isToken("content-type"): self = .contentType
        case 13 where name.isToken("authorization"): self = .authorization
        case 14 where name.isToken("content-length"): self = .contentLength
        case 16 where name.isToken("content-encoding"): self = .contentEncoding
        case 17 where name.isToken("transfer-encoding"): self = .transferEncoding
        default: return nil
        }
    }

    /// Is this a framing field with `_` for `-`? Servers behind CGI-like interfaces read the two
    /// spellings as one, so such a name has no honest use.
    package static func imitatesFraming(_ name: Span<UInt8>) -> Bool {
        switch name.count {
        case 14: name.isToken("content_length")
        case 17: name.isToken("transfer_encoding")
        default: false
        }
    }

    /// The complaint about a second such field, or a list where one value must stand (RFC 9110
    /// section 5.3).
    package var repeatedSentence: StaticString {
        switch self {
        case .accept: "there is more than one Accept field"
        case .authorization: "there is more than one Authorization field"
        case .connection: "there is more than one Connection field"
        case .contentEncoding: "there is more than one Content-Encoding field"
        case .contentLength: "there is more than one Content-Length field"
        case .contentType: "there is more than one Content-Type field"
        case .expect: "there is more than one Expect field"
        case .host: "there is more than one Host field"
        case .origin: "there is more than one Origin field"
        case .transferEncoding: "there is more than one Transfer-Encoding field"
        }
    }

    /// The complaint about bytes over 0x7F where a decision depends on the value.
    package var nonASCIISentence: StaticString {
        switch self {
        case .accept: "the Accept field holds a byte that is not ASCII"
        case .authorization: "the Authorization field holds a byte that is not ASCII"
        case .connection: "the Connection field holds a byte that is not ASCII"
        case .contentEncoding: "the Content-Encoding field holds a byte that is not ASCII"
        case .contentLength: "the Content-Length field holds a byte that is not ASCII"
        case .contentType: "the Content-Type field holds a byte that is not ASCII"
        case .expect: "the Expect field holds a byte that is not ASCII"
        case .host: "the Host field holds a byte that is not ASCII"
        case .origin: "the Origin field holds a byte that is not ASCII"
        case .transferEncoding: "the Transfer-Encoding field holds a byte that is not ASCII"
        }
    }
}

extension Span where Element == UInt8 {
    /// Is this the token `lowercase`, in any case? Sound only for bytes known to be a token: setting
    /// bit 5 turns capitals into small letters, and nothing else in a token into a letter or a `-`.
    ///
    /// Compares words of eight bytes, the last one overlapping: the names of a usual head cost 24 ns
    /// instead of 60.
    fileprivate func isToken(_ lowercase: StaticString) -> Bool {
        let other = lowercase.span
        guard count == other.count else { return false }
        guard count >= 8 else {
            for index in indices where self[index] | 0x20 != other[index] { return false }
            return true
        }
        var index = 0
        while index < count &- 8 {
            guard lowercasedWord(at: index) == other.lowercasedWord(at: index) else { return false }
            index &+= 8
        }
        return lowercasedWord(at: count &- 8) == other.lowercasedWord(at: count &- 8)
    }

    private func lowercasedWord(at index: Int) -> UInt64 {
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: index, as: UInt64.self)
            | 0x2020_2020_2020_2020
    }
}

/// Which fields a message has shown so far.
struct FieldNames: Sendable {
    private var bits: UInt16 = 0

    func contains(_ name: FieldName) -> Bool { bits & bit(of: name) != 0 }

    /// Adds a name. False when it was there already.
    mutating func insert(_ name: FieldName) -> Bool {
        let isNew = !contains(name)
        bits |= bit(of: name)
        return isNew
    }

    private func bit(of name: FieldName) -> UInt16 { 1 << UInt16(name.rawValue) }
}
