import Bytes
import HTTP
import Reactor
import Synchronization

/// The last refusals, for whoever asks at night what goes wrong. One who is refused again and again for
/// one reason has one entry with a count, so that a scanner does not push the others out.
final class RecentRefusals: Sendable {
    struct Entry: Sendable {
        var time: WallClock
        var requestID: UInt64
        let address: IPAddress
        /// Only when the login was good: people type passwords where their name belongs.
        let user: [UInt8]?
        let reason: Refusal.Reason
        let status: Status
        var count: Int

        fileprivate func isLike(_ other: Entry) -> Bool {
            reason == other.reason && address == other.address && status == other.status
                && user == other.user
        }
    }

    static let entriesMax = 20

    /// The latest last.
    private let entries = Mutex<[Entry]>([])

    func note(_ entry: Entry) {
        entries.withLock { entries in
            var entry = entry
            if let index = entries.firstIndex(where: { $0.isLike(entry) }) {
                entry.count = entries[index].count &+ 1
                entries.remove(at: index)
            } else if entries.count == RecentRefusals.entriesMax {
                entries.removeFirst()
            }
            entries.append(entry)
        }
    }

    /// The latest first.
    var all: [Entry] { entries.withLock { $0.reversed() } }
}
