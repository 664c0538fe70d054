import Exposition
import Fuzzing

/// Text bodies, whole and cut, under several rules.
@main
struct TextFuzzer {
    private static let good = Array(
        "# HELP a x\n# TYPE a counter\na{b=\"é\"} 1\n# TYPE s summary\ns_sum 2\n".utf8)

    // libFuzzer has one thread, and its callback no place for a context.
    nonisolated(unsafe) private static var promises = Checks()

    private struct Checks: ~Copyable {
        var gate = ValidatorPromises(
            Rules.kinds[0], format: .text, good: TextFuzzer.good, start: begin)
        var grammar = ValidatorPromises(
            Rules.kinds[1], format: .text, good: TextFuzzer.good, start: begin)
        var tight = ValidatorPromises(
            Rules.kinds[2], format: .text, good: TextFuzzer.good, start: begin)
    }

    @Sendable private static func begin(_ validator: inout Validator) {
        validator.reset()
        validator.group.removeAll()
        validator.group.append(name: "job", value: "x")
        validator.group.append(name: "b", value: "é")
    }

    static func main() {
        unsafe fuzz { unsafe TextFuzzer.judge(UnsafeBufferPointer(start: $0, count: $1)) }
    }

    private static func judge(_ bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
        let input = unsafe Span(_unsafeElements: bytes)
        unsafe promises.gate.check(input)
        unsafe promises.grammar.check(input)
        unsafe promises.tight.check(input)
        return 0
    }
}
