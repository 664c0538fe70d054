@testable import Catalogue
import Bytes
import Testing

@Suite struct JSONTokensTests {
    /// All tokens, those with text as `token text`.
    private func tokens(
        _ json: [UInt8], pieces: [Int] = [], textBytesMax: Int = 100
    ) throws(JSONError) -> [String] {
        var reader = JSONTokens(textBytesMax: textBytesMax)
        var all: [String] = []
        var start = 0
        for end in pieces + [json.count] {
            let piece = json.span.extracting(start..<end)
            var offset = 0
            while let token = try reader.next(piece, &offset) {
                switch token {
                case .key, .string, .number:
                    let text = reader.text.map { $0 == 0xFF ? "LOST" : "" }.joined()
                    all.append("\(token) " + String(decoding: reader.text.span) + text)
                default: all.append("\(token)")
                }
            }
            start = end
        }
        guard reader.isAtEnd else { throw .cut }
        return all
    }

    static let accepted: [(json: String, tokens: [String])] = [
        ("{}", ["objectStart", "objectEnd"]),
        (" \t\r\n[ ] ", ["arrayStart", "arrayEnd"]),
        (#"{"a":"b"}"#, ["objectStart", "key a", "string b", "objectEnd"]),
        (#"{"":""}"#, ["objectStart", "key ", "string ", "objectEnd"]),
        ("[true,false,null]", ["arrayStart", "true", "false", "null", "arrayEnd"]),
        (
            "[0,-0,1.5,-1e9,2E+10,3e-7]",
            [
                "arrayStart", "number 0", "number -0", "number 1.5", "number -1e9",
                "number 2E+10", "number 3e-7", "arrayEnd",
            ]
        ),
        (
            "[[],{},[[1]]]",
            [
                "arrayStart", "arrayStart", "arrayEnd", "objectStart", "objectEnd",
                "arrayStart", "arrayStart", "number 1", "arrayEnd", "arrayEnd", "arrayEnd",
            ]
        ),
        (
            #"["\"\\\/\b\f\n\r\t"]"#, ["arrayStart", "string \"\\/\u{8}\u{C}\n\r\t", "arrayEnd"]
        ),
        (
            #"["\u0041\u00e9\u20AC\uD83d\uDe00"]"#,
            ["arrayStart", "string A\u{E9}\u{20AC}\u{1F600}", "arrayEnd"]
        ),
        (#"["\u0000\u001f"]"#, ["arrayStart", "string \u{0}\u{1F}", "arrayEnd"]),
        (#"["é€😀"]"#, ["arrayStart", "string é€😀", "arrayEnd"]),
        ("[\"\u{FFFD}\"]", ["arrayStart", "string \u{FFFD}", "arrayEnd"]),
        (#"["x\ufffdé\uFFFD"]"#, ["arrayStart", "string x\u{FFFD}é\u{FFFD}LOSTLOST", "arrayEnd"]),
    ]

    @Test(arguments: accepted)
    func `JSON gives its tokens, wherever it is split`(json: String, tokens: [String]) throws {
        let bytes = Array(json.utf8)
        for first in 0...bytes.count {
            #expect(try self.tokens(bytes, pieces: [first]) == tokens)
        }
        #expect(try self.tokens(bytes, pieces: Array(0..<bytes.count)) == tokens)
    }

    static let refused: [(json: String, error: JSONError)] = [
        ("", .cut), (" ", .cut), ("{", .cut), ("[", .cut), ("[1", .cut), (#"{"a"#, .cut),
        (#"{"a":"#, .cut), (#"["\"#, .cut), (#"["\u00"#, .cut), ("[tru", .cut),
        ("1", .unexpected(0x31)), (#""a""#, .unexpected(0x22)), ("]", .unexpected(0x5D)),
        ("{]", .unexpected(0x5D)), ("[}", .unexpected(0x7D)), ("[1}", .unexpected(0x7D)),
        (#"{"a":1]"#, .unexpected(0x5D)), ("{1:2}", .unexpected(0x31)),
        ("{,}", .unexpected(0x2C)), ("[,]", .unexpected(0x2C)), ("[1,]", .unexpected(0x5D)),
        (#"{"a":1,}"#, .unexpected(0x7D)), (#"{"a"}"#, .unexpected(0x7D)),
        (#"{"a":}"#, .unexpected(0x7D)), (#"{"a" 1}"#, .unexpected(0x31)),
        ("[1 2]", .unexpected(0x32)), ("[1][", .unexpected(0x5B)), ("{} x", .unexpected(0x78)),
        ("['a']", .unexpected(0x27)), ("[+1]", .unexpected(0x2B)), ("[.5]", .unexpected(0x2E)),
        ("[\u{B}]", .unexpected(0x0B)), ("\u{FEFF}{}", .unexpected(0xEF)),
        ("[01]", .badNumber), ("[1.]", .badNumber), ("[-]", .badNumber), ("[1e]", .badNumber),
        ("[1e+]", .badNumber), ("[1.e1]", .badNumber), ("[--1]", .badNumber),
        ("[0x1]", .badNumber), ("[1a]", .badNumber), ("[1-1]", .badNumber),
        ("[nul]", .badWord), ("[nulll]", .badWord), ("[nan]", .badWord), ("[tRUE]", .badWord),
        ("[Infinity]", .unexpected(0x49)),
        ("[\"\n\"]", .unexpected(0x0A)), ("[\"\u{0}\"]", .unexpected(0)),
        (#"["\x41"]"#, .badEscape), (#"["\u00g0"]"#, .badEscape), (#"["\U0041"]"#, .badEscape),
        (#"["\ud83d"]"#, .surrogateAlone), (#"["\ud83dx"]"#, .surrogateAlone),
        (#"["\ud83d\n"]"#, .surrogateAlone), (#"["\ud83d\u0041"]"#, .surrogateAlone),
        (#"["\ud83d\ud83d"]"#, .surrogateAlone), (#"["\ude00"]"#, .surrogateAlone),
        (String(repeating: "[", count: 33), .tooDeep),
    ]

    @Test(arguments: refused)
    func `what is not JSON is refused, wherever it is split`(json: String, error: JSONError) {
        let bytes = Array(json.utf8)
        for first in 0...bytes.count {
            #expect(throws: error) { try self.tokens(bytes, pieces: [first]) }
        }
    }

    @Test(arguments: [
        [0xFF], [0xC3], [0x80], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
        [0xE2, 0x82], [0xEF, 0xBF, 0xFF],
    ])
    func `what is not UTF-8 is refused`(text: [UInt8]) {
        let bytes = Array("[\"a".utf8) + text + Array("\"]".utf8)
        for first in 0...bytes.count {
            #expect(throws: JSONError.notUTF8) { try self.tokens(bytes, pieces: [first]) }
        }
    }

    @Test func `text is cut to its bound, and reading goes on`() throws {
        let json = Array(#"{"abcdef":"ghi\njkl","m":"é"}"#.utf8)
        #expect(
            try tokens(json, textBytesMax: 4) == [
                "objectStart", "key abcd", "string ghi\n", "key m", "string é", "objectEnd",
            ])
    }

    @Test func `what is skipped gives no tokens, wherever it is split`() throws {
        let json = Array(#"[[1,"]\"}\\",{"a":[{}]},[]],2]"#.utf8)
        for first in 0...json.count {
            var reader = JSONTokens(textBytesMax: 10)
            var seen: [JSONToken] = []
            for range in [0..<first, first..<json.count] {
                var offset = 0
                let piece = json.span.extracting(range)
                while let token = try reader.next(piece, &offset) {
                    seen.append(token)
                    if seen == [.arrayStart, .arrayStart] { reader.skip(toDepth: 1) }
                }
            }
            #expect(seen == [.arrayStart, .arrayStart, .number, .arrayEnd])
            #expect(reader.isAtEnd)
        }
    }

    @Test(arguments: ["[[}", "[[{]", "[[\"\n", "[[" + String(repeating: "[", count: 40)])
    func `skipping does not overlook a bracket of the wrong kind`(json: String) {
        let bytes = Array(json.utf8)
        var reader = JSONTokens(textBytesMax: 10)
        #expect(throws: JSONError.self) {
            var offset = 0
            var count = 0
            while try reader.next(bytes.span, &offset) != nil {
                count += 1
                if count == 2 { reader.skip(toDepth: 1) }
            }
        }
    }
}
