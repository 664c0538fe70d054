import Bytes
import Reactor

/// A JSON text, written from its beginning to its end.
struct JSONText: ~Copyable {
    private(set) var bytes = ByteBuffer()
    private var isFirst = true

    /// The outermost value.
    static func object(_ members: (inout JSONText) -> Void) -> ByteBuffer {
        var text = JSONText()
        text.enclose("{", members, "}")
        text.bytes.append("\n")
        return text.bytes
    }

    mutating func object(_ name: StaticString, _ members: (inout JSONText) -> Void) {
        key(name)
        enclose("{", members, "}")
    }

    /// An array of objects, one for each element.
    mutating func array<Element>(
        _ name: StaticString, of elements: [Element], _ members: (inout JSONText, Element) -> Void
    ) {
        key(name)
        enclose(
            "[",
            { text in
                for element in elements {
                    text.separate()
                    text.enclose("{", { members(&$0, element) }, "}")
                }
            }, "]")
    }

    mutating func add(_ name: StaticString, _ value: Int) {
        key(name)
        bytes.append(decimal: value)
    }

    mutating func add(_ name: StaticString, _ value: Bool) {
        key(name)
        bytes.append(value ? "true" : "false")
    }

    mutating func add(_ name: StaticString, _ value: String) { add(name, Array(value.utf8)) }

    mutating func add(_ name: StaticString, _ value: [UInt8]) {
        key(name)
        bytes.append("\"")
        bytes.append(escaping: value.span, bytesMax: 1024)
        bytes.append("\"")
    }

    /// As a timestamp; null for never.
    mutating func add(_ name: StaticString, _ time: WallClock?) {
        key(name)
        guard let time else { return bytes.append("null") }
        bytes.append("\"")
        bytes.append(timestampInMilliseconds: time.milliseconds)
        bytes.append("\"")
    }

    private mutating func key(_ name: StaticString) {
        separate()
        bytes.append("\"")
        bytes.append(name)
        bytes.append("\":")
    }

    private mutating func separate() {
        if !isFirst { bytes.append(",") }
        isFirst = false
    }

    private mutating func enclose(
        _ opening: StaticString, _ body: (inout JSONText) -> Void, _ closing: StaticString
    ) {
        bytes.append(opening)
        isFirst = true
        body(&self)
        bytes.append(closing)
        isFirst = false
    }
}
