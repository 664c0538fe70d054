import Reactor

/// What somebody asks for, done within the limits that hold for everything.
extension Watch {
    /// Takes what somebody asked for and does it, but for what comes later in the run.
    mutating func takeKick() -> KickAction? {
        guard let kick = plan.kick else { return nil }
        let request: KickRequest
        do throws(Errno) {
            let taken = try KickRequest.take(from: kick.requestFile)
            _ = notices.end(
                .request, of: "watchdog", "requests can be taken again", in: &state)
            guard let taken else { return nil }
            request = taken
        } catch {
            log.add("kick_fault", ("file", kick.requestFile), ("reason", "\(error)"))
            _ = notices.add(
                .request, of: "watchdog",
                "\(kick.requestFile) cannot be taken away: \(error). No request can be made meanwhile.",
                at: now, in: &state)
            return nil
        }
        let verdict = request.verdict(token: secrets.kickToken, allowed: kick.actions, at: now)
        audit(request, verdict, in: kick.auditFile)
        guard case .accepted(let action) = verdict else { return nil }
        switch action {
        case .check, .snapshot: break
        case .resume: resume()
        case .restart(let unit): restart(unit, askedBy: request.source)
        }
        return action
    }

    private func audit(_ request: KickRequest, _ verdict: KickRequest.Verdict, in file: String) {
        var trail = EventLog(path: file, secrets.redaction)
        let (word, reason) =
            switch verdict {
            case .accepted: ("accepted", "")
            case .refused(let reason): ("refused", reason)
            }
        // Whoever has no token may write what he likes, but not much of it.
        trail.add([
            ("kick", word), ("ACTION", String(request.action.prefix(80))),
            ("SOURCE", String(request.source.prefix(80))), ("reason", reason),
        ])
    }

    private mutating func resume() {
        for name in state.incidents.keys {
            state.incidents[name]?.isHeld = false
            state.incidents[name]?.failures = 0
            state.incidents[name]?.repairs = 0
        }
    }

    /// Within the limit that holds for every restart.
    private mutating func restart(_ unit: String, askedBy source: String) {
        let step = Check.Step.restart(unit: unit)
        let isPossible =
            state.repairs[step.description, default: []].count < plan.bounds.restartsMax
        let outcome =
            isPossible ? perform(step) : "held back: too many restarts in a short time"
        log.add(
            "repair", ("check", "kick"), ("source", source), ("step", "\(step)"),
            ("outcome", outcome))
    }

    mutating func makeSnapshot() {
        let snapshot = Snapshot(of: plan, secrets)
        let path = snapshot.usualPath()
        do throws(Snapshot.Failure) {
            try snapshot.make(at: path)
            log.add("snapshot", ("file", path))
        } catch {
            log.add("snapshot_fault", ("reason", error.description))
        }
    }
}
