import Exposition
import Foundation
import Testing

/// What is found out about a body, by whichever way.
private struct Outcome: Equatable {
    var verdict: Verdict
    var families: [Family] = []

    struct Family: Equatable {
        let key: FamilyKey
        let type: FamilyType
    }
}

/// Rules and a group, and the two ways to a verdict under them.
private struct Court {
    var rules = Rules()
    var group: KeyValuePairs<String, String> = ["job": "x", "instance": "a"]

    /// A validator alone, which is what counts.
    func judge(_ body: [UInt8]) -> Outcome { judge(body, following: nil).outcome }

    /// A precedent, and the validator from where a body departs from that.
    func judge(
        _ body: [UInt8], following precedent: Precedent?, cuts: [Int] = []
    ) -> (outcome: Outcome, followed: Bool) {
        var validator = begin()
        var walk = Precedent.Walk()
        var isFollowed = precedent != nil
        for end in cuts + [body.count] {
            // Memory of its own: nothing may be kept but offsets.
            let arrived = Array(body[..<end])
            let isComplete = end == body.count
            if isFollowed, let precedent {
                isFollowed = precedent.isFollowed(
                    by: arrived.span, isComplete: isComplete, &walk)
            }
            if !isFollowed { validator.validate(arrived.span, isComplete: isComplete) }
        }
        guard isFollowed, let precedent else { return (outcome(of: validator), false) }
        var outcome = Outcome(verdict: Verdict(complaints: [], summary: precedent.summary))
        precedent.forEachFamily { outcome.families.append(.init(key: $0, type: $1)) }
        return (outcome, true)
    }

    func precedent(_ body: [UInt8]) -> Precedent? {
        var validator = begin()
        validator.validate(body.span, isComplete: true)
        return Precedent(validator, of: body.span)
    }

    private func begin() -> Validator {
        var validator = Validator(rules: rules)
        for (name, value) in group { validator.group.append(name: name, value: value) }
        return validator
    }

    private func outcome(of validator: borrowing Validator) -> Outcome {
        let verdict = Verdict(complaints: validator.complaints, summary: validator.summary)
        var outcome = Outcome(verdict: verdict)
        // Of a wrong body the families are nobody's business.
        guard verdict.isValid else { return outcome }
        validator.forEachFamily { outcome.families.append(.init(key: $0, type: $1)) }
        return outcome
    }
}

/// Variants of a body, the same in each run.
private struct Variants {
    var random: MemoryNumbers
    let body: [UInt8]

    static let goodValues = [
        "0", "1", "-1", "-0", "+7", "12.5", ".5", "5.", "NaN", "nAn", "+Inf", "-inf", "infinity",
        "1e9", "-2.5E-3", "1e+06", "-1e-400", "123456789012345678901234567890",
        String(repeating: "9", count: 64), String(repeating: "9", count: 65),
    ]
    static let badValues = [
        "", " ", "x", "1 2", "1 ", "1\t", "1e400", "-1e400", "0x1", "1_0", "1e", "--1", "+NaN",
        "1}", "}", "1\r", "\"1\"", "1\n2", "#", "1.2.3", "é", "\0",
        String(repeating: "9", count: 400),
    ]

    mutating func next() -> [UInt8] {
        switch number(9) {
        case 0, 1, 2: withValues(from: Self.goodValues, each: true)
        case 3: withValues(from: Self.goodValues, each: false)
        case 4: withValues(from: Self.goodValues + Self.badValues, each: false)
        case 5: withBytes()
        case 6: withLines()
        case 7: Array(body.prefix(number(body.count)))
        default: withBlank()
        }
    }

    mutating func cuts(of count: Int) -> [Int] {
        (0..<number(5)).map { _ in number(count) }.sorted()
    }

    /// Up to `max`.
    private mutating func number(_ max: Int) -> Int { Int.random(in: 0...max, using: &random) }

    private var lines: [ArraySlice<UInt8>] {
        body.split(separator: 0x0A, omittingEmptySubsequences: false)
    }

    private mutating func withValues(from values: [String], each: Bool) -> [UInt8] {
        let lines = lines
        let only = number(lines.count - 1)
        let changed = lines.enumerated().map { index, line in
            let isSample = line.first { $0 != 0x20 && $0 != 0x09 }.map { $0 != 0x23 } ?? false
            guard isSample, each ? number(3) > 0 : index == only,
                let last = line.lastIndex(where: { $0 == 0x20 || $0 == 0x09 || $0 == 0x7D })
            else { return line }
            return line[...last] + Array(random.pick(values).utf8)
        }
        return Array(changed.joined(separator: [0x0A]))
    }

