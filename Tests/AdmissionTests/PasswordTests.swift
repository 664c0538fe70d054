import Admission
import Bytes
import Testing

/// Hashes made with `htpasswd -nbB` and with crypt(3), so that what is right here is what is right
/// elsewhere. Where the name does not say another password, it is "correct horse".
enum Vector {
    static let htpasswd = "$2y$04$GiKs0eVDpgMTcf4itybPW.hy83MTdmXnw7Shz72hfIEBL1eQ1m6Ja"
    static let htpasswdDefaultCost = "$2y$05$8xzYF41nJbW1bqSy9g1VHemkLwd1Pw9okJzNQlQcwzfrt562b4fS6"
    static let a = "$2a$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
    static let b = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
    static let y = "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
    static let umlauts = "$2b$04$abcdefghijklmnopqrstuuyx2n0Zzopyr9QuYTMCfOJJOj526QVoC"
    static let highBytesA = "$2a$04$abcdefghijklmnopqrstuuZQhQBRpiYJCaQFgyHlB.t/F01cqLCIu"
    static let highBytesY = "$2y$04$abcdefghijklmnopqrstuuMOaOTHB4gEm.rriBjXNwBNh.Oc4mKGG"
    static let seventyTwo = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i"
    static let singleP = "$2b$04$abcdefghijklmnopqrstuudMegMbPN37MbpdEfAtP66w1z0RBCtLG"
    static let empty = "$2b$04$abcdefghijklmnopqrstuubyCG3zY1GIXMyxfivm.ClDiInHzxjiq"
    static let batteryStapleCost5 = "$2b$05$abcdefghijklmnopqrstuumjewjQVmxxbBHy234HdGTOAqOuVnhhy"
    static let cost6 = "$2b$06$abcdefghijklmnopqrstuud/5IuQmqhVO0kfNEbHJM.fJkPiliBzC"
    static let cost10 = "$2b$10$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu"
}

func hash(_ text: String) throws -> PasswordHash { try PasswordHash(Array(text.utf8).span) }

@Suite struct PasswordHashTests {
    @Test(arguments: [
        (Vector.htpasswd, 4), (Vector.htpasswdDefaultCost, 5), (Vector.a, 4), (Vector.b, 4),
        (Vector.cost10, 10), ("$2b$14$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu", 14),
    ])
    func `a bcrypt hash of cost 4 to 14 is taken as it is`(text: String, cost: Int) throws {
        let hash = try hash(text)
        #expect(hash.cost == cost)
        #expect(hash.bytes == Array(text.utf8))
        #expect(hash.work == 1 << UInt64(cost))
    }

    private static let tail = "abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"

