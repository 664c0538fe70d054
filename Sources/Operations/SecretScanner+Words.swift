import Bytes

/// What a word says about what follows it.
extension SecretScanner {
    mutating func word() {
        let start = index
        var end = index + 1
        // One that is known may stand in the middle of it.
        while end < text.count, text[end].isWordPart, !hasSecret(at: end) { end += 1 }
        if let length = credentialLength(ofWordTo: end) { return redact(length) }
        let dashes = text[..<index].suffix(2).reversed().prefix { $0 == UInt8(ascii: "-") }.count
        if dashes == 1, text[index] == UInt8(ascii: "u"), end - index > 1, login(at: index + 1) {
            return
        }
        copy(end - index)
        if end < text.count, hasSecret(at: end) { return }
        let exact = text[start..<end]
        // No name is longer, and what is may be a whole file in base64.
        let word = exact.suffix(256).map(\.lowercased)
        if word == Array("bearer".utf8) || word == Array("basic".utf8) {
            credential()
        } else if word.isKeyOfSecret || start == namedValue {
            let isWholeLine = word.contains(sequence: "authorization")
            value(of: start, isWholeLine: isWholeLine, isOption: dashes == 2)
        } else if word.isKeyOfLogin || dashes == 1 && exact.isOptionOfLogin {
            login(behind: start, isOption: dashes > 0)
        } else if word == Array("name".utf8) || word == Array("key".utf8) {
            noteName()
        }
    }

    /// Of a JSON web token, or of the id of a key of AWS; nil when the word begins neither.
    private func credentialLength(ofWordTo end: Int) -> Int? {
        let length = end - index
        if length >= 10, has("eyJ".utf8, at: index), has(oneOf: ".", at: end),
            end + 1 < text.count, text[end + 1].isWordPart
        {
            return count(from: index) { $0.isWordPart || $0 == UInt8(ascii: ".") }
        }
        let isKey =
            length == 20 && (has("AKIA".utf8, at: index) || has("ASIA".utf8, at: index))
            && text[index..<end].allSatisfy { $0.isDigit || $0.isLetter && !$0.isLowercaseLetter }
        return isKey ? length : nil
    }

    private mutating func credential() {
        let blanks = count(from: index, while: \.isBlank)
        let length = count(from: index + blanks) { $0.isHashPart || "-_~+".utf8.contains($0) }
        guard blanks > 0, length >= 8 else { return }
        copy(blanks)
        redact(length)
    }

    /// `name: DB_PASSWORD`, and `value` next, as containers have their environment.
    private mutating func noteName() {
        guard let (_, start) = separator(isOption: false) else { return }
        let name = start + count(from: start) { "\"'\\".utf8.contains($0) }
        let end = name + count(from: name, while: \.isWordPart)
        guard text[name..<end].map(\.lowercased).isKeyOfSecret else { return }
        let value = end + count(from: end) { $0.isBlank || "\"'\\,\r\n".utf8.contains($0) }
        if has("value".utf8, at: value) { namedValue = value }
    }

    // MARK: What stands behind it

    private enum Separator { case equals, colon, gap }

    /// `=`, `:` or a gap, with the quote that ends the word; the next argument is behind a gap, also in a
    /// list.
    private func separator(isOption: Bool) -> (kind: Separator, end: Int)? {
        var place = index
        if has(oneOf: "\\", at: place) { place += 1 }
        if has(oneOf: "\"'", at: place) { place += 1 }
        let blanks = count(from: place, while: \.isBlank)
        place += blanks
        guard place < text.count else { return nil }
        let kind: Separator
        switch text[place] {
        case UInt8(ascii: "="):
            kind = .equals
            place += count(from: place) { "=>".utf8.contains($0) }
        case UInt8(ascii: ":"):
            kind = .colon
            place += 1
        case UInt8(ascii: ",") where isOption:
            return (.gap, place + 1 + count(from: place + 1) { $0.isBlank || $0.isLineEnd })
        case 0x0A where isOption, 0x0D where isOption:
            place += count(from: place) { $0.isBlank || $0.isLineEnd }
            guard has("- ".utf8, at: place) else { return nil }
            kind = .gap
            place += 2
        case UInt8(ascii: "\\")
        where isOption && blanks > 0 && place + 1 < text.count && text[place + 1].isLineEnd:
            // The line goes on below.
            kind = .gap
            place += count(from: place) { $0.isLineEnd || $0.isBlank || $0 == UInt8(ascii: "\\") }
        default:
            guard blanks > 0 else { return nil }
            return (.gap, place)
        }
        return (kind, place + count(from: place, while: \.isBlank))
    }

