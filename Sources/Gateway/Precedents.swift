import Catalogue
import Exposition
import Reactor

/// The precedents of one worker: for each group at most one, under the rules in force.
///
/// What is followed keeps its place. A newcomer gets one where there is room, or instead of the one
/// that was looked for longest ago, if that is a while ago: with more clients than places, who pushes
/// every minute, most have what they need all the time, instead of each losing it to the next.
struct Precedents {
    private var places: [GroupKey: Place] = [:]
    private var bytes = 0
    /// Until when nobody gives way.
    private var fullUntil = Instant(nanoseconds: 0)

    /// One that is kept. Bodies on their way hold this, and not the precedent: nobody who sends slowly
    /// keeps in memory what has given way.
    final class Place {
        /// Nil when it has given way.
        fileprivate(set) var precedent: Precedent?
        fileprivate let bytes: Int
        fileprivate var soughtAt: Instant
        /// How many bodies looked for it, and how many right ones departed from it.
        fileprivate var sought = 0
        fileprivate var departures = 0

        fileprivate init(_ precedent: Precedent, at now: Instant) {
            (self.precedent, soughtAt) = (precedent, now)
            bytes = precedent.storageBytes
        }
    }

    private static let placesMax = 256
    /// What all together may take.
    private static let bytesMax = 4 << 20
    /// Clients that push less often do not need one.
    private static let unsoughtMax = Interval.seconds(150)

    init() { places.reserveCapacity(Precedents.placesMax) }

    mutating func removeAll() {
        for place in places.values { place.precedent = nil }
        places.removeAll(keepingCapacity: true)
        (bytes, fullUntil) = (0, Instant(nanoseconds: 0))
    }

    /// What may be one for a body of this group.
    func place(for group: GroupKey, at now: Instant) -> Place? {
        guard let place = places[group] else { return nil }
        place.soughtAt = now
        place.sought += 1
        return place
    }

    /// Whether to make one of a right body that had none to follow, or departed from it. That takes a
    /// fifth of what it took to judge the body: where none has been followed, since each body has
    /// another shape, only one in four is worth it.
    func wantsOne(for group: GroupKey, at now: Instant) -> Bool {
        guard let place = places[group] else { return now >= fullUntil }
        place.departures += 1
        return place.departures < place.sought || place.departures % 4 == 0
    }

    /// Keeps one in place of the group's last.
    mutating func insert(_ precedent: Precedent, for group: GroupKey, at now: Instant) {
        remove(group)
        let place = Place(precedent, at: now)
        while places.count >= Precedents.placesMax || bytes + place.bytes > Precedents.bytesMax {
            guard let oldest = places.min(by: { $0.value.soughtAt < $1.value.soughtAt }) else {
                return
            }
            let end = oldest.value.soughtAt + Precedents.unsoughtMax
            guard now >= end else {
                fullUntil = end
                return
            }
            remove(oldest.key)
        }
        bytes += place.bytes
        places[group] = place
    }

    private mutating func remove(_ group: GroupKey) {
        guard let place = places.removeValue(forKey: group) else { return }
        bytes -= place.bytes
        place.precedent = nil
    }
}
