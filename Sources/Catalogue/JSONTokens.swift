internal import Bytes

/// What a JSON text (RFC 8259) is made of. Text of a key, string or number is in `JSONTokens.text`.
enum JSONToken: Equatable {
    case objectStart, objectEnd, arrayStart, arrayEnd
    case key, string, number
    case `true`, `false`, null
}

/// Why a text is not the JSON that we read.
package enum JSONError: Error, Equatable {
    /// A byte that no grammar allows at its place.
    case unexpected(UInt8)
    case badEscape
    case badNumber
    case badWord
    case notUTF8
    /// Half of a surrogate pair, which stands for no character.
    case surrogateAlone
    /// More open brackets than anything we read has.
    case tooDeep
    case cut
}

/// Reads JSON token by token from pieces of any size. The outermost value is an object or an array.
///
/// Go's encoder writes `\ufffd` for a byte that was not UTF-8, and the character U+FFFD as itself. The
/// two are kept apart: in `text` the former is the byte FF, which never occurs in UTF-8.
struct JSONTokens {
    /// Open brackets at a time. One bit for each says which kind.
    static let depthMax = 32

    /// What the last key, string or number said: decoded, and cut to `textBytesMax`.
    private(set) var text: [UInt8] = []
    /// Whether there was more.
    private(set) var isTextCut = false
    /// How many brackets are open.
    private(set) var depth = 0

    let textBytesMax: Int
    private var state = State.start
    private var isObject: UInt64 = 0
    private var skipDepth: Int?
    private var skipState = State.value

    private var isKey = false
    private var isASCII = true
    private var escapeDigits = 0
    private var escapeValue: UInt32 = 0
    private var highSurrogate: UInt32 = 0

    private enum State {
        case start, value, valueOrEnd, keyOrEnd, key, colon, afterValue, end
        case string, escape, unicode, number, word
    }

    /// The byte that stands for one that was lost.
    static let lostByte: UInt8 = 0xFF

    init(textBytesMax: Int) { self.textBytesMax = textBytesMax }

    /// Whether the outermost value is complete.
    var isAtEnd: Bool { state == .end }

    /// The next token at or after `offset`, which moves behind it; nil when the piece is used up.
    mutating func next(
        _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(JSONError) -> JSONToken? {
        while offset < bytes.count {
            if skipDepth != nil {
                try skip(bytes, &offset)
                continue
            }
            switch state {
            case .string:
                if try readString(bytes, &offset) { return endString() }
            case .escape:
                try readEscape(bytes[offset])
                offset &+= 1
            case .unicode:
                try readHexDigit(bytes[offset])
                offset &+= 1
            case .number, .word:
                if try readScalar(bytes, &offset) { return try endScalar() }
            default:
                let byte = bytes[offset]
                // A number ends at a byte that belongs to what follows, the others with their own.
                offset &+= 1
                if byte == 0x20 || byte &- 0x09 < 2 || byte == 0x0D { continue }
                if let token = try readStructure(byte) { return token }
            }
        }
        return nil
    }

    /// Has `next` pass over everything until only `depth` brackets are open, which are fewer than
    /// now: without tokens for it, the closing brackets included. What is passed over has its
    /// brackets and strings in order; the rest of its grammar is not looked at.
    mutating func skip(toDepth depth: Int) {
        precondition(depth < self.depth && depth > 0)
        skipDepth = depth
        skipState = .value
    }
}

// MARK: - Structure

extension JSONTokens {
    private mutating func readStructure(_ byte: UInt8) throws(JSONError) -> JSONToken? {
        switch (byte, state) {
        case (UInt8(ascii: "{"), .start), (UInt8(ascii: "{"), .value),
            (UInt8(ascii: "{"), .valueOrEnd):
            try open(isObject: true)
            return .objectStart
        case (UInt8(ascii: "["), .start), (UInt8(ascii: "["), .value),
            (UInt8(ascii: "["), .valueOrEnd):
            try open(isObject: false)
            return .arrayStart
        case (UInt8(ascii: "}"), .keyOrEnd): return close()
        case (UInt8(ascii: "}"), .afterValue) where isInObject: return close()
        case (UInt8(ascii: "]"), .valueOrEnd): return close()
        case (UInt8(ascii: "]"), .afterValue) where !isInObject: return close()
        case (UInt8(ascii: ","), .afterValue): state = isInObject ? .key : .value
        case (UInt8(ascii: ":"), .colon): state = .value
        case (UInt8(ascii: "\""), .key), (UInt8(ascii: "\""), .keyOrEnd): beginString(isKey: true)
        case (UInt8(ascii: "\""), .value), (UInt8(ascii: "\""), .valueOrEnd):
            beginString(isKey: false)
        case (_, .value), (_, .valueOrEnd): try beginScalar(byte)
        default: throw .unexpected(byte)
        }
        return nil
    }

