import Configuration
import Gateway
import Reactor

/// Asks the Pushgateway once whether it is there, and waits for its answer.
enum UpstreamProbe {
    /// A sentence about it, for a person.
    static func report(_ snapshot: Snapshot) -> String {
        let upstream = snapshot.configuration.upstream
        let url = upstream.url.value
        let dialer = snapshot.upstream
        let deadline = Instant.now() + Interval(upstream.connectTimeout + .seconds(2))
        do throws(PushgatewayReader.Failure) {
            let status = try PushgatewayReader(dialer).read(
                "/-/ready", bytesMax: 4096, until: deadline
            ) { _ in }
            switch status {
            case 200: return "The Pushgateway at \(url) answers."
            case 401, 403:
                return
                    "The Pushgateway at \(url) answers: \(dialer.access.meaning(ofStatus: status))."
            default:
                return
                    "The Pushgateway at \(url) answers /-/ready with \(status): is this its address?"
            }
        } catch {
            return "The Pushgateway at \(url) does not answer: \(error.sentence)."
        }
    }
}
