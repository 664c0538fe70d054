import Foundation
import Testing

/// One version, whoever is asked: `Sources/Console/Release.swift` decides. `make package-test` asks the package.
@Suite struct VersionTests {
    /// What the package is called by, and what the manual takes.
    private func decided() throws -> Substring {
        let said = try run("deploy/package/version.sh").output
        return try #require(said.firstMatch(of: #/^\d+\.\d+\.\d+(?=\n$)/#)?.output, "\(said)")
    }

    @Test func `the program says it`() throws {
        let said = try run(Repository.kanmon, ["--version"]).output
        #expect(said.hasPrefix("kanmon \(try decided()) "), "\(said)")
    }

    @Test func `the manual has it in its head`() throws {
        let help = try run(Repository.kanmon, ["--experimental-dump-help"]).output
        let page = try run(
            "python3", ["deploy/package/manual.py", "kanmon.1"], input: Data(help.utf8)
        ).output
        #expect(page.hasPrefix(".TH KANMON 1 \"\" \"kanmon \(try decided())\""))
    }

    @Test func `it is the newest entry of the changelog`() throws {
        let entries = try Repository.text("CHANGELOG.md")
            .matches(of: #/\n## (\S+)(?: \((?:unreleased|\d{4}-\d\d-\d\d)\))?(?=\n)/#)
            .map { String($0.output.1) }
        #expect(entries.first == String(try decided()))
        #expect(Set(entries).count == entries.count, "an entry is there twice: \(entries)")
        let headings = try Repository.text("CHANGELOG.md").matches(of: #/\n## /#).count
        #expect(headings == entries.count, "a heading has neither the form 1.2.3 nor a date")
    }
}
