import Catalogue
import Exposition
import Reactor

/// The precedents of one worker: for each group at most one, under the rules in force.
///
/// What is followed keeps its place. A newcomer gets one where there is room, or instead of the one
/// that was looked for longest ago, if that is a while ago: with more clients than places, who pushes
/// every minute, most have what they need all the time, instead of each losing it to the next.
struct Precedents {
    private var entries: [GroupKey: Entry] = [:]
    private var bytes = 0
    /// Until when nobody gives way.
    private var fullUntil = Instant(nanoseconds: 0)

    private struct Entry {
        let precedent: Precedent
        let bytes: Int
        var soughtAt: Instant
        /// How many bodies looked for it, and how many right ones departed from it.
        var sought = 0
        var departures = 0
    }

    private static let entriesMax = 256
    /// What all together may take.
    private static let bytesMax = 4 << 20
    /// Clients that push less often do not need one.
    private static let unsoughtMax = Interval.seconds(150)

    init() { entries.reserveCapacity(Precedents.entriesMax) }

    mutating func removeAll() {
        entries.removeAll(keepingCapacity: true)
        (bytes, fullUntil) = (0, Instant(nanoseconds: 0))
    }

    /// What may be one for a body of this group.
    mutating func precedent(for group: GroupKey, at now: Instant) -> Precedent? {
        guard let place = entries.index(forKey: group) else { return nil }
        entries.values[place].soughtAt = now
        entries.values[place].sought += 1
        return entries.values[place].precedent
    }

    /// Whether to make one of a right body that had none to follow, or departed from it. That takes a
    /// fifth of what it took to judge the body: where none has been followed, since each body has
    /// another shape, only one in four is worth it.
    mutating func wantsOne(for group: GroupKey, at now: Instant) -> Bool {
        guard let place = entries.index(forKey: group) else { return now >= fullUntil }
        entries.values[place].departures += 1
        let entry = entries.values[place]
        return entry.departures < entry.sought || entry.departures % 4 == 0
    }

    /// Keeps one in place of the group's last.
    mutating func insert(_ precedent: Precedent, for group: GroupKey, at now: Instant) {
        remove(group)
        let bytes = precedent.storageBytes
        while entries.count >= Precedents.entriesMax || self.bytes + bytes > Precedents.bytesMax {
            guard let oldest = entries.min(by: { $0.value.soughtAt < $1.value.soughtAt }) else {
                return
            }
            let end = oldest.value.soughtAt + Precedents.unsoughtMax
            guard now >= end else {
                fullUntil = end
                return
            }
            remove(oldest.key)
        }
        self.bytes += bytes
        entries[group] = Entry(precedent: precedent, bytes: bytes, soughtAt: now)
    }

    private mutating func remove(_ group: GroupKey) {
        bytes -= entries.removeValue(forKey: group)?.bytes ?? 0
    }
}
