internal import Bytes

/// A whole JSON text as a value, for answers that are small and read once. What may be large is read with
/// `JSONTokens` and never held.
package indirect enum JSONValue: Equatable, Sendable {
    case object([Member])
    case array([JSONValue])
    case string(String)
    case number(Double)
    case bool(Bool)
    case null

    package struct Member: Equatable, Sendable {
        package let name: String
        package let value: JSONValue
    }

    /// No text of an answer that we read is longer; of one that is, this much is kept.
    private static let textBytesMax = 16 << 10

    /// Reads a text whose outermost value is an object or an array.
    package init(parsing bytes: Span<UInt8>) throws(JSONError) {
        var tokens = JSONTokens(textBytesMax: JSONValue.textBytesMax)
        var offset = 0
        guard let first = try tokens.next(bytes, &offset) else { throw .cut }
        self = try JSONValue(from: first, &tokens, bytes, &offset)
        // Only blanks may follow; the tokenizer knows no place for anything else.
        _ = try tokens.next(bytes, &offset)
    }

    /// Of an object, the value of its first member with this name.
    package subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// What an array holds; nothing for what is none.
    package var elements: [JSONValue] {
        guard case .array(let elements) = self else { return [] }
        return elements
    }

    /// What an object holds; nothing for what is none.
    package var members: [Member] {
        guard case .object(let members) = self else { return [] }
        return members
    }

    package var text: String? {
        guard case .string(let text) = self else { return nil }
        return text
    }

    package var number: Double? {
        guard case .number(let number) = self else { return nil }
        return number
    }
}

extension JSONValue {
    /// Reads on behind `token`, with which the value begins. `JSONTokens` bounds how deep this goes.
    private init(
        from token: JSONToken, _ tokens: inout JSONTokens, _ bytes: Span<UInt8>,
        _ offset: inout Int
    ) throws(JSONError) {
        switch token {
        case .objectStart: self = .object(try JSONValue.members(&tokens, bytes, &offset))
        case .arrayStart: self = .array(try JSONValue.elements(&tokens, bytes, &offset))
        case .key, .string: self = .string(String(decoding: tokens.text.span))
        case .number:
            guard let number = Double(String(decoding: tokens.text.span)) else { throw .badNumber }
            self = .number(number)
        case .true: self = .bool(true)
        case .false: self = .bool(false)
        // A closing bracket never begins a value: the tokens come in the order of the grammar.
        case .null, .objectEnd, .arrayEnd: self = .null
        }
    }

    private static func members(
        _ tokens: inout JSONTokens, _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(JSONError) -> [Member] {
        var members: [Member] = []
        while true {
            guard let token = try tokens.next(bytes, &offset) else { throw .cut }
            if token == .objectEnd { return members }
            let name = String(decoding: tokens.text.span)
            guard let first = try tokens.next(bytes, &offset) else { throw .cut }
            let value = try JSONValue(from: first, &tokens, bytes, &offset)
            members.append(Member(name: name, value: value))
        }
    }

    private static func elements(
        _ tokens: inout JSONTokens, _ bytes: Span<UInt8>, _ offset: inout Int
    ) throws(JSONError) -> [JSONValue] {
        var elements: [JSONValue] = []
        while true {
            guard let token = try tokens.next(bytes, &offset) else { throw .cut }
            if token == .arrayEnd { return elements }
            elements.append(try JSONValue(from: token, &tokens, bytes, &offset))
        }
    }
}
