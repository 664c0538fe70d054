import Reactor

/// What a ticket's kind says: who the loop has to call.
enum Party: UInt8 {
    case listener = 1
    case signals = 2
    case controlMailbox = 3
    case workerMailbox = 4
    case client = 5
    case upstream = 6
    case successor = 7
    case predecessor = 8
    case adminListener = 9
    case admin = 10

    /// The ticket of a party of which a loop has one, or a few known by index.
    func ticket(_ index: Int = 0) -> Ticket { Ticket(kind: rawValue, slot: index, generation: 0) }
}

/// The members of one kind that a worker serves, found by ticket.
///
/// A slot is given away again under the next generation, so whoever still holds the old ticket (an
/// event in the same batch, an answer from another thread, a place in a queue) finds nobody.
struct Table<Member: AnyObject>: ~Copyable {
    private let kind: Party
    private var members: [Member?] = []
    private var generations: [UInt32] = []
    private var free: [Int] = []

    init(of kind: Party) { self.kind = kind }

    var count: Int { members.count - free.count }

    subscript(ticket: Ticket) -> Member? {
        guard ticket.kind == kind.rawValue, ticket.slot < members.count,
            generations[ticket.slot] == ticket.generation
        else { return nil }
        return members[ticket.slot]
    }

    /// Who holds a slot now, whatever the generation.
    func member(inSlot slot: Int) -> Member? { slot < members.count ? members[slot] : nil }

    /// The ticket of a free slot, for the member that is then put there.
    mutating func reserve() -> Ticket {
        let slot = free.popLast() ?? grow()
        return Ticket(kind: kind.rawValue, slot: slot, generation: generations[slot])
    }

    mutating func insert(_ member: Member, at ticket: Ticket) {
        members[ticket.slot] = member
    }

    mutating func remove(_ ticket: Ticket) {
        guard self[ticket] != nil else { return }
        members[ticket.slot] = nil
        generations[ticket.slot] &+= 1
        free.append(ticket.slot)
    }

    func forEach(_ body: (Member) -> Void) {
        for case let member? in members { body(member) }
    }

    private mutating func grow() -> Int {
        members.append(nil)
        generations.append(0)
        return members.count - 1
    }
}
