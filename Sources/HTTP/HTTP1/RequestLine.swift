internal import Bytes

/// The first line of a request (RFC 9112 section 3), read as far as its bytes have come. Each byte is
/// judged once; what a call has seen the next one does not look at again.
struct RequestLine: Sendable {
    /// The first byte that is not judged yet; once the line is read, the first of the fields.
    private(set) var position = 0
    private(set) var method = Method.other
    private(set) var path = 0..<0
    private(set) var hasQuery = false
    private(set) var isHTTP10 = false
    /// Of a target in absolute form, which must agree with Host.
    private(set) var authority: Range<Int>?

    private enum Phase {
        case emptyLines, method, targetForm, path, query, otherTarget, version, end
    }
    private var phase = Phase.emptyLines
    private var emptyLinesLeft = 2
    /// Where the method, the target or the version begins.
    private var start = 0
    private var targetStart = 0
    private let targetBytesMax: Int

    static let methodBytesMax = 32
    /// Longer than any version; what comes after is not worth waiting for.
    private static let versionBytesMax = 16

    init(targetBytesMax: Int) { self.targetBytesMax = targetBytesMax }

    var isComplete: Bool { phase == .end }

    /// True when the line is complete. False: more bytes are needed.
    mutating func read(_ bytes: Span<UInt8>) throws(HeadError) -> Bool {
        while !isComplete {
            let isPhaseComplete =
                switch phase {
                case .emptyLines: try skipEmptyLine(bytes)
                case .method: try readMethod(bytes)
                case .targetForm: readTargetForm(bytes)
                case .path: try readPath(bytes)
                case .query: try readQuery(bytes)
                case .otherTarget: try readOtherTarget(bytes)
                case .version: try readVersion(bytes)
                case .end: true
                }
            guard isPhaseComplete else { return false }
        }
        return true
    }

    /// Section 2.2: a client may end the message before with an empty line too many.
    private mutating func skipEmptyLine(_ bytes: Span<UInt8>) throws(HeadError) -> Bool {
        guard position < bytes.count else { return false }
        if bytes[position] == ASCII.lineFeed { throw .field(.bareLineFeed) }
        guard bytes[position] == ASCII.carriageReturn else {
            start = position
            phase = .method
            return true
        }
        guard emptyLinesLeft > 0 else { throw .emptyLines }
        guard try lineEnds(bytes) else { return false }
        emptyLinesLeft -= 1
        position += 2
        return true
    }

    private mutating func readMethod(_ bytes: Span<UInt8>) throws(HeadError) -> Bool {
        position = bytes.firstIndex(outside: ByteClass.token, from: position)
        guard position - start <= RequestLine.methodBytesMax else { throw .badMethod }
        guard position < bytes.count else { return false }
        guard bytes[position] == ASCII.space else {
            throw bytes[position].endsLine ? .badRequestLine : .badMethod
        }
        guard position > start else { throw .badRequestLine }
        method = Method(token: bytes.extracting(start..<position))
        position += 1
        targetStart = position
        phase = .targetForm
        return true
    }

    /// Nearly every target begins with its path (section 3.2.1).
    private mutating func readTargetForm(_ bytes: Span<UInt8>) -> Bool {
        guard position < bytes.count else { return false }
        let isOriginForm = bytes[position] == ASCII.slash && method != .connect
        phase = isOriginForm ? .path : .otherTarget
        return true
    }

    private mutating func readPath(_ bytes: Span<UInt8>) throws(HeadError) -> Bool {
        position = bytes.firstIndex(outside: ByteClass.path, from: position)
        try checkTargetLength()
        guard position < bytes.count else { return false }
        path = targetStart..<position
        if bytes[position] == ASCII.question {
            hasQuery = true
            phase = .query
            return true
        }
        return try endTarget(bytes[position])
    }

    private mutating func readQuery(_ bytes: Span<UInt8>) throws(HeadError) -> Bool {
        position = bytes.firstIndex(outside: ByteClass.query, from: position)
        try checkTargetLength()
        guard position < bytes.count else { return false }
        return try endTarget(bytes[position])
    }

    /// Absolute, authority and asterisk form are read whole before they are taken apart.
    private mutating func readOtherTarget(_ bytes: Span<UInt8>) throws(HeadError) -> Bool {
        repeat {
            position = bytes.firstIndex(outside: ByteClass.query, from: position)
            guard position < bytes.count, bytes[position].isSquareBracket else { break }
            position += 1
        } while true
        try checkTargetLength()
        guard position < bytes.count else { return false }
        guard bytes[position] == ASCII.space, position > targetStart else {
            return try endTarget(bytes[position])
        }
        try takeApart(bytes.extracting(targetStart..<position))
        return try endTarget(ASCII.space)
    }

