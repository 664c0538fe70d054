import Console
import Reactor

/// The last lines of a journal, kept for whoever looks into an incident later.
struct JournalCopy {
    static let linesMax = 200
    static let bytesMax = 1 << 20
    /// Of files.
    static let retained = 30

    let folder: String
    let manager: Plan.UnitManager
    let redaction: Redaction

    /// Where they are; nil when there is nothing to keep or nowhere to put it.
    func save(of check: Check, at moment: WallClock) throws(Errno) -> String? {
        guard !check.journal.isEmpty else { return nil }
        let report = JournalCopy.errand(
            for: check.journal, of: manager, lines: JournalCopy.linesMax
        ).run()
        let text =
            report.isSuccess
            ? report.output
            : Array("journalctl \(report.end)\n".utf8) + report.errors
        let path = "\(folder)/\(LocalTime(moment).compact)-\(check.name).log"
        try Folder.make(folder)
        do throws(AtomicFile.Failure) {
            try AtomicFile.write(redaction.redacted(text), to: path, newMode: 0o600)
        } catch {
            throw Errno(error.code)
        }
        Folder.thin(folder, retaining: JournalCopy.retained)
        return path
    }

    static func errand(for units: [String], of manager: Plan.UnitManager, lines: Int) -> Errand {
        let options = manager == .user ? ["--user"] : []
        return Errand(
            "journalctl",
            options + ["--no-pager", "--quiet", "--output=short-iso", "--lines=\(lines)"]
                + units.map { "--unit=\($0)" }, timeout: .seconds(5), outputBytesMax: bytesMax)
    }
}
