import ArgumentParser
import Configuration
import Console
import Gateway
import Reactor
import TLS

struct Status: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Shows how the gate is, and whether the Pushgateway behind it is well.",
        discussion: """
            Example: kanmon status --config /etc/kanmon/kanmon.yml

            Asks the gate at its admin listener: who pushed last and when, who was refused and why, its \
            certificate, the last reload. Asks the Pushgateway whether it can be scraped, and where it \
            cannot names the groups that are to blame and the one command that mends each. Ends with 1 when \
            the gate cannot be reached or is not well, or the Pushgateway cannot be scraped, and with 78 \
            when the configuration is bad.
            """)

    @Option(help: "The configuration file.")
    var config: String

    @Flag(help: "Write JSON.")
    var json = false

    func run() throws {
        Library.prepare()
        guard let configuration = Configuration.load(path: config).configuration else {
            Console.report(
                Configuration.load(path: config).problems, consequence: "There is nothing to show.")
            throw ExitCode.badConfiguration
        }
        let (snapshot, problems) = Snapshot.load(config)
        let gate = GateFindings(of: configuration, snapshot, asJSON: json)
        let store = snapshot.map { StoreFindings(of: $0) }
        Console.say(
            json
                ? object(setup(configuration, snapshot) + gate.members + (store?.members ?? []))
                : screen(configuration, snapshot, gate, store))
        guard let store else {
            // The gate may well run: by what it read before.
            Console.report(problems, consequence: "By these files it would not start again.")
            throw ExitCode.badConfiguration
        }
        if !gate.isWell || store.failure != nil { throw ExitCode.negative }
    }

    private func screen(
        _ configuration: Configuration, _ snapshot: Snapshot?, _ gate: GateFindings,
        _ store: StoreFindings?
    ) -> String {
        var lines = gate.lines
        if !gate.tellsOfSetup {
            lines += setupLines(configuration, snapshot)
        }
        return (lines + (store?.lines ?? [])).joined(separator: "\n")
    }

    // MARK: What the files say

    private func setupLines(_ configuration: Configuration, _ snapshot: Snapshot?) -> [String] {
        var lines = ["environment      \(configuration.environment.rawValue)"]
        if let snapshot {
            lines.append("certificate      good for \(days(of: snapshot)) days")
        }
        lines.append(
            "label conflicts  "
                + (configuration.labelConflicts == .overwrite
                    ? "OVERWRITE: labels that contradict the path are replaced, not refused"
                    : "refuse"))
        return lines
    }

    private func setup(_ configuration: Configuration, _ snapshot: Snapshot?) -> [Member] {
        var members = [Member("environment", configuration.environment.rawValue)]
        if let snapshot {
            members.append(Member("certificate_days", json: "\(days(of: snapshot))"))
        }
        members.append(Member("label_conflicts", configuration.labelConflicts.rawValue))
        return members
    }

    private func days(of snapshot: Snapshot) -> Int {
        (snapshot.certificate.notAfter - WallClock.now().seconds) / 86_400
    }
}