    private mutating func withBytes() -> [UInt8] {
        var bytes = body
        for _ in 0...number(2) where !bytes.isEmpty {
            let place = number(bytes.count - 1)
            switch number(3) {
            case 0: bytes.remove(at: place)
            case 1: bytes.insert(bytes[number(bytes.count - 1)], at: place)
            case 2: bytes[place] = UInt8(number(255))
            default: bytes[place] ^= 1 << UInt8(number(7))
            }
        }
        return bytes
    }

    private mutating func withLines() -> [UInt8] {
        var lines = lines
        let place = number(lines.count - 1)
        switch number(3) {
        case 0: lines.swapAt(place, number(lines.count - 1))
        case 1: lines.remove(at: place)
        case 2: lines.insert(lines[number(lines.count - 1)], at: place)
        default: lines.insert([], at: place)
        }
        return Array(lines.joined(separator: [0x0A]))
    }

    private mutating func withBlank() -> [UInt8] {
        var bytes = body
        // Often around a line feed, where blanks may mean something.
        let feeds = bytes.indices.filter { bytes[$0] == 0x0A }
        let isAnywhere = feeds.isEmpty || number(2) == 0
        let place = isAnywhere ? number(bytes.count) : feeds[number(feeds.count - 1)] + number(1)
        bytes.insert(number(1) == 0 ? 0x20 : 0x09, at: place)
        return bytes
    }
}

private typealias MemoryNumbers = `What is known of the line before`.Numbers

@Suite struct `A precedent` {
    static let bodies =
        CorpusBody.all(in: CorpusBody.own.appending(path: "accepted"))
        + CorpusBody.all(in: CorpusBody.shared.appending(path: "valid"))

    /// A label of a body that differs from the group's is overwritten in one of them, and lines may be
    /// hardly longer than the longest of the body in another.
    private static func courts(for body: [UInt8], _ random: inout MemoryNumbers) -> [Court] {
        var overwriting = Court()
        overwriting.rules.labelConflicts = .overwritten
        overwriting.rules.allowsUTF8Names = true
        var tight = Court(group: [:])
        let longest = body.split(separator: 0x0A).map(\.count).max() ?? 0
        tight.rules.lineBytesMax = longest + Int.random(in: 0...70, using: &random)
        return [Court(), overwriting, tight]
    }

