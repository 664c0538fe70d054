internal import Bytes

/// One of the reasons that the Pushgateway gives, one a line, when `GET /metrics` answers 500, and when
/// it refuses a push because of what it holds.
package struct ScrapeError {
    package let kind: Kind
    /// The family it is about.
    package let family: [UInt8]
    /// The labels of the series it is about, exactly as they are stored; none where it is about
    /// a family as a whole.
    var labels: [Label] = []

    struct Label: Equatable {
        let name: [UInt8]
        let value: [UInt8]
    }

    package enum Kind: Equatable {
        /// A series is there a second time.
        case repeated
        /// A series is of another type than those of the family before it.
        case otherType
        /// A series cannot be exported; the Pushgateway's words.
        case badSeries(String)
        /// A family is of another type than the Pushgateway's own of that name.
        case ownType
        /// A family has another HELP than the Pushgateway's own of that name.
        case ownHelp
        /// A family's name is one that a part of another family's series has.
        case suffixTaken(by: [UInt8])
    }

    /// What an answer to a scrape gives as reasons; at most so many bytes of it are looked at.
    static let textBytesMax = 65_536

    /// All reasons that are understood, and how many lines are not.
    package static func all(in answer: Span<UInt8>) -> (errors: [ScrapeError], unread: Int) {
        let text = answer.extracting(0..<min(answer.count, textBytesMax))
        var (errors, unread, start) = ([ScrapeError](), 0, 0)
        while start < text.count {
            let end = text.firstIndex(of: 0x0A, from: start)
            let line = text.extracting(start..<(end ?? text.count))
            start = (end ?? text.count) + 1
            if line.count == 0 || line.isHeading { continue }
            // The last line may be cut anywhere.
            if end != nil, let error = ScrapeError(line) {
                errors.append(error)
            } else {
                unread += 1
            }
        }
        return (errors, unread)
    }

    private init?(_ line: Span<UInt8>) {
        var reader = LineReader(place: line.hasPrefix("* ") ? 2 : 0)
        if reader.takes("gathered metric family ", in: line) {
            guard let name = reader.word(in: line) else { return nil }
            self.family = name
            if reader.takes(" has type ", in: line) {
                kind = .ownType
            } else if reader.takes(" has help ", in: line) {
                kind = .ownHelp
            } else {
                return nil
            }
        } else if reader.takes("collected metric named ", in: line)
            || reader.takes("collected histogram named ", in: line)
            || reader.takes("collected histogram or summary named ", in: line)
        {
            guard let family = reader.quoted(in: line),
                reader.takes(" collides with previously collected ", in: line),
                reader.skips(to: UInt8(ascii: "\""), in: line),
                let other = reader.quoted(in: line)
            else { return nil }
            self.family = family
            kind = .suffixTaken(by: other)
        } else if reader.takes("collected metric ", in: line) {
            guard let family = reader.quoted(in: line), reader.takes(" ", in: line),
                let labels = reader.series(in: line)
            else { return nil }
            self.family = family
            self.labels = labels
            if reader.takes(" was collected before", in: line) {
                kind = .repeated
            } else if reader.takes(" is not a ", in: line) {
                kind = .otherType
            } else {
                kind = .badSeries(reader.rest(of: line))
            }
        } else {
            return nil
        }
    }
}

extension Span<UInt8> {
    /// The lines above the reasons.
    fileprivate var isHeading: Bool {
        if hasPrefix("An error has occurred") { return true }
        let end: StaticString = " error(s) occurred:"
        guard count > end.utf8CodeUnitCount else { return false }
        return extracting((count - end.utf8CodeUnitCount)..<count).isEqual(to: end)
    }
}

/// Reads one line from the left.
private struct LineReader {
    var place: Int

    mutating func takes(_ text: StaticString, in line: Span<UInt8>) -> Bool {
        guard line.extracting(min(place, line.count)..<line.count).hasPrefix(text) else {
            return false
        }
        place += text.utf8CodeUnitCount
        return true
    }

