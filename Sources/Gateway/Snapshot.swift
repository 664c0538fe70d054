import Admission
package import Configuration
import Bytes
import Reactor
package import TLS

/// Everything a request is decided by, read and checked as a whole, then never changed.
///
/// A request keeps the snapshot it began with; the next one may see another.
package final class Snapshot: Sendable {
    package let configuration: Configuration
    let limits: Limits
    let timeouts: Timeouts
    let allowlist: Allowlist
    let users: UserFile
    let rights: Rights
    package let upstream: Dialer
    package let identity: Identity
    package let certificate: Certificate
    /// Counts the snapshots of a process, from 0.
    let number: Int

    private init(
        configuration: Configuration, allowlist: Allowlist, users: UserFile, rights: Rights,
        upstream: Dialer, identity: Identity, certificate: Certificate, after previous: Snapshot?
    ) {
        number = previous.map { $0.number &+ 1 } ?? 0
        self.configuration = configuration
        limits = configuration.limits
        timeouts = Timeouts(configuration.limits, configuration.upstream)
        (self.allowlist, self.users, self.rights) = (allowlist, users, rights)
        self.upstream = upstream
        (self.identity, self.certificate) = (identity, certificate)
    }

    package var userCount: Int { users.userCount }

    /// Is this a password of the user, by the users file as it was read? Takes as long as bcrypt does.
    package func isPassword(_ password: [UInt8], of user: [UInt8]) -> Bool {
        var checker = PasswordChecker()
        return checker.verify(
            password.span, against: users.lines(of: user.span), work: users.work) != nil
    }

    /// Which line of the configuration lists `entry` of the allowlist.
    func allowLine(_ entry: Int) -> Int { configuration.allow[entry].line }
}

extension Snapshot {
    /// What reading came to: nil when there is an error among the problems, or when it was a check and a
    /// credential is not there outside of the service, which is a warning.
    package typealias Reading = (snapshot: Snapshot?, problems: [Problem])

    /// What a configuration is read for.
    package enum Purpose: Sendable {
        /// To serve by it.
        case service
        /// To see whether it would do. Outside of the service its credentials need not be there.
        case check
    }

    /// Reads the configuration file at `path`, and everything it names.
    /// - Parameter previous: what was in force until now, of which counts go on.
    package static func load(
        _ path: String, for purpose: Purpose = .service, after previous: Snapshot? = nil
    ) -> Reading {
        let (configuration, problems) = Configuration.load(path: path)
        guard let configuration else { return (nil, problems) }
        let (snapshot, found) = read(
            configuration, for: purpose, after: previous, now: WallClock.now().seconds)
        return (snapshot, problems + found)
    }

    /// Reads the files that `configuration` names and checks everything that can be checked without
    /// a socket. All problems at once, errors and warnings.
    /// - Parameter now: seconds since 1970, for the certificate's dates.
    private static func read(
        _ configuration: Configuration, for purpose: Purpose, after previous: Snapshot?, now: Int
    ) -> Reading {
        var files = ConfiguredFiles(configuration, for: purpose)
        let allowlist = files.allowlist()
        let users = files.users(after: previous?.userCount ?? 0)
        let identity = files.identity(now: now)
        let rights = files.rights(
            of: users, allowlist: allowlist, keeping: previous?.rights.quotas)
        files.checkAudit(after: previous?.configuration.audit)
        let upstream = files.dialer(now: now)
        let problems = files.problems
        guard let allowlist, let users, let rights, let upstream, let identity,
            !problems.contains(where: { $0.severity == .error })
        else { return (nil, problems) }
        let snapshot = Snapshot(
            configuration: configuration, allowlist: allowlist, users: users, rights: rights,
            upstream: upstream, identity: identity.identity, certificate: identity.certificate,
            after: previous)
        return (snapshot, problems)
    }
}

extension Configuration.TLS.Version {
    var minimumVersion: ServerContext.MinimumVersion {
        switch self {
        case .tls12: .tls12
        case .tls13: .tls13
        }
    }
}
