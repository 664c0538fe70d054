internal import Bytes

/// What an `Accept` field prefers (RFC 9110 section 12.5.1), between the two ways the gate can tell a
/// client that something is wrong.
package enum Accept {
    /// Whether JSON is named, and plain text is not wanted more. A client that takes anything gets text.
    package static func prefersJSON(_ value: Span<UInt8>) -> Bool {
        var json = Weight()
        var text = Weight()
        var start = 0
        while start < value.count {
            let end = value.firstIndex(of: ASCII.comma, from: start) ?? value.count
            let element = value.extracting(start..<end)
            let semicolon = element.firstIndex(of: ASCII.semicolon) ?? element.count
            let range = element.extracting(element.trimmingBlanks(0..<semicolon))
            let quality = quality(element.extracting(semicolon..<element.count))
            if range.isEqualIgnoringCase(to: "application/problem+json")
                || range.isEqualIgnoringCase(to: "application/json")
            {
                json.take(quality, rank: 3)
            } else if range.isEqualIgnoringCase(to: "text/plain") {
                text.take(quality, rank: 3)
            } else if range.isEqualIgnoringCase(to: "application/*") {
                json.take(quality, rank: 2)
            } else if range.isEqualIgnoringCase(to: "text/*") {
                text.take(quality, rank: 2)
            } else if range.isEqualIgnoringCase(to: "*/*") {
                json.take(quality, rank: 1)
                text.take(quality, rank: 1)
            }
            start = end + 1
        }
        guard json.quality > 0 else { return false }
        if json.quality != text.quality { return json.quality > text.quality }
        return json.rank > text.rank
    }

    /// How much a type is wanted: what the most precise range that fits it says.
    private struct Weight {
        var quality = 0
        var rank = 0

        mutating func take(_ quality: Int, rank: Int) {
            if rank > self.rank || (rank == self.rank && quality > self.quality) {
                (self.quality, self.rank) = (quality, rank)
            }
        }
    }

    /// The `q` among the parameters, in thousandths (section 12.4.2). A thousand when there is none or
    /// when it is malformed.
    private static func quality(_ parameters: Span<UInt8>) -> Int {
        var start = 0
        while let semicolon = parameters.firstIndex(of: ASCII.semicolon, from: start) {
            start = semicolon + 1
            let end = parameters.firstIndex(of: ASCII.semicolon, from: start) ?? parameters.count
            let parameter = parameters.extracting(parameters.trimmingBlanks(start..<end))
            guard parameter.count >= 3, parameter[0].lowercased == 0x71,
                parameter[1] == ASCII.equals
            else { continue }
            return thousandths(parameter.extracting(2..<parameter.count))
        }
        return 1000
    }

    private static func thousandths(_ text: Span<UInt8>) -> Int {
        guard text.count <= 5, text[0] == 0x30 || text[0] == 0x31 else { return 1000 }
        if text[0] == 0x31 || text.count == 1 { return text[0] == 0x31 ? 1000 : 0 }
        var value = 0
        for place in 2..<5 {
            let digit = place < text.count ? text[place] : 0x30
            guard digit.isDigit else { return 1000 }
            value = value * 10 + Int(digit - 0x30)
        }
        return value
    }
}