    @Test(
        arguments: [
            ("$2x$04$" + tail, .variantUnsupported), ("$2$04$" + tail, .variantUnsupported),
            ("$2c$04$" + tail, .variantUnsupported), ("$2z$04$" + tail, .variantUnsupported),
            ("$2B$04$" + tail, .variantUnsupported), ("$2", .variantUnsupported),
            ("$$2y$$04$$" + tail, .dollarsDoubled),
            ("$apr1$abcdefgh$Zx0Q0sUq3yTpXn5hQ1lJx/", .otherScheme("MD5")),
            ("$1$abcdefgh$Zx0Q0sUq3yTpXn5hQ1lJx/", .otherScheme("MD5")),
            ("{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=", .otherScheme("SHA-1")),
            ("{PLAIN}hunter2", .otherScheme("plain text")), ("$6$salt$x", .otherScheme("SHA-2")),
            ("$5$salt$x", .otherScheme("SHA-2")), ("$y$j9T$x$y", .otherScheme("another scheme")),
            ("{CRYPT}x", .otherScheme("another scheme")),
            (String(repeating: "x", count: 60), .otherScheme("another scheme")),
            ("rl.3StKT.4T8M", .dollarsMissing(13)), ("*0", .dollarsMissing(2)),
            ("*1", .dollarsMissing(2)), ("", .dollarsMissing(0)),
            (tail, .dollarsMissing(53)), ("$2y$", .wrongLength(4)),
            (String(Vector.b.dropLast()), .wrongLength(59)), (Vector.b + "x", .wrongLength(61)),
            (Vector.b + " ", .wrongLength(61)), ("$2b$4$" + tail + "x", .costMissing),
            ("$2b$0x$" + tail, .costMissing), ("$2b$040" + tail, .costMissing),
            ("$2b$-4$" + tail, .costMissing), ("$2b$ 4$" + tail, .costMissing),
            ("$2b$03$" + tail, .costOutOfRange(3)), ("$2b$15$" + tail, .costOutOfRange(15)),
            ("$2b$31$" + tail, .costOutOfRange(31)), ("$2b$99$" + tail, .costOutOfRange(99)),
            ("$2b$00$" + tail, .costOutOfRange(0)),
            (Vector.b.replacing("abcdef", with: "abc*ef"), .characterInvalid(10)),
            (Vector.b.replacing("stuuj", with: "stuvj"), .characterInvalid(28)),
            (Vector.b.replacing("LQc6e", with: "LQc6f"), .characterInvalid(59)),
            (Vector.b.replacing("LQc6e", with: "LQ:6e"), .characterInvalid(57)),
            (Vector.b.replacing("LQc6e", with: "LQ\0\0e"), .characterInvalid(57)),
        ] as [(String, PasswordHashError)])
    func `what libxcrypt could not verify, or should not, is refused`(
        text: String, error: PasswordHashError
    ) {
        #expect(throws: error) { try hash(text) }
        #expect(!error.sentence.contains(Self.tail))
    }

    /// The last characters of salt and digest have spare bits; a wrong guess about them would
    /// refuse good hashes or take dead ones. libxcrypt itself is the judge.
    @Test func `exactly the hashes that can match their own password are taken`() throws {
        let digits = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        var checker = PasswordChecker()
        var takenCount = 0
        for digit in digits {
            guard let taken = try? hash(Vector.b.replacing("stuuj", with: "stu\(digit)j")) else {
                continue
            }
            takenCount += 1
            let password = Array("correct horse".utf8)
            let isRight = checker.verify(password.span, against: [taken], work: 16) != nil
            #expect(isRight == (digit == "u"))
        }
        #expect(takenCount == 4)
        #expect(
            digits.filter { (try? hash(String(Vector.b.dropLast()) + "\($0)")) != nil }.count == 16)
    }

    @Test func `a hash does not show itself in a text`() throws {
        let hash = try hash(Vector.b)
        #expect("\(hash)" == "bcrypt hash of cost 4")
        #expect(String(reflecting: hash) == "bcrypt hash of cost 4")
    }
}

@Suite struct PasswordCheckerTests {
    @Test(arguments: [
        (Vector.htpasswd, Array("correct horse".utf8)),
        (Vector.htpasswdDefaultCost, Array("correct horse".utf8)),
        (Vector.a, Array("correct horse".utf8)), (Vector.b, Array("correct horse".utf8)),
        (Vector.y, Array("correct horse".utf8)), (Vector.umlauts, Array("pässwörd".utf8)),
        (Vector.highBytesA, [0xFF, 0xFF, 0xA3]), (Vector.highBytesY, [0xFF, 0xFF, 0xA3]),
        (Vector.seventyTwo, [UInt8](repeating: 0x78, count: 72)), (Vector.singleP, [0x70]),
        (Vector.cost6, Array("correct horse".utf8)),
    ])
    func `the right password is right`(text: String, password: [UInt8]) throws {
        var checker = PasswordChecker()
        let line = try hash(text)
        let isRight = checker.verify(password.span, against: [line], work: line.work) != nil
        #expect(isRight)
        #expect(checker.workDone == line.work)
        #expect(checker.failureCount == 0)
    }

