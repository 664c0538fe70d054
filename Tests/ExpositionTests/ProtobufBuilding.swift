import Exposition
import Testing

/// Messages as client libraries write them, and as nobody should. Everything is bytes, so that a test
/// can put anything anywhere.
typealias Bytes = [UInt8]

func varint(_ value: UInt64, padding: Int = 0) -> Bytes {
    var bytes: Bytes = []
    var rest = value
    repeat {
        bytes.append(UInt8(rest & 0x7F) | 0x80)
        rest >>= 7
    } while rest > 0
    bytes += Bytes(repeating: 0x80, count: padding)
    bytes[bytes.count - 1] &= 0x7F
    return bytes
}

func tag(_ field: UInt64, _ wireType: UInt64) -> Bytes { varint(field << 3 | wireType) }
func field(_ number: UInt64, varint value: UInt64) -> Bytes { tag(number, 0) + varint(value) }
func field(_ number: UInt64, _ bytes: Bytes) -> Bytes {
    tag(number, 2) + varint(UInt64(bytes.count)) + bytes
}
func field(_ number: UInt64, _ text: String) -> Bytes { field(number, Bytes(text.utf8)) }
func field(_ number: UInt64, _ value: Double) -> Bytes { tag(number, 1) + double(value) }

func double(_ value: Double) -> Bytes {
    (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> ($0 * 8)) }
}

/// The form of signed numbers that has the sign in the lowest bit.
func zigzag(_ value: Int64) -> UInt64 { UInt64(bitPattern: value << 1 ^ value >> 63) }

/// The messages with their lengths: a body.
func body(_ messages: Bytes...) -> Bytes {
    messages.flatMap { varint(UInt64($0.count)) + $0 }
}

func family(
    _ name: String?, _ type: FamilyType?, help: String? = nil, _ metrics: Bytes...
) -> Bytes {
    let types: [FamilyType] = [.counter, .gauge, .summary, .untyped, .histogram, .gaugeHistogram]
    var bytes: Bytes = []
    if let name { bytes += field(1, name) }
    if let help { bytes += field(2, help) }
    if let number = type.flatMap({ types.firstIndex(of: $0) }) {
        bytes += field(3, varint: UInt64(number))
    }
    return bytes + metrics.joined()
}

func metric(_ labels: KeyValuePairs<String, String> = [:], _ value: Bytes...) -> Bytes {
    let labels = labels.flatMap { label($0.key, $0.value) }
    return field(4, labels + value.joined())
}

func label(_ name: String, _ value: String) -> Bytes {
    field(1, field(1, name) + field(2, value))
}

func gauge(_ value: Double = 1) -> Bytes { field(2, field(1, value)) }
func counter(_ value: Double = 1) -> Bytes { field(3, field(1, value)) }
func untyped(_ value: Double = 1) -> Bytes { field(5, field(1, value)) }

func summary(_ quantiles: Double..., count: UInt64 = 1, more: Bytes = []) -> Bytes {
    let quantiles = quantiles.flatMap { field(3, field(1, $0) + field(2, 7.5)) }
    return field(4, field(1, varint: count) + field(2, 3.5) + quantiles + more)
}

func histogram(_ bounds: Double..., count: UInt64 = 1, sum: Double = 1, more: Bytes = []) -> Bytes {
    let buckets = bounds.flatMap { field(3, field(1, varint: 1) + field(2, $0)) }
    return field(7, field(1, varint: count) + field(2, sum) + buckets + more)
}

/// The fields of a native histogram with buckets above zero only.
func native(
    spans: [(offset: Int64, length: UInt64)] = [(0, 2)], deltas: [Int64] = [1, 0],
    schema: Int64 = 3, zeroCount: UInt64 = 0, more: Bytes = []
) -> Bytes {
    let spans = spans.flatMap { span -> Bytes in
        field(12, field(1, varint: zigzag(span.offset)) + field(2, varint: span.length))
    }
    let deltas = deltas.flatMap { varint(zigzag($0)) }
    return field(5, varint: zigzag(schema)) + field(6, 1e-128) + field(7, varint: zeroCount) + spans
        + field(13, deltas) + more
}

/// One family with one metric that nobody objects to.
let goodFamily = family("good", .gauge, metric(["a": "b"], gauge()))

/// Judges a body of messages that arrives in pieces, cut at the given offsets.
func judgeMessages(
    _ body: Bytes, _ rules: Rules = Rules(), group: GroupLabels = GroupLabels(), cuts: [Int] = []
) -> Verdict {
    var validator = Validator(rules: rules)
    return judgeMessages(body, group: group, with: &validator, cuts: cuts)
}

func judgeMessages(
    _ body: Bytes, group: GroupLabels = GroupLabels(), with validator: inout Validator,
    cuts: [Int] = []
) -> Verdict {
    validator.reset(for: .delimitedProtobuf)
    validator.group = group
    for cut in cuts {
        let arrived = Bytes(body[..<cut])
        validator.validate(arrived.span, isComplete: false)
    }
    validator.validate(body.span, isComplete: true)
    #expect(validator.isValid == (validator.summary.complaints == 0))
    return Verdict(complaints: validator.complaints, summary: validator.summary)
}
