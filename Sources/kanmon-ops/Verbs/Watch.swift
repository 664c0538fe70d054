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
            something is not, with 75 when another run goes on, and with 78 when the configuration is not \
            good, also when --last-good let it look and repair all the same.
            """)

    @Option(help: "The configuration file.")
    var config: String

    @Option(
        help:
            "Where to keep the configuration while it is good, to go on by when it no longer is."
    )
    var lastGood: String?

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
        let (inForce, problems) = PlanInForce.choose(config, orLastGood: lastGood)
        Console.report(
            problems, consequence: inForce == nil ? "Nothing was done." : "It goes on.")
        guard let inForce else { throw ExitCode.badConfiguration }
        let isWell = try lookAndRepair(by: inForce)
        if !inForce.faults.isEmpty { throw ExitCode.badConfiguration }
        if !isWell { throw ExitCode.negative }
    }

    private func lookAndRepair(by inForce: PlanInForce) throws -> Bool {
        switch Place(of: inForce.plan) {
        case .ours(let lock):
            keep(inForce)
            var watch = Operations.Watch(inForce, without: nil)
            let isWell = watch.run()
            _ = consume lock
            return isWell
        case .taken:
            Console.complain("kanmon-ops: another run goes on")
            throw ExitCode.goesOnElsewhere
        case .unknown(let fault):
            // To look and to tell it has to be nobody's.
            var watch = Operations.Watch(inForce, without: fault)
            return watch.run()
        }
    }

    private func keep(_ inForce: PlanInForce) {
        guard let lastGood else { return }
        do throws(AtomicFile.Failure) {
            try inForce.keep(as: lastGood)
        } catch {
            Console.complain("kanmon-ops: \(error)")
        }
    }
}

/// Whether there is another run.
private enum Place: ~Copyable {
    case ours(FileLock)
    case taken
    case unknown(String)

    init(of plan: Plan) {
        let path = "\(plan.stateFolder)/lock"
        do throws(Errno) {
            try Folder.make(plan.stateFolder)
            if let lock = try FileLock.take(path: path) {
                self = .ours(lock)
            } else {
                self = .taken
            }
        } catch {
            self = .unknown("\(path): \(error)")
        }
    }
}
