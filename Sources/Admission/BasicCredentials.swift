import Bytes

/// What a client says it is: user and password of `Authorization: Basic` (RFC 7617).
///
/// Made to be used again and again: once warm it allocates nothing, and what it held is
/// overwritten before the next use and at its end.
package struct BasicCredentials: ~Copyable {
    private var bytes = Secret()
    /// Where the user ends; the colon behind it is no part of either.
    private var userCount = 0

    /// A field value beyond this is not looked at. Heads are bounded long before it.
    private static let fieldValueBytesMax = 64 * 1024

    package init() {}

    /// Reads the value of an Authorization field. False when it is malformed or of another scheme,
    /// and then nothing is held.
    ///
    /// Strict, since a lenient reader here and a strict one behind it would see two users: the
    /// standard alphabet with its padding, a user and a password that are both there, and no
    /// control character in the user (RFC 7617 section 2). A password is any bytes; whether it can
    /// be right is for `PasswordChecker` to say, which takes its time over it.
    package mutating func decode(_ fieldValue: Span<UInt8>) -> Bool {
        clear()
        guard let digits = BasicCredentials.digits(of: fieldValue) else { return false }
        let isBase64 = bytes.fill(upTo: digits.count / 4 * 3 + 3) { output in
            BasicCredentials.decodeBase64(fieldValue, in: digits, into: &output)
        }
        guard isBase64, let end = bytes.withBytes(BasicCredentials.endOfUser) else {
            clear()
            return false
        }
        userCount = end
        return true
    }

    /// Overwrites what is held.
    package mutating func clear() {
        bytes.wipe()
        userCount = 0
    }

    /// Shows user and password of the last good `decode`; both empty after a bad one.
    package func withUserAndPassword<R>(
        _ body: (_ user: Span<UInt8>, _ password: Span<UInt8>) -> R
    ) -> R {
        bytes.withBytes { bytes in
            let passwordStart = min(userCount + 1, bytes.count)
            return body(
                bytes.extracting(0..<userCount),
                bytes.extracting(passwordStart..<bytes.count))
        }
    }

    /// What says them: the value of an Authorization field. Nil when they cannot be said in one, since
    /// there is a colon in the user, a control character in either, or nothing.
    package static func fieldValue(user: [UInt8], password: [UInt8]) -> [UInt8]? {
        guard !user.isEmpty, !password.isEmpty, !user.contains(UInt8(ascii: ":")),
            !user.contains(where: \.isControl), !password.contains(where: \.isControl)
        else { return nil }
        let said = user + [UInt8(ascii: ":")] + password
        return Array("Basic ".utf8) + Base64.digits(of: said.span)
    }

    /// The base64 digits of `Basic`, 1*SP, token68 (RFC 9110 section 11.4), without their padding;
    /// nil when the scheme, the spaces or the padding are not so.
    private static func digits(of fieldValue: Span<UInt8>) -> Range<Int>? {
        guard fieldValue.count <= fieldValueBytesMax, fieldValue.count > 6,
            fieldValue.extracting(0..<5).isEqualIgnoringCase(to: "basic")
        else { return nil }
        var start = 5
        while start < fieldValue.count, fieldValue[start] == UInt8(ascii: " ") { start += 1 }
        let length = fieldValue.count - start
        guard start > 5, length > 0, length % 4 == 0 else { return nil }
        var end = fieldValue.count
        while end > fieldValue.count - 2, fieldValue[end - 1] == UInt8(ascii: "=") { end -= 1 }
        return start..<end
    }

    private static func decodeBase64(
        _ fieldValue: Span<UInt8>, in digits: Range<Int>, into output: inout OutputSpan<UInt8>
    ) -> Bool {
        var decoder = Base64.Decoder(.standard)
        for index in digits {
            switch decoder.take(fieldValue[index]) {
            case .byte(let byte): output.append(byte)
            case .more: continue
            case .invalid: return false
            }
        }
        return decoder.isAtEnd
    }

    /// Where the first colon stands (RFC 7617 section 2: a user cannot hold one), if both sides
    /// have something and the user is free of control characters.
    private static func endOfUser(_ bytes: Span<UInt8>) -> Int? {
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0,
            colon + 1 < bytes.count
        else { return nil }
        for index in 0..<colon where bytes[index].isControl { return nil }
        return colon
    }
}
