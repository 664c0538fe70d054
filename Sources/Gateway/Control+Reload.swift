import Configuration
import Reactor
import TLS

/// The configuration is read anew and takes effect as a whole, while everybody is served.
extension Control {
    /// Begins to read the configuration anew. While one reading is under way further wishes become one:
    /// whatever changes after the first byte was read is seen by the next.
    /// - Parameter asker: the admin connection that wants to know how it went; nil after a signal.
    mutating func reload(for asker: Ticket? = nil) {
        guard !isDraining else {
            return process.log.write(.warn, "no reload while the gate is going down")
        }
        guard !reloading.isUnderWay else { return reloading.wait(asker) }
        reloading.begin(for: asker)
        process.serviceManager.beginReload()
        do throws(Errno) {
            try Reload.begin(from: snapshot, process)
        } catch {
            let reason = "the configuration cannot be read: \(error.description)"
            conclude(.refused([Problem(.error, file: snapshot.configuration.file, reason)]))
        }
    }

    mutating func conclude(_ outcome: Reload.Outcome) {
        switch outcome {
        case .taken(let change): take(change)
        case .refused(let problems):
            process.reloads.fail(with: problems)
            tell(problems)
            process.log.write(.error, "reload refused, the configuration before it stays in force")
            {
                line in
                line.add("file", snapshot.configuration.file)
                line.add("problems", problems.count { $0.severity == .error })
            }
            process.serviceManager.endReload("reload refused; \(status)")
            finishReload()
        }
    }

    /// From here on new connections are decided by it; each worker takes it between two events.
    private mutating func take(_ change: Reload.Change) {
        let previous = snapshot
        use(change.snapshot)
        process.metrics.jobs.use(change.snapshot.configuration)
        if previous.identity.clientAuthorities != change.snapshot.identity.clientAuthorities {
            process.ticketKeys.discard()
        }
        reloading.take(change, by: process.mailboxes.count)
        for (index, mailbox) in process.mailboxes.enumerated() {
            mailbox.post(
                .snapshot(
                    change.snapshot, change.contexts[index], addresses: change.addresses))
        }
        desk.use(LoginLimits(change.snapshot.limits))
        process.log.use(change.snapshot.configuration.log)
        process.audit.use(change.snapshot.configuration.audit)
        process.watchMailbox.post(.snapshotChanged)
        process.resolverMailbox.post(.snapshotChanged)
    }

    /// A worker decides by the new snapshot from now on. Only when all do is the reload told to be done:
    /// whoever was taken off a list is refused from then on, on every connection.
    mutating func noteTaken() {
        guard let change = reloading.noteTaken() else { return }
        process.reloads.succeed()
        tell(change.warnings)
        let certificate = change.snapshot.certificate
        process.log.write(.info, "configuration reloaded") { line in
            line.add("file", change.snapshot.configuration.file)
            line.add("users", change.snapshot.userCount)
            line.add("certificate", certificate.fingerprint)
            line.add("expires", secondsSince1970: certificate.notAfter)
        }
        process.serviceManager.endReload(status)
        finishReload()
    }

    private func tell(_ problems: [Problem]) {
        for problem in problems {
            process.log.write(problem.severity == .error ? .error : .warn, "configuration") {
                line in
                line.add("problem", problem.description)
            }
        }
    }

    private mutating func finishReload() {
        let (askers, isWantedAgain) = reloading.finish()
        admin?.tell(askers, of: process.reloads.report, at: .now())
        if isWantedAgain { reload() }
    }
}

/// The reload that is under way, and what came meanwhile.
struct Reloading {
    /// Who waits to be told how it goes.
    private var askers: [Ticket] = []
    /// The next one has been asked for, by these.
    private var next: [Ticket]?
    private(set) var isUnderWay = false
    private var change: Reload.Change?
    private var workersLeft = 0

    /// - Parameter asker: who wants to be told; nobody does after a signal.
    mutating func begin(for asker: Ticket?) {
        isUnderWay = true
        if let asker { askers.append(asker) }
    }

    mutating func wait(_ asker: Ticket?) {
        next = (next ?? []) + (asker.map { [$0] } ?? [])
    }

    mutating func take(_ change: Reload.Change, by workers: Int) {
        (self.change, workersLeft) = (change, workers)
    }

    /// The change, when the last worker has taken it.
    mutating func noteTaken() -> Reload.Change? {
        workersLeft -= 1
        guard workersLeft == 0 else { return nil }
        defer { change = nil }
        return change
    }

    /// Who is to be told now, and whether another one was asked for meanwhile.
    mutating func finish() -> (askers: [Ticket], isWantedAgain: Bool) {
        let told = askers
        let isWantedAgain = next != nil
        (askers, next, isUnderWay) = (next ?? [], nil, false)
        return (told, isWantedAgain)
    }
}
