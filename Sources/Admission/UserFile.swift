import Bytes

/// Who may log in: an htpasswd file, read once into a value.
///
/// The lines are `user:hash`, or `user:hash:comment` as nginx reads them too; blank lines and those
/// that begin with `#` are skipped. A user may have two lines, both valid, while a password is
/// being rotated.
package struct UserFile: Sendable {
    /// Sorted by name, byte by byte.
    private let users: [User]
    /// The rounds of the costliest user's lines together: what every password check has to cost.
    package let work: UInt64

    package var userCount: Int { users.count }

    package static let byteCountMax = 16 * 1024 * 1024
    package static let userCountMax = 100_000
    package static let lineByteCountMax = 1024
    package static let linesPerUserMax = 2
    /// A hash that is cheaper than this is served, with a warning.
    package static let costRecommended = 10

    private struct User {
        let name: [UInt8]
        let hashes: [PasswordHash]
    }

    /// Reads a whole file. All that is wrong with it is reported at once, sorted by line; when any
    /// of it is an error the file is not to be used, though what could be read is in it.
    package static func parse(
        _ bytes: Span<UInt8>
    ) -> (file: UserFile, problems: [UserFileProblem]) {
        var reader = UserFileReader()
        reader.read(bytes)
        return (UserFile(sorted: reader.users()), reader.sortedProblems())
    }

    /// A file without users, with which nobody can log in.
    package init() { self.init(sorted: []) }

    fileprivate init(sorted users: [(name: [UInt8], hashes: [PasswordHash])]) {
        self.users = users.map { User(name: $0.name, hashes: $0.hashes) }
        work = users.map { $0.hashes.reduce(0) { $0 + $1.work } }.max() ?? 0
    }

    /// The user's hashes, one or two; none for a user who is not in the file. Compares bytes, so
    /// two spellings of one text (NFC and NFD) are two users.
    package func lines(of user: Span<UInt8>) -> [PasswordHash] {
        var (lower, upper) = (0, users.count)
        while lower < upper {
            let middle = (lower + upper) / 2
            let name = users[middle].name
            if name.span.precedes(user) { lower = middle + 1 } else { upper = middle }
        }
        guard lower < users.count else { return [] }
        let found = users[lower]
        return found.name.span.isEqual(to: user) ? found.hashes : []
    }
}

extension Span<UInt8> {
    fileprivate func precedes(_ other: Span<UInt8>) -> Bool {
        for index in 0..<Swift.min(count, other.count) where self[index] != other[index] {
            return self[index] < other[index]
        }
        return count < other.count
    }
}

/// Something to mend in a user file, or to know about it. Never holds a hash.
package struct UserFileProblem: Sendable, Equatable {
    package enum Severity: Sendable { case error, warning }

    /// Both count from 1, the column in bytes.
    package let line: Int
    package let column: Int
    package let severity: Severity
    /// What is wrong, and what to run or to write instead.
    package let sentence: String
}

/// Collects entries and problems along the lines of a file.
private struct UserFileReader {
    private var entries: [Entry] = []
    private var problems: [UserFileProblem] = []

    private struct Entry {
        let name: [UInt8]
        let hash: PasswordHash
        let line: Int
    }

    /// Enough to see what is wrong with a file; the rest is a number.
    private static let problemsMax = 100

    private var problemsLeftOut = 0

    mutating func read(_ bytes: Span<UInt8>) {
        guard bytes.count <= UserFile.byteCountMax else {
            return report(
                .error, 1, "the file is larger than \(UserFile.byteCountMax >> 20) MiB")
        }
        if UserFileLine.hasByteOrderMark(bytes) {
            report(
                .warning, 1,
                "the file begins with a byte order mark, which is skipped here: "
                    + "other servers take it for a part of the first user's name")
        }
        var number = 0
        var isCarriageReturnReported = false
        var end = 0
        while let line = UserFileLine(in: bytes, after: end) {
            end = line.end
            number += 1
            if line.endsWithCarriageReturn, !isCarriageReturnReported {
                isCarriageReturnReported = true
                report(
                    .warning, number, column: line.content.count + 1,
                    "the line ends with a carriage return, as on Windows, which is skipped")
            }
            guard line.isEntry(in: bytes) else { continue }
            guard entries.count < UserFile.userCountMax * UserFile.linesPerUserMax else {
                return report(.error, number, "the file has too many lines")
            }
            read(line, number, bytes)
        }
        if entries.isEmpty, problems.allSatisfy({ $0.severity == .warning }) {
            report(
                .warning, max(1, number),
                "nobody can log in yet: run `kanmon passwd FILE USER` to add a user")
        }
    }

    private mutating func read(_ line: UserFileLine, _ number: Int, _ bytes: Span<UInt8>) {
        guard line.content.count <= UserFile.lineByteCountMax else {
            return report(
                .error, number, "the line is longer than \(UserFile.lineByteCountMax) bytes")
        }
        guard let colon = line.colon(in: bytes) else {
            return report(
                .error, number,
                "the line has no colon: write user:hash, or run `kanmon passwd FILE USER`")
        }
        let name = bytes.extracting(line.content.lowerBound..<colon)
        guard name.count > 0 else { return report(.error, number, "the user's name is missing") }
        for index in name.indices where name[index].isControl {
            return report(
                .error, number, column: index + 1,
                "the user's name holds a control character, which no client can send")
        }
        let hashRange = line.hash(in: bytes, after: colon)
        do {
            let hash = try PasswordHash(bytes.extracting(hashRange))
            entries.append(Entry(name: [UInt8](copying: name), hash: hash, line: number))
            guard hash.cost < UserFile.costRecommended else { return }
            report(
                .warning, number, column: name.count + 2,
                "cost \(hash.cost) is quick to guess; \(remedy(for: name)) makes one of cost "
                    + "\(UserFile.costRecommended)")
        } catch {
            report(
                .error, number, column: name.count + 2,
                "\(error.sentence); \(remedy(for: name)) makes a new one")
        }
    }

