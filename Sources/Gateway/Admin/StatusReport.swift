import Bytes
import Configuration
import HTTP
import Reactor
import TLS

/// How the gate is, in one answer: what `kanmon status` shows, as JSON for programs. For people there is
/// the `screen`.
struct StatusReport {
    let gate: GateView
    let now: WallClock
    /// The latest first.
    let jobs: [PushedJob]
    let jobCount: Int
    let refusals: [RecentRefusals.Entry]
    let strangers: [Strangers.Entry]
    let reload: ReloadState.Report

    /// How many of each are told of; who wants more has the log and the metrics.
    static let jobsMax = 20
    static let strangersMax = 10
    static let problemsMax = 10

    init(of gate: GateView) {
        self.gate = gate
        now = .now()
        let all = gate.metrics.jobs.all
        jobCount = all.count
        let time = { (job: PushedJob) in job.lastAccepted?.milliseconds ?? 0 }
        jobs = Array(all.sorted { time($0) > time($1) }.prefix(StatusReport.jobsMax))
        refusals = gate.metrics.refusals.all
        strangers = gate.strangers.busiest(max: StatusReport.strangersMax)
        reload = gate.process.reloads.report
    }

    func seconds(since time: WallClock) -> Int {
        Int(clamping: now.milliseconds) / 1000 - Int(clamping: time.milliseconds) / 1000
    }

    var refusalCount: Int {
        Refusal.Reason.allCases.reduce(0) { sum, reason in
            sum &+ gate.metrics.sum { $0[reason] }
        }
    }

    var certificateDays: Int { (gate.snapshot.certificate.notAfter - now.seconds) / 86_400 }

    var certificateEnd: WallClock {
        WallClock(milliseconds: UInt64(clamping: gate.snapshot.certificate.notAfter) &* 1000)
    }

    var json: ByteBuffer {
        JSONText.object { text in
            let configuration = gate.snapshot.configuration
            text.add("environment", configuration.environment.rawValue)
            text.add("version", gate.program.number)
            text.add("revision", gate.program.revision)
            text.add("started", gate.metrics.startedAt)
            text.add("uptime_seconds", seconds(since: gate.metrics.startedAt))
            text.add("healthy", gate.isHealthy)
            text.add("ready", gate.isReady)
            text.add("draining", gate.isDraining)
            text.add("scrape_ok", gate.process.store.isReady)
            addConnections(to: &text)
            addPushes(to: &text)
            addRefusals(to: &text)
            addConfiguration(to: &text)
            addPasswords(to: &text)
            addAudit(to: &text)
        }
    }

    private func addConnections(to text: inout JSONText) {
        text.object("connections") { text in
            let connections = gate.connections
            text.add("handshaking", connections.handshaking)
            text.add("active", connections.active)
            text.add("idle", connections.idle)
            text.add("closing", connections.closing)
            text.add("max", gate.connectionsMax)
        }
    }

    private func addPushes(to text: inout JSONText) {
        text.add("jobs_total", jobCount)
        text.array("jobs", of: jobs) { text, job in
            text.add("job", job.name)
            text.add("pushes", job.pushCount)
            text.add("last_accepted", job.lastAccepted)
            if let time = job.lastAccepted { text.add("age_seconds", seconds(since: time)) }
        }
        text.add("label_conflicts_total", gate.process.store.labelConflicts)
        text.add("upstream_refused_total", gate.process.store.refusedPushes)
    }

    private func addRefusals(to text: inout JSONText) {
        text.add("refusals_total", refusalCount)
        text.array("refusals", of: refusals) { text, refusal in
            text.add("ts", refusal.time)
            text.add("id", RequestIDs.name(of: refusal.requestID))
            text.add("from", refusal.address.description)
            if let user = refusal.user { text.add("user", user) }
            text.add("reason", "\(refusal.reason.word)")
            text.add("status", refusal.status.code)
            text.add("count", refusal.count)
        }
        text.add("refused_connections_total", gate.strangers.total)
        text.array("refused_addresses", of: strangers) { text, stranger in
            text.add("from", stranger.address.description)
            text.add("count", stranger.count)
            text.add("last", stranger.lastSeen)
        }
    }

    private func addConfiguration(to text: inout JSONText) {
        let configuration = gate.snapshot.configuration
        text.object("certificate") { text in
            text.add("days", certificateDays)
            text.add("not_after", certificateEnd)
            text.add("fingerprint", gate.snapshot.certificate.fingerprint)
        }
        text.add("users", gate.snapshot.userCount)
        text.add("label_conflicts", configuration.labelConflicts.rawValue)
        text.object("reload") { text in
            text.add("file", configuration.file)
            text.add("successful", reload.isLastSuccessful)
            text.add("last_success", reload.lastSuccess)
            text.add("last_failure", reload.lastFailure)
            text.array("problems", of: Array(reload.problems.prefix(StatusReport.problemsMax))) {
                text, problem in
                text.add("text", problem.description)
            }
        }
    }

    private func addAudit(to text: inout JSONText) {
        let audit = gate.process.audit
        text.object("audit") { text in
            text.add("kept", audit.isOn)
            text.add("records", audit.recordCount)
            text.add("failures", audit.failureCount)
            text.add("lost", audit.lostCount)
        }
    }

    private func addPasswords(to text: inout JSONText) {
        let figures = gate.desk.figures
        text.object("passwords") { text in
            text.add("waiting", figures.waiting)
            text.add("right", figures.right)
            text.add("wrong", figures.wrong)
            text.add("remembered", gate.metrics.sum { $0[.rememberedLogins] })
        }
    }
}
