import Foundation
import Testing

/// The architecture's rules, read off the sources. Only what is a rule: nothing here argues about taste.
@Suite struct TidyTests {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    struct Source: CustomTestStringConvertible, Sendable {
        let path: String
        let module: String
        let lines: [String]

        /// The lines without what a comment says.
        var code: [String] {
            lines.map { line in
                line.range(of: "//").map { String(line[..<$0.lowerBound]) } ?? line
            }
        }

        var testDescription: String { path }
        var name: String { (path as NSString).lastPathComponent }
    }

    static let sources: [Source] = {
        let folder = root.appending(path: "Sources").path
        let files = FileManager.default.enumerator(atPath: folder)?.allObjects as? [String] ?? []
        return files.filter { $0.hasSuffix(".swift") }.sorted().map { file in
            let text = (try? String(contentsOfFile: folder + "/" + file, encoding: .utf8)) ?? ""
            return Source(
                path: file, module: String(file.prefix { $0 != "/" }),
                lines: text.components(separatedBy: "\n"))
        }
    }()

    /// Which of our own modules each may import. What is not here may import none.
    static let directions: [String: Set<String>] = [
        "Bytes": [],
        "Exposition": ["CVector"],
        "Gzip": ["Bytes", "CZlib"],
        "Catalogue": ["Bytes", "Exposition"],
        "HTTP": ["Bytes", "CNghttp2"],
        "Admission": ["Bytes", "CCrypt"],
        "Configuration": ["Bytes", "CYAML"],
        "Reactor": ["Bytes", "CLinux"],
        "TLS": ["Bytes", "Reactor", "COpenSSL"],
        "Gateway": [
            "Bytes", "Reactor", "TLS", "HTTP", "Gzip", "Admission", "Exposition", "Catalogue",
            "Configuration",
        ],
        "Console": ["Configuration", "Bytes", "CRevision", "ArgumentParser"],
        "kanmon": [
            "Gateway", "Configuration", "Admission", "Catalogue", "Exposition", "HTTP", "TLS",
            "Reactor", "Bytes", "Console", "ArgumentParser",
        ],
        "Operations": ["Configuration", "Console", "Reactor", "Bytes"],
        "kanmon-ops": [
            "Operations", "Configuration", "Console", "Reactor", "Bytes", "ArgumentParser",
        ],
    ]

    static let dataPath = [
        "Bytes", "Exposition", "Catalogue", "Gzip", "HTTP", "Admission", "Reactor", "TLS",
        "Gateway",
    ]

    /// The audited walls: where memory that the compiler cannot vouch for is touched. Two modules are
    /// nothing but such a wall, to the kernel and to OpenSSL.
    static let unsafeModules: Set = ["Reactor", "TLS"]
    static let unsafeFiles: Set = [
        "Admission/Bcrypt.swift", "Admission/FailedLogins.swift", "Admission/Secret.swift",
        "Bytes/BufferPool.swift", "Bytes/ByteBuffer.swift", "Bytes/RegularFile.swift",
        "Bytes/Span+Bytes.swift", "Configuration/EventStream.swift", "Exposition/Families.swift",
        "Exposition/Float.swift", "Exposition/Records.swift",
        "Exposition/LabelValue.swift", "Exposition/Name.swift", "Exposition/Series.swift",
        "Exposition/SampleLine.swift", "Exposition/Vectors.swift",
        "Exposition/Words.swift", "Gateway/Credentials.swift", "Gateway/Log.swift",
        "Gzip/GzipDecoder.swift",
        "HTTP/HTTP1/ByteClass.swift", "HTTP/HTTP2/AnswerFields.swift",
        "HTTP/HTTP2/FrameLibrary.swift", "HTTP/HTTP2/FrameMemory.swift",
        "HTTP/HTTP2/HTTP2Session.swift",
        "HTTP/HTTP2/SessionCallbacks.swift",
        "HTTP/Message/FieldName.swift", "Console/AtomicFile.swift", "Console/Console.swift",
        "Console/Release.swift", "Console/Terminal.swift", "kanmon/Verbs/Cert.swift",
        "kanmon/Verbs/Lint.swift",
    ]

    @Test func `there are sources to look at`() {
        #expect(Self.sources.count > 60)
        #expect(Set(Self.sources.map(\.module)) == Set(Self.directions.keys))
    }

    @Test(arguments: sources)
    func `imports keep their direction`(source: Source) {
        let allowed = Self.directions[source.module, default: []]
        let system: Set = ["Glibc", "Synchronization"]
        for line in source.code {
            guard let match = line.firstMatch(of: /^(?:public |package |internal )?import (\w+)/)
            else { continue }
            let module = String(match.1)
            #expect(allowed.contains(module) || system.contains(module), "\(line)")
            #expect(module != "Foundation")
        }
    }

    @Test(arguments: sources.filter { dataPath.contains($0.module) })
    func `the data path has no trap, no box, no scheduler and no printing`(source: Source) {
        let banned = [
            "try!", "as!", "as any", "any ", "print(", "DispatchQueue", "Task {", "Task.detached",
            "await ", "async ",
            "fatalError(",
        ]
        for line in source.code {
            for word in banned {
                let isWord = line.range(
                    of: "(?<![A-Za-z_])" + NSRegularExpression.escapedPattern(for: word),
                    options: .regularExpression)
                // Inside a string literal the word is a sentence's.
                if let range = isWord, !isQuoted(range.lowerBound, in: line) {
                    Issue.record("\(source.path): \(word) in: \(line)")
                }
            }
        }
    }

    private func isQuoted(_ index: String.Index, in line: String) -> Bool {
        line[..<index].count { $0 == "\"" } % 2 == 1
    }

    @Test(arguments: sources.filter { !unsafeModules.contains($0.module) })
    func `unsafe stands only in the files that are listed for it`(source: Source) {
        let isUnsafe = source.code.contains { $0.contains(/\bunsafe\b/) }
        let isListed = Self.unsafeFiles.contains(source.path)
        #expect(
            isUnsafe == isListed,
            "\(source.path) \(isUnsafe ? "is not listed" : "need not be listed")")
    }

    @Test func `every refusal is met on a journey`() throws {
        let refusals = try #require(Self.sources.first { $0.path == "Gateway/RefusalReason.swift" })
        let text = refusals.lines.joined(separator: "\n")
        let start = try #require(text.range(of: "var word: StaticString"))
        let words = text[start.upperBound...].prefix { _ in true }
            .matches(of: /case \.\w+: "([a-z_]+)"/).map { String($0.1) }
        #expect(words.count > 20)
        let folder = Self.root.appending(path: "Tests/JourneyTests").path
        let journeys = try FileManager.default.contentsOfDirectory(atPath: folder)
            .map { try String(contentsOfFile: folder + "/" + $0, encoding: .utf8) }.joined()
        for word in words { #expect(journeys.contains(word), "no journey meets \(word)") }
    }

    @Test(arguments: sources)
    func `every source file has its place in the architecture`(source: Source) throws {
        let path = Self.root.appending(path: "ARCHITECTURE.md")
        let architecture = try String(contentsOf: path, encoding: .utf8)
        let name = source.name.replacingOccurrences(of: ".swift", with: "")
        #expect(architecture.contains("`\(name)`"), "ARCHITECTURE.md does not name \(source.path)")
    }
}