    private func checkTargetLength() throws(HeadError) {
        guard position - targetStart <= targetBytesMax else { throw .targetTooLong }
    }

    private mutating func endTarget(_ byte: UInt8) throws(HeadError) -> Bool {
        guard byte == ASCII.space, position > targetStart else {
            if byte == ASCII.hash { throw .fragmentInTarget }
            throw byte == ASCII.space || byte.endsLine ? .badRequestLine : .badTarget
        }
        position += 1
        start = position
        phase = .version
        return true
    }

    private mutating func takeApart(_ target: Span<UInt8>) throws(HeadError) {
        if method == .connect {
            guard Authority.isWellFormed(target) else { throw .badTarget }
            path = targetStart..<position
        } else if target.isEqual(to: "*") {
            path = targetStart..<position
        } else {
            try takeApart(absolute: target)
        }
    }

    /// Section 3.2.2: `scheme "://" authority path ["?" query]`.
    private mutating func takeApart(absolute target: Span<UInt8>) throws(HeadError) {
        let colon = target.firstIndex(of: ASCII.colon) ?? target.count
        let scheme = target.extracting(0..<colon)
        let first = colon + 3
        guard scheme.isEqualIgnoringCase(to: "https") || scheme.isEqualIgnoringCase(to: "http"),
            target.count > first, target.extracting(colon..<first).isEqual(to: "://")
        else { throw .badTarget }

        var authorityEnd = first
        while authorityEnd < target.count, target[authorityEnd] != ASCII.slash,
            target[authorityEnd] != ASCII.question
        { authorityEnd += 1 }
        guard Authority.isWellFormed(target.extracting(first..<authorityEnd)) else {
            throw .badTarget
        }
        let pathEnd = target.firstIndex(outside: ByteClass.path, from: authorityEnd)
        hasQuery = pathEnd < target.count
        guard target.firstIndex(outside: ByteClass.query, from: pathEnd) == target.count
        else { throw .badTarget }

        authority = (targetStart + first)..<(targetStart + authorityEnd)
        path = (targetStart + authorityEnd)..<(targetStart + pathEnd)
    }

    private mutating func readVersion(_ bytes: Span<UInt8>) throws(HeadError) -> Bool {
        while position < bytes.count, !bytes[position].isControl, bytes[position] != ASCII.space,
            bytes[position] < 0x80
        { position += 1 }
        guard position - start <= RequestLine.versionBytesMax else { throw .badVersion }
        guard position < bytes.count else { return false }
        switch bytes[position] {
        case ASCII.carriageReturn: guard try lineEnds(bytes) else { return false }
        case ASCII.lineFeed: throw .field(.bareLineFeed)
        case ASCII.space: throw .badRequestLine
        default: throw .badVersion
        }
        try judgeVersion(bytes.extracting(start..<position))
        // Last, since the preface of HTTP/2 has an asterisk too and deserves a better answer.
        if method != .options, path.count == 1, bytes[path.lowerBound] == UInt8(ascii: "*") {
            throw .badTarget
        }
        position += 2
        phase = .end
        return true
    }

    /// Section 2.3: `HTTP/` DIGIT `.` DIGIT, in capitals.
    private mutating func judgeVersion(_ version: Span<UInt8>) throws(HeadError) {
        if version.isEqual(to: "HTTP/1.1") { return }
        if version.isEqual(to: "HTTP/1.0") {
            isHTTP10 = true
            return
        }
        guard version.count == 8, version.hasPrefix("HTTP/"), version[5].isDigit,
            version[6] == UInt8(ascii: "."), version[7].isDigit
        else { throw version.count == 0 ? .badRequestLine : .badVersion }
        throw .unsupportedVersion
    }

    /// Is the CR at `position` followed by its LF? False: not yet known.
    private func lineEnds(_ bytes: Span<UInt8>) throws(HeadError) -> Bool {
        guard position + 1 < bytes.count else { return false }
        guard bytes[position + 1] == ASCII.lineFeed else { throw .field(.bareCarriageReturn) }
        return true
    }
}

extension UInt8 {
    fileprivate var endsLine: Bool { self == ASCII.carriageReturn || self == ASCII.lineFeed }
    fileprivate var isSquareBracket: Bool { self == UInt8(ascii: "[") || self == UInt8(ascii: "]") }
}
