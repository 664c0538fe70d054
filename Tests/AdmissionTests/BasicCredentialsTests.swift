import Admission
import Bytes
import Foundation
import Testing

@Suite struct BasicCredentialsTests {
    @Test(arguments: [
        ("dTpw", "u", "p"), ("dTphOmI=", "u", "a:b"), ("dTo6", "u", ":"),
        ("cHJvbTpjb3JyZWN0IGhvcnNl", "prom", "correct horse"), ("w7w6cMOk", "ü", "pä"),
        ("dTpwIA==", "u", "p "), ("dTrDvzk/", "u", "ÿ9?"), ("IDpw", " ", "p"),
    ])
    func `user and password are told apart at the first colon`(
        base64: String, user: String, password: String
    ) {
        #expect(decode("Basic \(base64)") == [Array(user.utf8), Array(password.utf8)])
    }

    @Test(arguments: ["basic dTpw", "BASIC dTpw", "bAsIc dTpw", "Basic    dTpw"])
    func `the scheme has no case, and spaces behind it may be many`(fieldValue: String) {
        #expect(decode(fieldValue) == [[0x75], [0x70]])
    }

    @Test(arguments: [
        "", "B", "Basic", "Basic ", "Basic  ", "Basicd Tpw", "BasicdTpw", "Basic\tdTpw",
        "Basic \tdTpw", " Basic dTpw", "Bearer dTpw", "Digest dTpw", "Negotiate dTpw",
        "Basic dTpw dTpw", "Basic dTpw,", "Basic dTpw ", "Basic realm=\"x\"", "Basic=dTpw",
        "Basic u:p", "Basic\u{A0}dTpw", "BaſIc dTpw",
    ])
    func `what is not the scheme, spaces and one token is refused`(fieldValue: String) {
        #expect(decode(fieldValue) == nil)
    }

    @Test(arguments: [
        "dTpwZ", "dTpwZQ", "dTpwZQ=", "dTpwZQ===", "dTpwZQ====", "dTpwZR==", "dTpwZWF=", "dTpw=",
        "dTpw====", "dTp=", "=dTp", "d=pw", "dT==dTpw", "====", "dTrDvzk_", "dTpw\n", "dT\npw",
        "dTp\0", "dT pw", "dTp-", "dTpwé", "dTp*",
    ])
    func `base64 of another alphabet, padding or pad bits is refused`(base64: String) {
        #expect(decode("Basic \(base64)") == nil)
    }

    @Test(arguments: ["user", "", ":", ":p", "u:", "a\0b:p", "a\nb:p", "\u{7F}:p", "a\tb:p"])
    func `a missing part, or a control character in the user, is refused`(plain: String) {
        #expect(decode("Basic \(Data(plain.utf8).base64EncodedString())") == nil)
    }

    @Test(arguments: ["u:p\0junk", "u:a\nb", "u:" + String(repeating: "x", count: 3000)])
    func `a password of any bytes and length is for the checker to judge`(plain: String) {
        let decoded = decode("Basic \(Data(plain.utf8).base64EncodedString())")
        #expect(decoded?[1] == Array(plain.utf8.dropFirst(2)))
    }

    @Test func `invalid UTF-8 is bytes like any other`() {
        #expect(decode("Basic /zr+") == [[0xFF], [0xFE]])
    }

    @Test func `a field value beyond every head is not looked at`() {
        #expect(decode("Basic " + String(repeating: "dTpw", count: 16_000)) != nil)
        #expect(decode("Basic " + String(repeating: "dTpw", count: 17_000)) == nil)
    }

    @Test func `after a refusal, and after clearing, nothing of the last user is left`() {
        var credentials = BasicCredentials()
        for refused in ["Basic dTpwZ", "Bearer x", "Basic OnA=", "Basic dXNlcg=="] {
            let isAccepted = credentials.decode(Array("Basic dTpw".utf8).span)
            let isRefused = !credentials.decode(Array(refused.utf8).span)
            #expect(isAccepted && isRefused)
            let isEmpty = credentials.withUserAndPassword { $0.isEmpty && $1.isEmpty }
            #expect(isEmpty)
        }
        let isAccepted = credentials.decode(Array("Basic dTpw".utf8).span)
        credentials.clear()
        let isEmpty = credentials.withUserAndPassword { $0.isEmpty && $1.isEmpty }
        #expect(isAccepted && isEmpty)
    }

    @Test func `one value serves long and short credentials in turn`() {
        var credentials = BasicCredentials()
        for length in [1, 500, 2, 5000, 3] {
            let plain = "user:" + String(repeating: "p", count: length)
            let fieldValue = Array("Basic \(Data(plain.utf8).base64EncodedString())".utf8)
            let isAccepted = credentials.decode(fieldValue.span)
            let passwordCount = credentials.withUserAndPassword { $1.count }
            #expect(isAccepted && passwordCount == length)
        }
    }

    @Test func `every text of up to five digits is refused or has no twin`() {
        var meanings: [[UInt8]: String] = [:]
        var random = SplitMix(state: 1)
        let digits = Array("dTpwZQR=+/-_".utf8)
        for _ in 0..<20_000 {
            let tail = (0..<4).map { _ in digits.randomElement(using: &random) ?? 0 }
            let text = "dTpw" + String(decoding: tail, as: UTF8.self)
            guard let decoded = decode("Basic \(text)") else { continue }
            let twin = meanings.updateValue(text, forKey: decoded[1])
            #expect(twin == nil || twin == text)
        }
        #expect(meanings.count > 100)
    }

    private func decode(_ fieldValue: String) -> [[UInt8]]? {
        var credentials = BasicCredentials()
        guard credentials.decode(Array(fieldValue.utf8).span) else { return nil }
        return credentials.withUserAndPassword { user, password in
            [copy(user), copy(password)]
        }
    }
}

func copy(_ bytes: Span<UInt8>) -> [UInt8] { bytes.indices.map { bytes[$0] } }
