import Bytes

/// Collects entries and problems along the lines of a file.
internal struct UserFileReader {
    private var entries: [Entry] = []
    private var problems: [UserFileProblem] = []
    private var errorCount = 0
    private var warningCount = 0

    private struct Entry {
        let name: [UInt8]
        let hash: PasswordHash
        let line: Int
    }

    /// A user with the lines that count.
    internal typealias User = (name: [UInt8], hashes: [PasswordHash], lineNumbers: [Int])

    /// Of each severity: enough to see what is wrong with a file; the rest is a number. Many
    /// warnings leave room for an error, and never become one.
    private static let problemsMax = 100

    internal init() {}

    /// Reads a whole file, once.
    internal mutating func read(_ bytes: Span<UInt8>) {
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
    internal mutating func users() -> [User] {
        entries.sort { left, right in
            left.name == right.name
                ? left.line < right.line : left.name.lexicographicallyPrecedes(right.name)
        }
        var users: [User] = []
        for entry in entries {
            guard let last = users.last, last.name == entry.name else {
                users.append((entry.name, [entry.hash], [entry.line]))
                continue
            }
            noteRepetition(entry, linesBefore: last.hashes.count)
            if last.hashes.count < UserFile.linesPerUserMax {
                users[users.count - 1].hashes.append(entry.hash)
                users[users.count - 1].lineNumbers.append(entry.line)
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

    /// By line, with the number of those left out at the end.
    internal func sortedProblems() -> [UserFileProblem] {
        var sorted = problems.sorted { ($0.line, $0.column) < ($1.line, $1.column) }
        let last = sorted.last?.line ?? 1
        for (severity, count) in [
            (UserFileProblem.Severity.error, errorCount), (.warning, warningCount),
        ] where count > UserFileReader.problemsMax {
            sorted.append(
                UserFileProblem(
                    line: last, column: 1, severity: severity,
                    sentence: "\(count - UserFileReader.problemsMax) more \(severity)s not shown"))
        }
        return sorted
    }

    private mutating func report(
        _ severity: UserFileProblem.Severity, _ line: Int, column: Int = 1, _ sentence: String
    ) {
        let isError = severity == .error
        if isError { errorCount += 1 } else { warningCount += 1 }
        guard (isError ? errorCount : warningCount) <= UserFileReader.problemsMax else { return }
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
