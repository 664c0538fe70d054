import ArgumentParser
import Console
import Operations

struct CheckPlan: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Reads and checks the configuration and its secrets, without doing anything.",
        discussion: """
            Example: kanmon-ops check --config /etc/kanmon-watch/watch.yml

            Every problem is shown at once, as file:line:column. Ends with 78 when there is one.
            """)

    @Option(help: "The configuration file.")
    var config: String

    func run() throws {
        let plan = try PlanFile.load(config)
        let secrets = Secrets(of: plan)
        let faults = secrets.faults + [plan.stateFault].compactMap(\.self)
        for fault in faults { Console.complain(secrets.redaction.redacted(fault)) }
        if !faults.isEmpty { throw ExitCode.badConfiguration }
        Console.say("\(config): good, \(plan.checks.count) checks")
    }
}
