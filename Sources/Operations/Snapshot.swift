import Bytes
import Configuration
import Console
import Glibc
package import Reactor

/// Everything that somebody who looks into an incident asks for, in one archive, without the secrets.
/// What cannot be had is named in it.
package struct Snapshot {
    private let plan: Plan
    private let redaction: Redaction
    /// What could not be read, so that it is taken out only where it looks like a secret.
    private let unknown: [String]

    private static let timeout = Interval.seconds(10)
    private static let bytesMax = 4 << 20
    private static let logLines = 2000
    private static let journalLines = 1000

    package init(of plan: Plan, _ secrets: Secrets) {
        (self.plan, redaction, unknown) = (
            plan, secrets.redaction, secrets.problems.map(\.description)
        )
    }

    /// One file of the archive, before anything is taken out of it.
    private struct Piece {
        let name: String
        var bytes: [UInt8]
        /// Why it is not there, or not whole.
        var fault: String?
    }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// Where an archive goes that nobody gave a place.
    package func usualPath(at moment: WallClock = .now()) -> String {
        "\(plan.snapshot.folder)/\(Snapshot.name(at: moment)).tar.gz"
    }

    private static func name(at moment: WallClock) -> String {
        "kanmon-\(Machine.hostName)-\(LocalTime(moment).compact)"
    }

    /// Makes the archive at `path`, for its owner alone.
    package func make(at path: String) throws(Failure) {
        let pieces = files() + answers()
        let slash = path.lastIndex(of: "/")
        let home = slash.map { String(path[..<$0]) } ?? "."
        do throws(Errno) {
            if home == plan.snapshot.folder { try Folder.make(home) }
            let work = try Folder.makeTemporary(in: home.isEmpty ? "/" : home)
            let content = "\(work)/\(Snapshot.name(at: .now()))"
            defer {
                Folder.remove(content)
                Folder.remove(work)
            }
            try Folder.make(content)
            try write(pieces, to: content)
            try pack(content, in: work, as: path)
        } catch {
            throw Failure(description: "\(path): \(error)")
        }
        if home == plan.snapshot.folder { Folder.thin(home, retaining: plan.snapshot.retain) }
    }

    private func write(_ pieces: [Piece], to folder: String) throws(Errno) {
        let faults =
            unknown.map { "a secret, taken out only where it looks like one: \($0)\n" }
            + pieces.compactMap { piece in piece.fault.map { "\(piece.name): \($0)\n" } }
        let missing = faults.isEmpty ? "nothing\n" : faults.joined()
        let all =
            pieces.filter { !$0.bytes.isEmpty } + [
                Piece(name: "MISSING", bytes: Array(missing.utf8))
            ]
        for piece in all {
            do throws(AtomicFile.Failure) {
                try AtomicFile.write(
                    redaction.redacted(piece.bytes), to: "\(folder)/\(piece.name)", newMode: 0o600)
            } catch {
                throw Errno(error.code)
            }
        }
    }

    private func pack(_ content: String, in work: String, as path: String) throws(Errno) {
        let name = content.split(separator: "/").last.map(String.init) ?? "."
        let mask = umask(0o077)
        defer { umask(mask) }
        let report = Errand(
            "tar",
            ["--create", "--gzip", "--file=\(work)/archive", "--directory=\(work)", "--", name],
            timeout: .seconds(30)
        ).run()
        guard report.isSuccess else {
            Console.complain("tar \(report.end): \(String(decoding: report.errors, as: UTF8.self))")
            throw Errno(EIO)
        }
        try Folder.rename("\(work)/archive", to: path)
    }

    // MARK: Files

    private func files() -> [Piece] {
        let settings = [plan.file] + plan.snapshot.configuration
        return settings.map { piece("configuration", $0) { $0 } }
            + plan.snapshot.users.map { piece("users", $0, Snapshot.names) }
            + [piece("state", plan.stateFile) { $0 }]
    }

    private func piece(
        _ kind: String, _ path: String, _ shown: ([UInt8]) -> [UInt8]
    ) -> Piece {
        let name = Snapshot.fileName(kind, path)
        do throws(FileFault) {
            let bytes = try RegularFile.contents(of: path, bytesMax: Snapshot.bytesMax)
            return Piece(name: name, bytes: shown(bytes))
        } catch {
            return Piece(name: name, bytes: [], fault: error.text)
        }
    }

    /// Of a file of users, who there is.
    private static func names(in users: [UInt8]) -> [UInt8] {
        users.split { $0 == 0x0A || $0 == 0x0D }.flatMap { line -> [UInt8] in
            guard line.first != UInt8(ascii: "#"), let colon = line.firstIndex(of: 0x3A) else {
                return []
            }
            return line[..<colon] + [0x0A]
        }
    }

    private static func fileName(_ kind: String, _ path: String) -> String {
        let plain = path.utf8.map { byte in
            byte.isLetter || byte.isDigit || ".-_".utf8.contains(byte) ? byte : UInt8(ascii: "_")
        }
        return "\(kind)-\(String(decoding: plain.suffix(120), as: UTF8.self))"
    }

    // MARK: What programs say

    private func answers() -> [Piece] {
        let asked = logs() + units() + services() + queries()
        let reports = Errand.run(asked.map(\.errand))
        return zip(asked, reports).map { question, report in
            Snapshot.piece(
                question.name, report, fault: question.isHTTP ? Curl.fault(of: report) : nil)
        }
    }

    private typealias Question = (name: String, errand: Errand, isHTTP: Bool)

    private static func piece(_ name: String, _ report: Errand.Report, fault: String?) -> Piece {
        switch report.end {
        case .wroteTooMuch, .overdue:
            // Half a secret would not be known as one.
            let end = report.output.lastIndex(of: 0x0A) ?? max(0, report.output.count - 4096)
            return Piece(
                name: name, bytes: Array(report.output[..<end]), fault: "is cut: \(report.end)")
        case .ended(.exited(0)): return Piece(name: name, bytes: report.output)
        default:
            let said = String(decoding: report.errors, as: UTF8.self).excerpt
            return Piece(name: name, bytes: report.output, fault: fault ?? "\(report.end) \(said)")
        }
    }

    private func logs() -> [Question] {
        let kick = plan.kick.map { [$0.auditFile] } ?? []
        return ([plan.logFile] + kick + plan.snapshot.logs).map { path in
            let errand = Errand(
                "tail", ["--lines=\(Snapshot.logLines)", "--", path], timeout: Snapshot.timeout,
                outputBytesMax: Snapshot.bytesMax)
            return (Snapshot.fileName("log", path), errand, false)
        }
    }

    private func units() -> [Question] {
        let systemctl = Systemctl(plan.units)
        return plan.snapshot.units.flatMap { unit -> [Question] in
            let journal = JournalCopy.errand(
                for: [unit], of: plan.units, lines: Snapshot.journalLines)
            return [
                (
                    "unit-\(unit)", systemctl.errand("show", [unit], timeout: Snapshot.timeout),
                    false
                ),
                ("journal-\(unit)", journal, false),
            ]
        }
    }

    private func services() -> [Question] {
        let addresses = [
            ("metrics", plan.snapshot.metrics),
            ("pushgateway-groups.json", plan.snapshot.pushgateway.map { $0 + "/api/v1/metrics" }),
            ("pushgateway-status.json", plan.snapshot.pushgateway.map { $0 + "/api/v1/status" }),
            ("prometheus-targets.json", plan.snapshot.prometheus.map { $0 + "/api/v1/targets" }),
            ("prometheus-alerts.json", plan.snapshot.prometheus.map { $0 + "/api/v1/alerts" }),
        ]
        return addresses.compactMap { name, url in
            url.map { (name, curl($0).errand(outputBytesMax: Snapshot.bytesMax), true) }
        }
    }

    private func queries() -> [Question] {
        guard let prometheus = plan.snapshot.prometheus else { return [] }
        return plan.snapshot.queries.map { query in
            var curl = curl(prometheus + "/api/v1/query")
            curl.set("get")
            curl.set("data-urlencode", "query=\(query)")
            return (
                Snapshot.fileName("query", query), curl.errand(outputBytesMax: Snapshot.bytesMax),
                true
            )
        }
    }

    private func curl(_ url: String) -> Curl {
        var curl = Curl(url, timeout: Snapshot.timeout)
        curl.set("fail")
        return curl
    }
}
