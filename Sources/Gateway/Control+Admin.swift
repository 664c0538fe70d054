import Reactor

/// Those who run the gate ask it how it is.
extension Control {
    mutating func serveAdmin(_ event: Poller.Readiness, at now: Instant) {
        let view = GateView(
            process: process, snapshot: snapshot, desk: desk, strangers: strangers,
            connectionsMax: connectionsMax, isDraining: isDraining, now: now)
        admin?.serve(event, of: view)
        for asker in admin?.takeAskers() ?? [] { reload(for: asker) }
    }
}
