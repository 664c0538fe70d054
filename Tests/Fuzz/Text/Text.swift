import Exposition
import Fuzzing

/// Text bodies, whole and cut, under several rules.
@main
struct TextFuzzer {
    private static let good = Array(
        "# HELP a x\n# TYPE a counter\na{b=\"é\"} 1\n# TYPE s summary\ns_sum 2\n".utf8)

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
        ValidatorPromises(rules, format: .text, good: good, start: begin)
    }

    @Sendable private static func begin(_ validator: inout Validator) {
        validator.reset()
        validator.group.removeAll()
        validator.group.append(name: "job", value: "x")
        validator.group.append(name: "b", value: "é")
    }
}
