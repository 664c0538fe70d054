package import ArgumentParser
import Bytes
package import Configuration
import Glibc

/// Talking to the person at the terminal. Results go to stdout, everything else to stderr.
package enum Console {
    package static func say(_ text: String) { write(text + "\n", to: 1) }
    package static func complain(_ text: String) { write(text + "\n", to: 2) }

    /// Makes sure that the descriptors 0, 1 and 2 are somebody's. Else the next file or socket would get
    /// such a number, and what is meant for a person be written into it.
    package static func occupyDescriptors() {
        for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) < 0 {
            // The lowest free number is given, which is this one.
            _ = unsafe open("/dev/null", O_RDWR)
        }
    }

    /// A text as JSON has it.
    package static func quoted(_ text: String) -> String { "\"\(escaped(text, isQuoted: true))\"" }

    /// A text of somebody else's, without what could move a cursor.
    package static func printable(_ text: String) -> String { escaped(text, isQuoted: false) }

    private static func escaped(_ text: String, isQuoted: Bool) -> String {
        var escaped = ByteBuffer()
        let bytes = Array(text.utf8)
        escaped.append(escaping: bytes.span, bytesMax: bytes.count, isQuoted: isQuoted)
        return String(decoding: escaped.span)
    }

    /// All problems, then how many there were and what follows from it.
    package static func report(_ problems: [Problem], consequence: String) {
        for problem in problems { complain(problem.description) }
        let errors = problems.count { $0.severity == .error }
        let warnings = problems.count - errors
        if !problems.isEmpty {
            complain("\(count(errors, "error")), \(count(warnings, "warning")). \(consequence)")
        }
    }

    private static func count(_ number: Int, _ noun: String) -> String {
        "\(number) \(noun)\(number == 1 ? "" : "s")"
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { bytes in
                unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
            }
            // Nobody reads: there is nobody to tell.
            if count < 0 && errno != EINTR { return }
            rest = rest.dropFirst(max(count, 0))
        }
    }
}

/// The exit codes beside 0 and the argument parser's own 64 (sysexits.h).
extension ExitCode {
    package static let negative = ExitCode(1)
    package static let noInput = ExitCode(66)
    package static let unavailable = ExitCode(69)
    package static let systemError = ExitCode(71)
    package static let badConfiguration = ExitCode(78)
}