    @Test func `says what a validator says of whatever comes after it`() throws {
        var (precedents, followers, departures) = (0, 0, 0)
        for (index, file) in Self.bodies.enumerated() {
            let body = try file.bytes()
            guard body.count <= 64 << 10 else { continue }
            var variants = Variants(random: .init(state: UInt64(index)), body: body)
            for court in Self.courts(for: body, &variants.random) {
                guard let precedent = court.precedent(body) else { continue }
                precedents += 1
                for _ in 0..<(body.count > 2000 ? 12 : 60) {
                    let variant = variants.next()
                    let cuts = variants.cuts(of: variant.count)
                    let told = court.judge(variant, following: precedent, cuts: cuts)
                    try #require(
                        told.outcome == court.judge(variant),
                        """
                        \(file.name), followed: \(told.followed), cut at \(cuts):
                        \(String(decoding: variant.prefix(2000), as: UTF8.self))
                        """)
                    if told.followed { followers += 1 } else { departures += 1 }
                }
            }
        }
        // Otherwise nothing was shown.
        #expect(precedents > 150)
        #expect(followers > 1000)
        #expect(departures > 1000)
    }

    private static let body = """
        # HELP h Of all.
        # TYPE h histogram
        h_bucket{le="1"} 1
        h_bucket{le="+Inf"} 2
        h_sum -3
        h_count 2
        # TYPE g gauge
        g{a="b } 1"}5

        \t{"g",a="c"}\t7

        """

    private func follows(_ other: String, _ body: String = Self.body) throws -> Bool {
        let court = Court()
        let precedent = try #require(court.precedent(Array(body.utf8)))
        let told = court.judge(Array(other.utf8), following: precedent)
        #expect(told.outcome == court.judge(Array(other.utf8)))
        return told.followed
    }

    private func follows(with changed: String, for line: String) throws -> Bool {
        try #require(Self.body.contains(line + "\n"))
        let other = Self.body.replacing(line + "\n", with: changed + "\n")
        return try follows(other)
    }

    @Test(arguments: [
        ("h_sum -3", "h_sum -4.25"), ("h_sum -3", "h_sum 4"), ("h_sum -3", "h_sum NaN"),
        ("h_count 2", "h_count 1234567890123456789"), ("h_count 2", "h_count -0"),
        ("g{a=\"b } 1\"}5", "g{a=\"b } 1\"}+Inf"),
        ("\t{\"g\",a=\"c\"}\t7", "\t{\"g\",a=\"c\"}\t1e-3"),
    ])
    func `is followed by other values`(line: String, changed: String) throws {
        #expect(try follows(with: changed, for: line))
    }

    @Test(arguments: [
        ("h_count 2", "h_count -2"), ("h_bucket{le=\"1\"} 1", "h_bucket{le=\"1\"} -1"),
        ("h_count 2", "h_count 2 5"), ("h_count 2", "h_count 2 "), ("h_count 2", "h_count  2"),
        ("h_count 2", "h_count x"), ("h_count 2", "h_count"), ("h_count 2", "h_count 1e400"),
        ("h_count 2", "h_count 2\r"), ("h_count 2", "h_count 2\nx 1"), ("h_count 2", "h_count 2\n"),
        ("h_count 2", "h_count " + String(repeating: "1", count: 65)),
        ("h_bucket{le=\"1\"} 1", "h_bucket{le=\"2\"} 1"), ("# HELP h Of all.", "# HELP h Of al."),
        ("# TYPE g gauge", "# TYPE g counter"), ("g{a=\"b } 1\"}5", "g{a=\"b } 2\"}5"),
    ])
    func `is not followed by another text`(line: String, changed: String) throws {
        #expect(try !follows(with: changed, for: line))
    }

    @Test func `is followed to its end, and not beyond`() throws {
        #expect(try follows(Self.body))
        #expect(try !follows(Self.body + " "))
        #expect(try !follows(Self.body + "x 1\n"))
        #expect(try !follows(String(Self.body.dropLast())))
        #expect(try !follows(""))
        let trailed = Self.body + "# The end.\n\t"
        #expect(try follows(trailed, trailed))
        #expect(try !follows(Self.body, trailed))
    }

    @Test func `without a histogram takes any sign`() throws {
        let body = "# TYPE s summary\ns_count 1\ns{quantile=\"1\"} 2\ng 3\n"
        #expect(try follows("# TYPE s summary\ns_count -1\ns{quantile=\"1\"} -2\ng -3\n", body))
    }

    @Test(arguments: [
        "", "\n", "# HELP a b\n", "a 1", "a x\n", "a 1 5\n", "a+1\n", "a 1\nb.5\n",
        "a 1\na 1\n",
    ])
    func `is made of right bodies with samples, whose values are clear`(body: String) {
        #expect(Court().precedent(Array(body.utf8)) == nil)
    }

    @Test func `is not made of half a body, of what was read by the grammar, or of protobuf`() {
        let body = Array("a 1\n".utf8)
        var validator = Validator()
        #expect(Precedent(validator, of: body.span) == nil)
        validator.validate(body.span, isComplete: false)
        #expect(Precedent(validator, of: body.span) == nil)
        validator.validate(body.span, isComplete: true)
        #expect(Precedent(validator, of: body.span) != nil)

        #expect(Court(rules: .grammar).precedent(body) == nil)
        var protobuf = Validator()
        protobuf.reset(for: .delimitedProtobuf)
        protobuf.validate([UInt8]().span, isComplete: true)
        #expect(Precedent(protobuf, of: [UInt8]().span) == nil)
    }

    @Test func `is kept within its bounds`() throws {
        let line = "a{b=\"\(String(repeating: "c", count: 1000))\"} 1\n"
        let count = Precedent.bodyBytesMax / line.utf8.count
        let lines = (0...count).map { line.replacing("a{", with: "a\($0){") }
        let court = Court()
        #expect(court.precedent(Array(lines.joined().utf8)) == nil)
        let most = lines.dropLast(5).joined()
        let precedent = try #require(court.precedent(Array(most.utf8)))
        #expect(court.judge(Array(most.utf8), following: precedent).followed)
        #expect((most.utf8.count..<most.utf8.count + 64 * count).contains(precedent.storageBytes))
        let values = String(repeating: "1", count: 60) + "\n"
        let longer = Array(most.replacing(" 1\n", with: " " + values).utf8)
        #expect(longer.count > Precedent.bodyBytesMax)
        #expect(!court.judge(longer, following: precedent).followed)
    }

    @Test func `speaks of one group only`() throws {
        let precedent = try #require(Court().precedent(Array("a 1\n".utf8)))
        let groups: [(KeyValuePairs<String, String>, Bool)] = [
            (["job": "x", "instance": "a"], true), (["job": "x", "instance": "b"], false),
            (["job": "x"], false), (["job": "x", "instance": "a", "b": "c"], false),
            (["job": "xi", "nstance": "a"], false), (["jobx": "i", "nstance": "a"], false),
            ([:], false),
        ]
        for (labels, isSame) in groups {
            var group = GroupLabels()
            for (name, value) in labels { group.append(name: name, value: value) }
            #expect(precedent.isFor(group) == isSame, "\(labels)")
        }
    }
}
