import Bytes
package import Configuration
package import Console
import Reactor

/// The plan that a run goes by: the one it was given, or while that is not good the last one that was. So a
/// mistake made at night is told, and what was watched is watched.
package struct PlanInForce: Sendable {
    package let plan: Plan
    package let secrets: Secrets
    /// Of the one that was given; none when that is good.
    package let faults: [String]
    package let isLastGood: Bool
    private let text: [UInt8]

    /// With the problems of `file`; nil when nothing can be read that a run could go by.
    package static func choose(
        _ file: String, orLastGood copy: String?
    ) -> (inForce: PlanInForce?, problems: [Problem]) {
        let given = PlanReading(file, named: file)
        if given.faults.isEmpty { return (given.plan(faults: []), given.problems) }
        guard let copy else { return (given.plan(faults: given.faults), given.problems) }
        // Its paths are relative to where it was when it was good.
        let last = PlanReading(copy, named: file)
        let isBetter = last.faults.isEmpty || !given.isReadable
        let inForce =
            isBetter
            ? last.plan(faults: given.faults, isLastGood: true)
            : given.plan(faults: given.faults)
        return (inForce, given.problems)
    }

    /// Keeps it at `copy`, where it is not yet.
    package func keep(as copy: String) throws(AtomicFile.Failure) {
        guard faults.isEmpty else { return }
        let kept = try? RegularFile.contents(of: copy, bytesMax: SettingsFile.bytesMax)
        if kept != text { try AtomicFile.write(text, to: copy, newMode: 0o600) }
    }

    fileprivate init(
        _ plan: Plan, _ secrets: Secrets, _ text: [UInt8], faults: [String], isLastGood: Bool
    ) {
        (self.plan, self.secrets, self.text) = (plan, secrets, text)
        (self.faults, self.isLastGood) = (faults, isLastGood)
    }

    /// What is wrong with it, in words that people are told.
    var sentence: String {
        guard let first = faults.first else { return "its configuration is good again" }
        let more = faults.count > 1 ? ", and \(faults.count - 1) more" : ""
        let consequence =
            isLastGood
            ? "It goes on by the last one that was good." : "It goes on as far as it can."
        return "its configuration is not good: \(first)\(more). \(consequence)"
    }
}

extension Plan {
    /// Why no line can be written to the log.
    package var logFault: String? {
        let folder = logFile.lastIndex(of: "/").map { String(logFile[..<$0]) } ?? "."
        let path = folder.isEmpty || Folder.has(folder) ? logFile : folder
        let fault = RegularFile.faultOfAppending(to: path, whoseFirstByteIs: UInt8(ascii: "t"))
        return fault.map { "\(path) \($0.text)" }
    }

    /// Why there can be no state where it is to be.
    package var stateFault: String? {
        let path = Folder.has(stateFolder) ? "\(stateFolder)/lock" : stateFolder
        let fault = RegularFile.faultOfAppending(to: path, whoseFirstByteIs: 0)
        return fault.map { "\(path) \($0.text)" }
    }
}

/// A plan as it was read, with everything that is wrong with it.
private struct PlanReading {
    private(set) var problems: [Problem] = []
    private(set) var faults: [String] = []
    private var text: [UInt8] = []
    private var found: (plan: Plan, secrets: Secrets)?

    init(_ path: String, named file: String) {
        do throws(FileFault) {
            text = try RegularFile.contents(of: path, bytesMax: SettingsFile.bytesMax)
        } catch {
            problems = [Problem(.error, file: path, error.text)]
            faults = problems.map(\.description)
            return
        }
        let (plan, problems) = Plan.read(text, named: file)
        self.problems = problems
        guard let plan else {
            faults = problems.filter { $0.severity == .error }.map(\.description)
            return
        }
        let secrets = Secrets(of: plan)
        faults = secrets.problems.filter { $0.severity == .error }.map(\.description)
        // A folder that is there was the right one; what is wrong with it now is told as the state's.
        if !Folder.has(plan.stateFolder), let fault = plan.stateFault { faults.append(fault) }
        found = (plan, secrets)
    }

    var isReadable: Bool { found != nil }

    func plan(faults: [String], isLastGood: Bool = false) -> PlanInForce? {
        found.map { PlanInForce($0.plan, $0.secrets, text, faults: faults, isLastGood: isLastGood) }
    }
}
