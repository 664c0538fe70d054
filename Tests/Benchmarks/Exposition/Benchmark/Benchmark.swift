import CAllocations
import Exposition
import Glibc

/// Validates one file over and over.
///
///     exposition-benchmark grammar|push FILE SECONDS
///
/// `grammar` does what the Pushgateway's parser does, `push` what the gate does. Prints MB/s, the peak
/// of resident memory in kB, and how often one run asked for memory. Ends with 1 if the body is refused.
@main
struct Benchmark {
    private let body: [UInt8]
    /// The group, which the gate tells the validator anew for each body.
    private let group: (name: [UInt8], value: [UInt8])?
    private let seconds: Double

    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let seconds = Double(arguments[3]) else { exit(64) }
        let isPush = arguments[1] == "push"
        let group = (name: Array("job".utf8), value: Array("benchmark".utf8))
        let benchmark = Benchmark(
            body: contents(of: arguments[2]), group: isPush ? group : nil, seconds: seconds)
        var rules = Rules()
        rules.demandsPushable = isPush
        // The long bodies are longer than a push may be.
        rules.seriesMax = 1_000_000
        rules.sampleLabelsMax = 10_000
        rules.labelValueBytesMax = 1_000_000
        rules.lineBytesMax = 1_000_000
        var validator = Validator(rules: rules)
        benchmark.run(&validator)
    }

    private func run(_ validator: inout Validator) {
        for _ in 0..<3 { validate(&validator) }
        guard validator.isValid, validator.summary.samples > 0 else {
            print("refused: \(validator.complaints.first?.message ?? "no samples")")
            exit(1)
        }
        let before = allocations()
        validate(&validator)
        let allocated = allocations() - before

        // Small bodies are gone through several times between two looks at the clock.
        let batch = max(1, 1_000_000 / body.count)
        let clock = ContinuousClock()
        let start = clock.now
        var runs = 0
        var elapsed = 0.0
        while elapsed < seconds || runs == 0 {
            for _ in 0..<batch { validate(&validator) }
            runs += batch
            elapsed = (clock.now - start) / .seconds(1)
        }
        let rate = Double(runs) * Double(body.count) / elapsed / 1e6
        print(rate, peakKilobytes, allocated)
    }

    private func validate(_ validator: inout Validator) {
        validator.reset()
        if let group { validator.group.append(name: group.name.span, value: group.value.span) }
        validator.validate(body.span, isComplete: true)
    }

    private var peakKilobytes: Int {
        var usage = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss
    }

    private static func contents(of path: String) -> [UInt8] {
        let file = unsafe open(path, O_RDONLY)
        guard file >= 0 else { exit(66) }
        defer { close(file) }
        let end = lseek(file, 0, SEEK_END)
        return unsafe [UInt8](unsafeUninitializedCapacity: Int(end)) { bytes, count in
            count = max(0, unsafe pread(file, bytes.baseAddress, bytes.count, 0))
        }
    }
}
