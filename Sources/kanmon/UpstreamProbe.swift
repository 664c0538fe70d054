import Configuration
import Gateway
import Reactor

/// Asks the Pushgateway once whether it is there, and waits for its answer.
enum UpstreamProbe {
    /// A sentence about it, for a person.
    static func report(_ upstream: Configuration.Upstream) -> String {
        let url = upstream.url.value
        let deadline = Instant.now() + Interval(upstream.connectTimeout + .seconds(2))
        do throws(PushgatewayReader.Failure) {
            let status = try PushgatewayReader(upstream).read(
                "/-/ready", bytesMax: 4096, until: deadline
            ) { _ in }
            return status == 200
                ? "The Pushgateway at \(url) answers."
                : "The Pushgateway at \(url) answers /-/ready with \(status): is this its address?"
        } catch {
            return "The Pushgateway at \(url) does not answer: \(error.sentence)."
        }
    }
}
