/// Where something stands in the configuration file. Lines and columns count from 1, columns in
/// characters; 0 stands for the file as a whole.
package struct Position: Hashable, Comparable, Sendable {
    package let line: Int
    package let column: Int

    package init(line: Int, column: Int) { (self.line, self.column) = (line, column) }

    /// No place in particular: a default, or a file that could not be read.
    package static let none = Position(line: 0, column: 0)

    package static func < (left: Position, right: Position) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// A value that remembers where the operator wrote it, so that whoever uses it later (a bind that
/// fails, a certificate that does not fit) can still name file, line and column.
package struct Located<Value: Sendable>: Sendable {
    package let value: Value
    /// `.none` when the value is a default.
    package let position: Position

    package var line: Int { position.line }
    package var column: Int { position.column }

    package init(_ value: Value, at position: Position) {
        (self.value, self.position) = (value, position)
    }
}

extension Located: Equatable where Value: Equatable {}

/// One thing an operator should change, with the remedy in the text.
package struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
    package enum Severity: String, Sendable {
        /// Nothing starts while one of these stands.
        case error
        /// The gate starts, and the operator should know.
        case warning
    }

    package let file: String
    package let position: Position
    package let severity: Severity
    package let message: String

    package var line: Int { position.line }
    package var column: Int { position.column }

    package init(
        _ severity: Severity, file: String, at position: Position = .none, _ message: String
    ) {
        (self.severity, self.file, self.position) = (severity, file, position)
        self.message = message
    }

    /// `file:line:column: error: text`, as compilers write it, so that editors can follow it;
    /// without line and column when the file as a whole is meant.
    package var description: String {
        let place = position == .none ? file : "\(file):\(line):\(column)"
        return "\(place): \(severity): \(message)"
    }
}

/// What is wrong with the file so far. One list is shared by all who read it, so that one run
/// reports everything.
package final class Complaints {
    package let file: String
    private var problems: [Problem] = []

    /// More than a screen of problems helps nobody, and a hostile file could make one for every
    /// second byte.
    static let shownMax = 100

    /// A hint costs work: enough for a screen of problems in each section that there is.
    private var hintsLeft = 20 * shownMax

    package init(file: String) { self.file = file }

    /// Is one more hint worth its work?
    func takesAnotherHint() -> Bool {
        guard hintsLeft > 0 else { return false }
        hintsLeft -= 1
        return true
    }

    var hasError: Bool { problems.contains { $0.severity == .error } }

    package func add(
        _ message: String, at position: Position, _ severity: Problem.Severity = .error
    ) {
        problems.append(Problem(severity, file: file, at: position, message))
    }

    /// All problems in the order of the file; of several at one place the one found first leads.
    var sorted: [Problem] {
        let ordered = problems.enumerated().sorted {
            ($0.element.position, $0.offset) < ($1.element.position, $1.offset)
        }.map(\.element)
        let (shown, hidden) = (ordered.prefix(Self.shownMax), ordered.dropFirst(Self.shownMax))
        guard let next = hidden.first else { return ordered }
        let severity: Problem.Severity =
            hidden.contains { $0.severity == .error } ? .error : .warning
        let more = "\(hidden.count) more problems from here on; mend those above first"
        return shown + [Problem(severity, file: file, at: next.position, more)]
    }
}

/// Text of the file as an error may show it: in quotes, at most 60 characters, and nothing that
/// could move a cursor, end a log line or reorder the text around it.
func quoted(_ text: String) -> String {
    var shown = "\""
    for scalar in text.unicodeScalars.prefix(60) {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
            shown += "\\u{" + String(scalar.value, radix: 16, uppercase: true) + "}"
        default:
            shown.unicodeScalars.append(scalar)
        }
    }
    return shown + (text.unicodeScalars.dropFirst(60).isEmpty ? "\"" : "…\"")
}
