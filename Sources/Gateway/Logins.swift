import Admission
import Bytes
import Reactor
import TLS

/// Who has proven to be whom, as far as one worker knows: a memory of verified credentials, and the
/// way to the desk for those it does not know.
///
/// Credentials are remembered by a keyed digest that the stored hash is part of: a reload neither
/// keeps a password that was taken back nor makes everyone verify anew.
final class Logins {
    private var credentials = BasicCredentials()
    private let digests: KeyedDigest
    private var verified: VerifiedCache
    private let desk: PasswordDesk
    private let worker: Int

    enum Outcome {
        case good
        /// The desk was asked; the digest names the question.
        case pending(Digest)
        case refused(Refusal)
    }

    /// A day of pushes costs each user one verification.
    private static let rememberedSeconds = 24 * 60 * 60
    private static let rememberedMax = 4096

    init(worker: Int, key: KeyedDigest.Key, desk: PasswordDesk) {
        digests = KeyedDigest(key: key)
        verified = VerifiedCache(
            capacity: Logins.rememberedMax, lifetimeSeconds: Logins.rememberedSeconds)
        (self.worker, self.desk) = (worker, desk)
    }

    /// Decides about the `Authorization` field of a request, or asks the desk, whose verdict comes
    /// back to the worker's mailbox. Keeps the user's name in the exchange.
    /// - Parameter provenUser: who has logged in on this connection before.
    func check(
        _ field: Span<UInt8>, of exchange: Exchange, from address: IPAddress, provenUser: Int?,
        at now: Instant
    ) -> Outcome {
        guard credentials.decode(field) else { return .refused(.credentialsMissing) }
        defer { credentials.clear() }
        return credentials.withUserAndPassword { user, password in
            exchange.user.append(user)
            let users = exchange.snapshot.users
            let lines = users.lines(of: user)
            // Who has been this user knows that there was one: no secret is told.
            if lines.isEmpty, let provenUser, provenUser == Logins.hash(of: user) {
                return .refused(.revoked)
            }
            var asked: [Digest] = []
            for line in lines {
                let digest = digest(of: user, line.bytes.span, password)
                if verified.contains(digest, now: now.nanoseconds) { return .good }
                asked.append(digest)
            }
            let waiter = PasswordDesk.Waiter(
                worker: worker, exchange: exchange.id, address: address)
            let question = PasswordDesk.Question(
                // An unknown user's question has a name as well, for all who ask it to share.
                name: asked.first ?? digest(of: user, ("" as StaticString).span, password),
                user: [UInt8](copying: user), password: Password(copying: password),
                lines: lines, digests: asked, work: users.work)
            return ask(question, for: waiter, at: now)
        }
    }

    /// What stands for a user in a connection's memory. Nobody outside can know whose are the same.
    static func hash(of user: Span<UInt8>) -> Int {
        var hasher = Hasher()
        for index in user.indices { hasher.combine(user[index]) }
        return hasher.finalize()
    }

    /// Remembers credentials that the desk has found right.
    func remember(_ digest: Digest, at now: Instant) {
        verified.insert(digest, now: now.nanoseconds)
    }

    /// Nobody waits for the answer to this question any more.
    func abandon(_ exchange: ExchangeID, _ question: Digest) {
        desk.abandon(exchange, question)
    }

    private func ask(
        _ question: PasswordDesk.Question, for waiter: PasswordDesk.Waiter, at now: Instant
    ) -> Outcome {
        switch desk.ask(question, for: waiter, at: now) {
        case .queued: .pending(question.name)
        case .full(let lane): .refused(Refusal(noRoomIn: lane))
        }
    }

    private func digest(
        of user: Span<UInt8>, _ line: Span<UInt8>, _ password: Span<UInt8>
    ) -> Digest {
        let words = digests.digest(user, line, password)
        return Digest(words.0, words.1, words.2, words.3)
    }
}

extension Refusal {
    init(noRoomIn lane: PasswordDesk.Lane) {
        self = lane == .slow ? .loginsTooMany : .loginQueueFull
    }
}
