import ArgumentParser
import Configuration
import Console
import Gateway
import TLS

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract:
            "Reads and checks everything that serve would, and more, without starting anything.",
        discussion: """
            Example: kanmon check --config /etc/kanmon/kanmon.yml

            Every problem is shown at once, as file:line:column. Ends with 78 when there is an error.
            """)

    @Option(help: "The configuration file.")
    var config: String

    @Flag(help: "Take warnings for errors.")
    var strict = false

    func run() throws {
        Library.prepare()
        let (snapshot, found) = Snapshot.load(config, for: .check)
        var problems = found
        if let snapshot { problems += Surroundings(snapshot).problems() }
        let hasError = problems.contains { $0.severity == .error }
        let isTooLax = strict && !hasError && !problems.isEmpty
        Console.report(
            problems,
            consequence: hasError
                ? "This would not start."
                : isTooLax ? "This would start; --strict has no warnings." : "This would start.")
        if let snapshot { Console.say(UpstreamProbe.report(snapshot)) }
        if hasError || isTooLax { throw ExitCode.badConfiguration }
        Console.say("\(config): good")
    }
}
