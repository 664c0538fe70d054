import Foundation
import Testing

/// The manual is written from what the program says; that it says all of it is looked at here.
@Suite struct ManualTests {
    private func page(_ name: String) throws -> String {
        let program = Repository.kanmon + (name == "kanmon-ops.1" ? "-ops" : "")
        let source =
            name == "kanmon.yml.5"
            ? try Repository.text("deploy/kanmon.sample.yml")
            : try run(program, ["--experimental-dump-help"]).output
        let result = try run(
            "python3", ["deploy/package/manual.py", name], input: Data(source.utf8))
        try #require(result.status == 0, "\(result.output)")
        return result.output
    }

    @Test(arguments: ["kanmon", "kanmon-ops"])
    func `it has every verb and every option that help shows`(name: String) throws {
        // As a reader sees it, without roff's backslashes.
        let text = try page("\(name).1").replacing("\\", with: "")
        let program = Repository.kanmon + name.dropFirst("kanmon".count)
        let help = try run(program, ["--help"]).output
        let verbs = help.split(separator: "\n").compactMap { line in
            line.firstMatch(of: /^  ([a-z]+)  +\S/).map { String($0.1) }
        }
        #expect(verbs.count >= (name == "kanmon" ? 7 : 4))
        for verb in verbs where verb != "help" {
            let section = text.components(separatedBy: ".SS \(name) \(verb)").last ?? ""
            #expect(text.contains(".SS \(name) \(verb)"), "\(verb)")
            for option in try run(program, [verb, "--help"]).output
                .matches(of: /\n  (?:-\w, )?(--[a-z-]+)/).map({ String($0.1) })
            where !["--help", "--version"].contains(option) {
                #expect(section.contains(".B \(option)"), "\(verb) \(option)")
            }
        }
    }

    @Test func `it has every key of the configuration`() throws {
        let text = try page("kanmon.yml.5").replacing("\\", with: "")
        for line in try Repository.settings("deploy/kanmon.sample.yml") {
            #expect(text.contains(line.replacing("'", with: "(aq")), "\(line)")
        }
    }

    @Test(
        .enabled(if: isInstalled("groff"), "groff is not installed"),
        arguments: ["kanmon.1", "kanmon-ops.1", "kanmon.yml.5"])
    func `it is shown without a complaint`(name: String) throws {
        // The sample is set as it stands, wider than a terminal may be.
        let result = try run(
            "groff", ["-man", "-Tutf8", "-Kutf8", "-ww", "-Wbreak", "-rLL=120n"],
            input: Data(page(name).utf8))
        #expect(result.status == 0)
        // "troff: <standard input>:7: warning: ..."; the page itself has such words as well.
        #expect(!result.output.contains("<standard input>:"), "\(result.output.prefix(500))")
        #expect(result.output.contains("NAME") || result.output.contains("N\u{8}NA"))
    }
}
