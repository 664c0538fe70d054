import Admission
import Bytes
import Testing

@Suite struct UserFileTests {
    @Test func `users are found by their bytes, with one line or two`() throws {
        let text = """
            # the pushers
            prom:\(Vector.b)

            xserver:\(Vector.cost6):made by hand, see the wiki: page 4
            prom:\(Vector.batteryStapleCost5)
               
            ü:\(Vector.cost10)
            """
        let (file, problems) = parse(text)
        #expect(!problems.contains { $0.severity == .error })
        #expect(file.userCount == 3)
        #expect(lines(of: "prom", in: file) == [Vector.b, Vector.batteryStapleCost5])
        #expect(lines(of: "xserver", in: file) == [Vector.cost6])
        #expect(lines(of: "ü", in: file) == [Vector.cost10])
        for stranger in ["", "pro", "promm", "Prom", "u\u{308}", "zzz", "#", "\0", "prom\0"] {
            #expect(lines(of: stranger, in: file) == [], "\(stranger)")
        }
        #expect(file.work == 1024)
        for (user, numbers) in [("prom", [2, 5]), ("xserver", [4]), ("ü", [7]), ("pro", [])] {
            let name = Array(user.utf8)
            #expect(file.lineNumbers(of: name.span) == numbers, "\(user)")
        }
    }

    @Test func `the work is that of the costliest user, both lines counted`() {
        #expect(parse("a:\(Vector.cost6)\nb:\(Vector.batteryStapleCost5)\n").file.work == 64)
        #expect(parse("a:\(Vector.cost6)\na:\(Vector.b)\nb:\(Vector.cost6)\n").file.work == 80)
        #expect(UserFile().work == 0)
    }

    @Test(arguments: [
        ("prom", 1, 1, "no colon"), ("prom \(Vector.cost10)", 1, 1, "no colon"),
        (":\(Vector.cost10)", 1, 1, "name is missing"), ("#\nprom:", 2, 6, "0 bytes"),
        ("pr\u{1}om:\(Vector.cost10)", 1, 3, "control character"),
        ("a\0:\(Vector.cost10)", 1, 2, "control character"),
        ("prom:$apr1$abcdefgh$Zx0Q0sUq3yTpXn5hQ1lJx/", 1, 6, "stored as MD5, not as bcrypt"),
        ("prom:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=", 1, 6, "SHA-1"),
        ("prom:rl.3StKT.4T8M", 1, 6, "were its '$' eaten by docker compose?"),
        ("prom:$$2y$$10$$abc", 1, 6, "write each once"),
        ("prom:\(Vector.cost10) ", 1, 6, "61 bytes"),
        ("prom: \(Vector.cost10)", 1, 6, "stored as another scheme"),
        ("prom:\(Vector.cost10.replacing("$10$", with: "$15$"))", 1, 6, "cost 15"),
        ("prom:\(Vector.cost10.replacing("$10$", with: "$31$"))", 1, 6, "cost 31"),
        ("prom:*0", 1, 6, "2 bytes"), ("a:\(Vector.cost10)\n\n\nb\n", 4, 1, "no colon"),
        (
            "a:\(Vector.cost10)\nb:\(Vector.cost10)\na:\(Vector.cost10)\na:\(Vector.b)\n", 4, 1,
            "more than 2 lines"
        ),
        ("prom:\(Vector.cost10):" + String(repeating: "x", count: 1000), 1, 1, "longer than 1024"),
        ("prom:a\rx:\(Vector.cost10)", 1, 6, "3 bytes"),
    ])
    func `a line that cannot be used is an error with its place`(
        text: String, line: Int, column: Int, fragment: String
    ) throws {
        let errors = parse(text).problems.filter { $0.severity == .error }
        let error = try #require(errors.first)
        #expect(errors.count == 1)
        #expect(error.line == line && error.column == column)
        #expect(error.sentence.contains(fragment), "\(error.sentence)")
        #expect(!error.sentence.contains(Vector.cost10.suffix(20)))
    }

