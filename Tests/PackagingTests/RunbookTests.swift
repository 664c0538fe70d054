import Foundation
import Testing

/// Whatever cron or an alert may say, both runbooks say what to do about it.
@Suite struct RunbookTests {
    static let pages = ["deploy/RUNBOOK.md", "deploy/RUNBOOK.ja.md"]

    /// Rows of tables, each as its cells.
    private func rows(of page: String) throws -> [[Substring]] {
        try Repository.text(page).split(separator: "\n").filter { $0.hasPrefix("| ") }
            .map { $0.replacing("\\|", with: "").split(separator: "|") }
    }

    @Test(arguments: pages)
    func `every alert has a row that leads to its entry`(page: String) throws {
        let folder = Repository.root.appending(path: "deploy/prometheus/rules").path
        let alerts = try FileManager.default.contentsOfDirectory(atPath: folder).flatMap { file in
            try Repository.text("deploy/prometheus/rules/\(file)").matches(of: #/- alert: (\w+)/#)
                .map { String($0.output.1) }
        }
        #expect(alerts.count >= 16)
        let rows = try rows(of: page)
        for alert in alerts {
            let link = "[\(alert)](#\(alert.lowercased()))"
            #expect(rows.contains { $0[0].contains(link) && $0.count == 3 }, "\(page): \(alert)")
        }
    }

    @Test(arguments: pages)
    func `every layer that the push script names has a row with its exit codes`(page: String)
        throws
    {
        let script = try Repository.text("deploy/push/prometheus-push.sh")
        let ends = script.matches(of: #/(?:found|give_up) (\d+) ([a-z]+) /#)
            .map { (code: $0.output.1, layer: $0.output.2) }
        #expect(ends.count > 40)
        let rows = try rows(of: page)
        for end in ends {
            let row = rows.first { $0.count == 3 && $0[0].contains("`\(end.layer)`") }
            #expect(row?[1].contains(end.code) == true, "\(page): \(end.layer) with \(end.code)")
        }
    }

    /// What people are told, as far as it does not depend on what it is about.
    static let sentences = [
        "well again after", "well again by itself", "What was done has not helped so far",
        "Repairs are held back", "times in ", "failures in a row", "it comes after",
        "there is no repair for it", "It is not mended yet", "its configuration is not good",
        "its state cannot be kept", "its state was damaged", "cannot be taken away",
        "takes no message", "messages before this one were lost",
    ]

    @Test(arguments: pages)
    func `every sentence of the watchdog has a row`(page: String) throws {
        let folder = Repository.root.appending(path: "Sources/Operations").path
        let sources = try FileManager.default.contentsOfDirectory(atPath: folder)
            .map { try Repository.text("Sources/Operations/\($0)") }.joined()
        let cells = try rows(of: page).filter { $0.count == 3 }.map { $0[0] }
        for sentence in Self.sentences {
            #expect(sources.contains(sentence), "nobody says \(sentence)")
            #expect(cells.contains { $0.contains(sentence) }, "\(page): \(sentence)")
        }
    }

    @Test(arguments: pages)
    func `every exit code of the push script has a row`(page: String) throws {
        let script = try Repository.text("deploy/push/prometheus-push.sh")
        let head = try #require(script.firstMatch(of: #/\n# Exit: (0(?:.|\n# )+)\./#)).output.1
        // Those that tell of it, and those that it leaves with when a signal ends it.
        let codes = Set(
            head.matches(of: #/\b\d\d\b/#).map(\.output)
                + script.matches(of: #/(?:exit|give_up|found) (\d\d+)/#).map(\.output.1))
        #expect(codes.count > 10)
        let cells = try rows(of: page).filter { $0.count == 3 }.map { $0[1] }
        for code in codes {
            #expect(cells.contains { $0.contains(code) }, "\(page): exit \(code)")
        }
    }
}
