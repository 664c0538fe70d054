import Admission
import Bytes
import Reactor
import Synchronization

/// Where passwords are verified: a few threads that give way to everyone, so that no loop ever
/// waits for bcrypt.
///
/// One verification at a time per credential; all who wait for the same one share the answer. A
/// `LoginQueue` takes who waits address by address in turn, so that one address with many tries cannot
/// keep the others. What an address over its limit of failures asks, or has asked before it was over
/// it, goes through the slow lane: one at a time, so that a right password still gets through and a
/// guesser gets nowhere.
final class PasswordDesk: Sendable {
    /// One credential to verify, and what its verification needs.
    struct Question: Sendable {
        /// Names the credential without holding it.
        let name: Digest
        let user: [UInt8]
        let password: Password
        /// The user's lines, and what to remember when one of them matches.
        let lines: [PasswordHash]
        let digests: [Digest]
        /// How much hashing every question costs, whoever asks.
        let work: UInt64
    }

    /// Who asked: the exchange, and the worker whose mailbox the answer goes to.
    struct Waiter: Sendable {
        let worker: Int
        let exchange: ExchangeID
        let address: IPAddress
    }

    struct Verdict: Sendable {
        enum Outcome: Sendable {
            case right
            case wrong
            /// It waited, and its place went to somebody else.
            case crowdedOut(Lane)
        }

        let exchange: ExchangeID
        let outcome: Outcome
    }

    enum Lane { case normal, slow }

    /// What became of a question: it waits, or it cannot.
    enum Reception { case queued, full(Lane) }

    private let state: Mutex<State>
    private let work: EventCounter
    private let mailboxes: [Mailbox<WorkerLetter>]

    /// - Parameter threads: how many passwords may be verified at once.
    init(limits: LoginLimits, threads: Int, mailboxes: [Mailbox<WorkerLetter>]) throws(Errno) {
        state = Mutex(State(limits: limits))
        work = try EventCounter(wakes: .one)
        self.mailboxes = mailboxes
        for _ in 0..<threads {
            try Thread.start(name: "kanmon-password", niceness: 10) { self.verifyForever() }
        }
    }

    /// Holds the questions that follow to `limits`. Other limits of failures begin a new count.
    func use(_ limits: LoginLimits) { state.withLock { $0.use(limits) } }

    func ask(_ question: Question, for waiter: Waiter, at now: Instant) -> Reception {
        let receipt = state.withLock { $0.receive(question, for: waiter, at: now) }
        if receipt.isNew { work.add() }
        tell(receipt.crowdedOut)
        return receipt.reception
    }

    /// The one who asked has gone: nothing is verified for nobody, and nobody takes up room.
    func abandon(_ exchange: ExchangeID, _ question: Digest) {
        state.withLock { $0.abandon(exchange, question) }
    }

    /// How many verifications there were, by what came out, and how many wait for theirs.
    struct Figures {
        var right = 0
        var wrong = 0
        var waiting = 0
    }

    var figures: Figures { state.withLock { $0.figures } }

    private func verifyForever() {
        var checker = PasswordChecker()
        while true {
            work.take()
            let (next, crowdedOut) = state.withLock { $0.next(at: .now()) }
            tell(crowdedOut)
            guard let question = next else { continue }
            let line = question.password.withBytes { password in
                checker.verify(password, against: question.lines, work: question.work)
            }
            let (waiters, mustWakeAgain) = state.withLock {
                $0.finish(question.name, matched: line != nil, at: .now())
            }
            // All workers learn it before anybody is answered, so whoever has logged in is known to each.
            if let line {
                for mailbox in mailboxes { mailbox.post(.verified(question.digests[line])) }
            }
            tell(waiters, line == nil ? .wrong : .right)
            if mustWakeAgain { work.add() }
        }
    }

    private func tell(_ crowdedOut: [CrowdedOut]) {
        for job in crowdedOut { tell(job.waiters, .crowdedOut(job.lane)) }
    }

    private func tell(_ waiters: [Waiter], _ outcome: Verdict.Outcome) {
        for waiter in waiters {
            let verdict = Verdict(exchange: waiter.exchange, outcome: outcome)
            mailboxes[waiter.worker].post(.password(verdict))
        }
    }

    /// All who waited for a verification that will not be.
    fileprivate struct CrowdedOut {
        let lane: Lane
        let waiters: [Waiter]
    }
}

/// How many may wait at the desk and how many logins may fail before an address goes slowly.
struct LoginLimits: Sendable {
    let queueMax: Int
    let failures: FailedLogins.Limits
    /// One at a time at some 15 a second: more would wait longer than a client does.
    var slowLaneMax: Int { max(1, queueMax / 4) }
}

extension PasswordDesk {
    /// One verification that waits or runs, and all who wait for it.
    fileprivate struct Job {
        let question: Question
        let user: UInt64
        /// Whose it is: the first who asked.
        let address: IPAddress
        var lane: Lane
        var isRunning = false
        var waiters: [Waiter]
    }

    fileprivate struct Receipt {
        let reception: Reception
        var isNew = false
        var crowdedOut: [CrowdedOut] = []
    }

