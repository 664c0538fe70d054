/// The labels of the group that a body is pushed to.
///
/// The Pushgateway writes them over the labels of every sample. So a sample's own label of such a
/// name tells no series apart, and where its value differs, the sender meant something else.
public struct GroupLabels: Sendable {
    /// Names and values one after the other, values escaped as a body writes them: two values are
    /// the same exactly when they are written the same.
    private var bytes: [UInt8] = []
    private var labels: [Label] = []
    /// One bit for each of 64 classes of names, so that most names are known at once not to be here.
    private var classes: UInt64 = 0
    /// Whether a label is called `le`, or `quantile`.
    private(set) var (hasBound, hasQuantile) = (false, false)
    private let hash = KeyedHash.ofProcess

    private struct Label {
        let name: Range<Int>
        let nameHash: UInt64
        let value: Range<Int>
    }

    public init() {}

    /// Whether there is no group, and so nothing to compare with.
    public var isEmpty: Bool { labels.isEmpty }

    var storageBytes: Int {
        bytes.capacity &+ labels.capacity &* MemoryLayout<Label>.stride
    }

    /// Whether the same labels were added in the same order.
    func isEqual(to other: GroupLabels) -> Bool {
        guard labels.count == other.labels.count,
            bytes.span.isEqual(0..<bytes.count, to: other.bytes.span)
        else { return false }
        for index in labels.indices
        where labels[index].name != other.labels[index].name
            || labels[index].value != other.labels[index].value
        {
            return false
        }
        return true
    }

    /// Forgets all labels, keeps their storage.
    public mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        labels.removeAll(keepingCapacity: true)
        classes = 0
        (hasBound, hasQuantile) = (false, false)
    }

    /// Adds a label, decoded: its name, which must not be there yet, and its value, which is UTF-8
    /// and not empty. The job is a label too.
    public mutating func append(name: Span<UInt8>, value: Span<UInt8>) {
        let start = bytes.count
        for index in 0..<name.count { bytes.append(name[index]) }
        let end = bytes.count
        for index in 0..<value.count { append(escaping: value[index]) }
        let nameHash = hash(name, 0..<name.count)
        labels.append(Label(name: start..<end, nameHash: nameHash, value: end..<bytes.count))
        classes |= 1 &<< (nameHash & 63)
        if name.isEqual(0..<name.count, to: "le") { hasBound = true }
        if name.isEqual(0..<name.count, to: "quantile") { hasQuantile = true }
    }

    /// Adds a label given as text.
    public mutating func append(name: String, value: String) {
        let (name, value) = (Array(name.utf8), Array(value.utf8))
        append(name: name.span, value: value.span)
    }

    private mutating func append(escaping byte: UInt8) {
        switch byte {
        case 0x5C, 0x22:
            bytes.append(0x5C)
            bytes.append(byte)
        case 0x0A:
            bytes.append(0x5C)
            bytes.append(0x6E)
        default: bytes.append(byte)
        }
    }
}

extension GroupLabels {
    /// Whether a name of this hash may be here; false for all but few of those that are not.
    @inline(__always)
    func mayHave(_ nameHash: UInt64) -> Bool { classes &>> (nameHash & 63) & 1 == 1 }

    /// The number of the label that has this name.
    func number(of name: Name, in body: Span<UInt8>) -> Int? {
        guard mayHave(name.hash) else { return nil }
        return labels.firstIndex { label in
            guard label.nameHash == name.hash, label.name.count == name.count else { return false }
            for index in 0..<name.count
            where bytes[label.name.lowerBound &+ index] != name.byte(index, of: body) {
                return false
            }
            return true
        }
    }

    /// Whether a label has this value, as a body writes it.
    func isValue(_ range: Range<Int>, of number: Int, in body: Span<UInt8>) -> Bool {
        body.isEqual(range, to: bytes.span.extracting(labels[number].value))
    }

    /// Whether a label has this value, which stands in the body as it is, without escapes.
    func isDecodedValue(_ range: Range<Int>, of number: Int, in body: Span<UInt8>) -> Bool {
        let value = labels[number].value
        var place = value.lowerBound
        for offset in range {
            guard place < value.upperBound else { return false }
            var byte = bytes[place]
            place &+= 1
            if byte == 0x5C {
                byte = bytes[place] == 0x6E ? 0x0A : bytes[place]
                place &+= 1
            }
            guard byte == body[offset] else { return false }
        }
        return place == value.upperBound
    }

    /// The value of a label, in quotes, cut and made printable.
    func excerpt(ofValue number: Int) -> String {
        var bytesLeft = Int.max
        return bytes.span.quoted(labels[number].value, bytesLeft: &bytesLeft)
    }

    /// Whether a label is what the lines of a summary or histogram differ by.
    func binds(_ type: FamilyType) -> Bool {
        type == .summary ? hasQuantile : type.isHistogram && hasBound
    }
}
