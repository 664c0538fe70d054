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

    static func main() {
        var gate = promises(Rules.kinds[0])
        var grammar = promises(Rules.kinds[1])
        var tight = promises(Rules.kinds[2])
        fuzz { input in
            gate.check(input)
            grammar.check(input)
            tight.check(input)
        }
    }

    private static func promises(_ rules: Rules) -> ValidatorPromises {
        ValidatorPromises(rules, format: .delimitedProtobuf, good: good, start: begin)
    }

    @Sendable private static func begin(_ validator: inout Validator) {
        validator.reset(for: .delimitedProtobuf)
        validator.group.removeAll()
        validator.group.append(name: "job", value: "x")
        validator.group.append(name: "b", value: "é")
    }
}
