import Configuration
import Testing

/// What has to be said in bytes rather than in a file of the corpus.
@Suite struct StrictnessTests {
    @Test(arguments: [
        ("allow: é\u{0}\n", 1, 9), ("a: 1\nb: \u{1B}[31m\n", 2, 4), ("a: \u{7F}", 1, 4),
        ("a: \u{9B}", 1, 4), ("\u{FEFF}\u{FEFF}a: 1", 1, 1), ("a: \u{FFFF}", 1, 4),
        ("a: \"\u{8}\"", 1, 5),
    ])
    func `a character that YAML bans is refused where it stands`(
        text: String, line: Int, column: Int
    ) {
        let (configuration, problems) = read(text)
        #expect(configuration == nil)
        #expect(problems.map(\.position) == [Position(line: line, column: column)])
        #expect(problems.first?.message.hasSuffix("cannot stand in the file; remove it") == true)
    }

    @Test(
        arguments: [
            [0x61, 0x3A, 0x20, 0xFF], [0x61, 0x3A, 0x20, 0xC0, 0x80],
            [0x61, 0x3A, 0x20, 0xED, 0xA0, 0x80],
            [0x61, 0x3A, 0x20, 0xE3, 0x81], [0x61, 0x3A, 0x20, 0xF4, 0x90, 0x80, 0x80],
            [0x61, 0x3A, 0x20, 0x80],
        ] as [[UInt8]])
    func `bytes that are not UTF-8 are refused where they stand`(bytes: [UInt8]) {
        let (configuration, problems) = Configuration.read(bytes, named: "x")
        #expect(configuration == nil)
        #expect(problems.map(\.description) == ["x:1:4: error: the file is not UTF-8 from here on"])
    }

    @Test(arguments: [[0xFF, 0xFE, 0x61, 0x00], [0xFE, 0xFF, 0x00, 0x61]] as [[UInt8]])
    func `UTF-16 is refused`(bytes: [UInt8]) {
        #expect(
            Configuration.read(bytes, named: "x").problems.map(\.description)
                == ["x:1:1: error: the file is not UTF-8 from here on"])
    }

    @Test func `a byte order mark and Windows line ends are accepted`() throws {
        let text = "\u{FEFF}" + file("workers: 3").replacing("\n", with: "\r\n")
        let (configuration, problems) = read(text)
        #expect(configuration?.workers == 3)
        #expect(problems == [])
        #expect(configuration?.tls.certificateFile.position == Position(line: 2, column: 18))
    }

    @Test func `a file of 1 MiB is read and one byte more is refused`() {
        let text = Array(file().utf8)
        let fill = [UInt8](repeating: UInt8(ascii: "#"), count: (1 << 20) - text.count)
        #expect(Configuration.read(text + fill, named: "x").configuration != nil)
        let (configuration, problems) = Configuration.read(text + fill + [0x23], named: "x")
        #expect(configuration == nil)
        #expect(problems.map(\.description) == ["x:1:1: error: the file is larger than 1MiB"])
    }

    @Test func `16 levels are read and the 17th is refused`() {
        let nest = { (depth: Int) in
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        // The mapping at the top is the first level.
        #expect(read("zzz: \(nest(15))").problems.contains { $0.message.hasPrefix("unknown key") })
        #expect(
            read("zzz: \(nest(16))").problems.map(\.message) == [
                "more than 16 levels are nested here"
            ])
    }

    @Test(.timeLimit(.minutes(10))) func `a file of nothing but openings ends soon`() {
        for opening in ["[", "{", "- ", "? ", "a: [", "[{", "!", "&a ", "\"", "|\n"] {
            let text = String(repeating: opening, count: (1 << 20) / opening.utf8.count)
            let (configuration, problems) = read(text)
            #expect(configuration == nil && !problems.isEmpty)
        }
    }

    @Test(.timeLimit(.minutes(10))) func `at most 100 problems are shown and the rest counted`() {
        let keys = (0..<40_000).map { "k\($0): 1\n" }.joined()
        let (configuration, problems) = read(file() + keys)
        #expect(configuration == nil)
        #expect(problems.count == 101)
        #expect(
            problems.last?.message == "39900 more problems from here on; mend those above first")
        #expect(problems.last?.severity == .error)
    }

    @Test func `an error shows at most 60 characters of the file`() {
        let long = String(repeating: "関", count: 500)
        for text in [file("\(long): 1"), file("workers: \(long)"), file("limits: {\(long): 1}")] {
            let problems = read(text).problems
            #expect(problems.count == 1)
            #expect(problems.allSatisfy { $0.message.filter { $0 == "関" }.count == 60 })
            #expect(problems.allSatisfy { $0.message.contains("…") })
        }
    }

    @Test(arguments: [
        ("\\e[31m", #""\u{1B}[31m""#), ("a\\nb", #""a\u{A}b""#), ("\\u202Eabc", #""\u{202E}abc""#),
        ("\\0", #""\u{0}""#), ("\\x85", #""\u{85}""#), ("\\u2028", #""\u{2028}""#),
        ("\\uFEFF", #""\u{FEFF}""#),
    ])
    func `control characters and hidden ones are escaped`(text: String, shown: String) {
        let key = read(file("\"\(text)\": 1")).problems
        #expect(key.count == 1 && key.allSatisfy { $0.message.hasPrefix("unknown key \(shown)") })
        let value = read(file("workers: \"\(text)\"")).problems
        #expect(value.count == 1 && value.allSatisfy { $0.message.hasPrefix("workers: \(shown) ") })
    }

    @Test func `a value under an unknown key is not repeated`() {
        let (_, problems) = read(
            file(
                "password: hunter2\nsecrets: [hunter2]\nlog: {token: hunter2}\n"
                    + "workers: {a: hunter2}"
            ))
        #expect(problems.count == 4)
        #expect(problems.allSatisfy { !$0.description.contains("hunter2") })
    }

    @Test(arguments: ["true", "yes", "2.0", "0o17", "2 ", "'2'", "|\n  2", "two", "２", "2_0"])
    func `a whole number is digits without quotes`(text: String) {
        // The blank at the end of a plain scalar is none of it.
        #expect((read(file("workers: \(text)")).configuration == nil) == (text != "2 "))
    }

    @Test(arguments: ["", "~", "null", "Null", "NULL"])
    func `a key without a value is an error and a quoted null is a text`(null: String) {
        let (configuration, problems) = read(file("log: {level: \(null)}"))
        #expect(configuration == nil)
        #expect(
            problems.map(\.message)
                == ["log.level has no value; give it one or remove the key"])
        #expect(
            read(file("log: {level: '\(null)'}")).problems.map(\.message)
                == ["log.level: \"\(null)\" is none of debug, info, warn, error"])
    }
}
