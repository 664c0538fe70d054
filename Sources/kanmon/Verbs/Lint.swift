import ArgumentParser
import Bytes
import Console
import Exposition
import Glibc

struct Lint: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Validates exposition bodies with the code the gate uses.",
        discussion: """
            Example: ./my-metrics.sh | kanmon lint

            Every problem is shown as file:line:column with a hint, and with --protobuf as file:message:byte, \
            both from 1. Ends with 1 when a body is invalid and with 66 when a file cannot be read.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Argument(help: "The files; standard input without any.")
    var files: [String] = []

    @Flag(help: "The bodies are delimited protobuf messages, as Go's client library pushes them.")
    var protobuf = false

    @Option(help: "How problems are shown: text or json.")
    var format = Format.text

    /// As much as the largest body the gate can be told to take.
    private static let bodyBytesMax = 64 << 20
    private static let complaintsMax = 1000

    func run() throws {
        var rules = Rules()
        rules.complaintsMax = Lint.complaintsMax
        // Whoever checks his own files may see as much of them as helps.
        rules.evidenceBytesMax = .max
        var validator = Validator(rules: rules)
        var isValid = true
        var isReadable = true
        for file in files.isEmpty ? ["-"] : files {
            guard let body = contents(of: file) else {
                isReadable = false
                continue
            }
            validator.reset(for: protobuf ? .delimitedProtobuf : .text)
            validator.validate(body.span, isComplete: true)
            isValid = isValid && validator.isValid
            let name = file == "-" ? "stdin" : file
            Console.say(format == .json ? json(name, validator) : text(name, validator))
        }
        if !isReadable { throw ExitCode.noInput }
        if !isValid { throw ExitCode.negative }
    }

    private func contents(of file: String) -> [UInt8]? {
        if file == "-" { return standardInput() }
        do throws(FileFault) {
            return try RegularFile.contents(of: file, bytesMax: Lint.bodyBytesMax)
        } catch {
            Console.complain("\(file) \(error.text)")
            return nil
        }
    }

    private func standardInput() -> [UInt8]? {
        var body: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while body.count <= Lint.bodyBytesMax {
            let count = unsafe read(0, &chunk, chunk.count)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return count == 0 ? body : nil }
            body += chunk[..<count]
        }
        Console.complain("stdin is larger than \(Lint.bodyBytesMax) bytes")
        return nil
    }

    private func text(_ file: String, _ validator: borrowing Validator) -> String {
        let summary = validator.summary
        guard !validator.isValid else {
            let good = "\(file): good, \(summary.samples) samples in \(summary.families) families"
            guard summary.samples == 0 else { return good }
            return good
                + "\n    note: without a sample a POST is refused, and a PUT deletes its group"
        }
        var lines: [String] = []
        for complaint in validator.complaints {
            lines.append(
                "\(file):\(complaint.line):\(complaint.column): error: \(complaint.message)")
            if let hint = complaint.hint { lines.append("    hint: \(hint)") }
        }
        let untold = summary.complaints - validator.complaints.count
        if untold > 0 { lines.append("\(file): and \(untold) more") }
        return lines.joined(separator: "\n")
    }

    private func json(_ file: String, _ validator: borrowing Validator) -> String {
        let errors = validator.complaints.map { complaint in
            let hint = complaint.hint.map { ",\"hint\":\(Console.quoted($0))" } ?? ""
            return "{\"line\":\(complaint.line),\"column\":\(complaint.column),"
                + "\"message\":\(Console.quoted(complaint.message))\(hint)}"
        }
        let summary = validator.summary
        return
            "{\"file\":\(Console.quoted(file)),\"valid\":\(validator.isValid),\"samples\":\(summary.samples),"
            + "\"families\":\(summary.families),\"problems\":\(summary.complaints),"
            + "\"errors\":[\(errors.joined(separator: ","))]}"
    }
}
