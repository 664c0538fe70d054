import Foundation
import Reactor
import Testing

@testable import Operations

@Suite struct RedactionTests {
    static let hash = "$2y$10$abcdefghijklmnopqrstuuVtBNAx6z3LVbDqzRu7mXTdmSGTHjvwe"

    /// What is written, and what is left of it.
    static let rows: [(String, String)] = [
        ("Authorization: Basic cHJvbTpzZWNyZXQ=", "Authorization: [redacted]"),
        ("> authorization: Bearer abc.def-ghi_jkl\nnext", "> authorization: [redacted]\nnext"),
        (#"{"Authorization":"Basic cHJvbTpz","a":1}"#, #"{"Authorization":"[redacted]","a":1}"#),
        ("curl -H 'Authorization: Basic cHJvbTpz'", "curl -H 'Authorization: [redacted]"),
        ("with Basic cHJvbTpzZWNyZXQ= in it", "with Basic [redacted] in it"),
        ("password=hunter2&user=prom", "password=[redacted]&user=prom"),
        (
            "basic_auth:\n  password: a b c\n  username: prom",
            "basic_auth:\n  password: [redacted]\n  username: prom"
        ),
        (#"password: "a \" b" # why"#, #"password: "[redacted]" # why"#),
        ("DB_PASSWORD=x;LEVEL=1", "DB_PASSWORD=[redacted];LEVEL=1"),
        ("password_file: /etc/kanmon/secret", "password_file: /etc/kanmon/secret"),
        ("reason=bad_password user=prom", "reason=bad_password user=prom"),
        ("api_key = 'abc def' x", "api_key = '[redacted]' x"),
        ("?token=abc&x=1", "?token=[redacted]&x=1"),
        ("Set-Cookie: a=b; c", "Set-Cookie: [redacted]"),
        ("prom:\(hash)", "prom:[redacted]"),
        ("prom:$apr1$salt1234$0123456789abcdefghijkl", "prom:[redacted]"),
        ("prom:{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=", "prom:[redacted]"),
        ("root:$y$j9T$abcdefghijklmnop$qrstuvwxyz:1", "root:[redacted]:1"),
        ("https://prom:hunter2@host/x", "https://[redacted]@host/x"),
        ("https://host/a@b", "https://host/a@b"),
        (
            "url: 'https://discord.example/api/webhooks/12/ab-cd_EF' x",
            "url: 'https://discord.example/api/webhooks/[redacted]' x"
        ),
        (
            "https://hooks.slack.com/services/T0/B0/xyz",
            "https://hooks.slack.com/services/T[redacted]"
        ),
        (
            "a\n-----BEGIN EC PRIVATE KEY-----\nAAAA\nBBBB\n-----END EC PRIVATE KEY-----\nb",
            "a\n[redacted]\n-----END EC PRIVATE KEY-----\nb"
        ),
        ("-----BEGIN PRIVATE KEY-----\nAAAA\nand no end", "[redacted]"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
        ),
        ("costs $5 and $6$", "costs $5 and $6$"),
        (
            "kanmon_passwords_checked_total{reason=\"bad\"} 3",
            "kanmon_passwords_checked_total{reason=\"bad\"} 3"
        ),
        ("", ""), ("://", "://"), ("password:", "password:"), ("password=", "password="),
        ("Bearer", "Bearer"), ("-----BEGIN", "-----BEGIN"),
    ]

    /// Names are kept, and so is what only looks like a login.
    static let logins: [(String, String)] = [
        (#"user = "prom:secret""#, #"user = "prom:[redacted]""#),
        ("a\nuser prom:secret\nb", "a\nuser prom:[redacted]\nb"),
        ("curl --user prom:secret http://h/x", "curl --user prom:[redacted] http://h/x"),
        ("curl --user 'prom:se cret' http://h/x", "curl --user 'prom:[redacted]' http://h/x"),
        ("curl --user=prom:secret -v", "curl --user=prom:[redacted] -v"),
        ("curl -sSu prom:secret -v", "curl -sSu prom:[redacted] -v"),
        ("curl -uprom:secret -v", "curl -uprom:[redacted] -v"),
        ("curl -u prom:'a b'c -v", "curl -u prom:'[redacted]"),
        ("curl -u prom:a'b c'd -v", "curl -u prom:[redacted] -v"),
        ("curl --user \\\n  prom:secret", "curl --user \\\n  prom:[redacted]"),
        (
            #"["curl", "--user", "prom:secret", "x"]"#,
            #"["curl", "--user", "prom:[redacted]", "x"]"#
        ),
        ("[curl, -u, prom:secret, x]", "[curl, -u, prom:[redacted] x]"),
        ("- --user\n  - prom:secret\n  - x", "- --user\n  - prom:[redacted]\n  - x"),
        (
            #"{"cmd":"curl -u prom:secret","a":"b c"}"#,
            #"{"cmd":"curl -u prom:[redacted]","a":"b c"}"#
        ),
        (#"sh -c "curl -u \"prom:a b\" x""#, #"sh -c "curl -u \"prom:[redacted]\" x""#),
        ("PUSH_USER=prom:secret", "PUSH_USER=prom:[redacted]"),
        ("curl --user ${NAME}:secret", "curl --user ${NAME}:[redacted]"),
        ("curl --token abc --user prom:x y", "curl --token [redacted] --user prom:[redacted] y"),
        ("user: prom\nnext: 1", "user: prom\nnext: 1"),
        ("user=prom time=10:00:00", "user=prom time=10:00:00"),
        ("user: \"65534:65534\"", "user: \"65534:65534\""),
        ("the user alice:x", "the user alice:x"),
        ("date -u +%H:%M:%S", "date -u +%H:%M:%S"),
        ("curl -u http://h/", "curl -u http://h/"),
        ("up{user=\"prom\"} 1", "up{user=\"prom\"} 1"),
    ]

    @Test(arguments: logins.indices)
    func `of a login the name stays`(row: Int) {
        let (text, expected) = Self.logins[row]
        #expect(Redaction().redacted(text) == expected)
    }

    /// What is a secret because of a line before it, or of what it is written as.
    static let forms: [(String, String)] = [
        ("password: |\n  a\n\n  b\nuser: x", "password: |\n  [redacted]\nuser: x"),
        (
            "- password: >-  # why\n    a b\n  user: x",
            "- password: >-  # why\n    [redacted]\n  user: x"
        ),
        ("password: !!str |-\r\n  a\r\nuser: x", "password: !!str |-\r\n  [redacted]\r\nuser: x"),
        ("password:\n  a b\nuser: x", "password:\n  [redacted]\nuser: x"),
        ("\"tokens\": [\n  \"a\",\n  \"b\"\n]", "\"tokens\": [\n  [redacted]\n]"),
        (
            "credentials:\n  user: x\n  password: y\nz: 1",
            "credentials:\n  user: x\n  password: [redacted]\nz: 1"
        ),
        ("webhook:\n  http: http://h/\n", "webhook:\n  http: http://h/\n"),
        ("secrets:\n  - key: x\n    path: y", "secrets:\n  - key: x\n    path: y"),
        ("password:\nuser: x", "password:\nuser: x"),
        ("export MYSQL_PWD=x", "export MYSQL_PWD=[redacted]"),
        ("PUSH_PASS=x y", "PUSH_PASS=[redacted] y"),
        ("dbPasswd=x", "dbPasswd=[redacted]"),
        ("PWD=/root", "PWD=/root"), ("bypass=1", "bypass=1"),
        (
            "- name: DB_PASSWORD\n  value: secret\n- name: LEVEL\n  value: info",
            "- name: DB_PASSWORD\n  value: [redacted]\n- name: LEVEL\n  value: info"
        ),
        (
            #"{"name": "API_TOKEN", "value": "secret"}, {"name": "A", "value": "b"}"#,
            #"{"name": "API_TOKEN", "value": "[redacted]"}, {"name": "A", "value": "b"}"#
        ),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.abc-_DEF here", "got [redacted] here"),
        ("id AKIAIOSFODNN7EXAMPLE.", "id [redacted]."), ("AKIAB", "AKIAB"),
        ("passwd: 'a''b' # why", "passwd: '[redacted]' # why"),
        (#"PASSWORD="a""b" x"#, #"PASSWORD="[redacted]" x"#),
        (#"{"m":"password=\"a b\" x=1"}"#, #"{"m":"password=\"[redacted]\" x=1"}"#),
        (#"{"m":"{\"token\":\"abc\",\"x\":1}"}"#, #"{"m":"{\"token\":\"[redacted]\",\"x\":1}"}"#),
        ("password: ''\nx: 1", "password: ''\nx: 1"),
    ]

    @Test(arguments: forms.indices)
    func `what is a secret by its form or by the line before goes`(row: Int) {
        let (text, expected) = Self.forms[row]
        #expect(Redaction().redacted(text) == expected)
    }

    @Test func `a secret that is known goes in base64 too`() {
        for secret in ["hunter22", "hunter223", "hunter2233"] {
            let redaction = Redaction(secrets: [Array(secret.utf8)])
            for text in [secret, secret + "\n"] {
                let left = redaction.redacted("data: \(Data(text.utf8).base64EncodedString())")
                #expect(left.hasPrefix("data: [redacted]"))
                #expect(left.allSatisfy { !$0.isNumber })
            }
        }
    }

    /// Of each thing that is looked ahead for, many. The thread's own time counts: a clock on the wall also
    /// counts those that run beside it.
    @Test func `the time grows with the text alone`() {
        let began = ProcessorTime.ofThisThread()
        let redaction = Redaction(secrets: [Array("hunter22".utf8)])
        for part in [
            "xhunter22", "password:\n", "password: |\n", "-u ", "--user\n", "user \"a", "eyJ.",
            "name: token ",
            "user:", "-", "\\\"", "password:!", "password: [\n \n", "a: '", "\n ", "--token \\",
            "AKIA",
        ] {
            let text = Array(String(repeating: part, count: 10_000).utf8)
            #expect(redaction.redacted(text).count <= text.count * 2)
        }
        #expect(ProcessorTime.ofThisThread() < began + .seconds(60))
    }

    @Test(arguments: rows.indices)
    func `what looks like a secret goes, and the rest stays`(row: Int) {
        let (text, expected) = Self.rows[row]
        #expect(Redaction().redacted(text) == expected)
    }

    @Test func `a secret that is known goes wherever it stands`() {
        let redaction = Redaction(
            secrets: ["hunter22", "hunter22-and-more", "abc"].map { Array($0.utf8) })
        #expect(redaction.redacted("xhunter22y hunter22-and-more") == "x[redacted]y [redacted]")
        // Too short to be looked for.
        #expect(redaction.redacted("abc") == "abc")
    }

    @Test func `bytes that are no text are kept`() {
        let bytes: [UInt8] = [0xFF, 0x00, 0xC3, 0x0A, 0x24, 0x2D, 0x3A]
        #expect(Redaction().redacted(bytes) == bytes)
    }

    /// Cut anywhere, nothing of it shows that did not stand before the cut.
    @Test func `a text that is cut anywhere is no way around it`() {
        let text = Array(
            "password=abcdefghij Authorization: Basic cHJvbTpzZWNyZXQ= \(Self.hash)".utf8)
        for length in 0...text.count {
            let left = Redaction().redacted(Array(text[..<length]))
            #expect(!String(decoding: left, as: UTF8.self).contains("abcdefghij"))
        }
    }
}
