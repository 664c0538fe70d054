import Reactor

/// The gate as the control sees it in one turn: all that the pages of the admin listener tell about.
struct GateView {
    let process: ProcessState
    let snapshot: Snapshot
    let desk: PasswordDesk
    let strangers: Strangers
    let connectionsMax: Int
    let isDraining: Bool
    let now: Instant

    var metrics: Metrics { process.metrics }
    var program: ProgramVersion { process.program }

    /// Do all loops turn?
    var isHealthy: Bool { process.heartbeats.areTurning(at: now) }

    /// Would a push get through, as far as the gate knows?
    var isReady: Bool { isHealthy && !isDraining && process.store.isReady }

    /// Connections by what they are doing; together they are all there are.
    var connections: (handshaking: Int, active: Int, idle: Int, closing: Int) {
        // Read one after another while others change them: no more than a moment's blur.
        let handshaking = process.budgets.handshakesUnderWay
        let active = max(0, metrics.sum { $0[.active] })
        let closing = max(0, metrics.sum { $0[.closing] })
        let total = process.loads.reduce(0) { $0 + $1.count }
        return (handshaking, active, max(0, total - handshaking - active - closing), closing)
    }
}

/// What this program is and what it was made with.
package struct ProgramVersion: Sendable {
    package let number: String
    package let revision: String
    package let swift: String
    package let openSSL: String

    package init(number: String, revision: String, swift: String, openSSL: String) {
        (self.number, self.revision, self.swift) = (number, revision, swift)
        self.openSSL = openSSL
    }
}