    /// The users in order, each with its lines in the order of the file.
    mutating func users() -> [(name: [UInt8], hashes: [PasswordHash])] {
        entries.sort { left, right in
            left.name == right.name
                ? left.line < right.line : left.name.lexicographicallyPrecedes(right.name)
        }
        var users: [(name: [UInt8], hashes: [PasswordHash])] = []
        for entry in entries {
            guard let last = users.last, last.name == entry.name else {
                users.append((entry.name, [entry.hash]))
                continue
            }
            noteRepetition(entry, linesBefore: last.hashes.count)
            if last.hashes.count < UserFile.linesPerUserMax {
                users[users.count - 1].hashes.append(entry.hash)
            }
        }
        if users.count > UserFile.userCountMax {
            report(.error, 1, "the file has more than \(UserFile.userCountMax) users")
            users.removeLast(users.count - UserFile.userCountMax)
        }
        return users
    }

    private mutating func noteRepetition(_ entry: Entry, linesBefore: Int) {
        if linesBefore < UserFile.linesPerUserMax {
            report(
                .warning, entry.line,
                "the user's second line: both passwords are valid until "
                    + "\(remedy(for: entry.name.span)) leaves only the new one")
        } else {
            report(
                .error, entry.line,
                "the user has more than \(UserFile.linesPerUserMax) lines: delete the old ones")
        }
    }

    func sortedProblems() -> [UserFileProblem] {
        var sorted = problems.sorted { ($0.line, $0.column) < ($1.line, $1.column) }
        if problemsLeftOut > 0, let last = sorted.last {
            sorted.append(
                UserFileProblem(
                    line: last.line, column: 1, severity: .error,
                    sentence: "\(problemsLeftOut) more problems are not shown"))
        }
        return sorted
    }

    private mutating func report(
        _ severity: UserFileProblem.Severity, _ line: Int, column: Int = 1, _ sentence: String
    ) {
        guard problems.count < UserFileReader.problemsMax else {
            problemsLeftOut += 1
            return
        }
        problems.append(
            UserFileProblem(line: line, column: column, severity: severity, sentence: sentence))
    }

    /// The command that mends a line, with the user's name where a shell would not misread it.
    private func remedy(for name: Span<UInt8>) -> String {
        var isPlain = name.count <= 64 && name[0] != UInt8(ascii: "-")
        for index in name.indices {
            let byte = name[index]
            let isHarmless =
                byte.isLetter || byte.isDigit || byte == UInt8(ascii: "-")
                || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
            isPlain = isPlain && isHarmless
        }
        return "`kanmon passwd FILE \(isPlain ? String(decoding: name) : "USER")`"
    }
}

/// Where one line of a user file lies, for reading and for editing alike.
internal struct UserFileLine {
    /// Without the line's end, and without a byte order mark.
    internal let content: Range<Int>
    /// The whole line with its end.
    internal let whole: Range<Int>
    internal let endsWithCarriageReturn: Bool

    internal var end: Int { whole.upperBound }

    /// The line that begins at `start`; nil at the end of the file.
    internal init?(in bytes: Span<UInt8>, after start: Int) {
        guard start < bytes.count else { return nil }
        let lineFeed = bytes.firstIndex(of: UInt8(ascii: "\n"), from: start)
        let contentEnd = lineFeed ?? bytes.count
        let markCount = start == 0 && UserFileLine.hasByteOrderMark(bytes) ? 3 : 0
        let first = start + markCount
        endsWithCarriageReturn =
            contentEnd > first && bytes[contentEnd - 1] == UInt8(ascii: "\r")
        content = first..<(endsWithCarriageReturn ? contentEnd - 1 : contentEnd)
        whole = start..<(lineFeed.map { $0 + 1 } ?? bytes.count)
    }

    internal static func hasByteOrderMark(_ bytes: Span<UInt8>) -> Bool {
        bytes.count >= 3 && bytes[0] == 0xEF && bytes[1] == 0xBB && bytes[2] == 0xBF
    }

    /// Is this neither blank nor a comment?
    internal func isEntry(in bytes: Span<UInt8>) -> Bool {
        guard !content.isEmpty, bytes[content.lowerBound] != UInt8(ascii: "#") else { return false }
        return !bytes.trimmingBlanks(content).isEmpty
    }

    /// Where the user's name ends.
    internal func colon(in bytes: Span<UInt8>) -> Int? {
        bytes.extracting(0..<content.upperBound)
            .firstIndex(of: UInt8(ascii: ":"), from: content.lowerBound)
    }

    /// From the first colon to the second, or to the line's end.
    internal func hash(in bytes: Span<UInt8>, after colon: Int) -> Range<Int> {
        let text = bytes.extracting(0..<content.upperBound)
        return colon + 1..<(text.firstIndex(of: UInt8(ascii: ":"), from: colon + 1) ?? text.count)
    }
}
