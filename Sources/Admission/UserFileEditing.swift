import Bytes

/// Changes to a user file, from old bytes to new ones: comments, order, line ends and other users
/// stay as they are. Nothing is read or written here.
extension UserFile {
    /// Gives the user this hash as the only one: the first of his lines gets it, others of his go;
    /// without any, a line is added at the end.
    package static func set(
        _ hash: PasswordHash, for user: Span<UInt8>, in bytes: Span<UInt8>
    ) throws(UserFileEditError) -> [UInt8] {
        try checkName(user)
        var edited: [UInt8] = []
        var isSet = false
        var end = 0
        while let line = UserFileLine(in: bytes, after: end) {
            end = line.end
            guard let place = line.hash(of: user, in: bytes) else {
                edited.append(copying: bytes.extracting(line.whole))
                continue
            }
            if isSet { continue }
            edited.append(copying: bytes.extracting(line.whole.lowerBound..<place.lowerBound))
            edited += hash.bytes
            edited.append(copying: bytes.extracting(place.upperBound..<line.end))
            isSet = true
        }
        if !isSet { appendLine(hash, for: user, to: &edited) }
        return edited
    }

    /// Puts a second line behind the user's only one, for a rotation; without any, it is added at
    /// the end.
    package static func add(
        _ hash: PasswordHash, for user: Span<UInt8>, in bytes: Span<UInt8>
    ) throws(UserFileEditError) -> [UInt8] {
        try checkName(user)
        var edited: [UInt8] = []
        var lineCount = 0
        var end = 0
        while let line = UserFileLine(in: bytes, after: end) {
            end = line.end
            edited.append(copying: bytes.extracting(line.whole))
            guard line.hash(of: user, in: bytes) != nil else { continue }
            lineCount += 1
            guard lineCount < linesPerUserMax else { throw .tooManyLines }
            appendLine(hash, for: user, to: &edited)
        }
        if lineCount == 0 { appendLine(hash, for: user, to: &edited) }
        return edited
    }

    /// Takes out every line of the user.
    package static func delete(
        _ user: Span<UInt8>, in bytes: Span<UInt8>
    ) throws(UserFileEditError) -> [UInt8] {
        var edited: [UInt8] = []
        var end = 0
        while let line = UserFileLine(in: bytes, after: end) {
            end = line.end
            if line.hash(of: user, in: bytes) != nil {
                // What precedes the content is a byte order mark, and is the file's.
                let kept = line.whole.lowerBound..<line.content.lowerBound
                edited.append(copying: bytes.extracting(kept))
            } else {
                edited.append(copying: bytes.extracting(line.whole))
            }
        }
        guard edited.count < bytes.count else { throw .noSuchUser }
        return edited
    }

    /// A name that comes back from the file as it went in, and that Basic Auth can carry.
    private static func checkName(_ user: Span<UInt8>) throws(UserFileEditError) {
        guard user.count > 0 else { throw .nameEmpty }
        guard user.count + 1 + PasswordHash.byteCount <= lineByteCountMax else {
            throw .nameTooLong
        }
        guard user[0] != UInt8(ascii: "#"), !UserFileLine.hasByteOrderMark(user)
        else { throw .nameUnusable }
        for index in user.indices where user[index].isControl || user[index] == UInt8(ascii: ":") {
            throw .nameUnusable
        }
    }

    /// Ends the last line first, if it has no end, in the way the file ends its lines.
    private static func appendLine(
        _ hash: PasswordHash, for user: Span<UInt8>, to edited: inout [UInt8]
    ) {
        let firstLine = UserFileLine(in: edited.span, after: 0)
        let lineEnd: [UInt8] = firstLine?.endsWithCarriageReturn == true ? [0x0D, 0x0A] : [0x0A]
        switch edited.last {
        case nil, 0x0A?: break
        // A file that was cut within its last line's end.
        case 0x0D?: edited.append(0x0A)
        default: edited += lineEnd
        }
        edited.append(copying: user)
        edited.append(UInt8(ascii: ":"))
        edited += hash.bytes
        edited += lineEnd
    }
}

/// Why a user file stays as it is.
package enum UserFileEditError: Error, Equatable {
    case noSuchUser
    case tooManyLines
    case nameEmpty
    case nameTooLong
    case nameUnusable

    /// What to tell the person who asked for it.
    package var sentence: StaticString {
        switch self {
        case .noSuchUser: "the file has no such user"
        case .tooManyLines:
            "the user has two lines already: set the password without --add to leave only one"
        case .nameEmpty: "the user's name is empty"
        case .nameTooLong: "the user's name is too long for a line of the file"
        case .nameUnusable:
            "a user's name cannot begin with # and cannot hold a colon or a control character"
        }
    }
}

extension UserFileLine {
    /// Where the hash stands, if this is a line of `user`.
    fileprivate func hash(of user: Span<UInt8>, in bytes: Span<UInt8>) -> Range<Int>? {
        guard isEntry(in: bytes), let colon = colon(in: bytes),
            bytes.extracting(content.lowerBound..<colon).isEqual(to: user)
        else { return nil }
        return hash(in: bytes, after: colon)
    }
}
