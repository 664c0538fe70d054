import Configuration
import Fuzzing

/// Configuration files: read or refused, with places that an editor finds.
@main
struct ConfigurationFuzzer {
    static func main() { fuzz(check) }

    private static func check(_ input: Span<UInt8>) {
        let bytes = input.copy
        let problems = read(bytes)
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let unmarked = bytes.starts(with: mark) ? Array(bytes.dropFirst(3)) : bytes
        promise(read(mark + unmarked) == problems, "a byte order mark changes nothing")
        let text = String(decoding: unmarked, as: UTF8.self)
        for problem in problems where problem.position != .none { check(problem, in: text) }
        if !bytes.contains(0x0D) {
            let windows = bytes.flatMap { $0 == 0x0A ? [0x0D, 0x0A] : [$0] }
            promise(read(windows) == problems, "nor do line ends of Windows")
        }
    }

    private static func read(_ bytes: [UInt8]) -> [Problem] {
        let (configuration, problems) = Configuration.read(bytes, named: "kanmon.yml")
        let hasError = problems.contains { $0.severity == .error }
        promise((configuration == nil) == hasError, "there is a configuration or an error")
        promise(problems.count <= 101, "problems are bounded")
        let places = problems.map(\.position)
        promise(places == places.sorted(), "problems are in the order of the file")
        for problem in problems {
            promise(isHarmless(problem.message, bytesMax: 1000), problem.message)
        }
        if let configuration {
            promise((1...64).contains(configuration.listen.count), "it listens somewhere")
            promise(!configuration.allow.isEmpty, "it lets somebody in")
        }
        return problems
    }

    /// The line is one of the file's, and the column in it or one past it. Where something is missing at
    /// the end, that is the line behind the last one.
    private static func check(_ problem: Problem, in text: String) {
        let breaks: Set<Unicode.Scalar> = ["\n", "\r", "\u{85}", "\u{2028}", "\u{2029}"]
        let lines = text.unicodeScalars.split(omittingEmptySubsequences: false) {
            breaks.contains($0)
        }
        if problem.line == lines.count + 1 {
            return promise(problem.column == 1, "the end is the first column")
        }
        promise((1...lines.count).contains(problem.line), "line \(problem.line) is there")
        promise(problem.column >= 1, "a column is counted from one")
        // With other ends, what is a line is a matter of opinion.
        guard !text.unicodeScalars.contains(where: { $0 != "\n" && breaks.contains($0) })
        else { return }
        let columns = lines[problem.line - 1].count + 1
        promise(problem.column <= columns, "column \(problem.column) is in line \(problem.line)")
    }
}
