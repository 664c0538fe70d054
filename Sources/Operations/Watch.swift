import Configuration
import Glibc
package import Reactor

/// One run of the watchdog: looks at everything, mends what it may, tells what it did, and ends.
package struct Watch: ~Copyable {
    let inForce: PlanInForce
    let plan: Plan
    let secrets: Secrets
    private let look: Look
    private let deadline: Instant
    let memory: WatchMemory
    var log: EventLog
    var notices: Notices
    var state: WatchState
    /// What was restarted in this round already, for another check.
    private var doneInRound: Set<Check.Step> = []
    /// Whatever comes after one of these is not touched any more in this run.
    private var failedInRun: Set<String> = []
    /// Receivers that are not asked again in this run.
    var silent: Set<String> = []
    var hasToldOfMemory = false
    /// Why the next run would not know what this one did. Then nothing is repaired: it could be repaired
    /// for ever.
    var forgets: String?
    let lockFault: String?

    /// What is wrong may pass by itself: one failure is none, until it has shown twice.
    private static let confirmation = Interval.seconds(1)

    /// `fault` is why no lock could be taken, so that this may not be the only run.
    package init(
        _ inForce: PlanInForce, without fault: String?, startedAt start: Instant = .now()
    ) {
        self.inForce = inForce
        (plan, secrets, lockFault) = (inForce.plan, inForce.secrets, fault)
        look = Look(manager: plan.units, pushScript: plan.pushScript)
        deadline = start + plan.bounds.run
        log = EventLog(path: plan.logFile, secrets.redaction)
        notices = Notices(
            host: plan.notify.host ?? Machine.hostName, coolDown: plan.notify.coolDown,
            secrets.redaction)
        memory = WatchMemory(of: plan)
        let (state, problem) = memory.load()
        self.state = state
        if let problem { tellOfDamage(problem) }
        for problem in secrets.problems {
            log.add("secret_fault", ("reason", problem.description))
        }
    }

    /// True when everything is well at its end.
    package mutating func run() -> Bool {
        let bounds = plan.bounds
        state.forget(
            at: now, within: bounds.restartsWithin, coolDown: plan.notify.coolDown)
        state.incidents = state.incidents.filter { name, _ in
            plan.checks.contains { $0.name == name }
        }
        tellOfConfiguration()
        save()
        let wanted = takeKick()
        var failing = lookAtAll()
        // Once at least, however long it took to look: or what is slow would never be mended.
        while !failing.isEmpty, let due = act(on: failing) {
            save()
            post()
            failing = lookAgain(at: failing, until: due)
            guard Instant.now() < deadline else {
                for check in failing { tell(check, .failing, "It is not mended yet.") }
                break
            }
        }
        if wanted == .snapshot { makeSnapshot() }
        post()
        // What came of that.
        post()
        save()
        log.add(
            "run", ("checks", "\(plan.checks.count)"), ("failing", "\(state.incidents.count)"))
        return state.incidents.isEmpty
    }

    var now: Int { Int(WallClock.now().milliseconds) }

    /// What is left of this run, and never nothing: a look has to be possible.
    private var left: Interval {
        max(.seconds(1), Interval(nanoseconds: deadline.nanoseconds(since: .now())))
    }

    // MARK: Looking

    /// Looks at every check, twice at those that fail, and gives those that failed twice.
    private mutating func lookAtAll() -> [Check] {
        let suspects = failing(among: plan.checks).map(\.check)
        guard !suspects.isEmpty else { return [] }
        pause(Watch.confirmation)
        return failures(among: suspects)
    }

    /// Looks, and gives those that fail. What is good is over.
    private mutating func failing(among checks: [Check]) -> [(check: Check, reason: String)] {
        var failing: [(check: Check, reason: String)] = []
        for (check, finding) in look.findings(of: checks, within: left) {
            switch finding {
            case .good: end(check)
            case .bad(let reason): failing.append((check, reason))
            case .pointless: break
            }
        }
        return failing
    }

    /// Looks once more, also at what they come after; those that fail have failed once more.
    private mutating func failures(among checks: [Check]) -> [Check] {
        failing(among: withCauses(checks)).map { check, reason in
            note(check, reason)
            return check
        }
    }

    /// In the order of the file, in which causes come first.
    private func withCauses(_ checks: [Check]) -> [Check] {
        var names = Set(checks.map(\.name))
        for check in plan.checks.reversed() where names.contains(check.name) {
            names.formUnion(check.after)
        }
        return plan.checks.filter { names.contains($0.name) }
    }

    /// Looks at those that fail every second until something more is due, and gives those that fail
    /// still.
    private mutating func lookAgain(at checks: [Check], until due: Int) -> [Check] {
        var left = checks
        while now < due, Instant.now() < deadline {
            pause(min(.seconds(1), .milliseconds(max(1, due - now))))
            guard now < due else { break }
            left = failing(among: left).map(\.check)
            if left.isEmpty { return [] }
        }
        // What was restarted this very moment has not failed again.
        return Instant.now() < deadline
            ? failures(among: left) : failing(among: left).map(\.check)
    }

    private func pause(_ interval: Interval) {
        usleep(UInt32(clamping: interval.nanoseconds / 1000))
    }

    // MARK: Incidents

    private mutating func note(_ check: Check, _ reason: String) {
        let reason = secrets.redaction.redacted(reason)
        var incident = state.incidents[check.name] ?? Incident(since: now, reason: reason)
        incident.reason = reason
        incident.failures += 1
        log.add(
            "failing", ("check", check.name), ("failures", "\(incident.failures)"),
            ("reason", reason))
        if incident.failures >= 2, incident.journal == nil, Instant.now() < deadline {
            incident.journal = savedJournal(of: check)
        }
        state.incidents[check.name] = incident
    }

    private mutating func savedJournal(of check: Check) -> String? {
        let copy = JournalCopy(
            folder: "\(plan.stateFolder)/incidents", manager: plan.units,
            redaction: secrets.redaction)
        do throws(Errno) {
            guard let path = try copy.save(of: check, at: .now()) else { return "" }
            log.add("journal_saved", ("check", check.name), ("file", path))
            return path
        } catch {
            log.add("journal_fault", ("check", check.name), ("reason", "\(error)"))
            return ""
        }
    }

    /// It is good: what there was to mend is over.
    private mutating func end(_ check: Check) {
        guard let incident = state.incidents.removeValue(forKey: check.name) else { return }
        let seconds = max(0, now - incident.since) / 1000
        let took = Duration.seconds(seconds).prometheusText
        let isRepaired = incident.repairs > 0
        log.add(
            isRepaired ? "repaired" : "recovered", ("check", check.name),
            ("repairs", "\(incident.repairs)"), ("after", took))
        if !isRepaired && !incident.isTold { return }
        let how =
            isRepaired
            ? "well again after \(incident.repairs == 1 ? "a repair" : "\(incident.repairs) repairs")"
                + " (\(steps(of: check, incident)))" : "well again by itself"
        _ = notices.add(
            isRepaired ? .repaired : .recovered, of: check.name,
            "\(how), \(took) after it was found. It was: \(incident.reason)",
            always: incident.isTold, at: now, in: &state)
    }

    private func steps(of check: Check, _ incident: Incident) -> String {
        let done = check.steps.prefix(incident.repairs).map(\.description)
        return done.joined(separator: ", ")
    }

    // MARK: Acting

    /// Does what is due, and says when something more will be; nil when nothing will in this run.
    private mutating func act(on failing: [Check]) -> Int? {
        doneInRound = []
        failedInRun.formUnion(failing.map(\.name))
        var next: [Int] = []
        for (index, check) in failing.enumerated() {
            // What is first is mended however late it is; the rest would keep people from being told.
            if index > 0, Instant.now() >= deadline { return now }
            if let due = act(on: check) { next.append(due) }
        }
        return next.min()
    }

    private mutating func act(on check: Check) -> Int? {
        switch decision(about: check) {
        case .repair(let step):
            repair(check, by: step)
            if case .wait(let due) = decision(about: check) { return due }
            return now
        case .wait(let due): return due
        case .hold(let hold): self.hold(check, because: hold)
        case .onlyTell(let why): tell(check, .failing, "Nothing is done: \(why).")
        }
        return nil
    }

    private func decision(about check: Check) -> Decision {
        guard let incident = state.incidents[check.name] else { return .onlyTell("it is over") }
        if let forgets { return .onlyTell("it could not be remembered, since \(forgets)") }
        return incident.decision(
            for: check, failing: failedInRun, done: state.repairs, at: now, plan.bounds)
    }

    private mutating func repair(_ check: Check, by step: Check.Step) {
        // One restart does for all who want it.
        if doneInRound.insert(step).inserted {
            let outcome = perform(step)
            log.add(
                "repair", ("check", check.name), ("step", "\(step)"), ("outcome", outcome))
        }
        let moment = now
        state.incidents[check.name]?.repairs += 1
        state.incidents[check.name]?.repairedAt = moment
        if state.incidents[check.name]?.repairs ?? 0 > 1 {
            tell(check, .failing, "What was done has not helped so far; now: \(step).")
        }
    }

    /// Does it, and says how that ended.
    mutating func perform(_ step: Check.Step) -> String {
        // Before it is begun: what kills this run must not make the next one forget.
        let moment = now
        state.repairs[step.description, default: []].append(moment)
        save()
        if let forgets { return "was not done, since \(forgets)" }
        let patience = max(.seconds(5), left)
        switch step {
        case .restart(let unit):
            let systemctl = Systemctl(plan.units)
            // systemd's own limit of starts would stand in the way; ours is the one that counts.
            _ = systemctl.errand("reset-failed", [unit], timeout: .seconds(5)).run()
            return outcome(systemctl.errand("restart", [unit], timeout: patience).run())
        case .run(let words):
            return outcome(Errand(words[0], Array(words.dropFirst()), timeout: patience).run())
        }
    }

    private func outcome(_ report: Errand.Report) -> String {
        guard !report.isSuccess else { return "done" }
        let said = String(decoding: report.errors, as: UTF8.self).excerpt
        return "\(report.end)\(said.isEmpty ? "" : ": \(said)")"
    }

    private mutating func hold(_ check: Check, because hold: Decision.Hold) {
        if case .failures = hold { state.incidents[check.name]?.isHeld = true }
        log.add("held", ("check", check.name), ("reason", "\(hold)"))
        let journal = state.incidents[check.name]?.journal ?? ""
        tell(
            check, .held,
            "Repairs are held back: \(hold). Somebody has to look."
                + (journal.isEmpty ? "" : " Journal: \(journal)"))
    }

    private mutating func tell(_ check: Check, _ kind: Notices.Kind, _ consequence: String) {
        let reason = state.incidents[check.name]?.reason ?? ""
        let isTold = notices.add(
            kind, of: check.name, "\(reason). \(consequence)", at: now, in: &state)
        if isTold { state.incidents[check.name]?.isTold = true }
    }
}
