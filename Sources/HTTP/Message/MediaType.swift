internal import Bytes

/// What a `Content-Type` says (RFC 9110 section 8.3.1), as far as the gate needs it.
package enum MediaType {
    /// Whether a Pushgateway reads a body of this type as `MetricFamily` messages with their lengths
    /// before them. It does when type and both parameters, in any order and beside any others, say
    /// exactly that; every other body it reads as text, and so it does when the field is malformed.
    package static func isDelimitedProtobuf(_ value: Span<UInt8>) -> Bool {
        var position = value.firstIndex(of: ASCII.semicolon) ?? value.count
        let essence = value.extracting(value.trimmingBlanks(0..<position))
        guard essence.isEqualIgnoringCase(to: "application/vnd.google.protobuf") else {
            return false
        }
        var (hasEncoding, hasMessage) = (false, false)
        while position < value.count {
            guard let parameter = Parameter(value, &position) else { return false }
            let name = value.extracting(parameter.name)
            let text = value.extracting(parameter.value)
            if name.isEqualIgnoringCase(to: "encoding") {
                guard text.isEqual(to: "delimited") else { return false }
                hasEncoding = true
            } else if name.isEqualIgnoringCase(to: "proto") {
                guard text.isEqual(to: "io.prometheus.client.MetricFamily") else { return false }
                hasMessage = true
            }
        }
        return hasEncoding && hasMessage
    }

    /// `; name=value`, the value as a token or in quotes (RFC 9110 section 5.6.6).
    private struct Parameter {
        var name = 0..<0
        var value = 0..<0

        /// Reads one parameter and the blanks behind it; `position` stands on the semicolon before it.
        /// Empty where nothing stands between two semicolons or behind the last.
        init?(_ text: Span<UInt8>, _ position: inout Int) {
            guard text[position] == ASCII.semicolon else { return nil }
            position = text.skippingBlanks(from: position + 1)
            if position == text.count || text[position] == ASCII.semicolon { return }
            name = text.token(at: &position)
            guard !name.isEmpty, position < text.count, text[position] == ASCII.equals else {
                return nil
            }
            position += 1
            if position < text.count, text[position] == ASCII.quote {
                guard let quoted = text.quotedString(at: &position) else { return nil }
                value = quoted
            } else {
                value = text.token(at: &position)
                if value.isEmpty { return nil }
            }
            position = text.skippingBlanks(from: position)
        }
    }
}

extension Span where Element == UInt8 {
    fileprivate func skippingBlanks(from start: Int) -> Int {
        var position = start
        while position < count, self[position].isBlank { position += 1 }
        return position
    }

    fileprivate func token(at position: inout Int) -> Range<Int> {
        let start = position
        position = firstIndex(outside: ByteClass.token, from: start)
        return start..<position
    }

    /// What stands between the quotes, escapes and all: no text that is looked for has any.
    fileprivate func quotedString(at position: inout Int) -> Range<Int>? {
        let start = position + 1
        position = start
        while position < count, self[position] != ASCII.quote {
            position += self[position] == ASCII.backslash ? 2 : 1
        }
        guard position < count else { return nil }
        position += 1
        return start..<position - 1
    }
}
