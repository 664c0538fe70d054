package import Reactor

/// What is done about a check that fails.
package enum Decision: Equatable, Sendable {
    case repair(Check.Step)
    /// Not before this moment.
    case wait(until: Int)
    case hold(Hold)
    /// It has no repair, or that is another's.
    case onlyTell(String)

    /// Why nothing more is done.
    package enum Hold: Equatable, Sendable, CustomStringConvertible {
        case failures(Int)
        case tooMany(Check.Step, count: Int, within: Interval)

        package var description: String {
            switch self {
            case .failures(let count): "\(count) failures in a row"
            case .tooMany(let step, let count, let within):
                "\(step) was done \(count) times in \(within.text)"
            }
        }
    }
}

extension Incident {
    /// Decides about `check`, while the checks in `failing` fail too, by what was done `repaired`.
    package func decision(
        for check: Check, failing: Set<String>, done repaired: [String: [Int]], at now: Int,
        _ bounds: Plan.Bounds
    ) -> Decision {
        if let culprit = check.after.first(where: failing.contains) {
            return .onlyTell("it comes after \(culprit), which fails")
        }
        guard let last = check.steps.last else { return .onlyTell("there is no repair for it") }
        let step = repairs < check.steps.count ? check.steps[repairs] : last
        if isHeld || failures >= check.holdAfter ?? .max {
            return .hold(.failures(check.holdAfter ?? failures))
        }
        let times = repaired[step.description, default: []]
        if times.count >= bounds.restartsMax {
            let shown = repairedAt + bounds.grace.milliseconds
            return now < shown && repairs > 0
                ? .wait(until: shown)
                : .hold(.tooMany(step, count: times.count, within: bounds.restartsWithin))
        }
        let pause = repairs < bounds.pauses.count ? bounds.pauses[repairs] : bounds.pauses.last
        let due = (repairs > 0 ? repairedAt : since) + (pause?.milliseconds ?? 0)
        return now < due ? .wait(until: due) : .repair(step)
    }
}
