package import Bytes

/// What a push is for: the job and the labels in the path, decoded, checked, and written anew.
///
/// Nothing else in the gate reads a push path, and the path as it came goes nowhere: rights, quotas
/// and logs speak of the decoded labels, and the Pushgateway gets the one canonical form. What it
/// would store and then choke on (text that is not UTF-8, an empty label) never reaches it.
///
/// Made to be used again and again: once warm, decoding allocates nothing.
package struct GroupingKey: ~Copyable {
    /// Decoded names and values; the ranges below point into it.
    private var bytes: [UInt8] = []
    private var job = 0..<0
    /// Sorted by name, each name once.
    private var labels: [Label] = []

    private struct Label {
        let name: Range<Int>
        let value: Range<Int>
    }

    package init() {}

    /// Reads the path of a request: percent-encoded, without query, beginning with
    /// `/metrics/job/` or `/metrics/job@base64/`. Its length is the caller's to bound, and so is
    /// `labelsMax`, the labels that may follow the job. After an error the key is empty.
    package mutating func decode(
        _ path: Span<UInt8>, labelsMax: Int
    ) throws(GroupingKeyError) {
        clear()
        do {
            try read(path, labelsMax: labelsMax)
        } catch {
            clear()
            throw error
        }
    }

    /// Begins a key that a store tells, decoded and good, instead of reading it from a path.
    package mutating func begin(job: Span<UInt8>) {
        clear()
        bytes.append(copying: job)
        self.job = 0..<bytes.count
    }

    /// Adds a label to it, each name once and in the order of names. The job, and what is empty, is
    /// no label of a key.
    package mutating func insert(name: Span<UInt8>, value: Span<UInt8>) {
        guard value.count > 0, !name.isEqual(to: "job") else { return }
        let start = bytes.count
        bytes.append(copying: name)
        let end = bytes.count
        bytes.append(copying: value)
        labels.append(Label(name: start..<end, value: end..<bytes.count))
    }

    /// How many labels there are besides the job.
    package var labelCount: Int { labels.count }

    /// The job's name, which is not empty after a good `decode`.
    package func withJob<R>(_ body: (Span<UInt8>) -> R) -> R {
        body(bytes.span.extracting(job))
    }

    /// Name and value of a label, by its place in the order of names, from 0 to `labelCount` - 1.
    package func withLabel<R>(
        at index: Int, _ body: (_ name: Span<UInt8>, _ value: Span<UInt8>) -> R
    ) -> R {
        let label = labels[index]
        return body(bytes.span.extracting(label.name), bytes.span.extracting(label.value))
    }

    private mutating func clear() {
        bytes.removeAll(keepingCapacity: true)
        labels.removeAll(keepingCapacity: true)
        job = 0..<0
    }
}

// MARK: - Reading

extension GroupingKey {
    private mutating func read(
        _ path: Span<UInt8>, labelsMax: Int
    ) throws(GroupingKeyError) {
        var position = try readJob(path)
        let isTrailingSlash = position == path.count - 1
        if isTrailingSlash { return }

        var labelsGiven = 0
        while position < path.count {
            guard position + 1 < path.count else { throw .trailingSlash }
            guard labelsGiven < labelsMax else { throw .tooManyLabels }
            try insert(try readLabel(path, &position))
            labelsGiven += 1
        }
        // To Prometheus an empty label is an absent one. A Pushgateway that stores it holds two
        // groups of one meaning, and from then on refuses every push.
        labels.removeAll { $0.value.isEmpty }
    }

    /// Reads up to the end of the job's value and gives the place behind it.
    private mutating func readJob(_ path: Span<UInt8>) throws(GroupingKeyError) -> Int {
        let plain: StaticString = "/metrics/job/"
        let encoded: StaticString = "/metrics/job@base64/"
        let isBase64 = path.hasPrefix(encoded)
        guard isBase64 || path.hasPrefix(plain) else { throw .notAPushPath }
        var position = (isBase64 ? encoded : plain).utf8CodeUnitCount

        guard position < path.count else { throw .jobMissing }
        job = try readValue(path, &position, isBase64: isBase64)
        guard !job.isEmpty else { throw .jobMissing }
        return position
    }

