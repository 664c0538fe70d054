import Bytes
import Configuration
import HTTP
import Reactor
import TLS

/// The report for a person, perhaps at night: one screen, the worst in capitals, plain text that can do
/// nothing to a terminal.
extension StatusReport {
    /// Few enough of each to fit on one screen together; JSON has more.
    private static let linesMax = 10

    var screen: ByteBuffer {
        var screen = Screen()
        addGate(to: &screen)
        addConfiguration(to: &screen)
        addPushes(to: &screen)
        addRefusals(to: &screen)
        addStrangers(to: &screen)
        addAudit(to: &screen)
        return screen.text
    }

    /// A line has a word at its front and what it is about behind it, or belongs to the one before.
    private struct Screen: ~Copyable {
        var text = ByteBuffer()

        mutating func add(_ word: StaticString, _ line: String) {
            text.append(word)
            for _ in word.utf8CodeUnitCount..<17 { text.append(" ") }
            append(line)
        }

        mutating func add(_ line: String) {
            text.append("  ")
            append(line)
        }

        private mutating func append(_ line: String) {
            let bytes = Array(line.utf8)
            text.append(escaping: bytes.span, bytesMax: 400, isQuoted: false)
            text.append("\n")
        }
    }

    private func addGate(to screen: inout Screen) {
        let isWell = gate.isHealthy && !gate.isDraining
        screen.add(
            "gate",
            (gate.isDraining ? "GOING DOWN" : isWell ? "healthy" : "A LOOP HANGS")
                + ", up \(age(since: gate.metrics.startedAt)), "
                + "kanmon \(gate.program.number) (\(gate.program.revision))")
        screen.add("environment", gate.snapshot.configuration.environment.rawValue)
        let connections = gate.connections
        let all =
            connections.handshaking + connections.active + connections.idle + connections.closing
        screen.add(
            "connections",
            "\(all) of at most \(gate.connectionsMax): \(connections.active) active, "
                + "\(connections.idle) idle, \(connections.handshaking) in their handshake")
        let figures = gate.desk.figures
        screen.add(
            "passwords",
            "\(figures.waiting) wait for their check; \(figures.right) were right, "
                + "\(figures.wrong) wrong")
    }

    private func addConfiguration(to screen: inout Screen) {
        let certificate = gate.snapshot.certificate
        screen.add(
            "certificate",
            certificateDays < 0 || certificate.notAfter <= now.seconds
                ? "EXPIRED on \(date(certificateEnd))"
                : "good for \(certificateDays) days, until \(date(certificateEnd))")
        screen.add("SHA-256 \(certificate.fingerprint)")
        let file = gate.snapshot.configuration.file
        if let failure = reload.lastFailure {
            screen.add("configuration", "RELOAD FAILED \(age(since: failure)) ago, \(file)")
            for problem in reload.problems.prefix(StatusReport.linesMax) {
                screen.add(problem.description)
            }
            screen.add("still in force: what was read \(age(since: reload.lastSuccess)) ago")
        } else {
            screen.add("configuration", "\(file), read \(age(since: reload.lastSuccess)) ago")
        }
        screen.add("users", "\(gate.snapshot.userCount)")
        screen.add(
            "label conflicts",
            gate.snapshot.configuration.labelConflicts == .refuse
                ? "refuse"
                : "OVERWRITE: \(gate.process.store.labelConflicts) samples lost a label to the path"
        )
    }

    private func addPushes(to screen: inout Screen) {
        let shown = jobs.prefix(StatusReport.linesMax)
        let latest = jobCount > shown.count ? ", the latest \(shown.count):" : ""
        screen.add("jobs", "\(jobCount)\(latest)")
        for job in shown {
            let name = String(decoding: job.name.prefix(60), as: UTF8.self)
            guard let time = job.lastAccepted else {
                screen.add("\(name): NEVER PUSHED")
                continue
            }
            screen.add(
                "\(name): last push \(age(since: time)) ago, \(job.pushCount) since the start")
        }
    }

    private func addRefusals(to screen: inout Screen) {
        screen.add("refusals", "\(refusalCount)" + (refusals.isEmpty ? "" : ", the latest:"))
        for refusal in refusals.prefix(StatusReport.linesMax) {
            let user = refusal.user.map { " user=\(String(decoding: $0, as: UTF8.self))" } ?? ""
            screen.add(
                "\(age(since: refusal.time)) ago \(refusal.status.code) \(refusal.reason.word) "
                    + "from=\(refusal.address)\(user) id=\(RequestIDs.name(of: refusal.requestID))"
                    + (refusal.count > 1 ? " (\(refusal.count) times)" : ""))
        }
    }

    private func addStrangers(to screen: inout Screen) {
        let allow = gate.snapshot.configuration.allow.first?.line ?? 0
        let file = gate.snapshot.configuration.file
        let total = gate.strangers.total
        screen.add(
            "not allowed",
            total == 0 ? "nobody was turned away" : "\(total) connections (\(file):\(allow))")
        for stranger in strangers.prefix(StatusReport.linesMax / 2) {
            screen.add(
                "\(stranger.address): \(stranger.count), last \(age(since: stranger.lastSeen)) ago")
        }
    }

    private func addAudit(to screen: inout Screen) {
        let audit = gate.process.audit
        guard audit.isOn else { return screen.add("audit", "no trail is kept") }
        let failures =
            audit.failureCount == 0
            ? "" : ", \(audit.failureCount) FAILURES, \(audit.lostCount) records lost; see the log"
        screen.add("audit", "\(audit.recordCount) records\(failures)")
    }

    private func date(_ time: WallClock) -> String {
        var text = ByteBuffer()
        text.append(timestampInMilliseconds: time.milliseconds)
        return String(decoding: text.span.extracting(0..<10))
    }

    /// Two units of it are enough: `3 d 4 h`, `12 s`. The clock may have been set back meanwhile.
    private func age(since time: WallClock) -> String {
        let seconds = max(0, seconds(since: time))
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400)
        if days > 0 { return "\(days) d \(hours % 24) h" }
        if hours > 0 { return "\(hours) h \(minutes % 60) min" }
        if minutes > 0 { return "\(minutes) min \(seconds % 60) s" }
        return "\(seconds) s"
    }
}