    private var isInObject: Bool { isObject & 1 == 1 }

    private mutating func open(isObject: Bool) throws(JSONError) {
        guard depth < JSONTokens.depthMax else { throw .tooDeep }
        depth &+= 1
        self.isObject = self.isObject &<< 1 | (isObject ? 1 : 0)
        state = isObject ? .keyOrEnd : .valueOrEnd
    }

    private mutating func close() -> JSONToken {
        let token = isInObject ? JSONToken.objectEnd : .arrayEnd
        depth &-= 1
        isObject &>>= 1
        state = depth == 0 ? .end : .afterValue
        return token
    }

    /// What most of a listing goes through: its samples, of which nothing is wanted. So it works on
    /// copies of what it changes, which stay in registers.
    private mutating func skip(_ bytes: Span<UInt8>, _ offset: inout Int) throws(JSONError) {
        var (place, depth, isObject, state) = (offset, depth, isObject, skipState)
        defer { (offset, self.depth, self.isObject, skipState) = (place, depth, isObject, state) }
        let last = skipDepth ?? 0
        while place < bytes.count {
            if state == .string {
                while place < bytes.count, bytes[place].isPlainInString { place &+= 1 }
                guard place < bytes.count else { return }
                let byte = bytes[place]
                place &+= 1
                guard byte >= 0x20 else { throw .unexpected(byte) }
                state = byte == 0x22 ? .value : .escape
            } else if state == .escape {
                place &+= 1
                state = .string
            } else {
                while place < bytes.count, !bytes[place].isBracketOrQuote { place &+= 1 }
                guard place < bytes.count else { return }
                let byte = bytes[place]
                place &+= 1
                if byte == 0x22 {
                    state = .string
                } else if byte & 0x06 == 0x02 {
                    guard depth < JSONTokens.depthMax else { throw .tooDeep }
                    depth &+= 1
                    isObject = isObject &<< 1 | UInt64(byte &>> 5 & 1)
                } else {
                    // Bit 5 tells a brace from a bracket, bits 1 and 2 an opening from a closing one.
                    guard UInt64(byte &>> 5 & 1) == isObject & 1 else { throw .unexpected(byte) }
                    depth &-= 1
                    isObject &>>= 1
                    guard depth > last else { break }
                }
            }
        }
        guard depth == last else { return }
        skipDepth = nil
        self.state = .afterValue
    }
}

// MARK: - Strings

extension JSONTokens {
    private mutating func beginString(isKey: Bool) {
        self.isKey = isKey
        beginText()
        state = .string
    }

    private mutating func beginText() {
        text.removeAll(keepingCapacity: true)
        (isTextCut, isASCII) = (false, true)
    }

    /// Reads on to the closing quote, and says whether it came.
    private mutating func readString(
        _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(JSONError) -> Bool {
        let start = offset
        while offset < bytes.count, bytes[offset].isPlainInString { offset &+= 1 }
        if offset > start {
            guard highSurrogate == 0 else { throw .surrogateAlone }
            try append(bytes.extracting(start..<offset))
        }
        guard offset < bytes.count else { return false }
        let byte = bytes[offset]
        offset &+= 1
        switch byte {
        case UInt8(ascii: "\\"): state = .escape
        case UInt8(ascii: "\""):
            guard highSurrogate == 0 else { throw .surrogateAlone }
            guard isASCII || isTextCut || isTextUTF8 else { throw .notUTF8 }
            return true
        default: throw .unexpected(byte)
        }
        return false
    }

    private mutating func endString() -> JSONToken {
        state = isKey ? .colon : .afterValue
        return isKey ? .key : .string
    }

    private mutating func readEscape(_ byte: UInt8) throws(JSONError) {
        guard byte == UInt8(ascii: "u") || highSurrogate == 0 else { throw .surrogateAlone }
        state = .string
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): append(byte)
        case UInt8(ascii: "n"): append(0x0A)
        case UInt8(ascii: "r"): append(0x0D)
        case UInt8(ascii: "t"): append(0x09)
        case UInt8(ascii: "b"): append(0x08)
        case UInt8(ascii: "f"): append(0x0C)
        case UInt8(ascii: "u"):
            state = .unicode
            (escapeDigits, escapeValue) = (0, 0)
        default: throw .badEscape
        }
    }

    private mutating func readHexDigit(_ byte: UInt8) throws(JSONError) {
        guard let digit = byte.hexDigitValue else { throw .badEscape }
        escapeValue = escapeValue &<< 4 | UInt32(digit)
        escapeDigits &+= 1
        guard escapeDigits == 4 else { return }
        state = .string
        switch (escapeValue, highSurrogate) {
        case (0xD800..<0xDC00, 0): highSurrogate = escapeValue
        case (0xDC00..<0xE000, 1...):
            let scalar = 0x10000 &+ (highSurrogate & 0x3FF) &<< 10 &+ (escapeValue & 0x3FF)
            highSurrogate = 0
            append(scalar: scalar)
        case (0xD800..<0xE000, _), (_, 1...): throw .surrogateAlone
        case (0xFFFD, _): append(JSONTokens.lostByte)
        default: append(scalar: escapeValue)
        }
    }

