import Configuration
import Reactor
import TLS

/// One reading of the configuration while the gate runs: everything it names is read and checked by a
/// thread of its own, and comes back as a whole or not at all.
enum Reload {
    /// What it came to.
    enum Outcome: Sendable {
        case taken(Change)
        /// At least one of the problems is an error; nothing has changed.
        case refused([Problem])
    }

    /// All that takes the place of what was in force.
    struct Change: Sendable {
        let snapshot: Snapshot
        /// One for each worker.
        let contexts: [ServerContext]
        /// Where the Pushgateway is, when its name had to be looked up for this.
        let addresses: [PeerAddress]?
        let warnings: [Problem]
    }

    /// Begins to read what `snapshot` was read from. The outcome comes as a letter to the control.
    static func begin(from snapshot: Snapshot, _ process: ProcessState) throws(Errno) {
        try Thread.start(name: "kanmon-reload") {
            process.controlMailbox.post(.reloaded(outcome(after: snapshot, process)))
        }
    }

    private static func outcome(after previous: Snapshot, _ process: ProcessState) -> Outcome {
        let file = previous.configuration.file
        var (snapshot, problems) = Snapshot.load(file, after: previous)
        guard let snapshot else { return .refused(problems) }
        problems += changesThatNeedARestart(from: previous, to: snapshot)
        guard !problems.contains(where: { $0.severity == .error }) else {
            return .refused(problems)
        }
        var contexts: [ServerContext] = []
        do throws(IdentityError) {
            for _ in process.mailboxes { contexts.append(try process.serverContext(for: snapshot)) }
        } catch {
            return .refused([
                Problem(.error, file: file, "OpenSSL refuses the certificate it has just accepted")
            ])
        }
        let change = Change(
            snapshot: snapshot, contexts: contexts,
            addresses: newAddresses(from: previous, to: snapshot), warnings: problems)
        return .taken(change)
    }

    /// Sockets and threads are there for as long as the process is.
    private static func changesThatNeedARestart(
        from previous: Snapshot, to snapshot: Snapshot
    ) -> [Problem] {
        let (old, new) = (previous.configuration, snapshot.configuration)
        let remedy = "cannot change while the gate runs; restart it, or take the change back"
        var problems: [Problem] = []
        if old.listen.map(\.value) != new.listen.map(\.value) {
            problems.append(new.problem(.error, at: new.listen[0], "listen \(remedy)"))
        }
        if old.admin?.listen.value != new.admin?.listen.value {
            let message = "admin.listen \(remedy)"
            problems.append(
                new.admin.map { new.problem(.error, at: $0.listen, message) }
                    ?? Problem(.error, file: new.file, message))
        }
        if old.workers != new.workers {
            problems.append(Problem(.error, file: new.file, "workers \(remedy)"))
        }
        return problems
    }

    /// Looked up before the change, so that no push has to wait for it. What cannot be found now is left
    /// to the `NameResolver`, which tries again.
    private static func newAddresses(
        from previous: Snapshot, to snapshot: Snapshot
    ) -> [PeerAddress]? {
        let url = snapshot.configuration.upstream.url.value
        guard case .name(let name) = url.host, url != previous.configuration.upstream.url.value,
            case .success(let found) = NameLookup.addresses(of: name)
        else { return nil }
        return found.map { .network(SocketAddress(address: $0, port: url.port)) }
    }
}