    fileprivate struct State: ~Copyable {
        private var limits: LoginLimits
        private var failures: FailedLogins
        private var jobs: [Digest: Job] = [:]
        private var normalLane = LoginQueue()
        private var slowLane = LoginQueue()
        private var isSlowRunning = false
        private var turns: UInt64 = 0
        private var right = 0
        private var wrong = 0

        var figures: Figures {
            Figures(right: right, wrong: wrong, waiting: normalLane.count + slowLane.count)
        }

        init(limits: LoginLimits) {
            self.limits = limits
            failures = FailedLogins(limits: limits.failures)
        }

        mutating func use(_ limits: LoginLimits) {
            if limits.failures != self.limits.failures {
                failures = FailedLogins(limits: limits.failures)
            }
            self.limits = limits
        }

        mutating func receive(
            _ question: Question, for waiter: Waiter, at now: Instant
        ) -> Receipt {
            if jobs[question.name] != nil {
                jobs[question.name]?.waiters.append(waiter)
                return Receipt(reception: .queued)
            }
            let user = failures.userHash(question.user.span)
            let isSlow = failures.isOverLimit(waiter.address, userHash: user, now: now.nanoseconds)
            let job = Job(
                question: question, user: user, address: waiter.address,
                lane: isSlow ? .slow : .normal, waiters: [waiter])
            switch queue(job) {
            case .full: return Receipt(reception: .full(job.lane))
            case .queued: return Receipt(reception: .queued, isNew: true)
            case .queuedInPlaceOf(let other):
                return Receipt(
                    reception: .queued, isNew: true,
                    crowdedOut: [crowdOut(other)].compactMap(\.self))
            }
        }

        private mutating func queue(_ job: Job) -> LoginQueue.Reception {
            let name = job.question.name
            let network = job.address.countedNetwork
            let reception =
                switch job.lane {
                case .normal:
                    normalLane.append(
                        name, of: job.user, from: network, countMax: limits.queueMax)
                case .slow:
                    slowLane.append(
                        name, of: job.user, from: network, countMax: limits.slowLaneMax)
                }
            jobs[name] = reception == .full ? nil : job
            return reception
        }

        private mutating func crowdOut(_ name: Digest) -> CrowdedOut? {
            jobs.removeValue(forKey: name).map { CrowdedOut(lane: $0.lane, waiters: $0.waiters) }
        }

        mutating func abandon(_ exchange: ExchangeID, _ question: Digest) {
            // What runs counts against whoever asked, even if he does not wait for the answer.
            guard let job = jobs[question], !job.isRunning else { return }
            jobs[question]?.waiters.removeAll { $0.exchange == exchange }
            guard jobs[question]?.waiters.isEmpty ?? false else { return }
            jobs[question] = nil
            let network = job.address.countedNetwork
            switch job.lane {
            case .normal: normalLane.remove(question, of: network)
            case .slow: slowLane.remove(question, of: network)
            }
        }

        /// What to verify now; nil when all that waits may not run yet. And who waits no more.
        mutating func next(at now: Instant) -> (question: Question?, crowdedOut: [CrowdedOut]) {
            var crowdedOut: [CrowdedOut] = []
            turns &+= 1
            // Every eighth turn the slow lane goes first, so that it moves under any load.
            let prefersSlow = turns % 8 == 0
            while let name = prefersSlow ? takeSlow() ?? takeNormal() : takeNormal() ?? takeSlow() {
                guard let job = jobs[name] else { continue }
                if job.lane == .slow || !isOverLimit(job, at: now) {
                    jobs[name]?.isRunning = true
                    isSlowRunning = isSlowRunning || job.lane == .slow
                    return (job.question, crowdedOut)
                }
                if let other = slowDown(job) { crowdedOut.append(other) }
            }
            return (nil, crowdedOut)
        }

        private mutating func takeNormal() -> Digest? { normalLane.removeFirst() }

        private mutating func takeSlow() -> Digest? {
            isSlowRunning ? nil : slowLane.removeFirst()
        }

        private func isOverLimit(_ job: Job, at now: Instant) -> Bool {
            failures.isOverLimit(job.address, userHash: job.user, now: now.nanoseconds)
        }

        /// Since it asked, its address has failed too often. Gives who has no place any more.
        private mutating func slowDown(_ job: Job) -> CrowdedOut? {
            var job = job
            job.lane = .slow
            switch queue(job) {
            case .queued: return nil
            case .queuedInPlaceOf(let other): return crowdOut(other)
            case .full: return CrowdedOut(lane: .slow, waiters: job.waiters)
            }
        }

        /// Takes a job that is done off the list. Gives all who waited for it, and whether a thread
        /// has to look again: one may have been woken for the slow lane while this job ran in it.
        mutating func finish(
            _ name: Digest, matched: Bool, at now: Instant
        ) -> (waiters: [Waiter], mustWakeAgain: Bool) {
            guard let job = jobs.removeValue(forKey: name) else { return ([], false) }
            if matched { right &+= 1 } else { wrong &+= 1 }
            if !matched {
                // By the table's own hash: a reload may have begun another.
                let user = failures.userHash(job.question.user.span)
                for waiter in job.waiters {
                    failures.record(waiter.address, userHash: user, now: now.nanoseconds)
                }
            }
            guard job.lane == .slow else { return (job.waiters, false) }
            isSlowRunning = false
            return (job.waiters, slowLane.count > 0)
        }
    }
}
