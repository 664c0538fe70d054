import Bytes

/// Takes secrets out of texts: those that are known, wherever they stand, and whatever looks like one.
package struct Redaction: Sendable {
    package static let mark = Array("[redacted]".utf8)

    /// Shorter ones would take half of every text with them.
    static let secretBytesMin = 6

    /// By their first byte, the longest first.
    private let secrets: [UInt8: [[UInt8]]]

    package init(secrets: [[UInt8]] = []) {
        let known = Set(secrets).filter { $0.count >= Redaction.secretBytesMin }
            .sorted { $0.count > $1.count }
        self.secrets = Dictionary(grouping: known) { $0[0] }
    }

    package func redacted(_ text: String) -> String {
        String(decoding: redacted(Array(text.utf8)), as: UTF8.self)
    }

    package func redacted(_ text: [UInt8]) -> [UInt8] {
        var scanner = Scanner(text: text, secrets: secrets)
        return scanner.run()
    }
}

private struct Scanner {
    let text: [UInt8]
    let secrets: [UInt8: [[UInt8]]]
    var index = 0
    var output: [UInt8] = []

    mutating func run() -> [UInt8] {
        output.reserveCapacity(text.count)
        while index < text.count {
            if let length = secretLength() {
                redact(length)
            } else {
                step()
            }
        }
        return output
    }

    private mutating func redact(_ length: Int) {
        output += Redaction.mark
        index += length
    }

    private mutating func copy(_ length: Int) {
        output += text[index..<min(index + length, text.count)]
        index += length
    }

    private func secretLength() -> Int? {
        secrets[text[index]]?.first { has($0, at: index) }?.count
    }

    private func has(_ bytes: some Collection<UInt8>, at place: Int) -> Bool {
        text[min(place, text.count)...].starts(with: bytes)
    }

    private func count(from place: Int, while isPart: (UInt8) -> Bool) -> Int {
        var end = place
        while end < text.count, isPart(text[end]) { end += 1 }
        return end - place
    }

    private mutating func step() {
        switch text[index] {
        case UInt8(ascii: "-"): keyBlock()
        case UInt8(ascii: "$"): passwordHash()
        case UInt8(ascii: "{"): digest()
        case UInt8(ascii: ":"): userInformation()
        case UInt8(ascii: "/"): webhook()
        case let byte where byte.isWordPart: word()
        default: copy(1)
        }
    }

    // MARK: What secrets look like

    /// From `-----BEGIN … PRIVATE KEY-----` to its end, or to the end of the text.
    private mutating func keyBlock() {
        let line = text[index...].prefix(80).prefix { $0 != 0x0A }
        guard has("-----BEGIN ".utf8, at: index), line.contains(sequence: "PRIVATE KEY-----") else {
            return copy(1)
        }
        var end = index
        while end < text.count, !has("-----END ".utf8, at: end) { end += 1 }
        redact(end - index)
    }

    /// `$2y$10$…` and its kin (crypt(5)).
    private mutating func passwordHash() {
        let kinds = ["2a", "2b", "2x", "2y", "apr1", "1", "5", "6", "7", "y", "gy", "argon2id"]
        guard kinds.contains(where: { has("$\($0)$".utf8, at: index) }) else { return copy(1) }
        let length = count(from: index) { $0.isHashPart }
        if length >= 20 { redact(length) } else { copy(1) }
    }

    /// `{SHA}…`.
    private mutating func digest() {
        guard has("{SHA}".utf8, at: index) || has("{SSHA}".utf8, at: index) else { return copy(1) }
        redact(count(from: index) { $0.isHashPart || "{}".utf8.contains($0) })
    }

    /// `://user:password@`.
    private mutating func userInformation() {
        guard has("://".utf8, at: index) else { return copy(1) }
        copy(3)
        let length = count(from: index) { $0 > 0x20 && !"/@\"'".utf8.contains($0) }
        let end = index + length
        if length > 0, end < text.count, text[end] == UInt8(ascii: "@") { redact(length) }
    }

    private mutating func webhook() {
        for path in ["/api/webhooks/", "/services/T", "/bot/v2/hook/"]
        where has(path.utf8, at: index) {
            copy(path.utf8.count)
            return redact(count(from: index) { $0.isURLPart })
        }
        copy(1)
    }

    /// A word, which may say that what follows is a secret.
    private mutating func word() {
        let length = count(from: index, while: \.isWordPart)
        let word = text[index..<index + length].map(\.lowercased)
        // One that is known may stand in the middle of it.
        let inner = (1..<max(1, length)).first { offset in
            secrets[text[index + offset]]?.contains { has($0, at: index + offset) } ?? false
        }
        copy(inner ?? length)
        if inner != nil { return }
        if word == Array("bearer".utf8) || word == Array("basic".utf8) {
            credential()
        } else if word.isKeyOfSecret {
            value(isWholeLine: word.contains(sequence: "authorization"))
        }
    }

    private mutating func credential() {
        let blanks = count(from: index, while: \.isBlank)
        let length = count(from: index + blanks) { $0.isHashPart || "-_~+".utf8.contains($0) }
        guard blanks > 0, length >= 8 else { return }
        copy(blanks)
        redact(length)
    }

    /// What stands behind `key=`, `key: ` or `"key":`.
    private mutating func value(isWholeLine: Bool) {
        var place = index
        if place < text.count, "\"'".utf8.contains(text[place]) { place += 1 }
        place += count(from: place, while: \.isBlank)
        guard place < text.count, "=:".utf8.contains(text[place]) else { return }
        let isColon = text[place] == UInt8(ascii: ":")
        place += 1
        place += count(from: place, while: \.isBlank)
        guard place < text.count, text[place] != 0x0A else { return }
        copy(place - index)
        let first = text[index]
        if "\"'".utf8.contains(first) {
            copy(1)
            return redact(quotedLength(first))
        }
        redact(
            count(from: index) { byte in
                byte != 0x0A && byte != 0x0D && byte != UInt8(ascii: "\"")
                    && (isColon || isWholeLine || !(byte.isBlank || ",;&".utf8.contains(byte)))
            })
    }

    /// Up to the quote that ends it, or the end of the line.
    private func quotedLength(_ quote: UInt8) -> Int {
        var end = index
        while end < text.count, text[end] != quote, text[end] != 0x0A {
            end += text[end] == UInt8(ascii: "\\") ? 2 : 1
        }
        return min(end, text.count) - index
    }
}

extension Collection<UInt8> {
    fileprivate func contains(sequence: String) -> Bool {
        let bytes = Array(sequence.utf8)
        return indices.contains { self[$0...].starts(with: bytes) }
    }
}

extension [UInt8] {
    /// Names a secret and not the file that has it.
    fileprivate var isKeyOfSecret: Bool {
        let words = [
            "password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "api-key",
            "access_key", "private_key", "webhook", "authorization", "credential", "cookie",
        ]
        guard words.contains(where: { contains(sequence: $0) }) else { return false }
        return !["_file", "_path", "_dir", "_files", "-file"].contains { suffix in
            self.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
        }
    }
}

extension UInt8 {
    fileprivate var isWordPart: Bool { isLetter || isDigit || "_-".utf8.contains(self) }
    fileprivate var isHashPart: Bool { isLetter || isDigit || "$./=,+".utf8.contains(self) }
    fileprivate var isURLPart: Bool {
        self > 0x20 && self != 0x7F && !"\"'<>\\,)]}".utf8.contains(self)
    }
}