    /// Reads `/NAME/VALUE` or `/NAME@base64/VALUE`; `position` stands on the first slash, which is
    /// not the path's last character.
    private mutating func readLabel(
        _ path: Span<UInt8>, _ position: inout Int
    ) throws(GroupingKeyError) -> Label {
        position += 1
        var name = try readSegment(path, &position)
        guard position < path.count else { throw .oddNumberOfParts }

        let suffix: StaticString = "@base64"
        let stem = max(name.lowerBound, name.upperBound - suffix.utf8CodeUnitCount)
        let isBase64 = bytes.span.extracting(stem..<name.upperBound).isEqual(to: suffix)
        if isBase64 { name = name.lowerBound..<stem }
        try GroupingKey.checkName(bytes.span.extracting(name))

        position += 1
        guard position < path.count else { throw .trailingSlash }
        return Label(name: name, value: try readValue(path, &position, isBase64: isBase64))
    }

    private mutating func readValue(
        _ path: Span<UInt8>, _ position: inout Int, isBase64: Bool
    ) throws(GroupingKeyError) -> Range<Int> {
        let start = position
        let segment = try readSegment(path, &position)
        if isBase64 {
            let value = try decodeBase64(segment)
            try GroupingKey.checkText(bytes.span.extracting(value))
            return value
        }
        // A value without an escape is made of path characters, which are all fit to be text.
        if segment.count != position - start {
            try GroupingKey.checkText(bytes.span.extracting(segment))
        }
        return segment
    }

    /// Percent-decodes up to the next slash or the end (RFC 3986 section 2.1), once.
    private mutating func readSegment(
        _ path: Span<UInt8>, _ position: inout Int
    ) throws(GroupingKeyError) -> Range<Int> {
        let start = bytes.count
        while true {
            let runStart = position
            while position < path.count, path[position].isPathCharacter { position += 1 }
            bytes.append(copying: path.extracting(runStart..<position))
            guard position < path.count, path[position] != UInt8(ascii: "/") else { break }
            guard path[position] == UInt8(ascii: "%") else { throw .characterNotEncoded }
            bytes.append(try GroupingKey.percentDecoded(path, at: position))
            position += 3
        }
        let segment = bytes.span.extracting(start..<bytes.count)
        guard !segment.isEmpty else { throw .emptySegment }
        guard !segment.isDotSegment else { throw .dotSegment }
        return start..<bytes.count
    }

    private static func percentDecoded(
        _ path: Span<UInt8>, at position: Int
    ) throws(GroupingKeyError) -> UInt8 {
        guard position + 2 < path.count, let high = path[position + 1].hexDigitValue,
            let low = path[position + 2].hexDigitValue
        else { throw .percentEncodingBroken }
        let byte = high << 4 | low
        // The Pushgateway splits the path after decoding: this would end the value there.
        guard byte != UInt8(ascii: "/") else { throw .encodedSlash }
        return byte
    }

    /// Decodes the last segment read, which takes its place. Padding may be left out, and must be
    /// right when it is there; a lone `=` is how clients write the empty value.
    private mutating func decodeBase64(_ text: Range<Int>) throws(GroupingKeyError) -> Range<Int> {
        var end = text.upperBound
        while end > text.lowerBound, bytes[end - 1] == UInt8(ascii: "=") { end -= 1 }
        let padCount = text.upperBound - end
        let isEmptyValue = end == text.lowerBound && padCount == 1
        let isPaddedRightly = end > text.lowerBound && padCount < 3 && text.count % 4 == 0
        guard isEmptyValue || padCount == 0 || isPaddedRightly else { throw .base64Invalid }

        var decoder = Base64.Decoder(.urlSafe)
        var written = text.lowerBound
        for index in text.lowerBound..<end {
            switch decoder.take(bytes[index]) {
            case .byte(let byte):
                bytes[written] = byte
                written += 1
            case .more: continue
            case .invalid: throw .base64Invalid
            }
        }
        guard decoder.isAtEnd else { throw .base64Invalid }
        bytes.removeLast(bytes.count - written)
        return text.lowerBound..<written
    }

