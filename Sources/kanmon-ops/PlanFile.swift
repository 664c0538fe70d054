import ArgumentParser
import Configuration
import Console
import Operations
import Reactor

/// The configuration as the verbs begin with it.
enum PlanFile {
    /// The plan, or all that is wrong with it and the end.
    static func load(_ path: String) throws -> Plan {
        let (plan, problems) = Plan.load(path: path)
        Console.report(problems, consequence: plan == nil ? "Nothing was done." : "It goes on.")
        guard let plan else { throw ExitCode.badConfiguration }
        return plan
    }

    static func prepareFolder(of plan: Plan) throws {
        do throws(Errno) {
            try Folder.make(plan.stateFolder)
        } catch {
            Console.complain("kanmon-ops: \(plan.stateFolder): \(error)")
            throw ExitCode.systemError
        }
    }
}

extension ExitCode {
    static let goesOnElsewhere = ExitCode(75)
}
