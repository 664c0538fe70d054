import Bytes

/// Who resumes sessions? A ticket is a fifteenth of what a full handshake costs, and whoever starts a process
/// for each push, as cron does with curl, throws every one away.
struct TicketDemand {
    /// How many in a row a network may throw away before it gets less of them.
    private static let patience: UInt8 = 64
    /// From then on one handshake in so many brings a ticket, for whoever wants to resume by now.
    private static let rarity: UInt8 = 8

    /// Handshakes of a network since one last resumed, at most `patience + rarity`. Two may have a place in
    /// common, which costs the one tickets that nobody uses, or the other full handshakes.
    private var fullHandshakes = [UInt8](repeating: 0, count: 1024)

    /// Is a client of this network to be given a ticket?
    /// - Parameter hasResumed: whether it has come with one, and needs another for the next time.
    mutating func deserves(_ network: IPAddress, hasResumed: Bool) -> Bool {
        let place = Int(network.hashValue.magnitude % UInt(fullHandshakes.count))
        guard !hasResumed else {
            fullHandshakes[place] = 0
            return true
        }
        fullHandshakes[place] += 1
        guard fullHandshakes[place] > TicketDemand.patience else { return true }
        guard fullHandshakes[place] == TicketDemand.patience + TicketDemand.rarity else {
            return false
        }
        fullHandshakes[place] = TicketDemand.patience
        return true
    }
}