    /// A label name of the Prometheus data model that is free to be used in a grouping key.
    private static func checkName(_ name: Span<UInt8>) throws(GroupingKeyError) {
        guard name.count > 0, !name[0].isDigit else { throw .labelNameInvalid }
        for index in name.indices {
            guard name[index].isLetter || name[index].isDigit || name[index] == UInt8(ascii: "_")
            else { throw .labelNameInvalid }
        }
        guard !name.hasPrefix("__") else { throw .labelNameReserved }
        // With UTF-8 names on, the Pushgateway decodes such a name after the gate has judged it:
        // `U__instance` would be a second, unjudged `instance`.
        guard !name.hasPrefix("U__") else { throw .labelNameEscaped }
        guard !name.isEqual(to: "job") else { throw .jobAgain }
    }

    /// UTF-8 (RFC 3629) without the control characters of Unicode's C0, DEL and C1.
    private static func checkText(_ text: Span<UInt8>) throws(GroupingKeyError) {
        do {
            _ = try UTF8Span(validating: text)
        } catch {
            throw .invalidUTF8
        }
        for index in text.indices {
            let isC1 = text[index] == 0xC2 && text[index + 1] < 0xA0
            guard !text[index].isControl, !isC1 else { throw .controlCharacter }
        }
    }

    /// Puts a label in its place among those before it.
    private mutating func insert(_ label: Label) throws(GroupingKeyError) {
        var place = labels.count
        while place > 0 {
            let order = compare(label.name, labels[place - 1].name)
            guard order != 0 else { throw .labelTwice }
            if order > 0 { break }
            place -= 1
        }
        labels.insert(label, at: place)
    }

    /// Below, at or above zero, as the first name comes before, is, or comes after the second.
    private func compare(_ left: Range<Int>, _ right: Range<Int>) -> Int {
        for offset in 0..<min(left.count, right.count) {
            let difference =
                Int(bytes[left.lowerBound + offset]) - Int(bytes[right.lowerBound + offset])
            if difference != 0 { return difference }
        }
        return left.count - right.count
    }
}

// MARK: - Writing

extension GroupingKey {
    /// Appends the one path that stands for this key: job first, labels by name, values
    /// percent-encoded but for the unreserved characters (RFC 3986 section 2.3), and in base64
    /// where a percent-encoded value would be split or cleaned away.
    package func writePath(into output: inout ByteBuffer) {
        output.append(("/metrics/job" as StaticString).span)
        writePathValue(job, into: &output)
        for label in labels {
            output.append(UInt8(ascii: "/"))
            output.append(bytes.span.extracting(label.name))
            writePathValue(label.value, into: &output)
        }
    }

    /// Appends the key for a person to read: `job=xserver-bot,instance=a`. What would blur it
    /// (`"`, `\`, `,` and `=` in a value) gets a backslash; control characters cannot occur.
    package func writeDescription(into output: inout ByteBuffer) {
        output.append(("job=" as StaticString).span)
        writeDescriptionValue(job, into: &output)
        for label in labels {
            output.append(UInt8(ascii: ","))
            output.append(bytes.span.extracting(label.name))
            output.append(UInt8(ascii: "="))
            writeDescriptionValue(label.value, into: &output)
        }
    }

    private func writePathValue(_ range: Range<Int>, into output: inout ByteBuffer) {
        let value = bytes.span.extracting(range)
        if value.isDotSegment || value.firstIndex(of: UInt8(ascii: "/")) != nil {
            output.append(("@base64/" as StaticString).span)
            return Base64.encodeURLSafe(value, into: &output)
        }
        output.append(UInt8(ascii: "/"))
        let hexadecimal = ("0123456789ABCDEF" as StaticString).span
        write(value, into: &output, escaping: { !$0.isUnreserved }) { byte, output in
            output.append(UInt8(ascii: "%"))
            output.append(hexadecimal[Int(byte >> 4)])
            output.append(hexadecimal[Int(byte & 15)])
        }
    }

    private func writeDescriptionValue(_ range: Range<Int>, into output: inout ByteBuffer) {
        let value = bytes.span.extracting(range)
        write(value, into: &output, escaping: \.blursDescription) { byte, output in
            output.append(UInt8(ascii: "\\"))
            output.append(byte)
        }
    }

