import Admission
import Bytes
import Reactor
import Synchronization

/// Where passwords are verified: a few threads that give way to everyone, so that no loop ever
/// waits for bcrypt.
///
/// One verification at a time per credential; all who wait for the same one share the answer. Who
/// waits in the queue is taken address by address in turn, so that one address with many tries
/// cannot keep the others. An address over its limit of failures goes through the slow lane: one at
/// a time, so that a right password still gets through and a guesser gets nowhere.
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
        let exchange: ExchangeID
        let isRight: Bool
    }

    /// What became of a question: it waits, or it cannot.
    enum Reception { case queued, queueFull, slowLaneFull }

    private let state: Mutex<State>
    private let work: EventCounter
    private let mailboxes: [Mailbox<WorkerLetter>]

    /// - Parameter threads: how many passwords may be verified at once.
    init(limits: LoginLimits, threads: Int, mailboxes: [Mailbox<WorkerLetter>]) throws(Errno) {
        state = Mutex(State(limits: limits))
        work = try EventCounter(wakes: .one)
        self.mailboxes = mailboxes
        for _ in 0..<threads {
            try Thread.start(name: "kanmon-password", niceness: 19) { self.verifyForever() }
        }
    }

    /// Holds the questions that follow to `limits`. Other limits of failures begin a new count.
    func use(_ limits: LoginLimits) { state.withLock { $0.use(limits) } }

    func ask(_ question: Question, for waiter: Waiter, at now: Instant) -> Reception {
        let (reception, isNew) = state.withLock { $0.receive(question, for: waiter, at: now) }
        if isNew { work.add() }
        return reception
    }

    /// The one who asked has gone: nothing is verified for nobody.
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
            guard let question = state.withLock({ $0.next() }) else { continue }
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
            for waiter in waiters {
                let verdict = Verdict(exchange: waiter.exchange, isRight: line != nil)
                mailboxes[waiter.worker].post(.password(verdict))
            }
            if mustWakeAgain { work.add() }
        }
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
        let isSlow: Bool
        var waiters: [Waiter]
    }

    fileprivate struct State: ~Copyable {
        private var limits: LoginLimits
        private var failures: FailedLogins
        private var jobs: [Digest: Job] = [:]
        private var normalLane = FairQueue()
        private var slowLane = FairQueue()
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
        ) -> (Reception, isNew: Bool) {
            if jobs[question.name] != nil {
                jobs[question.name]?.waiters.append(waiter)
                return (.queued, false)
            }
            let user = failures.userHash(question.user.span)
            let isSlow = failures.isOverLimit(waiter.address, userHash: user, now: now.nanoseconds)
            let address = waiter.address.countedNetwork
            if isSlow {
                guard slowLane.count < limits.slowLaneMax else { return (.slowLaneFull, false) }
                slowLane.append(question.name, from: address)
            } else {
                guard normalLane.count < limits.queueMax else { return (.queueFull, false) }
                normalLane.append(question.name, from: address)
            }
            jobs[question.name] = Job(question: question, isSlow: isSlow, waiters: [waiter])
            return (.queued, true)
        }

        mutating func abandon(_ exchange: ExchangeID, _ question: Digest) {
            jobs[question]?.waiters.removeAll { $0.exchange == exchange }
        }

        /// What to verify now; nil when all that waits may not run yet.
        mutating func next() -> Question? {
            turns &+= 1
            // Every eighth turn the slow lane goes first, so that it moves under any load.
            let prefersSlow = turns % 8 == 0
            while let name = prefersSlow ? takeSlow() ?? takeNormal() : takeNormal() ?? takeSlow() {
                guard let job = jobs[name] else { continue }
                if !job.waiters.isEmpty { return job.question }
                forget(job)
            }
            return nil
        }

        private mutating func takeNormal() -> Digest? { normalLane.removeFirst() }

        private mutating func takeSlow() -> Digest? {
            guard !isSlowRunning, let name = slowLane.removeFirst() else { return nil }
            isSlowRunning = true
            return name
        }

        private mutating func forget(_ job: Job) {
            jobs[job.question.name] = nil
            if job.isSlow { isSlowRunning = false }
        }

        /// Takes a job that is done off the list. Gives all who waited for it, and whether a thread
        /// has to look again: one may have been woken for the slow lane while this job ran in it.
        mutating func finish(
            _ name: Digest, matched: Bool, at now: Instant
        ) -> (waiters: [Waiter], mustWakeAgain: Bool) {
            guard let job = jobs[name] else { return ([], false) }
            forget(job)
            if matched { right &+= 1 } else { wrong &+= 1 }
            if !matched {
                let name = job.question.user
                let user = failures.userHash(name.span)
                for waiter in job.waiters {
                    failures.record(waiter.address, userHash: user, now: now.nanoseconds)
                }
            }
            return (job.waiters, job.isSlow && slowLane.count > 0)
        }
    }

    /// Questions in the order in which they came, address by address in turn.
    fileprivate struct FairQueue {
        private var turns: [IPAddress] = []
        private var questions: [IPAddress: [Digest]] = [:]
        private(set) var count = 0

        mutating func append(_ question: Digest, from address: IPAddress) {
            if questions[address] == nil { turns.append(address) }
            questions[address, default: []].append(question)
            count += 1
        }

        // Linear in what waits, which is a few hundred at most, beside a hash of 65 milliseconds.
        mutating func removeFirst() -> Digest? {
            guard !turns.isEmpty else { return nil }
            let address = turns.removeFirst()
            guard var waiting = questions[address] else { return nil }
            let question = waiting.removeFirst()
            questions[address] = waiting.isEmpty ? nil : waiting
            if !waiting.isEmpty { turns.append(address) }
            count -= 1
            return question
        }
    }
}
