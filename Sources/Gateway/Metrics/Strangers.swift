import Bytes
import Reactor

/// Who was turned away at the door since the process began: how often, and when last. As many addresses
/// as somebody could look at; of the others only that they came.
struct Strangers {
    struct Entry {
        let address: IPAddress
        fileprivate(set) var count: Int
        fileprivate(set) var lastSeen: WallClock
    }

    private static let addressesMax = 1024

    private var entries: [IPAddress: Entry] = [:]
    /// Connections of all of them.
    private(set) var total = 0

    mutating func note(_ address: IPAddress, at time: WallClock) {
        total &+= 1
        if let index = entries.index(forKey: address) {
            entries.values[index].count &+= 1
            entries.values[index].lastSeen = time
            return
        }
        if entries.count == Strangers.addressesMax { forgetHalf() }
        entries[address] = Entry(address: address, count: 1, lastSeen: time)
    }

    /// Those who came least often are forgotten first: a scan of many addresses comes once from each.
    private mutating func forgetHalf() {
        let kept = busiest(max: Strangers.addressesMax / 2)
        entries = Dictionary(uniqueKeysWithValues: kept.map { ($0.address, $0) })
    }

    /// Those who came most often; of equals, who came last.
    func busiest(max: Int) -> [Entry] {
        let sorted = entries.values.sorted { left, right in
            left.count != right.count
                ? left.count > right.count
                : left.lastSeen.milliseconds > right.lastSeen.milliseconds
        }
        return Array(sorted.prefix(max))
    }
}
