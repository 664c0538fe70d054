import ArgumentParser
import Configuration
import Gateway
import Reactor
import TLS

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows how the gate is set up, and whether the Pushgateway behind it is well.",
        discussion: """
            Example: kanmon status --config /etc/kanmon/kanmon.yml

            Asks the Pushgateway whether it can be scraped, and where it cannot names the groups that are to \
            blame and the one command that mends each. Ends with 1 when it cannot be scraped, and with 78 \
            when the configuration is bad.
            """)

    @Option(help: "The configuration file.")
    var config: String

    @Flag(help: "Write JSON.")
    var json = false

    func run() throws {
        Library.prepare()
        let (snapshot, problems) = Snapshot.load(config)
        guard let snapshot else {
            Console.report(problems, consequence: "There is nothing to show.")
            throw ExitCode.badConfiguration
        }
        let screen = StatusScreen(of: snapshot)
        Console.say(json ? screen.json : screen.text)
        if screen.failure != nil { throw ExitCode.negative }
    }
}

/// What `status` shows.
private struct StatusScreen {
    private let environment: String
    private let certificateDays: Int
    private let labelConflicts: String
    private let upstream: String
    /// Why the Pushgateway cannot be scraped; nil when it can be.
    let failure: String?
    private let culprits: [StoreReader.Culprit]
    private let groups: (count: Int, empty: [String])?

    init(of snapshot: Snapshot) {
        let configuration = snapshot.configuration
        environment = configuration.environment.rawValue
        certificateDays = (snapshot.certificate.notAfter - WallClock.now().seconds) / 86_400
        labelConflicts = configuration.labelConflicts.rawValue
        upstream = configuration.upstream.url.value.description
        let reader = StoreReader(configuration.upstream)
        let failed = reader.scrapeFailure()
        failure = failed?.reason
        culprits = failed.map { reader.culprits(of: $0) } ?? []
        groups = reader.groups()
    }

    var text: String {
        var lines = [
            "environment      \(environment)",
            "certificate      good for \(certificateDays) days",
            "label conflicts  \(labelConflictsText)",
            "Pushgateway      \(upstream) "
                + (failure.map { "CANNOT be scraped: \($0)" } ?? "can be scraped"),
        ]
        for culprit in culprits {
            lines.append("  group {\(culprit.group)}: \(culprit.reason)")
            lines.append("    to mend it: \(culprit.repair)")
        }
        if let groups {
            lines.append("groups           \(groups.count)")
            for group in groups.empty {
                lines.append(
                    "  {\(group)} is empty: every push to it was refused by the Pushgateway")
            }
        }
        return lines.joined(separator: "\n")
    }

    private var labelConflictsText: String {
        labelConflicts == "overwrite"
            ? "OVERWRITE: labels that contradict the path are replaced, not refused"
            : labelConflicts
    }

    var json: String {
        let culprits = culprits.map { culprit in
            object([
                ("group", Console.quoted(culprit.group)),
                ("reason", Console.quoted(culprit.reason)),
                ("repair", Console.quoted(culprit.repair)),
            ])
        }
        let empty = (groups?.empty ?? []).map { Console.quoted($0) }
        return object([
            ("environment", Console.quoted(environment)),
            ("certificate_days", "\(certificateDays)"),
            ("label_conflicts", Console.quoted(labelConflicts)),
            ("upstream", Console.quoted(upstream)), ("scrape_ok", "\(failure == nil)"),
            ("scrape_failure", Console.quoted(failure ?? "")),
            ("culprits", "[\(culprits.joined(separator: ","))]"),
            ("groups", "\(groups?.count ?? 0)"),
            ("empty_groups", "[\(empty.joined(separator: ","))]"),
        ])
    }

    private func object(_ members: [(name: String, value: String)]) -> String {
        "{\(members.map { "\(Console.quoted($0.name)):\($0.value)" }.joined(separator: ","))}"
    }
}
