import Configuration
import Console
import Reactor

/// What a run leaves to the next and says to people, and what it says when it is itself what is not well.
extension Watch {
    private static let postTimeout = Interval.seconds(8)

    mutating func tellOfDamage(_ problem: Problem) {
        log.add("state_damaged", ("reason", problem.description))
        try? Folder.rename(problem.file, to: problem.file + ".damaged")
        _ = notices.add(
            .damage, of: "watchdog", "its state was damaged and begins anew; \(problem.message)",
            at: now, in: &state)
    }

    mutating func save() {
        var fault: String?
        forgets = lockFault
        do throws(AtomicFile.Failure) {
            fault = try memory.keep(state)?.description
        } catch {
            (forgets, fault) = (forgets ?? error.description, error.description)
        }
        tellOfMemory(fault ?? lockFault)
    }

    /// Once a run.
    private mutating func tellOfMemory(_ fault: String?) {
        guard let fault else {
            _ = notices.end(.memory, of: "watchdog", "its state is kept again", in: &state)
            return
        }
        guard !hasToldOfMemory else { return }
        hasToldOfMemory = true
        log.add("state_fault", ("reason", fault))
        let consequence =
            forgets == nil
            ? "It is kept in memory meanwhile." : "Nothing is repaired as long as that is so."
        _ = notices.add(
            .memory, of: "watchdog", "its state cannot be kept: \(fault). \(consequence)", at: now,
            in: &state)
    }

    mutating func tellOfConfiguration() {
        let (file, sentence, now) = (plan.file, inForce.sentence, now)
        guard let fault = inForce.faults.first else {
            if notices.end(.configuration, of: "watchdog", sentence, in: &state) {
                log.add("configuration_good", ("file", file))
            }
            return
        }
        log.add(
            "configuration_fault", ("reason", fault),
            ("by", inForce.isLastGood ? "the last good one" : "what there is"))
        _ = notices.add(.configuration, of: "watchdog", sentence, at: now, in: &state)
    }

    mutating func post() {
        notices.post(to: secrets.receivers, at: now, in: &state)
        let open = secrets.receivers.filter { !silent.contains($0.name) }
        let deadline = Instant.now() + Watch.postTimeout
        for (receiver, verdict) in Post.send(to: open, in: &state, until: deadline, &log) {
            switch verdict {
            case .delivered: break
            case .later: silent.insert(receiver)
            case .refused(let reason): tellOfRefusal(receiver, reason)
            }
        }
    }

    /// To whoever else there is: a webhook that was removed would make it silent for good.
    private mutating func tellOfRefusal(_ receiver: String, _ reason: String) {
        _ = notices.add(
            .refusal, of: receiver,
            "takes no message: \(reason). Webhook or token has to be renewed.",
            at: now, in: &state)
    }
}

extension Plan {
    package var stateFile: String { "\(stateFolder)/state.json" }
}
