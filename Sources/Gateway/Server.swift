import Admission
package import Configuration
import Glibc
package import Reactor
import TLS

/// The gate as a process: binds its sockets, starts its threads, and runs until it is told to end.
package enum Server {
    /// Why the gate could not start, after its configuration was found good.
    package enum StartError: Error {
        /// A socket could not be bound: which, and why.
        case cannotListen(Problem)
        /// A socket that was passed to this process does not fit the configuration.
        case cannotUse(Problem)
        /// The system refused a thread, a descriptor or a signal.
        case systemRefused(Errno)
    }

    /// Takes the signals the gate is steered by. Before anything else, also before the log: a signal
    /// goes to any thread that does not block it, and ends the process there.
    package static func takeSignals() throws(Errno) -> Signals {
        try Signals(taking: [SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD])
    }

    /// Runs the gate in the calling thread and threads of its own; returns after a clean drain.
    package static func run(
        _ program: ProgramVersion, _ snapshot: Snapshot, log: Log, signals: consuming Signals
    ) throws(StartError) {
        let audit = try startAudit(log)
        var loop = try start(program, snapshot, log, audit, signals)
        audit.use(snapshot.configuration.audit)
        loop.run()
        audit.finish(within: .seconds(5))
        log.write(.info, "drained, going down")
        log.writePending()
    }

    private static func startAudit(_ log: Log) throws(StartError) -> AuditLog {
        do throws(Errno) { return try AuditLog(log: log) } catch { throw .systemRefused(error) }
    }

    /// Binds, starts the threads, and gives the loop of the calling one. From then on the control alone
    /// holds the listeners: when it lets go of them, nobody is let in any more.
    private static func start(
        _ program: ProgramVersion, _ snapshot: Snapshot, _ log: Log, _ audit: AuditLog,
        _ signals: consuming Signals
    ) throws(StartError) -> Loop {
        let predecessor = Predecessor.Name()
        let listeners = try listen(snapshot.configuration, after: predecessor)
        log.write(.info, "listening") { line in
            let addresses = { (party: Party) in
                listeners.filter { $0.party == party }.map(\.address.description)
                    .joined(separator: ",")
            }
            line.add("address", addresses(.listener))
            if snapshot.configuration.admin != nil { line.add("admin", addresses(.adminListener)) }
        }
        do throws(Errno) {
            return try assemble(
                program, snapshot, log, audit, listeners, signals, predecessor)
        } catch {
            throw .systemRefused(error)
        }
    }

    /// Takes the sockets that were passed and binds every other address; what is listened on before a
    /// failure is closed again.
    private static func listen(
        _ configuration: Configuration, after predecessor: Predecessor.Name?
    ) throws(StartError) -> [Listener] {
        var wanted = configuration.listen.enumerated().map { index, address in
            WantedListener(address: address, party: .listener, index: index)
        }
        if let admin = configuration.admin {
            wanted.append(WantedListener(address: admin.listen, party: .adminListener, index: 0))
        }
        let inherited = try inherit(wanted, configuration, from: predecessor)
        var listeners: [Listener] = []
        for (wanted, inherited) in zip(wanted, inherited) {
            if let inherited {
                listeners.append(Listener(inherited, for: wanted.party, index: wanted.index))
            } else {
                listeners.append(try bind(wanted, configuration))
            }
        }
        return listeners
    }

    private struct WantedListener {
        let address: Located<ListenAddress>
        let party: Party
        let index: Int
    }

    /// The sockets that were passed, each beside the listener it is for.
    private static func inherit(
        _ wanted: [WantedListener], _ configuration: Configuration,
        from predecessor: Predecessor.Name?
    ) throws(StartError) -> [InheritedSockets.Inherited?] {
        do throws(PassedSocket.Fault) {
            var sockets = try InheritedSockets(from: predecessor)
            let inherited = wanted.map {
                sockets.take(for: $0.address.value, ListenerName(of: $0.party, $0.index))
            }
            guard let reason = sockets.leftover(wanted.map(\.address.value)) else {
                return inherited
            }
            throw PassedSocket.Fault(text: reason)
        } catch {
            throw .cannotUse(Problem(.error, file: configuration.file, error.text))
        }
    }

    private static func bind(
        _ wanted: WantedListener, _ configuration: Configuration
    ) throws(StartError) -> Listener {
        let address = wanted.address
        do throws(Errno) {
            return try Listener(address.value, for: wanted.party, index: wanted.index)
        } catch {
            let reason = BindFailure(of: address.value, error).text
            throw .cannotListen(configuration.problem(.error, at: address, reason))
        }
    }

    private static func assemble(
        _ program: ProgramVersion, _ snapshot: Snapshot, _ log: Log, _ audit: AuditLog,
        _ listeners: [Listener], _ signals: consuming Signals, _ predecessor: Predecessor.Name?
    ) throws(Errno) -> Loop {
        let descriptors = Machine.raiseDescriptorLimit()
        let workers = workerCount(snapshot.configuration.workers)
        let process = try ProcessState(
            program, log: log, audit: audit, workers: workers, snapshot: snapshot,
            descriptors: descriptors)
        let desk = try PasswordDesk(
            limits: LoginLimits(snapshot.limits), threads: min(4, Machine.usableProcessors),
            mailboxes: process.mailboxes)
        let poller = try Poller()
        let control = try Control(
            poller: poller, process: process, desk: desk, snapshot: snapshot, listeners: listeners,
            signals: signals, predecessor: predecessor, descriptors: descriptors)
        try NameResolver.start(process)
        try StoreWatch.start(process)
        guard workers > 1 else {
            let worker = try Worker(
                index: 0, poller: poller, process: process, desk: desk, snapshot: snapshot)
            return Loop(poller: poller, control: control, worker: worker)
        }
        for index in 0..<workers { try startWorker(index, process, desk, snapshot) }
        return Loop(poller: poller, control: control, worker: nil)
    }

    private static func startWorker(
        _ index: Int, _ process: ProcessState, _ desk: PasswordDesk, _ snapshot: Snapshot
    ) throws(Errno) {
        try Thread.start(name: "kanmon-worker\(index)") {
            do throws(Errno) {
                let poller = try Poller()
                let worker = try Worker(
                    index: index, poller: poller, process: process, desk: desk, snapshot: snapshot)
                var loop = Loop(poller: poller, control: nil, worker: worker)
                loop.run()
            } catch {
                process.end(because: "a worker cannot start", error)
            }
        }
    }

    private static func workerCount(_ configured: Int) -> Int {
        configured > 0
            ? configured : min(Machine.usableProcessors, ProcessorQuota.processors ?? .max)
    }
}

extension LoginLimits {
    init(_ limits: Limits) {
        queueMax = limits.passwordQueueMax
        failures = FailedLogins.Limits(
            perUser: limits.failedLoginsPerMinuteMax.user,
            perAddress: limits.failedLoginsPerMinuteMax.address)
    }
}
