import Bytes
import HTTP
import Reactor
import TLS

/// What `/metrics` shows: every metric in its fixed order.
extension MetricsText {
    init(of gate: GateView) {
        self.init()
        let figures = ProcessFigures.now()
        for metric in Metric.allCases {
            switch metric {
            case .processCPU, .processOpenDescriptors, .processDescriptorsMax,
                .processVirtualMemory, .processVirtualMemoryMax, .processResidentMemory,
                .processThreads:
                write(metric, figures)
            default: write(metric, of: gate)
            }
        }
    }

    private mutating func write(_ metric: Metric, of gate: GateView) {
        let metrics = gate.metrics
        let process = gate.process
        switch metric {
        case .buildInfo: write(gate.program)
        case .pushes: writePushes(metrics.jobs)
        case .lastAcceptedPush: writeLastPushes(metrics.jobs)
        case .pushDuration: write(metric, .push, of: metrics)
        case .bodyBytes: write(metric, metrics.sum { $0[.bodyBytes] })
        case .samples: write(metric, metrics.sum { $0[.samples] })
        case .labelConflicts: write(metric, process.store.labelConflicts)
        case .refusals: writeRefusals(metrics)
        case .requests: writeRequests(metrics)
        case .connections: writeConnections(of: gate)
        case .connectionsRefused: write(metric, gate.strangers.total)
        case .handshakes: writeHandshakes(metrics)
        case .handshakeFailures: writeHandshakeFailures(metrics)
        case .certificateEnd: write(metric, gate.snapshot.certificate.notAfter)
        case .passwordChecks: writePasswordChecks(gate.desk)
        case .passwordQueue: write(metric, gate.desk.figures.waiting)
        case .rememberedLogins: write(metric, metrics.sum { $0[.rememberedLogins] })
        case .upstreamRequests: writeUpstreamRequests(metrics)
        case .upstreamDuration: write(metric, .upstream, of: metrics)
        case .bufferedBytes: write(metric, process.budgets.bufferedByteCount)
        case .upstreamScrape: write(metric, process.store.isReady ? 1 : 0)
        case .upstreamRefused: write(metric, process.store.refusedPushes)
        case .turnProcessorTime: write(metric, .turn, of: metrics)
        case .auditRecords: write(metric, process.audit.recordCount)
        case .auditFailures: write(metric, process.audit.failureCount)
        case .reloadSuccessful: write(metric, process.reloads.report.isLastSuccessful ? 1 : 0)
        case .reloadTime: write(metric, at: process.reloads.report.lastSuccess)
        case .processStart: write(metric, at: metrics.startedAt)
        default: break  // About the process, which the kernel knows.
        }
    }

    /// What the kernel does not tell is left out: a zero would be a lie.
    private mutating func write(_ metric: Metric, _ figures: ProcessFigures) {
        let figure: Int?
        switch metric {
        case .processOpenDescriptors: figure = figures.openDescriptors
        case .processDescriptorsMax: figure = figures.descriptorsMax
        case .processVirtualMemory: figure = figures.virtualBytes
        case .processVirtualMemoryMax: figure = figures.virtualBytesMax
        case .processResidentMemory: figure = figures.residentBytes
        case .processThreads: figure = figures.threads
        default:
            begin(metric)
            return add(nanoseconds: figures.cpuNanoseconds)
        }
        if let figure { write(metric, figure) }
    }

    private mutating func write(_ metric: Metric, at time: WallClock?) {
        begin(metric)
        add(nanoseconds: (time?.milliseconds ?? 0) &* 1_000_000)
    }

    private mutating func write(_ metric: Metric, _ value: Int) {
        begin(metric)
        add(value)
    }

    private mutating func write(_ program: ProgramVersion) {
        begin(.buildInfo)
        add(
            1, Label("version", program.number), Label("revision", program.revision),
            Label("swiftversion", program.swift), Label("opensslversion", program.openSSL))
    }

    // MARK: Pushes

    private mutating func writePushes(_ jobs: PushedJobs) {
        begin(.pushes)
        for job in jobs.all { add(job.pushCount, Label("push_job", job.name)) }
    }

    private mutating func writeLastPushes(_ jobs: PushedJobs) {
        begin(.lastAcceptedPush)
        for job in jobs.all {
            let time = job.lastAccepted?.milliseconds ?? 0
            add(nanoseconds: time &* 1_000_000, Label("push_job", job.name))
        }
    }

    private mutating func write(_ metric: Metric, _ passage: Tally.Passage, of metrics: Metrics) {
        begin(metric)
        add(
            counts: Histogram.places.map { place in metrics.sum { $0.count(passage, at: place) } },
            sumOfNanoseconds: metrics.sum { $0.sumOfNanoseconds(passage) })
    }

    // MARK: Requests

    private mutating func writeRefusals(_ metrics: Metrics) {
        begin(.refusals)
        for reason in Refusal.Reason.allCases {
            add(metrics.sum { $0[reason] }, Label("reason", reason.word))
        }
    }

    private mutating func writeRequests(_ metrics: Metrics) {
        begin(.requests)
        for status in RequestLabels.statuses {
            for method in RequestLabels.methods {
                add(
                    metrics.sum { $0.requestCount(status, method) },
                    Label("code", "\(status.code)"),
                    Label("method", RequestLabels.word(method)))
            }
        }
    }

    // MARK: Connections

    private mutating func writeConnections(of gate: GateView) {
        let connections = gate.connections
        begin(.connections)
        add(connections.handshaking, Label("state", "handshaking"))
        add(connections.active, Label("state", "active"))
        add(connections.idle, Label("state", "idle"))
        add(connections.closing, Label("state", "closing"))
    }

    private mutating func writeHandshakes(_ metrics: Metrics) {
        begin(.handshakes)
        add(metrics.sum { $0.handshakeCount(isVersion13: false) }, Label("version", "TLS12"))
        add(metrics.sum { $0.handshakeCount(isVersion13: true) }, Label("version", "TLS13"))
    }

    private mutating func writeHandshakeFailures(_ metrics: Metrics) {
        begin(.handshakeFailures)
        for failure in HandshakeFailure.allCases {
            add(metrics.sum { $0[failure] }, Label("reason", failure.word))
        }
    }

    private mutating func writePasswordChecks(_ desk: PasswordDesk) {
        let figures = desk.figures
        begin(.passwordChecks)
        add(figures.right, Label("result", "right"))
        add(figures.wrong, Label("result", "wrong"))
    }

    private mutating func writeUpstreamRequests(_ metrics: Metrics) {
        begin(.upstreamRequests)
        for outcome in UpstreamOutcome.allCases {
            add(metrics.sum { $0[outcome] }, Label("code", outcome.word))
        }
    }
}