    /// What stands behind `key=`, `key: `, `"key":`, or `--key` and a gap.
    private mutating func value(of start: Int, isWholeLine: Bool, isOption: Bool) {
        guard let (kind, end) = separator(isOption: isOption), end < text.count,
            kind != .gap || isOption && text[end] != UInt8(ascii: "-")
        else { return }
        if kind == .colon, block(of: start, from: end) { return }
        guard !text[end].isLineEnd else { return }
        copy(end - index)
        guard !quoted() else { return }
        let isLine = kind == .colon || isWholeLine
        var length = 0
        while index + length < text.count {
            let place = index + length
            let byte = text[place]
            if byte.isLineEnd || byte == UInt8(ascii: "\"") && isEnd(at: place) { break }
            if !isLine, byte.isBlank || ",;&".utf8.contains(byte) { break }
            length += 1
        }
        redact(length)
    }

    /// Takes what is in quotes, if a quote stands here.
    private mutating func quoted() -> Bool {
        let slashes = has(oneOf: "\\", at: index) ? 1 : 0
        guard has(oneOf: "\"'", at: index + slashes) else { return false }
        let quote = text[index + slashes]
        copy(slashes + 1)
        let length = quotedLength(quote, isEscaped: slashes > 0)
        if length > 0 { redact(length) }
        return true
    }

    /// Up to the quote that ends it, or the end of the line.
    private func quotedLength(_ quote: UInt8, isEscaped: Bool) -> Int {
        var end = index
        while end < text.count, text[end] != 0x0A {
            if text[end] == UInt8(ascii: "\\") {
                if isEscaped, end + 1 < text.count, text[end + 1] == quote { break }
                end += 2
            } else if text[end] == quote, isEscaped || isEnd(at: end) {
                break
            } else {
                end += 1
            }
        }
        return min(end, text.count) - index
    }

    /// Whether this quote ends what it is in: it is not doubled, and no more of a word follows.
    private func isEnd(at place: Int) -> Bool {
        let next = place + 1
        return next >= text.count || text[next] <= 0x20
            || has(oneOf: ",;:&)}]#<>|/\\.", at: next)
    }

    // MARK: A name and a password

    private mutating func login(behind start: Int, isOption: Bool) {
        guard let (kind, end) = separator(isOption: isOption) else { return }
        // "user prom:secret" is a line of a file of curl's; in a sentence it may be anything.
        if kind == .gap, !isOption, !isFirstInLine(start) { return }
        _ = login(at: end)
    }

    /// Keeps the name, and takes what is behind its colon. False when there is none.
    private mutating func login(at place: Int) -> Bool {
        let slashes = has(oneOf: "\\", at: place) ? 1 : 0
        let isQuoted = has(oneOf: "\"'", at: place + slashes)
        let name = place + (isQuoted ? slashes + 1 : 0)
        let length = count(from: name) { $0 > 0x20 && !"\"':,=/\\<>()[]|&;#%".utf8.contains($0) }
        let password = name + length + 1
        guard has(oneOf: ":", at: name + length), password < text.count, text[password] > 0x20,
            !has("//".utf8, at: password), !isPairOfNumbers(name, password)
        else { return false }
        copy(password - index)
        if isQuoted {
            let length = quotedLength(text[name - 1], isEscaped: slashes > 0)
            if length > 0 { redact(length) }
        } else if !quoted() {
            redact(argumentLength())
        }
        return true
    }

    /// Ids of a user and a group.
    private func isPairOfNumbers(_ name: Int, _ password: Int) -> Bool {
        let digits = count(from: password, while: \.isDigit)
        return digits > 0 && text[name..<password - 1].allSatisfy(\.isDigit)
            && (password + digits == text.count || !text[password + digits].isHashPart)
    }

    /// Up to the blank that ends it, in a shell or a list.
    private func argumentLength() -> Int {
        var end = index
        var quote: UInt8?
        while end < text.count, !text[end].isLineEnd {
            let byte = text[end]
            if quote == nil, byte.isBlank { break }
            if byte == UInt8(ascii: "\\") {
                end += 1
            } else if byte == quote {
                quote = nil
            } else if quote == nil, "\"'".utf8.contains(byte) {
                if isEnd(at: end) { break }
                quote = byte
            }
            end += 1
        }
        return min(end, text.count) - index
    }

