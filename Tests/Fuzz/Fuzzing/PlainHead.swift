/// A head in lines, as somebody reads it who sees all of it at once.
package struct PlainHead {
    /// The parts of the request line or the status line.
    package let start: [String]
    private let fields: [(name: String, value: String)]

    /// Takes what a parser has accepted, with the empty line at its end.
    package init(_ accepted: [UInt8]) {
        var lines = accepted.split(separator: 0x0A, omittingEmptySubsequences: false)
        promise(lines.popLast() == [], "a head ends with a line")
        for line in lines {
            let isEnded = line.last == 0x0D && !line.dropLast().contains(0x0D)
            promise(isEnded, "CR and LF are the end of a line, and nothing else")
        }
        let content = lines.map { $0.dropLast() }.drop(while: \.isEmpty)
        promise(content.firstIndex(of: []) == content.indices.last, "it ends at its empty line")
        start = (content.first ?? [])
            .split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        fields = content.dropFirst().dropLast().map { line in
            let colon = line.firstIndex(of: UInt8(ascii: ":"))
            promise(colon != nil, "a field has a colon")
            let name = line[..<(colon ?? line.endIndex)]
            let value = line.dropFirst(name.count + 1).trimmingBlanks
            return (
                String(decoding: name, as: UTF8.self).lowercased(),
                String(decoding: value, as: UTF8.self)
            )
        }
    }

    /// The values of all fields of that name, in order, without the blanks around them.
    package func values(of name: String) -> [String] {
        fields.filter { $0.name == name }.map(\.value)
    }

    package func value(of name: String) -> String? { values(of: name).first }

    /// The members of all Connection fields.
    package var connectionOptions: [String] {
        values(of: "connection").flatMap { value in
            Array(value.utf8).split(separator: UInt8(ascii: ",")).map { member in
                String(decoding: member.trimmingBlanks, as: UTF8.self).lowercased()
            }
        }
    }
}

extension ArraySlice<UInt8> {
    fileprivate var trimmingBlanks: ArraySlice<UInt8> {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
        let value = drop(while: isBlank)
        return value[..<(value.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? value.startIndex)]
    }
}
