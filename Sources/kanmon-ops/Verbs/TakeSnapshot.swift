import ArgumentParser
import Configuration
import Console
import Glibc
import Operations
import Reactor

struct TakeSnapshot: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "snapshot",
        abstract: "Collects what an incident is looked into with, without the secrets.",
        discussion: """
            Example: kanmon-ops snapshot --config /etc/kanmon-watch/watch.yml

            Configuration, names of users, logs, journal, states of units, metrics, groups of the \
            Pushgateway and answers of Prometheus go into one archive that only its owner can read. What \
            cannot be had is named in its file MISSING. Ends with 1 when there is no archive.
            """)

    @Option(help: "The configuration file.")
    var config: String

    @Option(
        help:
            "The archive, instead of one with the time in its name in the folder of the configuration."
    )
    var out: String?

    func run() throws {
        alarm(120)
        let plan = try PlanFile.load(config)
        try PlanFile.prepareFolder(of: plan)
        let secrets = Secrets(of: plan)
        for problem in secrets.problems {
            Console.complain(secrets.redaction.redacted(problem.description))
        }
        let snapshot = Snapshot(of: plan, secrets)
        let path = out ?? snapshot.usualPath()
        do throws(Snapshot.Failure) {
            try snapshot.make(at: path)
        } catch {
            Console.complain("kanmon-ops: \(error)")
            throw ExitCode.negative
        }
        Console.say(path)
    }
}