    @Test(arguments: [
        ("prom:\(Vector.b)\n", 1, 6, "run_cost"), ("", 1, 1, "nobody can log in"),
        ("# only\n\n", 2, 1, "nobody can log in"),
        ("a:\(Vector.cost10)\r\nb:\(Vector.cost10)\r\n", 1, 63, "carriage return"),
        ("\u{FEFF}a:\(Vector.cost10)\n", 1, 1, "byte order mark"),
        ("a:\(Vector.cost10)\n#\na:\(Vector.cost10)\n", 3, 1, "second line"),
    ])
    func `what nginx serves is served, with a warning`(
        text: String, line: Int, column: Int, fragment: String
    ) throws {
        let (file, problems) = parse(text)
        let warning = try #require(problems.first)
        #expect(problems.count == 1)
        #expect(warning.severity == .warning)
        #expect(warning.line == line && warning.column == column)
        let expected = fragment == "run_cost" ? "`kanmon passwd FILE prom` makes" : fragment
        #expect(warning.sentence.contains(expected), "\(warning.sentence)")
        if text.contains("a:") { #expect(!lines(of: "a", in: file).isEmpty) }
    }

    @Test func `all problems come at once, by line, and a bad name is kept out of a command`() {
        let problems = parse("a\n$(reboot):\(Vector.b)\nx:y\n-v:\(Vector.b)\nb:\(Vector.b)")
            .problems
        #expect(problems.map(\.line) == [1, 2, 3, 4, 5])
        #expect(problems[1].sentence.contains("passwd FILE USER"))
        #expect(problems[3].sentence.contains("passwd FILE USER"))
        #expect(problems[4].sentence.contains("passwd FILE b"))
    }

    @Test func `a file without a last line end is whole`() {
        #expect(parse("a:\(Vector.cost10)").file.userCount == 1)
    }

    @Test func `a comment may be long, and a lone colon line is an error`() {
        #expect(parse("#" + String(repeating: "x", count: 5000)).problems.count == 1)
        #expect(parse(":").problems.first?.severity == .error)
    }

    @Test func `many bad lines are summed up`() {
        let problems = parse(String(repeating: "x\n", count: 5000)).problems
        #expect(problems.count == 101)
        #expect(problems.last?.sentence == "4900 more errors not shown")
        #expect(problems.last?.severity == .error)
    }

    @Test func `any number of warnings is no error, and hides none`() {
        let cheap = (0..<500).map { "u\($0):\(Vector.b)\n" }.joined()
        let warnings = parse(cheap).problems
        #expect(warnings.count == 101)
        #expect(warnings.allSatisfy { $0.severity == .warning })
        #expect(warnings.last?.sentence == "400 more warnings not shown")
        let withError = parse(cheap + "x\n").problems
        #expect(withError.filter { $0.severity == .error }.map(\.line) == [501])
    }

    @Test func `size and number of users are bounded`() {
        let large = [UInt8](repeating: 0x0A, count: UserFile.byteCountMax + 1)
        #expect(UserFile.parse(large.span).problems.map(\.severity) == [.error])

        let most = (0..<UserFile.userCountMax).map { "u\($0):\(Vector.cost10)\n" }.joined()
        #expect(parse(most).problems.isEmpty)
        #expect(parse(most + "one:\(Vector.cost10)\n").problems.map(\.severity) == [.error])
    }
}

@Suite struct UserFileEditingTests {
    private let others = "# c\n\nb:\(Vector.cost6):note\n"

    @Test func `setting replaces the hash and leaves all else as it is`() throws {
        let edited = try set(Vector.cost10, "a", "# c\na:\(Vector.b):note\nb:\(Vector.b)")
        #expect(edited == "# c\na:\(Vector.cost10):note\nb:\(Vector.b)")
    }

    @Test func `setting leaves one line of two, and mends a broken one`() throws {
        let two = "a:\(Vector.b)\n" + others + "a:\(Vector.cost6)\n#end\n"
        #expect(try set(Vector.cost10, "a", two) == "a:\(Vector.cost10)\n" + others + "#end\n")
        #expect(try set(Vector.b, "a", "a:{SHA}x\n") == "a:\(Vector.b)\n")
        #expect(try set(Vector.b, "a", "a:") == "a:\(Vector.b)")
    }

