import Bytes
package import Configuration
import Glibc
package import Reactor
import Synchronization

/// The audit trail: a line for every push and for every refusal behind the login, sums of all other
/// refusals, in a file that is put aside when it is full.
///
/// A loop never waits for a disk. Lines go into a buffer, and one thread writes them. What the disk
/// does not take is kept as long as it fits, then lost and counted: no push fails for it.
package final class AuditLog: Sendable {
    /// What may wait to be written; as much again may be with the writer.
    static let linesBytesMax = 4 << 20
    /// How long the writer lets lines gather before it looks again.
    private static let gatherMicroseconds: UInt32 = 20_000

    private struct Pending: ~Copyable {
        var lines = ByteBuffer()
        var sums = RefusalSums()
        /// When the sums are to be written; the distant future while there are none.
        var sumsDue = Instant.distantFuture
        var settings: RotatedFile.Settings?
        var isFinishing = false
    }

    private let log: Log
    private let pending = Mutex(Pending())
    private let isKept = Atomic(false)
    private let counts = AuditCounts()
    private let bell: EventCounter
    private let farewell: EventCounter

    package init(log: Log) throws(Errno) {
        self.log = log
        bell = try EventCounter(wakes: .all)
        farewell = try EventCounter(wakes: .all)
        try Thread.start(name: "kanmon-audit") { self.writeForever() }
    }

    /// Keeps the trail as `audit` says from now on; none when there is nothing. What waits goes to the
    /// new file: it may be there since the old one cannot be written.
    package func use(_ audit: Configuration.Audit?) {
        let settings = audit.map {
            RotatedFile.Settings(path: $0.file.value, bytesMax: $0.bytesMax, retain: $0.retain)
        }
        pending.withLock { pending in
            if settings != nil { pending.lines.reserveAll() }
            pending.settings = settings
        }
        isKept.store(settings != nil, ordering: .relaxed)
        bell.add()
    }

    /// Is there a trail to keep?
    var isOn: Bool { isKept.load(ordering: .relaxed) }
    /// How many records were written, sums counted as one.
    package var recordCount: Int { counts.records.load(ordering: .relaxed) }
    /// How often writing, syncing or putting the file aside failed.
    package var failureCount: Int { counts.failures.load(ordering: .relaxed) }
    /// How many records will never be written.
    package var lostCount: Int { counts.lost.load(ordering: .relaxed) }

    // MARK: What loops do

    /// Adds a record, whole with its newline.
    func append(_ record: Span<UInt8>) {
        let isFirst = pending.withLock { pending -> Bool in
            guard pending.lines.count + record.count <= AuditLog.linesBytesMax else {
                counts.lost.wrappingAdd(1, ordering: .relaxed)
                return false
            }
            defer { pending.lines.append(record) }
            return pending.lines.isEmpty
        }
        if isFirst { bell.add() }
    }

    /// Counts a refusal of somebody who has not proven who he is.
    func count(_ reason: StaticString, of address: IPAddress, at now: Instant) {
        guard isOn else { return }
        let isFirst = pending.withLock { pending -> Bool in
            pending.sums.count(reason, of: address)
            guard pending.sumsDue == .distantFuture else { return false }
            pending.sumsDue = now + .milliseconds(WallClock.now().millisecondsToNextMinute)
            return true
        }
        if isFirst { bell.add() }
    }

    // MARK: What the writer does

    private func writeForever() {
        var writer = AuditWriter(log: log, counts: counts)
        var isLast = false
        while !isLast {
            let sumsDue = pending.withLock { $0.sumsDue }
            // What is held up goes first.
            let deadline = min(writer.nextDeadline, writer.isHeldUp ? .distantFuture : sumsDue)
            if bell.wait(until: deadline) { bell.take() }
            isLast = turn(&writer, at: .now())
            if !isLast { usleep(AuditLog.gatherMicroseconds) }
        }
        farewell.add()
    }

    /// Writes what waits. True when that was all there will ever be.
    private func turn(_ writer: inout AuditWriter, at now: Instant) -> Bool {
        let (settings, isLast) = pending.withLock { ($0.settings, $0.isFinishing) }
        let isEnd = isLast || settings == nil
        if let settings { writer.use(settings) }
        writer.write(at: now, isUrgent: isLast)
        if isEnd && writer.isHeldUp { writer.giveUp() }
        // What waits stays where it is, within its bounds, as long as there is something before it.
        if !writer.isHeldUp {
            pending.withLock { collect(from: &$0, for: &writer, at: now, isEnd) }
            writer.write(at: now, isUrgent: isLast)
        }
        if isEnd { writer.close() }
        return isLast
    }

    private func collect(
        from pending: inout Pending, for writer: inout AuditWriter, at now: Instant,
        _ isEnd: Bool
    ) {
        writer.take(&pending.lines)
        guard now >= pending.sumsDue || isEnd else { return }
        writer.take(&pending.sums)
        pending.sumsDue = .distantFuture
    }

    // MARK: Going down

    /// Writes everything that waits, sums too, before the process ends. Gives up when the disk does not
    /// take it within `interval`. Nothing is written after it.
    package func finish(within interval: Interval) {
        pending.withLock { $0.isFinishing = true }
        bell.add()
        guard isOn else { return }
        let isDone = farewell.wait(until: .now() + interval)
        if !isDone {
            log.write(.error, "the audit log's disk is too slow; its last records may be lost")
        }
    }
}

/// What the audit log has come to, for its metrics.
final class AuditCounts: Sendable {
    let records = Atomic(0)
    let failures = Atomic(0)
    let lost = Atomic(0)
}

extension ByteBuffer {
    /// Room for all that may wait, so that no loop ever makes it. Memory is taken only as it is used.
    mutating func reserveAll() { reserve(max(0, AuditLog.linesBytesMax - count)) }
}

extension WallClock {
    /// So that sums are of a minute as people name it.
    fileprivate var millisecondsToNextMinute: Int { 60_000 - Int(milliseconds % 60_000) }
}
