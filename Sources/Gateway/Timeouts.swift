import Configuration
import Reactor

/// The configured times as a loop adds them, worked out once.
struct Timeouts: Sendable {
    let handshake: Interval
    let head: Interval
    let body: Interval
    /// From when on a body must keep its pace.
    let bodyPace: Interval
    let idle: Interval
    let write: Interval
    let drain: Interval
    let upstreamConnect: Interval
    let upstreamFirstByte: Interval
    let upstreamAnswer: Interval

    init(_ limits: Limits, _ upstream: Configuration.Upstream) {
        handshake = Interval(limits.handshakeTimeout)
        head = Interval(limits.headTimeout)
        body = Interval(limits.bodyTimeout)
        bodyPace = Interval(limits.bodyRateMin.after)
        idle = Interval(limits.idleTimeout)
        write = Interval(limits.writeTimeout)
        drain = Interval(limits.drainTimeout)
        upstreamConnect = Interval(upstream.connectTimeout)
        upstreamFirstByte = Interval(upstream.firstByteTimeout)
        upstreamAnswer = Interval(upstream.timeout)
    }
}
