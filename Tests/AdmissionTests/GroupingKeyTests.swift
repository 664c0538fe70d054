import Admission
import Bytes
import Testing

@Suite struct GroupingKeyTests {
    /// Path, canonical path, and what a person reads of it.
    static let accepted: [(path: String, canonical: String, description: String)] = [
        ("/metrics/job/a", "/metrics/job/a", "job=a"),
        ("/metrics/job/a/", "/metrics/job/a", "job=a"),
        ("/metrics/job@base64/YQ", "/metrics/job/a", "job=a"),
        ("/metrics/job@base64/YQ==", "/metrics/job/a", "job=a"),
        ("/metrics/job@base64/YQ/", "/metrics/job/a", "job=a"),
        ("/metrics/job@base64/YWE=", "/metrics/job/aa", "job=aa"),
        ("/metrics/job@base64/YWFh", "/metrics/job/aaa", "job=aaa"),
        ("/metrics/job@base64/YQ%3D%3d", "/metrics/job/a", "job=a"),
        ("/metrics/job@base64/%59Q", "/metrics/job/a", "job=a"),
        (
            "/metrics/job/xserver-bot/instance/h1", "/metrics/job/xserver-bot/instance/h1",
            "job=xserver-bot,instance=h1"
        ),
        ("/metrics/job/a/z/1/b/2/A/3", "/metrics/job/a/A/3/b/2/z/1", "job=a,A=3,b=2,z=1"),
        ("/metrics/job/a/ab/1/a/2/abc/3", "/metrics/job/a/a/2/ab/1/abc/3", "job=a,a=2,ab=1,abc=3"),
        ("/metrics/job/a/l%40base64/Yg", "/metrics/job/a/l/b", "job=a,l=b"),
        ("/metrics/job/a/%69nstance/b", "/metrics/job/a/instance/b", "job=a,instance=b"),
        ("/metrics/job/a%20b", "/metrics/job/a%20b", "job=a b"),
        ("/metrics/job/a+b", "/metrics/job/a%2Bb", "job=a+b"),
        ("/metrics/job/%ce%a0", "/metrics/job/%CE%A0", "job=Π"),
        ("/metrics/job@base64/zqA", "/metrics/job/%CE%A0", "job=Π"),
        ("/metrics/job/%F0%9F%A4%96", "/metrics/job/%F0%9F%A4%96", "job=🤖"),
        ("/metrics/job/%42", "/metrics/job/B", "job=B"),
        ("/metrics/job/%252F", "/metrics/job/%252F", "job=%2F"),
        ("/metrics/job/a-b.c_d~e", "/metrics/job/a-b.c_d~e", "job=a-b.c_d~e"),
        (
            "/metrics/job/!$&'()*+,;=:@", "/metrics/job/%21%24%26%27%28%29%2A%2B%2C%3B%3D%3A%40",
            #"job=!$&'()*+\,;\=:@"#
        ),
        ("/metrics/job/%22%5C%3F%23%7C", "/metrics/job/%22%5C%3F%23%7C", ##"job=\"\\?#|"##),
        (
            "/metrics/job/a/path@base64/L3Zhci90bXA", "/metrics/job/a/path@base64/L3Zhci90bXA",
            "job=a,path=/var/tmp"
        ),
        ("/metrics/job@base64/YS9i", "/metrics/job@base64/YS9i", "job=a/b"),
        ("/metrics/job@base64/YS9i/l/v", "/metrics/job@base64/YS9i/l/v", "job=a/b,l=v"),
        ("/metrics/job@base64/Lg", "/metrics/job@base64/Lg", "job=."),
        ("/metrics/job@base64/Li4=", "/metrics/job@base64/Li4", "job=.."),
        ("/metrics/job@base64/Li4u", "/metrics/job/...", "job=..."),
        ("/metrics/job/..;", "/metrics/job/..%3B", "job=..;"),
        ("/metrics/job@base64/4pyTL_CfpJY", "/metrics/job@base64/4pyTL_CfpJY", "job=✓/🤖"),
        ("/metrics/job/a/instance@base64/=", "/metrics/job/a", "job=a"),
        ("/metrics/job/a/instance@base64/%3D", "/metrics/job/a", "job=a"),
        ("/metrics/job/a/l@base64/=/k/v", "/metrics/job/a/k/v", "job=a,k=v"),
        ("/metrics/job/a/job_/b", "/metrics/job/a/job_/b", "job=a,job_=b"),
        ("/metrics/job/a/_l/1", "/metrics/job/a/_l/1", "job=a,_l=1"),
        ("/metrics/job/a/U_/1", "/metrics/job/a/U_/1", "job=a,U_=1"),
        ("/metrics/job/job/l/job", "/metrics/job/job/l/job", "job=job,l=job"),
        ("/metrics/job/a@base64/l/YQ", "/metrics/job/a%40base64/l/YQ", "job=a@base64,l=YQ"),
        ("/metrics/job/%C2%A0", "/metrics/job/%C2%A0", "job=\u{A0}"),
    ]

    @Test(arguments: accepted)
    func `a path is decoded once and written in its one form`(
        path: String, canonical: String, description: String
    ) throws {
        var key = GroupingKey()
        try key.decode(Array(path.utf8).span, labelsMax: 16)
        #expect(text { key.writePath(into: &$0) } == canonical)
        #expect(text { key.writeDescription(into: &$0) } == description)

        var again = GroupingKey()
        try again.decode(Array(canonical.utf8).span, labelsMax: 16)
        #expect(text { again.writePath(into: &$0) } == canonical)
    }

    @Test(
        arguments: [
            ("/metrics", .notAPushPath), ("/metrics/job", .notAPushPath), ("", .notAPushPath),
            ("/metrics/jobX/a", .notAPushPath), ("/metrics/job@base32/x", .notAPushPath),
            ("/METRICS/job/a", .notAPushPath), ("/metrics%2Fjob/a", .notAPushPath),
            ("/metrics/job%40base64/YQ", .notAPushPath), ("metrics/job/a", .notAPushPath),
            ("/metrics/job/", .jobMissing), ("/metrics/job@base64/", .jobMissing),
            ("/metrics/job@base64/=", .jobMissing), ("/metrics/job@base64/=/l/v", .jobMissing),
            ("/metrics/job/a/job/b", .jobAgain), ("/metrics/job/a/job@base64/Yg", .jobAgain),
            ("/metrics/job/a/%6Aob/b", .jobAgain), ("/metrics/job/a/job@base64/=", .jobAgain),
            ("/metrics/job//a", .emptySegment), ("/metrics/job//", .emptySegment),
            ("/metrics/job/a//", .emptySegment), ("/metrics/job/a//l/v", .emptySegment),
            ("/metrics/job/a/l//", .emptySegment), ("/metrics/job/a/l//k/v", .emptySegment),
            ("/metrics/job/a/l/v//", .emptySegment), ("/metrics/job@base64//l/v", .emptySegment),
            ("/metrics/job/.", .dotSegment), ("/metrics/job/..", .dotSegment),
            ("/metrics/job/%2e", .dotSegment), ("/metrics/job/%2E%2e", .dotSegment),
            ("/metrics/job/.%2E/l/v", .dotSegment), ("/metrics/job/a/l/..", .dotSegment),
            ("/metrics/job/a/../b", .dotSegment), ("/metrics/job/a/./b/c", .dotSegment),
            ("/metrics/job/../../-/quit", .dotSegment), ("/metrics/job@base64/..", .dotSegment),
            ("/metrics/job/a%2Fb", .encodedSlash), ("/metrics/job/a%2finstance%2fb", .encodedSlash),
            ("/metrics/job/..%2f", .encodedSlash), ("/metrics/job/a/l%2Fv", .encodedSlash),
            ("/metrics/job@base64/YS%2Fi", .encodedSlash),
            ("/metrics/job/a/l/v/", .trailingSlash), ("/metrics/job/a/instance/", .trailingSlash),
            ("/metrics/job/a/l@base64/", .trailingSlash),
            ("/metrics/job/a/l/v/k/w/", .trailingSlash),
            ("/metrics/job/a/l", .oddNumberOfParts), ("/metrics/job/a/l/v/k", .oddNumberOfParts),
            ("/metrics/job/a/l@base64", .oddNumberOfParts),
            ("/metrics/job/%", .percentEncodingBroken), ("/metrics/job/%2", .percentEncodingBroken),
            ("/metrics/job/a%zz", .percentEncodingBroken),
            ("/metrics/job/%2/b", .percentEncodingBroken),
            ("/metrics/job/%%32F", .percentEncodingBroken),
            ("/metrics/job/%u0041", .percentEncodingBroken),
            ("/metrics/job/%+1", .percentEncodingBroken),
            ("/metrics/job/a%4", .percentEncodingBroken),
            ("/metrics/job/a b", .characterNotEncoded),
            ("/metrics/job/a?x=1", .characterNotEncoded),
            ("/metrics/job/a#x", .characterNotEncoded), ("/metrics/job/a\\b", .characterNotEncoded),
            ("/metrics/job/a|b", .characterNotEncoded),
            ("/metrics/job/\"a\"", .characterNotEncoded),
            ("/metrics/job/<a>", .characterNotEncoded), ("/metrics/job/{a}", .characterNotEncoded),
            ("/metrics/job/[a]", .characterNotEncoded), ("/metrics/job/a^", .characterNotEncoded),
            ("/metrics/job/`a`", .characterNotEncoded), ("/metrics/job/é", .characterNotEncoded),
            ("/metrics/job/a\0", .characterNotEncoded), ("/metrics/job/a\n", .characterNotEncoded),
            ("/metrics/job/a\u{7F}", .characterNotEncoded),
            ("/metrics/job@base64/!!", .base64Invalid),
            ("/metrics/job@base64/YS+i", .base64Invalid),
            ("/metrics/job@base64/Y", .base64Invalid), ("/metrics/job@base64/YQ=", .base64Invalid),
            ("/metrics/job@base64/YQ===", .base64Invalid),
            ("/metrics/job@base64/==", .base64Invalid),
            ("/metrics/job@base64/====", .base64Invalid),
            ("/metrics/job@base64/YWE==", .base64Invalid),
            ("/metrics/job@base64/YWFh=", .base64Invalid),
            ("/metrics/job@base64/YWFh====", .base64Invalid),
            ("/metrics/job@base64/Y===", .base64Invalid),
            ("/metrics/job@base64/=YQ", .base64Invalid),
            ("/metrics/job@base64/Y=Q", .base64Invalid), ("/metrics/job@base64/YR", .base64Invalid),
            ("/metrics/job@base64/YR==", .base64Invalid),
            ("/metrics/job@base64/YWF", .base64Invalid),
            ("/metrics/job@base64/YQ%20", .base64Invalid),
            ("/metrics/job@base64/YQ%0A", .base64Invalid),
            ("/metrics/job/a/l@base64/*", .base64Invalid),
            ("/metrics/job@base64/%C3%A9", .base64Invalid),
            ("/metrics/job/%FF%FE", .invalidUTF8), ("/metrics/job/%80", .invalidUTF8),
            ("/metrics/job/%C0%AF", .invalidUTF8), ("/metrics/job/%C1%81", .invalidUTF8),
            ("/metrics/job/%E0%80%AF", .invalidUTF8), ("/metrics/job/%ED%A0%80", .invalidUTF8),
            ("/metrics/job/%ED%BF%BF", .invalidUTF8), ("/metrics/job/%F4%90%80%80", .invalidUTF8),
            ("/metrics/job/%F0%80%80%80", .invalidUTF8),
            ("/metrics/job/%F8%88%80%80%80", .invalidUTF8),
            ("/metrics/job/%C3", .invalidUTF8), ("/metrics/job/%E2%9C", .invalidUTF8),
            ("/metrics/job/a/l/%C3/k/%A9", .invalidUTF8), ("/metrics/job@base64/__4", .invalidUTF8),
            ("/metrics/job@base64/_w", .invalidUTF8), ("/metrics/job/a/l@base64/_w", .invalidUTF8),
            ("/metrics/job/%00", .controlCharacter), ("/metrics/job/.%00.", .controlCharacter),
            ("/metrics/job/%0d%0a", .controlCharacter), ("/metrics/job/%09", .controlCharacter),
            ("/metrics/job/%1B", .controlCharacter), ("/metrics/job/%1F", .controlCharacter),
            ("/metrics/job/%7F", .controlCharacter), ("/metrics/job/%C2%80", .controlCharacter),
            ("/metrics/job/%C2%9F", .controlCharacter),
            ("/metrics/job/a/l/%C2%85", .controlCharacter),
            ("/metrics/job@base64/AA", .controlCharacter),
            ("/metrics/job@base64/wpA", .controlCharacter),
            ("/metrics/job/a/1l/v", .labelNameInvalid), ("/metrics/job/a/a-b/v", .labelNameInvalid),
            ("/metrics/job/a/a.b/v", .labelNameInvalid),
            ("/metrics/job/a/a%20b/v", .labelNameInvalid),
            ("/metrics/job/a/%C3%A9/v", .labelNameInvalid),
            ("/metrics/job/a/%FF/v", .labelNameInvalid),
            ("/metrics/job/a/l%00/v", .labelNameInvalid),
            ("/metrics/job/a/@base64/YQ", .labelNameInvalid),
            ("/metrics/job/a/l@base32/YQ", .labelNameInvalid),
            ("/metrics/job/a/a:b/v", .labelNameInvalid),
            ("/metrics/job/a/l@base64@base64/YQ", .labelNameInvalid),
            ("/metrics/job/a/l@BASE64/YQ", .labelNameInvalid),
            ("/metrics/job/a/..;/v", .labelNameInvalid),
            ("/metrics/job/a/__name__/v", .labelNameReserved),
            ("/metrics/job/a/__/v", .labelNameReserved),
            ("/metrics/job/a/__x@base64/YQ", .labelNameReserved),
            ("/metrics/job/a/%5F_x/v", .labelNameReserved),
            ("/metrics/job/a/U__instance/v", .labelNameEscaped),
            ("/metrics/job/a/U__job/v", .labelNameEscaped),
            ("/metrics/job/a/l/1/l/2", .labelTwice), ("/metrics/job/a/l/1/l/1", .labelTwice),
            ("/metrics/job/a/l/1/k/2/l@base64/MQ", .labelTwice),
            ("/metrics/job/a/l/1/l@base64/=", .labelTwice),
            ("/metrics/job/a/l@base64/=/l/1", .labelTwice),
            ("/metrics/job/a/a/1/b/2/c/3/%61/4", .labelTwice),
            ("/metrics/job/a/a/1/b/2/c/3/d/4/e/5", .tooManyLabels),
            ("/metrics/job/a/a/1/b/2/c/3/d/4/e@base64/=", .tooManyLabels),
            ("/metrics/job/a/a/1/b/2/c/3/d/4/", .trailingSlash),
        ] as [(String, GroupingKeyError)])
    func `a path that could mean two things, or break the store, is refused`(
        path: String, error: GroupingKeyError
    ) {
        var key = GroupingKey()
        #expect(decode(path, into: &key, labelsMax: 4) == error)
        let isEmpty = key.labelCount == 0 && key.withJob { $0.isEmpty }
        #expect(isEmpty)
    }

    @Test(arguments: UInt8.min ... .max)
    func `of all bytes only the path characters of RFC 3986 pass as they are`(byte: UInt8) {
        let allowed =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@"
        let unreserved = allowed.prefix(66)
        var key = GroupingKey()
        let path = Array("/metrics/job/x".utf8) + [byte] + Array("y".utf8)
        let error = decode(path, into: &key, labelsMax: 0)
        if byte == UInt8(ascii: "/") {
            #expect(error == .tooManyLabels)
        } else if byte == UInt8(ascii: "%") {
            #expect(error == .percentEncodingBroken)
        } else if !allowed.utf8.contains(byte) {
            #expect(error == .characterNotEncoded)
        } else {
            #expect(error == nil)
            let isPlain = text { key.writePath(into: &$0) } == String(decoding: path, as: UTF8.self)
            #expect(isPlain == unreserved.utf8.contains(byte))
        }
    }

    @Test func `every refusal has a sentence of its own`() {
        let sentences = Set(GroupingKeyError.allCases.map { "\($0.sentence)" })
        #expect(sentences.count == GroupingKeyError.allCases.count)
        #expect(!sentences.contains(""))
    }

    @Test func `labels are counted without the job and the dropped ones, and given by name`() throws
    {
        var key = GroupingKey()
        let path = "/metrics/job/a/z/1/d@base64/=/b@base64/L3g/"
        #expect(decode(path, into: &key, labelsMax: 3) == .trailingSlash)
        #expect(decode(String(path.dropLast()), into: &key, labelsMax: 3) == nil)
        let labels = (0..<key.labelCount).map { index in
            key.withLabel(at: index) { [String(decoding: $0), String(decoding: $1)] }
        }
        let job = key.withJob { String(decoding: $0) }
        #expect(job == "a")
        #expect(labels == [["b", "/x"], ["z", "1"]])
    }

    @Test func `no labels may be given when none are allowed`() {
        var key = GroupingKey()
        #expect(decode("/metrics/job/a", into: &key, labelsMax: 0) == nil)
        #expect(decode("/metrics/job/a/", into: &key, labelsMax: 0) == nil)
        #expect(decode("/metrics/job/a/l/v", into: &key, labelsMax: 0) == .tooManyLabels)
    }

    @Test func `the order of labels and the way they are written do not make another key`() throws {
        let spellings = [
            "/metrics/job/a/b/1/c/x%2Bz", "/metrics/job/a/c/x+z/b/1",
            "/metrics/job@base64/YQ/c/x+z/b/1",
            "/metrics/job/%61/c@base64/eCt6/%62@base64/MQ==", "/metrics/job/a/d@base64/=/b/1/c/x+z",
        ]
        var key = GroupingKey()
        let canonical = try spellings.map { spelling in
            try key.decode(Array(spelling.utf8).span, labelsMax: 16)
            return text { key.writePath(into: &$0) }
        }
        #expect(Set(canonical) == ["/metrics/job/a/b/1/c/x%2Bz"])
    }

    /// Whatever bytes come, they are refused, or they have one canonical form which means the same
    /// and stays itself.
    @Test(arguments: 0..<20)
    func `a canonical path is a fixed point with the same labels`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let pieces = [
            "/", "/", "/", "l", "k", "@base64", "%2e", "%2E", ".", "%C3%A9", "%F0%9F%A4%96", "%ff",
            "YQ",
            "L3g", "=", "a", "+", "%25", "%20", "~", "_", "%00", "Lg", "-", ";", "job", "%41",
            "%2F",
        ]
        var key = GroupingKey()
        var again = GroupingKey()
        var acceptedCount = 0
        for _ in 0..<2_000 {
            var path =
                ["/metrics/job/", "/metrics/job@base64/"].randomElement(using: &random) ?? ""
            for _ in 0..<Int.random(in: 1...9, using: &random) {
                path += pieces.randomElement(using: &random) ?? ""
            }
            guard decode(path, into: &key, labelsMax: 3) == nil else { continue }
            acceptedCount += 1
            let canonical = text { key.writePath(into: &$0) }
            #expect(decode(canonical, into: &again, labelsMax: 3) == nil, "\(path)")
            #expect(text { again.writePath(into: &$0) } == canonical, "\(path)")
            #expect(
                text { again.writeDescription(into: &$0) }
                    == text { key.writeDescription(into: &$0) })
        }
        #expect(acceptedCount > 50)
    }

    private func decode(
        _ path: String, into key: inout GroupingKey, labelsMax: Int
    ) -> GroupingKeyError? {
        decode(Array(path.utf8), into: &key, labelsMax: labelsMax)
    }

    private func decode(
        _ path: [UInt8], into key: inout GroupingKey, labelsMax: Int
    ) -> GroupingKeyError? {
        do {
            try key.decode(path.span, labelsMax: labelsMax)
            return nil
        } catch {
            return error
        }
    }
}

func text(_ write: (inout ByteBuffer) -> Void) -> String {
    var buffer = ByteBuffer()
    write(&buffer)
    return String(decoding: buffer.span)
}