    @Test(arguments: [
        (Vector.b, Array("correct horsf".utf8)), (Vector.b, Array("correct hors".utf8)),
        (Vector.b, Array("Correct horse".utf8)), (Vector.b, Array("correct horse\0".utf8)),
        (Vector.singleP, Array("p\0junk".utf8)), (Vector.singleP, [0]),
        (Vector.seventyTwo, [UInt8](repeating: 0x78, count: 71)),
        (Vector.seventyTwo, [UInt8](repeating: 0x78, count: 73)),
        (Vector.seventyTwo, [UInt8](repeating: 0x78, count: 5000)),
        (Vector.empty, []), (Vector.empty, [0]), (Vector.b, Array(Vector.b.utf8)),
        (Vector.umlauts, Array("pa\u{308}sswo\u{308}rd".utf8)), (Vector.b, Array("decoy".utf8)),
    ])
    func `a wrong, cut, over-long or NUL-holding password is wrong, for the same work`(
        text: String, password: [UInt8]
    ) throws {
        var checker = PasswordChecker()
        let line = try hash(text)
        let isRight = checker.verify(password.span, against: [line], work: 112) != nil
        #expect(!isRight)
        #expect(checker.workDone == 112)
    }

    @Test(arguments: [
        [], [Vector.b], [Vector.htpasswdDefaultCost], [Vector.b, Vector.batteryStapleCost5],
        [Vector.b, Vector.b], [Vector.cost6], [Vector.cost6, Vector.batteryStapleCost5],
        [Vector.cost6, Vector.cost6],
    ])
    func `every user costs the same, known or not`(texts: [String]) throws {
        var checker = PasswordChecker()
        let lines = try texts.map(hash)
        for password in ["correct horse", "wrong", String(repeating: "x", count: 73), "a\0b"] {
            let before = checker.workDone
            _ = checker.verify(Array(password.utf8).span, against: lines, work: 128)
            #expect(checker.workDone - before == 128)
        }
        #expect(checker.failureCount == 0)
    }

    @Test(arguments: ["correct horse", "battery staple"])
    func `both lines of a user are valid, in either order`(password: String) throws {
        var checker = PasswordChecker()
        let lines = try [Vector.b, Vector.batteryStapleCost5].map(hash)
        let place = password == "correct horse" ? 0 : 1
        for (lines, expected) in [(lines, place), (lines.reversed(), 1 - place)] {
            let line = checker.verify(Array(password.utf8).span, against: lines, work: 48)
            #expect(line == expected)
        }
        #expect(checker.workDone == 96)
    }

    @Test func `a password that matches nobody's line is never right`() throws {
        var checker = PasswordChecker()
        let isRight = checker.verify(Array("correct horse".utf8).span, against: [], work: 16) != nil
        #expect(!isRight)
        let isDecoyRight = checker.verify(Array("decoy".utf8).span, against: [], work: 0) != nil
        #expect(!isDecoyRight)
        #expect(checker.workDone == 16)
    }
}

@Suite struct PasswordMakingTests {
    @Test(arguments: ["p", "correct horse", "pässwörd", String(repeating: "x", count: 72)])
    func `a new hash verifies its password and is of its own salt`(password: String) throws {
        let bytes = Array(password.utf8)
        let made = try PasswordHash(making: bytes.span, cost: 4)
        let again = try PasswordHash(making: bytes.span, cost: 4)
        #expect(made.bytes.starts(with: "$2b$04$".utf8))
        #expect(made != again)
        var checker = PasswordChecker()
        let isRight = checker.verify(bytes.span, against: [made], work: 16) != nil
        let other = Array("another".utf8)
        let isOtherRight = checker.verify(other.span, against: [made], work: 16) != nil
        #expect(isRight && !isOtherRight)
    }

    @Test(
        arguments: [
            ("", 4, .empty), (String(repeating: "x", count: 73), 4, .tooLong),
            ("a\0b", 4, .holdsNUL),
            ("p", 3, .costOutOfRange), ("p", 15, .costOutOfRange), ("p", -1, .costOutOfRange),
        ] as [(String, Int, PasswordMakingError)])
    func `no hash is made of what could not be verified`(
        password: String, cost: Int, error: PasswordMakingError
    ) {
        #expect(throws: error) { try PasswordHash(making: Array(password.utf8).span, cost: cost) }
    }
}
