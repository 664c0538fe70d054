import Admission
import Bytes
import Foundation
import Testing

/// Matches a key, given as a path, with a pattern.
func matches(_ labels: [(String, String)], _ path: String) throws -> Bool {
    let pattern = GroupPattern(labels.map { (Array($0.0.utf8), Array($0.1.utf8)) })
    var key = GroupingKey()
    try key.decode(Array(path.utf8).span, labelsMax: 64)
    return pattern.matches(key)
}

@Suite struct GroupPatternTests {
    @Test(arguments: [
        ("a", "a", true), ("a", "b", false), ("a", "A", false), ("a", "aa", false),
        ("aa", "a", false), ("*", "a", true), ("*", "a*b", true), ("**", "a", true),
        ("a*", "a", true), ("a*", "ab", true), ("a*", "ba", false), ("*a", "a", true),
        ("*a", "ba", true), ("*a", "ab", false), ("*a*", "bab", true), ("*a*", "bbb", false),
        ("a*b", "ab", true), ("a*b", "acb", true), ("a*b", "acbc", false), ("a*b", "abab", true),
        // The two ends may not share a byte.
        ("a*a", "a", false), ("a*a", "aa", true), ("ab*ba", "aba", false), ("ab*ba", "abba", true),
        ("ab*b*ba", "abba", false), ("ab*b*ba", "abbba", true),
        // What follows a star is found although a part of it came before.
        ("*aab", "aaab", true), ("*aab*", "aaabx", true), ("*abab*c", "abaababc", true),
        ("*aabaaa*", "aabaabaaa", true), ("*aabaaa*", "aabaabaab", false),
        ("a*b*c", "aXbYc", true), ("a*b*c", "aXcYb", false), ("a**b", "ab", true),
        ("***a***b***", "ab", true), ("***a***b***", "ba", false), ("*ab*ab*", "ab", false),
        ("*ab*ab*", "abab", true), ("*ab*ba*", "aba", false),
        // Nothing but the star is special.
        ("a?", "ab", false), ("a?", "a?", true), ("[ab]", "a", false), ("a.b", "aXb", false),
        ("a\\*", "a*", false), ("a\\*", "a\\x", true), ("a.*", "a.", true), ("(a|b)", "a", false),
        ("^a$", "a", false), ("%61", "a", false), ("a/b", "a/b", true), ("a/*", "a/b/c", true),
        // Bytes are compared, not what they look like.
        ("é", "é", true), ("é", "e\u{301}", false), ("*é", "caf\u{E9}", true), ("関*", "関門", true),
        ("*\u{301}", "e\u{301}", true), ("ß", "SS", false), ("ﬁ", "fi", false),
    ])
    func `a star is any run and everything else is itself`(
        pattern: String, value: String, isMatch: Bool
    ) throws {
        let base64 = urlSafeBase64(value)
        #expect(try matches([("job", pattern)], "/metrics/job@base64/\(base64)") == isMatch)
        #expect(try matches([("l", pattern)], "/metrics/job/x/l@base64/\(base64)") == isMatch)
        guard !value.contains("/") else { return }
        let encoded = percentEncoded(value)
        #expect(try matches([("job", pattern)], "/metrics/job/\(encoded)/") == isMatch)
        #expect(try matches([("l", pattern)], "/metrics/job/x/l/\(encoded)") == isMatch)
    }

