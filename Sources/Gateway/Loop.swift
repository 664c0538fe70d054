import Reactor

/// One thread: a poller, and whom it serves. With several workers the control has a loop of its own;
/// with one worker both share a loop, and no connection changes threads.
struct Loop: ~Copyable {
    private let poller: Poller
    private var control: Control?
    private var worker: Worker?

    init(poller: Poller, control: consuming Control?, worker: consuming Worker?) {
        self.poller = poller
        self.control = control
        self.worker = worker
    }

    /// Turns until the control says that all is done. A loop without it ends with the process.
    mutating func run() {
        var now = Instant.now()
        while !(control?.isDone ?? false) { now = turn(from: now) }
    }

    /// One turn, as `Worker` describes it; the control is served in the same order.
    private mutating func turn(from before: Instant) -> Instant {
        let deadline = min(
            control?.nextDeadline ?? .distantFuture, worker?.nextDeadline ?? .distantFuture)
        let ready = poller.wait(until: deadline, from: before)
        let now = Instant.now()
        worker?.begin(turn: now, due: max(deadline, before))
        for index in 0..<ready { serve(poller[index], at: now) }
        control?.expire(at: now)
        worker?.finishTurn()
        return now
    }

    private mutating func serve(_ event: Poller.Readiness, at now: Instant) {
        switch Party(rawValue: event.ticket.kind) {
        case .client, .upstream, .workerMailbox: worker?.serve(event)
        case .listener, .signals, .controlMailbox, .successor, .predecessor, .adminListener,
            .admin:
            control?.serve(event, at: now)
            for arrival in control?.takeArrivals() ?? [] { worker?.admit(arrival) }
        // Nobody else is ever watched.
        case nil: break
        }
    }
}