    /// Appends runs of plain bytes whole and hands each of the others to `escape`.
    private func write(
        _ value: Span<UInt8>, into output: inout ByteBuffer, escaping needsEscape: (UInt8) -> Bool,
        by escape: (UInt8, inout ByteBuffer) -> Void
    ) {
        var runStart = 0
        for index in value.indices where needsEscape(value[index]) {
            output.append(value.extracting(runStart..<index))
            escape(value[index], &output)
            runStart = index + 1
        }
        output.append(value.extracting(runStart..<value.count))
    }
}

extension UInt8 {
    /// `unreserved` of RFC 3986 section 2.3.
    fileprivate var isUnreserved: Bool {
        isInSet(low: 0x03FF600000000000, high: 0x47FFFFFE87FFFFFE)
    }

    /// `pchar` of RFC 3986 section 3.3, but for the percent sign.
    fileprivate var isPathCharacter: Bool {
        isInSet(low: 0x2FFF7FD200000000, high: 0x47FFFFFE87FFFFFF)
    }

    /// One bit for each ASCII character, from the lowest; no other byte is in a set.
    private func isInSet(low: UInt64, high: UInt64) -> Bool {
        let half = self & 0x40 == 0 ? low : high
        return self < 0x80 && half &>> UInt64(self & 0x3F) & 1 == 1
    }

    fileprivate var blursDescription: Bool {
        switch self {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: ","), UInt8(ascii: "="):
            return true
        default: return false
        }
    }
}

extension Span<UInt8> {
    /// `.` or `..`, which are cleaned away on the way (RFC 3986 section 5.2.4).
    fileprivate var isDotSegment: Bool {
        guard count == 1 || count == 2, self[0] == UInt8(ascii: ".") else { return false }
        return count == 1 || self[1] == UInt8(ascii: ".")
    }
}

// MARK: - Refusals

/// Why a path names no group. Every one of them is the client's to mend.
package enum GroupingKeyError: Error, Equatable, CaseIterable {
    case notAPushPath
    case jobMissing
    case jobAgain
    case emptySegment
    case dotSegment
    case encodedSlash
    case trailingSlash
    case oddNumberOfParts
    case percentEncodingBroken
    case characterNotEncoded
    case base64Invalid
    case invalidUTF8
    case controlCharacter
    case labelNameInvalid
    case labelNameReserved
    case labelNameEscaped
    case labelTwice
    case tooManyLabels

    /// What to tell the person who wrote the path.
    package var sentence: StaticString {
        switch self {
        case .notAPushPath:
            "the path must begin with /metrics/job/ or /metrics/job@base64/"
        case .jobMissing:
            "the job is missing: write /metrics/job/NAME"
        case .jobAgain:
            "the job is already given: it cannot be a label again"
        case .emptySegment:
            "the path holds //: leave an empty label out, or write its value as NAME@base64/="
        case .dotSegment:
            "the path holds . or .. as a part: as a value write them in base64, NAME@base64/Lg"
        case .encodedSlash:
            "%2F would split the value: write it in base64, NAME@base64/VALUE"
        case .trailingSlash:
            "the path ends in a slash, so its last part is missing"
        case .oddNumberOfParts:
            "what follows the job must be pairs of /NAME/VALUE, and the last value is missing"
        case .percentEncodingBroken:
            "a percent sign must be followed by two hexadecimal digits: write % itself as %25"
        case .characterNotEncoded:
            "the path holds a character that must be percent-encoded"
        case .base64Invalid:
            "a value is not base64: use the URL-safe alphabet (- and _), padding may be left out"
        case .invalidUTF8:
            "a value is not valid UTF-8"
        case .controlCharacter:
            "a value holds a control character, such as a line break"
        case .labelNameInvalid:
            "a label name is made of letters, digits and _ and does not begin with a digit"
        case .labelNameReserved:
            "label names that begin with __ are reserved for Prometheus"
        case .labelNameEscaped:
            "label names that begin with U__ stand for escaped names, which are not accepted here"
        case .labelTwice:
            "a label is given twice"
        case .tooManyLabels:
            "the path holds more labels than are allowed here"
        }
    }
}
