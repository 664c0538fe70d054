import Glibc
import Reactor

/// One gate takes over from another: both have the same listening sockets open, so that at no moment
/// nobody listens, and whoever waits in a queue is let in by either.
extension Control {
    // MARK: The gate that is there

    mutating func startSuccessor(at now: Instant) {
        guard isReady, drainEnd == .distantFuture, successor == nil, let programPath else {
            return process.log.write(.warn, "no upgrade now: one is under way, or this gate ends")
        }
        do throws(Errno) {
            successor = try Successor.start(
                programPath, with: listeners + [admin?.listener].compactMap(\.self),
                watchedBy: poller, at: now)
        } catch {
            return tellOfFailure("\(programPath) cannot be started: \(error)")
        }
        process.log.write(.info, "upgrade begins") { line in
            line.add("program", programPath)
            line.add("pid", Int(successor?.processID ?? 0))
        }
    }

    mutating func hearSuccessor(at now: Instant) {
        guard successor?.isReady(heardBy: poller) ?? false, let processID = successor?.processID
        else { return }
        process.log.write(.info, "handed over, draining") { line in
            line.add("pid", Int(processID))
            line.add("connections", process.budgets.connectionCount)
        }
        process.serviceManager.retire(
            inFavourOf: processID, "upgraded; process \(getpid()) drains")
        nextSign = .distantFuture
        // It hears the end of the line, and from then on speaks for the gate.
        successor = nil
        leaveListeners()
        admin?.stopListening()
        drainEnd = now + snapshot.timeouts.idle + snapshot.timeouts.drain
        for mailbox in process.mailboxes { mailbox.post(.drain(.handedOver)) }
    }

    /// A child has ended: the one that was to take over, or one that has, or that no longer should.
    mutating func mourn(_ processID: Int32, _ end: ChildProcess.End) {
        guard let failure = successor?.failure(end), processID == successor?.processID else {
            return process.log.write(.warn, "a process that was started for an upgrade has ended") {
                line in
                line.add("pid", Int(processID))
                line.add("how", end.description)
            }
        }
        successor = nil
        tellOfFailure("process \(processID) \(failure)")
    }

    private func tellOfFailure(_ reason: String) {
        process.log.write(.error, "upgrade failed, this gate goes on") { line in
            line.add("reason", reason)
        }
        process.serviceManager.show("upgrade failed (\(reason)); \(status)")
    }

    // MARK: The gate that comes

    /// The old gate has told the service manager of this one, or has gone.
    mutating func predecessorIsDone() {
        predecessor = nil
        process.serviceManager.ready(status)
    }
}
