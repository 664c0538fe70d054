import Bytes
import Reactor

/// Who was turned away, told to the operator without letting a scanner fill the log: an address at once
/// when it is new, then once a minute with its count as long as it comes, and never too many a minute.
/// Everyone is in exactly one count.
struct RefusedAddresses {
    private static let interval = Interval.seconds(60)
    private static let addressesMax = 1024
    /// Of each kind: of new ones at once, and of counts at the end of a minute.
    private static let linesMax = 30

    /// Connections that were not told of yet, by address.
    private var counts: [IPAddress: Int] = [:]
    /// Those of addresses for which there is no place.
    private var others = 0
    private var linesLeft = 0
    /// When what is not told yet has to be; the distant future while nobody comes.
    private(set) var due = Instant.distantFuture

    /// What is to be told now: how often this address came and was not told of, and how many
    /// connections of others will not be told of by their address.
    struct Notice: Equatable {
        let address: IPAddress
        var count: Int
        var others = 0
    }

    /// Counts a connection from `address`; gives what to tell, if anything.
    mutating func note(_ address: IPAddress, at now: Instant) -> Notice? {
        if due == .distantFuture { beginInterval(at: now) }
        if let index = counts.index(forKey: address) {
            counts.values[index] += 1
            return nil
        }
        guard counts.count < RefusedAddresses.addressesMax else {
            others += 1
            return nil
        }
        guard linesLeft > 0 else {
            counts[address] = 1
            return nil
        }
        linesLeft -= 1
        counts[address] = 0
        return Notice(address: address, count: 1)
    }

    /// What was not told yet, those first who came most often. Who is told of is not new in the minute
    /// that begins now.
    mutating func tellAll(at now: Instant) -> [Notice] {
        let untold = counts.filter { $0.value > 0 }.sorted {
            ($1.value, $0.key) < ($0.value, $1.key)
        }
        var notices = untold.prefix(RefusedAddresses.linesMax).map {
            Notice(address: $0.key, count: $0.value)
        }
        others += untold.dropFirst(RefusedAddresses.linesMax).reduce(0) { $0 + $1.value }
        counts = Dictionary(uniqueKeysWithValues: notices.map { ($0.address, 0) })
        guard let last = notices.indices.last else {
            due = .distantFuture
            return []
        }
        notices[last].others = others
        others = 0
        beginInterval(at: now)
        return notices
    }

    private mutating func beginInterval(at now: Instant) {
        due = now + RefusedAddresses.interval
        linesLeft = RefusedAddresses.linesMax
    }
}