    // MARK: Lines below it

    /// Takes the lines below a key of YAML that are part of it. True when nothing stands beside the key.
    private mutating func block(of start: Int, from place: Int) -> Bool {
        var end = place
        while has(oneOf: "!&", at: end) {
            end += count(from: end) { $0 > 0x20 }
            end += count(from: end, while: \.isBlank)
        }
        let isText = has(oneOf: "|>", at: end)
        if isText {
            end += 1 + count(from: end + 1) { $0.isDigit || "+-".utf8.contains($0) }
        } else if has(oneOf: "[{", at: end) {
            end += 1
        }
        end += count(from: end, while: \.isBlank)
        if has(oneOf: "#", at: end) { end += count(from: end) { !$0.isLineEnd } }
        guard end < text.count, text[end].isLineEnd else { return false }
        guard let lines = lines(from: end, deeperThan: column(of: start)),
            isText || !isKey(at: lines.lowerBound)
        else { return true }
        copy(lines.lowerBound - index)
        redact(lines.count)
        return true
    }

    /// From the first that is not blank, without what it is indented by and the last line's end.
    private func lines(from place: Int, deeperThan column: Int) -> Range<Int>? {
        var next = place
        var found: Range<Int>?
        while next < text.count {
            let line = next + count(from: next, while: \.isLineEnd)
            let start = line + count(from: line, while: \.isBlank)
            next = start + count(from: start) { !$0.isLineEnd }
            if start == next { continue }
            guard start - line > column else { break }
            found = (found?.lowerBound ?? start)..<next
        }
        return found
    }

    /// `key:`, also as an entry of a list.
    private func isKey(at place: Int) -> Bool {
        var key = place
        while has("- ".utf8, at: key) { key += 1 + count(from: key + 1, while: \.isBlank) }
        if has(oneOf: "\"'", at: key) { key += 1 }
        var end = key + count(from: key) { $0.isWordPart || "./".utf8.contains($0) }
        if has(oneOf: "\"'", at: end) { end += 1 }
        let isColon = end > key && has(oneOf: ":", at: end)
        return isColon && (end + 1 >= text.count || text[end + 1] <= 0x20)
    }

    private func start(ofLineAt place: Int) -> Int {
        (text[..<place].lastIndex(where: \.isLineEnd) ?? -1) + 1
    }

    private func column(of word: Int) -> Int {
        let quote = word > 0 && has(oneOf: "\"'", at: word - 1) ? 1 : 0
        return word - quote - start(ofLineAt: word)
    }

    private func isFirstInLine(_ word: Int) -> Bool {
        text[..<word].last { !$0.isBlank }?.isLineEnd ?? true
    }
}

extension [UInt8] {
    /// Names a secret and not the file that has it.
    fileprivate var isKeyOfSecret: Bool {
        let words = [
            "password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "api-key",
            "access_key", "private_key", "webhook", "authorization", "credential", "cookie",
        ]
        guard
            words.contains(where: { contains(sequence: $0) })
                || ends(withOneOf: ["_pass", "_pwd", "-pass", "-pwd"])
        else { return false }
        return !ends(withOneOf: ["_file", "_path", "_dir", "_files", "-file"])
    }

    /// Of a name and a password, as curl takes them.
    fileprivate var isKeyOfLogin: Bool {
        self == Array("user".utf8) || self == Array("userpwd".utf8)
            || ends(withOneOf: ["_user", "-user", "_auth"])
    }

    private func ends(withOneOf suffixes: [String]) -> Bool {
        suffixes.contains { self.suffix($0.utf8.count).elementsEqual($0.utf8) }
    }
}

extension ArraySlice<UInt8> {
    /// `-u`, also behind options of curl that take nothing, and `-U` for a proxy.
    fileprivate var isOptionOfLogin: Bool {
        guard let last, "uU".utf8.contains(last) else { return false }
        return dropLast().allSatisfy { "fsSLkgivINGOJRqljnaBpZ0346".utf8.contains($0) }
    }
}

extension UInt8 {
    fileprivate var isLineEnd: Bool { self == 0x0A || self == 0x0D }
}
