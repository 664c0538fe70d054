import Exposition
import Fuzzing

/// Delimited protobuf bodies, whole and cut, under several rules.
@main
struct ProtobufFuzzer {
    /// One message behind its length: the name `a` (field 1), counter (3), and a metric (4) with the label
    /// `b="é"` (1) and the value 1 (counter, 3).
    private static let good: [UInt8] = {
        let label: [UInt8] = [0x0A, 1, 0x62, 0x12, 2, 0xC3, 0xA9]
        let counter: [UInt8] = [0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F]
        let metric = [0x0A, UInt8(label.count)] + label + [0x1A, UInt8(counter.count)] + counter
        let family = [0x0A, 1, 0x61, 0x18, 0, 0x22, UInt8(metric.count)] + metric
        return [UInt8(family.count)] + family
    }()

    // libFuzzer has one thread, and its callback no place for a context.
    nonisolated(unsafe) private static var promises = Checks()

    private struct Checks: ~Copyable {
        var gate = ValidatorPromises(
            Rules.kinds[0], format: .delimitedProtobuf, good: ProtobufFuzzer.good, start: begin)
        var grammar = ValidatorPromises(
            Rules.kinds[1], format: .delimitedProtobuf, good: ProtobufFuzzer.good, start: begin)
        var tight = ValidatorPromises(
            Rules.kinds[2], format: .delimitedProtobuf, good: ProtobufFuzzer.good, start: begin)
    }

    @Sendable private static func begin(_ validator: inout Validator) {
        validator.reset(for: .delimitedProtobuf)
        validator.group.removeAll()
        validator.group.append(name: "job", value: "x")
        validator.group.append(name: "b", value: "é")
    }

    static func main() {
        unsafe fuzz { unsafe ProtobufFuzzer.judge(UnsafeBufferPointer(start: $0, count: $1)) }
    }

    private static func judge(_ bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
        let input = unsafe Span(_unsafeElements: bytes)
        unsafe promises.gate.check(input)
        unsafe promises.grammar.check(input)
        unsafe promises.tight.check(input)
        return 0
    }
}