    @Test func `a pattern agrees with the plain definition wherever chance leads`() throws {
        var chance = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let letters = Array("aab**".utf8)
            let length = Int.random(in: 1...9, using: &chance)
            let pattern = (0..<length).compactMap { _ in letters.randomElement(using: &chance) }
            let value = (0..<Int.random(in: 1...12, using: &chance))
                .map { _ in Bool.random(using: &chance) ? UInt8(ascii: "a") : UInt8(ascii: "b") }
            var key = GroupingKey()
            try key.decode(Array("/metrics/job/".utf8 + value).span, labelsMax: 1)
            let isMatch = GroupPattern([(Array("job".utf8), pattern)]).matches(key)
            #expect(
                isMatch == Self.isMatch(pattern[...], value[...]),
                "\(String(decoding: pattern, as: UTF8.self)) \(String(decoding: value, as: UTF8.self))"
            )
        }
    }

    /// The definition, without any thought for time.
    private static func isMatch(_ pattern: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> Bool {
        guard let first = pattern.first else { return value.isEmpty }
        if first == UInt8(ascii: "*") {
            return (value.startIndex...value.endIndex).contains { start in
                isMatch(pattern.dropFirst(), value[start...])
            }
        }
        return value.first == first && isMatch(pattern.dropFirst(), value.dropFirst())
    }

    @Test(
        .timeLimit(.minutes(10)),
        arguments: [
            String(repeating: "a*", count: 500) + "b", String(repeating: "*a", count: 500) + "b",
            "*" + String(repeating: "a", count: 1000) + "b*",
            String(repeating: "*" + String(repeating: "a", count: 30) + "b", count: 30) + "*",
            String(repeating: "*", count: 1000) + "b",
        ])
    func `no pattern and no value make it go back`(pattern: String) throws {
        let labels = GroupPattern([(Array("job".utf8), Array(pattern.utf8))])
        var key = GroupingKey()
        let value = Array(repeating: UInt8(ascii: "a"), count: 65_536)
        try key.decode(Array("/metrics/job/".utf8 + value).span, labelsMax: 1)
        let clock = ContinuousClock()
        var matchCount = 0
        let time = clock.measure { for _ in 0..<50 { matchCount += labels.matches(key) ? 1 : 0 } }
        #expect(matchCount == 0)
        // Each byte takes some nanoseconds; a second look at each would take minutes.
        #expect(time < .seconds(20))
    }

    static let keys = [
        "/metrics/job/a", "/metrics/job/a/instance/h1", "/metrics/job/a/b/2/instance/h1/z/3",
        "/metrics/job/b/instance/h1", "/metrics/job/a/instance@base64/=",
        "/metrics/job/instance/h1/h1",
    ]

    @Test(
        arguments: [
            ([("job", "a")], [true, true, true, false, true, false]),
            ([("job", "*")], [true, true, true, true, true, true]),
            ([("instance", "*")], [false, true, true, true, false, false]),
            ([("instance", "h1")], [false, true, true, true, false, false]),
            ([("instance", "h2")], [false, false, false, false, false, false]),
            ([("job", "a"), ("instance", "h*")], [false, true, true, false, false, false]),
            ([("instance", "h*"), ("job", "a")], [false, true, true, false, false, false]),
            ([("z", "3"), ("b", "2")], [false, false, true, false, false, false]),
            ([("z", "3"), ("b", "3")], [false, false, false, false, false, false]),
            (
                [("b", "*"), ("instance", "*"), ("z", "*")],
                [false, false, true, false, false, false]
            ),
            ([("a", "*"), ("b", "2")], [false, false, false, false, false, false]),
            ([("zz", "*")], [false, false, false, false, false, false]),
            ([("h1", "*")], [false, false, false, false, false, true]),
            ([("Instance", "*")], [false, false, false, false, false, false]),
            ([("instanc", "*")], [false, false, false, false, false, false]),
            ([("instance_", "*")], [false, false, false, false, false, false]),
        ] as [([(String, String)], [Bool])])
    func `every label listed has to be there and match, and others are free`(
        labels: [(String, String)], expected: [Bool]
    ) throws {
        #expect(try Self.keys.map { try matches(labels, $0) } == expected)
    }
}

func urlSafeBase64(_ value: String) -> String {
    Data(value.utf8).base64EncodedString()
        .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
}

/// Every byte escaped, in lower case.
func percentEncoded(_ value: String) -> String {
    value.utf8.map { "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}