    /// UTF-8 (RFC 3629 section 3).
    private mutating func append(scalar: UInt32) {
        func tail(_ shift: UInt32) -> UInt8 {
            UInt8(truncatingIfNeeded: 0x80 | scalar &>> shift & 0x3F)
        }
        switch scalar {
        case 0..<0x80: append(UInt8(truncatingIfNeeded: scalar))
        case 0x80..<0x800:
            append(UInt8(truncatingIfNeeded: 0xC0 | scalar &>> 6))
            append(tail(0))
        case 0x800..<0x10000:
            append(UInt8(truncatingIfNeeded: 0xE0 | scalar &>> 12))
            append(tail(6))
            append(tail(0))
        default:
            append(UInt8(truncatingIfNeeded: 0xF0 | scalar &>> 18))
            append(tail(12))
            append(tail(6))
            append(tail(0))
        }
    }

    private mutating func append(_ byte: UInt8) {
        guard text.count < textBytesMax else { return isTextCut = true }
        text.append(byte)
    }

    private mutating func append(_ run: Span<UInt8>) throws(JSONError) {
        for index in run.indices where run[index] >= 0x80 {
            guard run[index] != JSONTokens.lostByte else { throw .notUTF8 }
            isASCII = false
        }
        let room = textBytesMax &- text.count
        if run.count > room { isTextCut = true }
        text.append(copying: run.extracting(0..<min(run.count, room)))
    }

    private var isTextUTF8: Bool {
        var start = 0
        while start <= text.count {
            let end = text.span.firstIndex(of: JSONTokens.lostByte, from: start) ?? text.count
            guard (try? UTF8Span(validating: text.span.extracting(start..<end))) != nil else {
                return false
            }
            start = end &+ 1
        }
        return true
    }
}

// MARK: - Numbers and words

extension JSONTokens {
    private mutating func beginScalar(_ byte: UInt8) throws(JSONError) {
        guard byte == UInt8(ascii: "-") || byte.isDigit || byte.isLowercaseLetter else {
            throw .unexpected(byte)
        }
        beginText()
        append(byte)
        state = byte.isLowercaseLetter ? .word : .number
    }

    /// Reads on to the byte behind the number or word, and says whether that came.
    private mutating func readScalar(
        _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(JSONError) -> Bool {
        while offset < bytes.count {
            guard bytes[offset].isInScalar else { return true }
            append(bytes[offset])
            offset &+= 1
        }
        return false
    }

    private mutating func endScalar() throws(JSONError) -> JSONToken {
        let isNumber = state == .number
        state = .afterValue
        if isNumber {
            guard !isTextCut, text.span.isJSONNumber else { throw .badNumber }
            return .number
        }
        if text.span.isEqual(to: "true") { return .true }
        if text.span.isEqual(to: "false") { return .false }
        if text.span.isEqual(to: "null") { return .null }
        throw .badWord
    }
}

extension Span<UInt8> {
    /// RFC 8259 section 6.
    fileprivate var isJSONNumber: Bool {
        var place = 0
        func digits() -> Int {
            let start = place
            while place < count, self[place].isDigit { place &+= 1 }
            return place &- start
        }
        func takes(_ byte: UInt8) -> Bool {
            guard place < count, self[place] == byte else { return false }
            place &+= 1
            return true
        }
        _ = takes(UInt8(ascii: "-"))
        if !takes(UInt8(ascii: "0")), digits() == 0 { return false }
        if takes(UInt8(ascii: ".")), digits() == 0 { return false }
        if takes(UInt8(ascii: "e")) || takes(UInt8(ascii: "E")) {
            if !takes(UInt8(ascii: "+")) { _ = takes(UInt8(ascii: "-")) }
            if digits() == 0 { return false }
        }
        return place == count
    }
}

extension UInt8 {
    @inline(__always)
    fileprivate var isPlainInString: Bool { self >= 0x20 && self != 0x22 && self != 0x5C }

    /// `{`, `}`, `[`, `]` or a quote: brackets and braces differ in one bit.
    @inline(__always)
    fileprivate var isBracketOrQuote: Bool {
        let bracket = self | 0x20
        return bracket == 0x7B || bracket == 0x7D || self == 0x22
    }

    fileprivate var isInScalar: Bool {
        isDigit || isLetter || self == UInt8(ascii: "-") || self == UInt8(ascii: "+")
            || self == UInt8(ascii: ".")
    }
}
