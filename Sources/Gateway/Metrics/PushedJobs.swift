import Admission
import Bytes
import Configuration
import Exposition
import Reactor
import Synchronization

/// The jobs whose pushes are counted one by one: those the configuration names, and others up to a
/// bound, beyond which there is one count for all the rest. So whoever may push to any job cannot make
/// up labels without an end.
final class PushedJobs: Sendable {
    private let table: Mutex<Table>

    private struct Table {
        var jobs: [PushedJob] = []
        var byName: [[UInt8]: PushedJob] = [:]
        var others = 0
        var othersMax: Int

        @discardableResult
        mutating func insert(_ job: PushedJob) -> PushedJob {
            jobs.append(job)
            byName[job.name] = job
            return job
        }
    }

    /// Every job that has no count of its own.
    private let rest = PushedJob(Array("(other)".utf8))

    /// A longer name has no count of its own: labels are for people to read.
    private static let nameBytesMax = 256

    init(for configuration: Configuration) {
        table = Mutex(Table(othersMax: configuration.limits.jobLabelsMax))
        use(configuration)
    }

    /// Goes by a configuration from here on. What is counted already goes on being counted.
    func use(_ configuration: Configuration) {
        let names = configuration.namedJobs
        table.withLock { table in
            table.othersMax = configuration.limits.jobLabelsMax
            for name in names where table.byName[name] == nil && name != rest.name {
                table.insert(PushedJob(name))
            }
        }
    }

    /// The count for this job. Locks, and allocates when the job is new: a worker asks once for each.
    func job(named name: Span<UInt8>) -> PushedJob {
        guard name.count <= PushedJobs.nameBytesMax else { return rest }
        let name = [UInt8](copying: name)
        return table.withLock { table in
            if let job = table.byName[name] { return job }
            guard name != rest.name, table.others < table.othersMax else { return rest }
            table.others += 1
            return table.insert(PushedJob(name))
        }
    }

    /// In the order in which they became known; the one for all the rest comes last, once it was needed.
    var all: [PushedJob] {
        let jobs = table.withLock { $0.jobs }
        return rest.lastAccepted == nil ? jobs : jobs + [rest]
    }

    func isRest(_ job: PushedJob) -> Bool { job === rest }
}

/// How often a job was pushed through this gate, and when last. Workers that serve one job share it.
final class PushedJob: Sendable {
    let name: [UInt8]
    private let pushes = Atomic<Int>(0)
    /// Milliseconds since 1970; 0 for never.
    private let lastMilliseconds = Atomic<UInt64>(0)

    fileprivate init(_ name: [UInt8]) { self.name = name }

    var pushCount: Int { pushes.load(ordering: .relaxed) }

    /// Nil when no push of it was ever accepted.
    var lastAccepted: WallClock? {
        let milliseconds = lastMilliseconds.load(ordering: .relaxed)
        return milliseconds == 0 ? nil : WallClock(milliseconds: milliseconds)
    }

    func countPush(at time: WallClock) {
        pushes.wrappingAdd(1, ordering: .relaxed)
        lastMilliseconds.store(time.milliseconds, ordering: .relaxed)
    }

    /// Learns of a push that an earlier process let through.
    func noteEarlierPush(at time: WallClock) {
        lastMilliseconds.max(time.milliseconds, ordering: .relaxed)
    }
}

/// The jobs one worker has met, so that it asks for each only once.
struct KnownJobs {
    private let all: PushedJobs
    private var jobs: [FamilyKey: PushedJob] = [:]

    init(_ all: PushedJobs) { self.all = all }

    mutating func job(named name: Span<UInt8>) -> PushedJob {
        let key = FamilyKey(name)
        if let job = jobs[key] {
            let known = job.name
            if name.isEqual(to: known.span) { return job }
        }
        let job = all.job(named: name)
        // So there are no more of them here than there.
        if !all.isRest(job) { jobs[key] = job }
        return job
    }
}

extension Configuration {
    /// The jobs that `auth.users` names in full.
    fileprivate var namedJobs: [[UInt8]] {
        let rules = auth.users?.value ?? []
        let labels = rules.flatMap { $0.groups?.value ?? [] }.flatMap(\.value.labels)
        return labels.filter { $0.name == "job" && !$0.pattern.utf8.contains(UInt8(ascii: "*")) }
            .map { Array($0.pattern.utf8) }
    }
}
