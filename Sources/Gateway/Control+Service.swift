import Reactor

/// What the control tells the service manager, and when.
extension Control {
    /// How often more time is asked for while the gate drains, and how much.
    private static let pleaPeriod = Interval.seconds(5)
    private static let pleaLength = Interval.seconds(10)
    /// How soon it is looked again whether loops that hang have come back.
    private static let retryPeriod = Interval.seconds(1)

    /// Everything listens, every loop turns: the door opens.
    mutating func becomeReady(at now: Instant) {
        isReady = true
        resume(at: now)
        process.log.write(.info, "ready")
        if process.serviceManager.signPeriod != nil { nextSign = now }
        guard predecessor == nil else { return predecessor?.tellReady() ?? () }
        process.serviceManager.ready(status)
    }

    var status: String {
        let addresses = listeners.map(\.address.description).joined(separator: ", ")
        return "serving on \(addresses), \(snapshot.userCount) users"
    }

    mutating func tellServiceManager(at now: Instant) {
        if now >= nextSign { giveSign(at: now) }
        if now >= nextPlea { plead(at: now) }
    }

    private mutating func giveSign(at now: Instant) {
        guard let period = process.serviceManager.signPeriod else { return }
        guard process.heartbeats.areTurning(at: now) else {
            nextSign = now + min(period, Control.retryPeriod)
            return process.log.write(.error, "a worker hangs, no sign of life is given")
        }
        process.serviceManager.giveSign()
        nextSign = now + period
    }

    mutating func tellOfDrain(at now: Instant) {
        process.serviceManager.beginStop(drainStatus)
        nextPlea = now
    }

    private mutating func plead(at now: Instant) {
        process.serviceManager.askForTime(Control.pleaLength, drainStatus)
        nextPlea = now + Control.pleaPeriod
    }

    private var drainStatus: String { "draining \(process.budgets.connectionCount) connections" }
}
