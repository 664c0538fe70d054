import Admission
import Bytes
import Fuzzing

/// Paths of groups: what one means, written in any of its forms, is the same group and the same
/// path for the Pushgateway.
@main
struct PathFuzzer {
    private struct Label: Equatable {
        var name: [UInt8]
        var value: [UInt8]
    }

    private struct Group: Equatable {
        /// The job first, then the labels in order.
        var labels: [Label]
        /// For the Pushgateway.
        var path: [UInt8]
    }

    static func main() {
        // Used again and again, as a worker does.
        var key = GroupingKey()
        fuzz { input in
            check(input, &key)
            let path = Array("/metrics/job".utf8) + input.copy
            check(path.span, &key)
        }
    }

    private static func check(_ path: Span<UInt8>, _ key: inout GroupingKey) {
        guard let group = read(path, into: &key) else { return }
        checkText(of: group)
        promise(read(group.path.span, into: &key) == group, "the one path means the same group")
        promise(plain(group.path) == group.labels, "somebody else reads the same labels in it")
        var choices = Choices(from: path)
        let other = anotherForm(of: group, &choices)
        promise(read(other.span, into: &key) == group, "\(String(decoding: other.span)) does too")
    }

    private static func read(_ path: Span<UInt8>, into key: inout GroupingKey) -> Group? {
        let bytes = path.copy
        do throws(GroupingKeyError) {
            try key.decode(bytes.span, labelsMax: 8)
        } catch {
            let isEmpty = key.labelCount == 0 && key.withJob { $0.count } == 0
            promise(isEmpty, "nothing is held after a refusal")
            return nil
        }
        promise(key.labelCount <= 8, "labels are bounded")
        var labels = [Label(name: Array("job".utf8), value: key.withJob { $0.copy })]
        for index in 0..<key.labelCount {
            labels.append(key.withLabel(at: index) { Label(name: $0.copy, value: $1.copy) })
        }
        var written = ByteBuffer()
        key.writePath(into: &written)
        return Group(labels: labels, path: written.span.copy)
    }

    private static func checkText(of group: Group) {
        for label in group.labels {
            let text = String(decoding: label.value.span)
            promise(!label.value.isEmpty, "a value is not empty")
            promise(Array(text.utf8) == label.value, "a value is UTF-8")
            let hasControl = text.unicodeScalars.contains {
                $0.properties.generalCategory == .control
            }
            promise(!hasControl, "a value is free of control characters")
        }
        let names = group.labels.dropFirst().map(\.name)
        for (name, next) in zip(names, names.dropFirst()) {
            promise(name.lexicographicallyPrecedes(next), "names are in order, each once")
        }
        let isPlain = group.path.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
                || (0x61...0x7A).contains(byte) || "/%-._~@".utf8.contains(byte)
        }
        promise(isPlain, "the path has no character that is read in two ways")
    }

    /// The labels as one reads them who splits first and decodes then.
    private static func plain(_ path: [UInt8]) -> [Label] {
        var parts = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { percentDecoded(Array($0)) }
        promise(Array(parts.prefix(2)) == [[], Array("metrics".utf8)], "it begins with /metrics")
        parts.removeFirst(2)
        promise(parts.count % 2 == 0, "it is pairs")
        return stride(from: 0, to: parts.count - 1, by: 2).map { index in
            let suffix = Array("@base64".utf8)
            let (name, value) = (parts[index], parts[index + 1])
            guard name.suffix(suffix.count) == suffix[...] else {
                return Label(name: name, value: value)
            }
            let decoded = PlainBase64.urlSafe.bytes(of: value) ?? []
            return Label(name: Array(name.dropLast(suffix.count)), value: decoded)
        }
    }

    private static func percentDecoded(_ text: [UInt8]) -> [UInt8] {
        var decoded: [UInt8] = []
        var rest = text[...]
        while let byte = rest.popFirst() {
            let digits = String(decoding: Array(rest.prefix(2)).span)
            let isEscape = byte == UInt8(ascii: "%")
            promise(!isEscape || digits == digits.uppercased(), "escapes are in capitals")
            decoded.append(isEscape ? UInt8(digits, radix: 16) ?? 0 : byte)
            if isEscape { rest = rest.dropFirst(2) }
        }
        return decoded
    }

    /// The group in an order and in escapes that nobody would choose.
    private static func anotherForm(of group: Group, _ choices: inout Choices) -> [UInt8] {
        var labels = Array(group.labels.dropFirst())
        if let first = labels.first, choices.number(upTo: 1) == 0 {
            labels = labels.dropFirst() + [first]
        }
        var path = Array("/metrics".utf8)
        for label in group.labels.prefix(1) + labels {
            path += [UInt8(ascii: "/")] + label.name
            let needsBase64 =
                label.value.contains(UInt8(ascii: "/")) || label.value == Array(".".utf8)
                || label.value == Array("..".utf8)
            guard needsBase64 || choices.number(upTo: 1) == 0 else {
                path += [UInt8(ascii: "/")] + label.value.flatMap { escaped($0, &choices) }
                continue
            }
            let digits = PlainBase64.urlSafe.text(of: label.value)
            let isPadded = choices.number(upTo: 1) == 0
            path += Array("@base64/".utf8) + digits + (isPadded ? padding(digits.count) : [])
        }
        return path
    }

    private static func escaped(_ byte: UInt8, _ choices: inout Choices) -> [UInt8] {
        let digits = String(byte, radix: 16, uppercase: choices.number(upTo: 1) == 0)
        return Array(("%" + (byte < 16 ? "0" : "") + digits).utf8)
    }
}
