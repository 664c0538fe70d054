import ArgumentParser
import Configuration
import Console
import Operations

struct CheckPlan: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Reads and checks the configuration and its secrets, without doing anything.",
        discussion: """
            Example: kanmon-ops check --config /etc/kanmon-watch/watch.yml

            Every problem is shown at once, as file:line:column. Ends with 78 when there is one \
            that is more than a warning; a log that cannot be written stops nothing, so that is one.
            """)

    @Option(help: "The configuration file.")
    var config: String

    func run() throws {
        let plan = try PlanFile.load(config)
        let secrets = Secrets(of: plan)
        let told =
            secrets.problems.map(\.description)
            + [plan.stateFault, plan.logFault].compactMap(\.self)
        for fault in told { Console.complain(secrets.redaction.redacted(fault)) }
        let isGood =
            plan.stateFault == nil && secrets.problems.allSatisfy { $0.severity == .warning }
        if !isGood { throw ExitCode.badConfiguration }
        Console.say("\(config): good, \(plan.checks.count) checks")
    }
}
