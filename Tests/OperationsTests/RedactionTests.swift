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
            "a\n[redacted]-----END EC PRIVATE KEY-----\nb"
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
