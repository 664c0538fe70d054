import Bytes

/// Goes over a text once. It looks ahead no further than what it then takes, or a line, so that its time
/// grows with the text alone.
struct SecretScanner {
    let text: [UInt8]
    let secrets: [UInt8: [[UInt8]]]
    var index = 0
    /// Where the `value` stands that belongs to a `name` of a secret.
    var namedValue: Int?
    private var output: [UInt8] = []

    init(text: [UInt8], secrets: [UInt8: [[UInt8]]]) { (self.text, self.secrets) = (text, secrets) }

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

    mutating func redact(_ length: Int) {
        output += Redaction.mark
        index += length
    }

    mutating func copy(_ length: Int) {
        output += text[index..<min(index + length, text.count)]
        index += length
    }

    private func secretLength() -> Int? {
        secrets[text[index]]?.first { has($0, at: index) }?.count
    }

    func hasSecret(at place: Int) -> Bool {
        secrets[text[place]]?.contains { has($0, at: place) } ?? false
    }

    func has(_ bytes: some Collection<UInt8>, at place: Int) -> Bool {
        text[min(place, text.count)...].starts(with: bytes)
    }

    /// Whether one of these stands there.
    func has(oneOf bytes: String, at place: Int) -> Bool {
        place < text.count && bytes.utf8.contains(text[place])
    }

    func count(from place: Int, while isPart: (UInt8) -> Bool) -> Int {
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
        // The line that ends it stays a line.
        if end < text.count {
            while text[end - 1].isBlank { end -= 1 }
            if text[end - 1] == 0x0A { end -= 1 }
        }
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
}

extension Collection<UInt8> {
    func contains(sequence: String) -> Bool {
        let bytes = Array(sequence.utf8)
        return indices.contains { self[$0...].starts(with: bytes) }
    }
}

extension UInt8 {
    var isWordPart: Bool { isLetter || isDigit || "_-".utf8.contains(self) }
    var isHashPart: Bool { isLetter || isDigit || "$./=,+".utf8.contains(self) }
    var isURLPart: Bool {
        self > 0x20 && self != 0x7F && !"\"'<>\\,)]}".utf8.contains(self)
    }
}
