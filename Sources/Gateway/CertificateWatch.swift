import Reactor
import TLS

/// Looks at the calendar while the gate runs: a certificate ages without anybody touching it, and clients
/// that refuse it cannot tell its operator.
struct CertificateWatch {
    /// When to look again.
    private(set) var due: Instant
    /// How many days were left when that was last told, or looked at by whoever read the file.
    private var daysTold: Int

    private static let interval = Interval.seconds(10)
    private static let daysMin = 14

    /// What was wrong with it when it was read has been told.
    init(_ certificate: Certificate, at now: Instant) {
        due = now + CertificateWatch.interval
        daysTold = CertificateWatch.daysLeft(of: certificate)
    }

    /// Tells, once a day, of a certificate that has few days left or none.
    mutating func look(at certificate: Certificate, at now: Instant, telling log: Log) {
        due = now + CertificateWatch.interval
        let days = CertificateWatch.daysLeft(of: certificate)
        guard days != daysTold else { return }
        daysTold = days
        guard days < CertificateWatch.daysMin else { return }
        log.write(
            days < 0 ? .error : .warn,
            days < 0 ? "the certificate has expired" : "the certificate expires soon"
        ) { line in
            line.add("days", days)
            line.add("expires", secondsSince1970: certificate.notAfter)
            line.add("remedy", "kanmon cert --renew --out DIR, then reload")
        }
    }

    /// Whole days, rounded down: -1 on the day after the last one.
    private static func daysLeft(of certificate: Certificate) -> Int {
        let seconds = certificate.notAfter - WallClock.now().seconds
        return seconds >= 0 ? seconds / 86_400 : (seconds + 1) / 86_400 - 1
    }
}
