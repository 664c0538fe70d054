import Bytes
import Reactor
import Synchronization

/// The audit log's thread: what it has taken over and not written yet, and how writing goes.
///
/// A failure is told once, with its reason, and so is its end. Meanwhile the file is tried once a
/// second; nothing is lost as long as what comes has room to wait.
struct AuditWriter: ~Copyable {
    private let log: Log
    private let counts: AuditCounts
    private var file: RotatedFile?
    private var settings: RotatedFile.Settings?
    private var lines = ByteBuffer()
    private var sums = RefusalSums()

    /// Why the last attempt failed, and when there will be another.
    private var fault: Errno?
    private var retryAt = Instant.distantFuture
    private var isGrowing = false
    /// When what was written has to be on the disk itself.
    private var syncAt = Instant.distantFuture
    private var lostTold = 0
    private var tellAgainAt = Instant(nanoseconds: 0)

    private static let retryPause = Interval.seconds(1)
    /// A power cut costs no more than what was written in so long.
    private static let syncPause = Interval.seconds(1)

    init(log: Log, counts: AuditCounts) { (self.log, self.counts) = (log, counts) }

    /// Something was taken over that cannot be written for now.
    var isHeldUp: Bool { !lines.isEmpty }

    /// The moment the writer must turn at the latest, if nobody brings anything.
    var nextDeadline: Instant { min(retryAt, syncAt) }

    /// Writes to the file that `settings` name from now on, also what is held up.
    mutating func use(_ settings: RotatedFile.Settings) {
        guard settings != self.settings else { return }
        if syncAt != .distantFuture { sync() }
        self.settings = settings
        file = RotatedFile(settings)
        lines.reserveAll()
        if fault != nil { retryAt = Instant(nanoseconds: 0) }
    }

    /// Takes lines over; whoever had them gets an empty buffer for it. Only when nothing is held up.
    mutating func take(_ others: inout ByteBuffer) {
        precondition(lines.isEmpty)
        swap(&lines, &others)
    }

    /// Takes sums over; they become lines when they are written, since that takes a while.
    mutating func take(_ others: inout RefusalSums) { swap(&sums, &others) }

    /// Writes what was taken over, and syncs what was written, if it is time.
    mutating func write(at now: Instant, isUrgent: Bool) {
        if !sums.isEmpty { sums.write(into: &lines, at: .now()) }
        if !lines.isEmpty, fault == nil || now >= retryAt || isUrgent { append(at: now) }
        if now >= syncAt { sync() }
    }

    /// What is held up will never be written.
    mutating func giveUp() {
        counts.lost.wrappingAdd(lines.span.lineCount, ordering: .relaxed)
        lines.removeAll()
    }

    /// Writes nothing more to this file.
    mutating func close() {
        giveUp()
        if syncAt != .distantFuture { sync() }
        file = nil
        settings = nil
        fault = nil
        retryAt = .distantFuture
        tellOfLost(at: .distantFuture)
    }

    // MARK: Steps

    private mutating func append(at now: Instant) {
        guard file != nil else { return }
        let before = lines.span.lineCount
        do throws(Errno) {
            try file?.append(from: &lines)
            succeed(at: now)
        } catch {
            fail(because: error, at: now)
        }
        let written = before - lines.span.lineCount
        counts.records.wrappingAdd(written, ordering: .relaxed)
        if written > 0, syncAt == .distantFuture { syncAt = now + AuditWriter.syncPause }
        watchGrowth()
    }

    private mutating func sync() {
        syncAt = .distantFuture
        do throws(Errno) {
            try file?.sync()
        } catch {
            // The kernel has let go of what it could not write: there is nothing to try again.
            counts.failures.wrappingAdd(1, ordering: .relaxed)
            tell(.error, "the audit log may have lost records: the disk failed", error)
        }
    }

    private mutating func succeed(at now: Instant) {
        retryAt = .distantFuture
        guard fault != nil else { return tellOfLost(at: now) }
        fault = nil
        let lost = counts.lost.load(ordering: .relaxed)
        log.write(.warn, "the audit log is written again") { line in
            line.add("lost", lost - lostTold)
        }
        lostTold = lost
    }

    private mutating func fail(because error: Errno, at now: Instant) {
        counts.failures.wrappingAdd(1, ordering: .relaxed)
        retryAt = now + AuditWriter.retryPause
        if fault != error {
            tell(.error, "the audit log cannot be written; pushes go on", error)
        }
        fault = error
    }

    /// A file that cannot be put aside takes what comes all the same: a full disk is survived, a gap in
    /// the trail stays.
    private mutating func watchGrowth() {
        let rotationFault = file?.rotationFault
        if let rotationFault, !isGrowing {
            counts.failures.wrappingAdd(1, ordering: .relaxed)
            tell(.error, "the audit log is full and cannot be put aside; it grows", rotationFault)
        }
        isGrowing = rotationFault != nil
    }

    /// The disk took everything, but not as fast as it came.
    private mutating func tellOfLost(at now: Instant) {
        let lost = counts.lost.load(ordering: .relaxed)
        guard lost > lostTold, now >= tellAgainAt else { return }
        log.write(.error, "audit records were lost") { line in line.add("count", lost - lostTold) }
        lostTold = lost
        tellAgainAt = now + AuditWriter.retryPause
    }

    private func tell(_ level: Log.Level, _ message: StaticString, _ error: Errno) {
        log.write(level, message) { line in
            if let path = settings?.path { line.add("file", path) }
            line.add("error", error.description)
        }
    }
}
