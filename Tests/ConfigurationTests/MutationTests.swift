import Configuration
import Testing

/// Damage to good files, the same in every run: whatever it does, reading ends with an answer.
@Suite struct MutationTests {
    /// SplitMix64: small, and the same everywhere.
    struct Chance: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
            return value ^ value >> 31
        }
    }

    static let pieces = [
        "&a ", "*a", "!!int ", "!x", "<<: ", "---\n", "...\n", "%YAML 1.1\n", "\t", "\n", ": ",
        "- ",
        "[", "]", "{", "}", "\"", "'", "|\n", ">-\n", "? ", "#", ",", "\\", "\u{0}", "\u{FEFF}",
        "é",
        "~", "99999999999999999999", "h1", "  ", "\r", "\u{2028}", "http://[", "@", "-", "GiB", "0",
    ].map { Array($0.utf8) }

    static func damage(_ bytes: inout [UInt8], _ chance: inout Chance) {
        for _ in 0..<Int.random(in: 1...4, using: &chance) {
            let place = Int.random(in: 0...bytes.count, using: &chance)
            let end = min(bytes.count, place + Int.random(in: 0...12, using: &chance))
            switch Int.random(in: 0..<5, using: &chance) {
            case 0: bytes.removeSubrange(place..<end)
            case 1: bytes.insert(contentsOf: bytes[place..<end], at: 0)
            case 2: bytes.insert(UInt8.random(in: 0...255, using: &chance), at: place)
            case 3: bytes.removeSubrange(place...)
            default:
                let piece = pieces.randomElement(using: &chance) ?? []
                bytes.insert(contentsOf: piece, at: place)
            }
        }
    }

    @Test(arguments: [CorpusTests.sample, "everything.good.yml", "unknown-keys.bad.yml"])
    func `a damaged file is read or refused, never more`(name: String) throws {
        let original = try CorpusTests.bytes(name)
        var chance = Chance(state: 20_261_121)
        var accepted = 0
        for _ in 0..<600 {
            var bytes = original
            Self.damage(&bytes, &chance)
            let (configuration, problems) = Configuration.read(bytes, named: "f")
            let hasError = problems.contains { $0.severity == .error }
            #expect((configuration == nil) == hasError)
            #expect(problems.map(\.position) == problems.map(\.position).sorted())
            for problem in problems {
                #expect(problem.line >= 1 && problem.column >= 1)
                #expect(problem.message.utf8.count < 1000)
                #expect(problem.message.unicodeScalars.allSatisfy { $0.value >= 0x20 })
            }
            if configuration != nil { accepted += 1 }
        }
        #expect((accepted > 0) == !name.hasSuffix(".bad.yml"))
    }
}
