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
        /// Where each of the hashes stands, from 1.
        let lineNumbers: [Int]
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

    fileprivate init(sorted users: [UserFileReader.User]) {
        self.users = users.map {
            User(name: $0.name, hashes: $0.hashes, lineNumbers: $0.lineNumbers)
        }
        work = users.map { $0.hashes.reduce(0) { $0 + $1.work } }.max() ?? 0
    }

    /// Every user's name, in order.
    package var names: [[UInt8]] { users.map(\.name) }

    /// The user's hashes, one or two; none for a user who is not in the file. Compares bytes, so
    /// two spellings of one text (NFC and NFD) are two users.
    package func lines(of user: Span<UInt8>) -> [PasswordHash] {
        index(of: user).map { users[$0].hashes } ?? []
    }

    /// Which lines of the file those are, from 1.
    package func lineNumbers(of user: Span<UInt8>) -> [Int] {
        index(of: user).map { users[$0].lineNumbers } ?? []
    }

    private func index(of user: Span<UInt8>) -> Int? {
        var (lower, upper) = (0, users.count)
        while lower < upper {
            let middle = (lower + upper) / 2
            let name = users[middle].name
            if name.span.order(against: user) < 0 { lower = middle + 1 } else { upper = middle }
        }
        guard lower < users.count else { return nil }
        let found = users[lower].name
        return found.span.isEqual(to: user) ? lower : nil
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
