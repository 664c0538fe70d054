import ArgumentParser
import Console
import Glibc
import Operations
import Reactor

struct Watch: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Looks at everything once, mends what it may, and tells what it did.",
        discussion: """
            Example: kanmon-ops watch --config /etc/kanmon-watch/watch.yml --once

            Meant for a timer, every 60 seconds. Ends with 0 when everything is well, with 1 when \
            something is not, with 75 when another run goes on, and with 78 when the configuration is bad.
            """)

    @Option(help: "The configuration file.")
    var config: String

    @Flag(help: "Look once and end. There is no other way: a timer does the rest.")
    var once = false

    /// Whatever may hold a run up, a disk on another machine, it ends.
    private static let secondsMax: UInt32 = 180

    func validate() throws {
        guard once else {
            throw ValidationError("Give --once; a timer calls this every 60 seconds.")
        }
    }

    func run() throws {
        alarm(Watch.secondsMax)
        let plan = try PlanFile.load(config)
        try PlanFile.prepareFolder(of: plan)
        guard let lock = try lock(of: plan) else {
            Console.complain("kanmon-ops: another run goes on")
            throw ExitCode.goesOnElsewhere
        }
        var watch = Operations.Watch(plan, Secrets(of: plan))
        let isWell = watch.run()
        _ = consume lock
        if !isWell { throw ExitCode.negative }
    }

    private func lock(of plan: Plan) throws -> FileLock? {
        do throws(Errno) {
            return try FileLock.take(path: "\(plan.stateFolder)/lock")
        } catch {
            Console.complain("kanmon-ops: \(plan.stateFolder)/lock: \(error)")
            throw ExitCode.systemError
        }
    }
}
