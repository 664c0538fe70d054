import Admission
import Bytes
import Fuzzing

/// Files of users, beside a reading by lines, and edited.
@main
struct UsersFuzzer {
    private struct Entry: Equatable {
        var user: [UInt8]
        var hash: [UInt8]
    }

    private static let hash = Array(
        "$2b$04$P5vHrE.Rp7Dlp1KClwYlce80qHVA6aIh8yKXmvGOo2.1psxDx4ckK".utf8)

    static func main() { fuzz(check) }

    private static func check(_ input: Span<UInt8>) {
        let (file, problems) = UserFile.parse(input)
        let lines = plainLines(input.copy)
        for problem in problems { check(problem, lines) }
        let places = problems.map { [$0.line, $0.column] }
        promise(!zip(places, places.dropFirst()).contains { $1[0] < $0[0] }, "in order of lines")
        promise(problems.count <= 202, "problems are bounded")

        let names = file.names
        for (name, next) in zip(names, names.dropFirst()) {
            promise(name.lexicographicallyPrecedes(next), "users are in order, each once")
        }
        for name in names { checkLines(of: name, in: file, lines) }
        promise(file.lines(of: [0x00].span).isEmpty, "a stranger has no hash")

        guard !problems.contains(where: { $0.severity == .error }) else { return }
        promise(entries(of: file) == plainEntries(lines), "every line is somebody's")
        checkEdited(input, file)
    }

    private static func check(_ problem: UserFileProblem, _ lines: [[UInt8]]) {
        promise((1...max(1, lines.count)).contains(problem.line), "line \(problem.line) is there")
        let line = lines.isEmpty ? [] : lines[problem.line - 1]
        promise((1...line.count + 1).contains(problem.column), "so is column \(problem.column)")
        promise(isHarmless(problem.sentence, bytesMax: 500), problem.sentence)
        let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        if fields.count > 1, fields[1].count >= 20 {
            let secret = String(decoding: fields[1].suffix(20), as: UTF8.self)
            // A name is shown, also one that is the end of a hash.
            let name = String(decoding: fields[0], as: UTF8.self)
            let sentence = problem.sentence.replacing("FILE \(name)", with: "")
            promise(!sentence.contains(secret), "no hash is shown")
        }
    }

    private static func checkLines(of name: [UInt8], in file: UserFile, _ lines: [[UInt8]]) {
        let (hashes, numbers) = (file.lines(of: name.span), file.lineNumbers(of: name.span))
        promise((1...UserFile.linesPerUserMax).contains(hashes.count), "one line or two")
        promise(hashes.count == numbers.count, "each hash has its line")
        for (hash, number) in zip(hashes, numbers) {
            let isThere = lines[number - 1].starts(with: name + [UInt8(ascii: ":")] + hash.bytes)
            promise(isThere, "line \(number) is the user's")
            promise(PasswordHash.costs.contains(hash.cost), "its cost is bounded")
        }
    }

    /// A file's lines without their ends and without a byte order mark.
    private static func plainLines(_ input: [UInt8]) -> [[UInt8]] {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        var lines = input.split(separator: 0x0A, omittingEmptySubsequences: false)
        if lines.last == [] { lines.removeLast() }
        if let first = lines.first, first.starts(with: mark) { lines[0] = first.dropFirst(3) }
        return lines.map { $0.last == 0x0D ? Array($0.dropLast()) : Array($0) }
    }

    private static func plainEntries(_ lines: [[UInt8]]) -> [Entry] {
        let entries = lines.compactMap { line -> Entry? in
            let isBlank = line.allSatisfy { $0 == 0x20 || $0 == 0x09 }
            guard !isBlank, line[0] != UInt8(ascii: "#") else { return nil }
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            return Entry(user: Array(fields[0]), hash: fields.count > 1 ? Array(fields[1]) : [])
        }
        // A stable order of users; their lines stay in that of the file.
        return entries.enumerated().sorted { left, right in
            left.element.user == right.element.user
                ? left.offset < right.offset
                : left.element.user.lexicographicallyPrecedes(right.element.user)
        }.map(\.element)
    }

    private static func entries(of file: UserFile) -> [Entry] {
        file.names.flatMap { name in
            file.lines(of: name.span).map { Entry(user: name, hash: $0.bytes) }
        }
    }

    /// A change changes one user and nobody else.
    private static func checkEdited(_ input: Span<UInt8>, _ file: UserFile) {
        var choices = Choices(from: input)
        let names = file.names + [Array("new".utf8)]
        let user = names[choices.number(upTo: names.count - 1)]
        guard let hash = try? PasswordHash(hash.span) else {
            return promise(false, "the hash is good")
        }
        let before = entries(of: file)
        let others = before.filter { $0.user != user }
        let own = before.filter { $0.user == user }
        if let bytes = try? UserFile.set(hash, for: user.span, in: input) {
            let now = Entry(user: user, hash: hash.bytes)
            promise(entries(after: bytes, without: user) == others, "others stay as they are")
            promise(entries(after: bytes, of: user) == [now], "the user has the new hash alone")
        }
        if let bytes = try? UserFile.add(hash, for: user.span, in: input) {
            promise(entries(after: bytes, without: user) == others, "others stay as they are")
            let now = own + [Entry(user: user, hash: hash.bytes)]
            promise(entries(after: bytes, of: user) == now, "the user has the new hash too")
        }
        let deleted = try? UserFile.delete(user.span, in: input)
        promise((deleted == nil) == own.isEmpty, "who is there can be deleted")
        if let deleted {
            promise(entries(after: deleted, without: user) == others, "others stay as they are")
            promise(entries(after: deleted, of: user).isEmpty, "the user is gone")
        }
    }

    private static func entries(after bytes: [UInt8], of user: [UInt8]) -> [Entry] {
        entries(of: UserFile.parse(bytes.span).file).filter { $0.user == user }
    }

    private static func entries(after bytes: [UInt8], without user: [UInt8]) -> [Entry] {
        entries(of: UserFile.parse(bytes.span).file).filter { $0.user != user }
    }
}
