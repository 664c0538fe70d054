import Bytes

/// Who resumes sessions? A ticket is a twentieth of what a push on a new connection costs, and whoever starts a
/// process for each, as cron does with curl, throws every one away.
struct TicketDemand {
    /// How many in a row a network may throw away before it gets less of them.
    private static let patience: UInt8 = 64
    /// From then on one handshake in so many brings a ticket, for whoever wants to resume by now.
    private static let rarity: UInt8 = 8

    /// Handshakes of a network since one last resumed, at most `patience + rarity`. Two may have a place in
    /// common, which costs the one tickets that nobody uses, or the other full handshakes.
    private var handshakes = [UInt8](repeating: 0, count: 1024)

    /// Is a client of this network, which begins a handshake, to be given a ticket at its end?
    mutating func deserves(_ network: IPAddress) -> Bool {
        let place = place(of: network)
        handshakes[place] += 1
        guard handshakes[place] > TicketDemand.patience else { return true }
        guard handshakes[place] == TicketDemand.patience + TicketDemand.rarity else { return false }
        handshakes[place] = TicketDemand.patience
        return true
    }

    /// One of this network has come with a ticket: what it is given is of use.
    mutating func noteResumption(in network: IPAddress) { handshakes[place(of: network)] = 0 }

    private func place(of network: IPAddress) -> Int {
        Int(network.hashValue.magnitude % UInt(handshakes.count))
    }
}
