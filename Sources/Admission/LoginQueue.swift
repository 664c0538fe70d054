package import Bytes

/// Credentials that wait to be verified, address by address in turn, and those of one address user by
/// user: whoever brings many waits for himself.
///
/// It has room for so many and no more. When it is full, the address with the most gives up its last
/// place to one with fewer, and within an address a user to another, so that a flood keeps nobody out.
package struct LoginQueue {
    private var turns: [IPAddress] = []
    private var waiting: [IPAddress: [Entry]] = [:]
    package private(set) var count = 0

    private struct Entry {
        let credential: Digest
        let user: UInt64
        /// Whoever has few entries has them in early rounds; an address's entries are in this order.
        let round: Int
    }

    package enum Reception: Equatable {
        case queued
        /// It waits, and this one does not any more.
        case queuedInPlaceOf(Digest)
        case full
    }

    package init() {}

    /// - Parameter countMax: how many may wait.
    package mutating func append(
        _ credential: Digest, of user: UInt64, from address: IPAddress, countMax: Int
    ) -> Reception {
        let entries = waiting[address] ?? []
        let entry = Entry(credential: credential, user: user, round: round(for: user, in: entries))
        guard count >= countMax else {
            insert(entry, from: address)
            return .queued
        }
        guard let other = whoGivesWay(to: entry, of: address, having: entries.count),
            let last = waiting[other]?.last
        else { return .full }
        remove(last.credential, of: other)
        insert(entry, from: address)
        return .queuedInPlaceOf(last.credential)
    }

    /// Whose turn it is; he goes to the end of the line.
    package mutating func removeFirst() -> Digest? {
        guard let address = turns.first, let first = waiting[address]?.first else { return nil }
        remove(first.credential, of: address)
        if waiting[address] != nil { turns.append(turns.removeFirst()) }
        return first.credential
    }

    package mutating func remove(_ credential: Digest, of address: IPAddress) {
        guard let index = waiting[address]?.firstIndex(where: { $0.credential == credential })
        else { return }
        waiting[address]?.remove(at: index)
        count -= 1
        guard waiting[address]?.isEmpty ?? false else { return }
        waiting[address] = nil
        turns.removeAll { $0 == address }
    }

    private mutating func insert(_ entry: Entry, from address: IPAddress) {
        if waiting[address] == nil { turns.append(address) }
        var entries = waiting.removeValue(forKey: address) ?? []
        let index = entries.firstIndex { $0.round > entry.round } ?? entries.count
        entries.insert(entry, at: index)
        waiting[address] = entries
        count += 1
    }

    /// The round after the user's last one; for a user who has none there, the one that is served now.
    private func round(for user: UInt64, in entries: [Entry]) -> Int {
        entries.last { $0.user == user }.map { $0.round + 1 } ?? entries.first?.round ?? 0
    }

    private func whoGivesWay(
        to entry: Entry, of address: IPAddress, having ownCount: Int
    ) -> IPAddress? {
        // Where each has one, nobody has too many.
        guard turns.count < count else { return nil }
        if let most = turns.max(by: { count(of: $0) < count(of: $1) }),
            count(of: most) > ownCount + 1
        {
            return most
        }
        return waiting[address]?.last?.round ?? 0 > entry.round ? address : nil
    }

    private func count(of address: IPAddress) -> Int { waiting[address]?.count ?? 0 }
}
