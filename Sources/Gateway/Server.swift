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
        /// The system refused a thread, a descriptor or a signal.
        case systemRefused(Errno)
    }

    /// Takes the signals the gate is steered by. Before anything else, also before the log: a signal
    /// goes to any thread that does not block it, and ends the process there.
    package static func takeSignals() throws(Errno) -> Signals {
        try Signals(taking: [SIGTERM, SIGINT])
    }

    /// Runs the gate in the calling thread and threads of its own; returns after a clean drain.
    package static func run(
        _ snapshot: Snapshot, log: Log, signals: consuming Signals
    ) throws(StartError) {
        var loop = try start(snapshot, log, signals)
        loop.run()
        log.write(.info, "drained, going down")
        log.writePending()
    }

    /// Binds, starts the threads, and gives the loop of the calling one. From then on the control alone
    /// holds the listeners: when it lets go of them, nobody is let in any more.
    private static func start(
        _ snapshot: Snapshot, _ log: Log, _ signals: consuming Signals
    ) throws(StartError) -> Loop {
        let listeners = try listen(snapshot.configuration)
        log.write(.info, "listening") { line in
            line.add("address", listeners.map(\.address.description).joined(separator: ","))
        }
        do throws(Errno) {
            return try assemble(snapshot, log, listeners, signals)
        } catch {
            throw .systemRefused(error)
        }
    }

    /// Binds every address; what is listened on before a failure is closed again.
    private static func listen(_ configuration: Configuration) throws(StartError) -> [Listener] {
        var listeners: [Listener] = []
        for (index, address) in configuration.listen.enumerated() {
            do throws(Errno) {
                listeners.append(try Listener(address.value, index: index))
            } catch {
                let reason = BindFailure(of: address.value, error).text
                throw .cannotListen(configuration.problem(.error, at: address, reason))
            }
        }
        return listeners
    }

    private static func assemble(
        _ snapshot: Snapshot, _ log: Log, _ listeners: [Listener], _ signals: consuming Signals
    ) throws(Errno) -> Loop {
        let limits = snapshot.limits
        let workers = workerCount(snapshot.configuration.workers)
        let process = try ProcessState(log: log, workers: workers, limits: limits)
        let desk = try PasswordDesk(
            limits: LoginLimits(limits), threads: min(4, Machine.usableProcessors),
            mailboxes: process.mailboxes)
        let poller = try Poller()
        let control = try Control(
            poller: poller, process: process, snapshot: snapshot, listeners: listeners,
            signals: signals, connectionsMax: connectionsMax(limits, log))
        try NameResolver.start(for: snapshot.configuration.upstream.url.value, process)
        try StoreWatch.start(for: snapshot, process)
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
                process.log.write(.error, "a worker cannot start") { line in
                    line.add("error", error.description)
                }
                process.log.writePending()
                exit(71)  // EX_OSERR: half a gate is none.
            }
        }
    }

    private static func workerCount(_ configured: Int) -> Int {
        configured > 0
            ? configured : min(Machine.usableProcessors, ProcessorQuota.processors ?? .max)
    }

    /// A connection takes a descriptor here and, while its push is forwarded, a share of one there.
    private static func connectionsMax(_ limits: Limits, _ log: Log) -> Int {
        let descriptors = Machine.raiseDescriptorLimit()
        let reserved = 128
        let possible = max(16, descriptors - reserved)
        guard possible < limits.connectionsMax else { return limits.connectionsMax }
        log.write(.warn, "the limit of descriptors is too low for connections_max") { line in
            line.add("descriptors", descriptors)
            line.add("connections_max", limits.connectionsMax)
            line.add("lowered_to", possible)
        }
        return possible
    }
}

extension LoginLimits {
    fileprivate init(_ limits: Limits) {
        queueMax = limits.passwordQueueMax
        failures = FailedLogins.Limits(
            perUser: limits.failedLoginsPerMinuteMax.user,
            perAddress: limits.failedLoginsPerMinuteMax.address)
    }
}