    mutating func skips(to byte: UInt8, in line: Span<UInt8>) -> Bool {
        guard let found = line.firstIndex(of: byte, from: place) else { return false }
        place = found
        return true
    }

    mutating func word(in line: Span<UInt8>) -> [UInt8]? {
        let end = line.firstIndex(of: 0x20, from: place) ?? line.count
        guard end > place else { return nil }
        defer { place = end }
        return Array(copying: line.extracting(place..<end))
    }

    func rest(of line: Span<UInt8>) -> String {
        var start = place
        while start < line.count, line[start] == 0x20 { start += 1 }
        var text = ByteBuffer()
        text.append(escaping: line.extracting(start..<line.count), bytesMax: 120, isQuoted: false)
        return text.withSpan { String(decoding: $0) }
    }

    /// The labels in Protobuf's text form, of whichever library: `{ label:<name:"a" value:"b" > }` or
    /// `{ label:{name:"a"  value:"b"} }`, with the values that follow. Ends behind the last bracket.
    mutating func series(in line: Span<UInt8>) -> [ScrapeError.Label]? {
        var labels: [ScrapeError.Label] = []
        var (depth, name) = (0, [UInt8]?.none)
        while place < line.count {
            switch line[place] {
            case UInt8(ascii: "{"), UInt8(ascii: "<"): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: ">"): depth -= 1
            case UInt8(ascii: "\""):
                let isName = isBehind("name:", in: line)
                let isValue = isBehind("value:", in: line)
                guard let text = quoted(in: line) else { return nil }
                if isName { name = text }
                if isValue, let known = name {
                    labels.append(ScrapeError.Label(name: known, value: text))
                    name = nil
                }
                continue
            default: break
            }
            place += 1
            if depth == 0 { return labels }
        }
        return nil
    }

    private func isBehind(_ key: StaticString, in line: Span<UInt8>) -> Bool {
        var end = place
        while end > 0, line[end - 1] == 0x20 { end -= 1 }
        let start = end - key.utf8CodeUnitCount
        return start >= 0 && line.extracting(start..<end).isEqual(to: key)
    }

    /// A text in quotes with the escapes of C and of Go: to bytes, which need not be UTF-8.
    mutating func quoted(in line: Span<UInt8>) -> [UInt8]? {
        guard takes("\"", in: line) else { return nil }
        var text: [UInt8] = []
        while place < line.count {
            let byte = line[place]
            place += 1
            switch byte {
            case UInt8(ascii: "\""): return text
            case UInt8(ascii: "\\"): guard unescape(into: &text, in: line) else { return nil }
            default: text.append(byte)
            }
        }
        return nil
    }

    private mutating func unescape(into text: inout [UInt8], in line: Span<UInt8>) -> Bool {
        guard place < line.count else { return false }
        let byte = line[place]
        place += 1
        switch byte {
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "a"): text.append(0x07)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "v"): text.append(0x0B)
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "'"), UInt8(ascii: "?"):
            text.append(byte)
        case UInt8(ascii: "0")...UInt8(ascii: "3"):
            place -= 1
            guard let value = digits(3, radix: 8, in: line) else { return false }
            text.append(UInt8(truncatingIfNeeded: value))
        case UInt8(ascii: "x"):
            guard let value = digits(2, radix: 16, in: line) else { return false }
            text.append(UInt8(truncatingIfNeeded: value))
        case UInt8(ascii: "u"), UInt8(ascii: "U"):
            guard let value = digits(byte == UInt8(ascii: "u") ? 4 : 8, radix: 16, in: line),
                let scalar = Unicode.Scalar(value)
            else { return false }
            text += Array(String(Character(scalar)).utf8)
        default: return false
        }
        return true
    }

    private mutating func digits(_ count: Int, radix: UInt32, in line: Span<UInt8>) -> UInt32? {
        guard line.count - place >= count else { return nil }
        var value: UInt32 = 0
        for _ in 0..<count {
            guard let digit = line[place].hexDigitValue, digit < radix else { return nil }
            value = value &* radix &+ UInt32(digit)
            place += 1
        }
        return value
    }
}