    @Test func `a new user comes last, on a line of its own`() throws {
        #expect(try set(Vector.b, "a", "") == "a:\(Vector.b)\n")
        #expect(try set(Vector.b, "a", others) == others + "a:\(Vector.b)\n")
        #expect(try set(Vector.b, "a", "#") == "#\na:\(Vector.b)\n")
        #expect(try set(Vector.b, "a", "#\r\n#") == "#\r\n#\r\na:\(Vector.b)\r\n")
        #expect(try set(Vector.b, "a", "#\r\n#\r") == "#\r\n#\r\na:\(Vector.b)\r\n")
        #expect(try set(Vector.b, "ａ", "") == "ａ:\(Vector.b)\n")
    }

    @Test func `adding keeps the old line in front of the new one`() throws {
        let line = "a:\(Vector.b)\n"
        #expect(try add(Vector.cost6, "a", line + others) == line + "a:\(Vector.cost6)\n" + others)
        #expect(try add(Vector.cost6, "a", "a:\(Vector.b)") == line + "a:\(Vector.cost6)\n")
        #expect(try add(Vector.cost6, "a", others) == others + "a:\(Vector.cost6)\n")
    }

    @Test func `a third line is not added`() {
        #expect(throws: UserFileEditError.tooManyLines) {
            try add(Vector.b, "a", "a:\(Vector.b)\na:\(Vector.cost6)\n")
        }
    }

    @Test func `deleting takes every line of the user and no other`() throws {
        let text = "a:\(Vector.b)\n#a:\(Vector.b)\nab:x\na\na:y"
        #expect(try delete("a", text) == "#a:\(Vector.b)\nab:x\na\n")
        #expect(try delete("a", "\u{FEFF}a:x\nb:y\n") == "\u{FEFF}b:y\n")
        #expect(try delete("a", "a:x") == "")
    }

    @Test(arguments: ["b", "", "A", "#a"])
    func `who is not there is not deleted`(user: String) {
        #expect(throws: UserFileEditError.noSuchUser) { try delete(user, "a:x\n#a:x\n") }
    }

    @Test(
        arguments: [
            ("", .nameEmpty), ("#a", .nameUnusable), ("a:b", .nameUnusable),
            ("a\nb", .nameUnusable),
            ("a\0", .nameUnusable), ("\u{FEFF}a", .nameUnusable),
            (String(repeating: "u", count: 964), .nameTooLong),
        ] as [(String, UserFileEditError)])
    func `a name that would not come back from the file is refused`(
        user: String, error: UserFileEditError
    ) {
        #expect(throws: error) { try set(Vector.b, user, "") }
        #expect(throws: error) { try add(Vector.b, user, "") }
    }

    @Test(arguments: ["a", " a", "ü", "a#", String(repeating: "u", count: 963)])
    func `what is set is found again`(user: String) throws {
        let file = parse(try set(Vector.cost10, user, others)).file
        #expect(lines(of: user, in: file) == [Vector.cost10])
        #expect(lines(of: "b", in: file) == [Vector.cost6])
    }

    private func set(_ text: String, _ user: String, _ file: String) throws -> String {
        let (user, file) = (Array(user.utf8), Array(file.utf8))
        let edited = try UserFile.set(try hash(text), for: user.span, in: file.span)
        return String(decoding: edited, as: UTF8.self)
    }

    private func add(_ text: String, _ user: String, _ file: String) throws -> String {
        let (user, file) = (Array(user.utf8), Array(file.utf8))
        let edited = try UserFile.add(try hash(text), for: user.span, in: file.span)
        return String(decoding: edited, as: UTF8.self)
    }

    private func delete(_ user: String, _ file: String) throws -> String {
        let (user, file) = (Array(user.utf8), Array(file.utf8))
        let edited = try UserFile.delete(user.span, in: file.span)
        return String(decoding: edited, as: UTF8.self)
    }
}

private func parse(_ text: String) -> (file: UserFile, problems: [UserFileProblem]) {
    UserFile.parse(Array(text.utf8).span)
}

private func lines(of user: String, in file: UserFile) -> [String] {
    file.lines(of: Array(user.utf8).span).map { String(decoding: $0.bytes, as: UTF8.self) }
}
