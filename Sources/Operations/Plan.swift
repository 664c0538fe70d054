package import Configuration
package import Reactor

/// What the operator wants watched, mended and told, read once and strictly.
package struct Plan: Sendable {
    package let file: String
    package let units: UnitManager
    /// Where the state, its lock and what was saved of journals are.
    package let stateFolder: String
    package let logFile: String
    package let checks: [Check]
    package let bounds: Bounds
    package let notify: Notify
    package let kick: Kick?
    package let snapshot: SnapshotPlan
    /// The script that pushes for a check.
    package let pushScript: String

    /// Whose units they are.
    package enum UnitManager: String, CaseIterable, Sendable { case system, user }

    /// What keeps a repair from becoming the fault.
    package struct Bounds: Sendable {
        /// How long to wait before the first repair, the second, and each further one.
        package var pauses: [Interval] = [.seconds(0), .seconds(10), .seconds(30)]
        /// How long the last repair of a run may take to show.
        package var grace = Interval.seconds(10)
        package var restartsMax = 3
        package var restartsWithin = Interval.seconds(600)
        /// Of a run: nothing is begun afterwards.
        package var run = Interval.seconds(56)

        package init() {}
    }

    package struct Notify: Sendable {
        package let host: String?
        package let coolDown: Interval
        package let discord: Discord?
        package let line: Line?

        package struct Discord: Sendable {
            /// Its first line is the webhook's URL.
            package let webhookFile: Located<String>
        }

        package struct Line: Sendable {
            package let tokenFile: Located<String>
            /// The id of a user or a group.
            package let to: String
            package let url: String
        }
    }

    package struct Kick: Sendable {
        package let requestFile: String
        package let tokenFile: Located<String>
        package let auditFile: String
        package let actions: [KickAction]
    }

    /// What goes into a snapshot, each by its name there.
    package struct SnapshotPlan: Sendable {
        package let folder: String
        package let retain: Int
        package let configuration: [String]
        package let users: [String]
        package let logs: [String]
        package let units: [String]
        package let metrics: String?
        package let pushgateway: String?
        package let prometheus: String?
        package let queries: [String]
        /// Files whose every line is a secret.
        package let secrets: [Located<String>]
    }
}

/// What somebody who has the token may ask for.
package enum KickAction: Hashable, Sendable, CustomStringConvertible {
    /// To look at everything, now.
    case check
    /// To forget that repairs are held back.
    case resume
    case snapshot
    case restart(unit: String)

    package init?(_ text: String) {
        switch text {
        case "check": self = .check
        case "resume": self = .resume
        case "snapshot": self = .snapshot
        default:
            guard text.hasPrefix("restart:"), text.dropFirst(8).isUnitName else { return nil }
            self = .restart(unit: String(text.dropFirst(8)))
        }
    }

    package var description: String {
        switch self {
        case .check: "check"
        case .resume: "resume"
        case .snapshot: "snapshot"
        case .restart(let unit): "restart:\(unit)"
        }
    }
}
