import Bytes
import Reactor

/// Who was turned away at the door, told to the operator without letting a scanner fill the log: an
/// address once at first, then at most once a minute with its count, and never too many a minute.
struct RefusedAddresses {
    private struct Entry {
        var count = 0
        var toldAt: Instant
    }

    private static let interval = Interval.seconds(60)
    private static let addressesMax = 1024
    private static let linesPerInterval = 60

    private var entries: [IPAddress: Entry] = [:]
    private var intervalEnd = Instant(nanoseconds: 0)
    private var lines = 0
    private var untold = 0

    /// What is to be told now: how often this address came since it was last told of, and how many
    /// connections of others went untold.
    struct Notice: Equatable {
        let count: Int
        let untold: Int
    }

    /// Counts a connection from `address`; gives what to tell, if anything.
    mutating func note(_ address: IPAddress, at now: Instant) -> Notice? {
        if now >= intervalEnd {
            intervalEnd = now + RefusedAddresses.interval
            lines = 0
        }
        if var entry = entries[address] {
            entry.count += 1
            let isDue = now >= entry.toldAt + RefusedAddresses.interval
            let notice = isDue ? tell(entry.count) : nil
            if notice != nil { entry = Entry(count: 0, toldAt: now) }
            entries[address] = entry
            return notice
        }
        if entries.count >= RefusedAddresses.addressesMax { forgetOld(at: now) }
        guard entries.count < RefusedAddresses.addressesMax, let notice = tell(1) else {
            untold += 1
            return nil
        }
        entries[address] = Entry(toldAt: now)
        return notice
    }

    private mutating func tell(_ count: Int) -> Notice? {
        guard lines < RefusedAddresses.linesPerInterval else { return nil }
        lines += 1
        defer { untold = 0 }
        return Notice(count: count, untold: untold)
    }

    private mutating func forgetOld(at now: Instant) {
        entries = entries.filter { $0.value.toldAt + RefusedAddresses.interval > now }
    }
}
