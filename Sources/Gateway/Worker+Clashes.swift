import Admission
import Bytes
import Catalogue
import Configuration
import Exposition
import HTTP
import Reactor

/// A family has one type in all groups. What would give it a second one is refused here, with the name
/// of the group that has the first; the Pushgateway would only dump what it holds.
extension Worker {
    /// How long a push waits until a suspicion is confirmed. Then the Pushgateway may decide.
    private static let confirmationMax = Interval.seconds(1)
    /// How many may wait for one.
    private static let confirmingMax = 4096

    /// The push is right by itself. Does it fit what other groups hold, as far as that is known?
    mutating func compare(_ exchange: Exchange, of client: Client) {
        let settled = SettledClaims(
            of: exchange, mark: learned.mark, catalogue: catalogueNumber)
        if client.settled == settled {
            return conclude(exchange, of: client)
        }
        let suspect = exchange.claims.first { claim in
            learned.clash(claim.family, claim.type, in: exchange.group, catalogue: catalogue) != nil
        }
        guard suspect != nil, hasRoomToConfirm() else {
            return conclude(exchange, of: client)
        }
        exchange.stage = .confirming(since: now)
        confirming.append(exchange.id)
        wake(exchange, of: client, at: now + Worker.confirmationMax)
        process.watchMailbox.post(.listingWanted)
    }

    /// Whoever waited in vain is still on the list, which is cleared only when it is full.
    private mutating func hasRoomToConfirm() -> Bool {
        guard confirming.count >= Worker.confirmingMax else { return true }
        confirming.removeAll { id in
            if case .confirming? = clients[id.client]?.exchange(id)?.stage { false } else { true }
        }
        return confirming.count < Worker.confirmingMax
    }

    /// A listing has come, which was asked for at `moment`: what waits for one that late is decided.
    mutating func take(_ catalogue: FamilyCatalogue, askedAt moment: Instant) {
        self.catalogue = catalogue
        catalogueNumber &+= 1
        learned.forget(before: checkpoints.mark(at: moment))
        let waiting = confirming
        confirming.removeAll(keepingCapacity: true)
        for id in waiting {
            guard let client = clients[id.client], let exchange = client.exchange(id),
                case .confirming(let since) = exchange.stage
            else { continue }
            if since <= moment {
                confirm(exchange, of: client)
            } else {
                confirming.append(id)
            }
        }
        // Who came while it was being read waits for the next one.
        if !confirming.isEmpty { process.watchMailbox.post(.listingWanted) }
    }

    private mutating func confirm(_ exchange: Exchange, of client: Client) {
        let group = exchange.group
        for claim in exchange.claims {
            guard let clash = catalogue.clash(claim.family, claim.type, in: group),
                case .listed(let holder) = clash.holder
            else { continue }
            let name = catalogue.listing.name(of: claim.family, in: holder)
            let other = catalogue.listing.description(of: holder)
            return refuse(
                exchange, of: client, .familyClashes,
                detail: "metric \"\(name)\" has type \(clash.type.word) in group \(other) "
                    + "and type \(claim.type.word) here")
        }
        conclude(exchange, of: client)
    }

    /// The Pushgateway took it: what it holds now is known before the next listing tells.
    mutating func learn(from exchange: Exchange, of client: Client) {
        if exchange.method == .delete {
            learned.deleted(GroupKey(exchange.key), catalogue: catalogue)
            checkpoints.note(learned.mark, at: now)
            client.settled = nil
            return
        }
        let settled = SettledClaims(
            of: exchange, mark: learned.mark, catalogue: catalogueNumber)
        if client.settled == settled { return }
        let claims = exchange.claims
        learned.passed(
            claims.span, in: exchange.group, replacing: exchange.method == .put,
            catalogue: catalogue)
        checkpoints.note(learned.mark, at: now)
        client.settled = SettledClaims(
            of: exchange, mark: learned.mark, catalogue: catalogueNumber)
    }
}

/// That the families of a push passed, and against what. As long as nothing else has been learned, the
/// same families pass again, and teach nothing.
struct SettledClaims: Equatable {
    let group: GroupKey
    /// Of the families and their types, in their order.
    let families: UInt64
    let mark: UInt64
    let catalogue: Int

    init(of exchange: Exchange, mark: UInt64, catalogue: Int) {
        group = exchange.group
        families = exchange.claimsHash
        (self.mark, self.catalogue) = (mark, catalogue)
    }
}

/// What had been learned when: so that a listing makes only that forgotten which it must know.
struct Checkpoints {
    private var entries: [(moment: Instant, mark: UInt64)] = []
    private static let interval = Interval.milliseconds(100)
    private static let entriesMax = 512

    mutating func note(_ mark: UInt64, at now: Instant) {
        if let last = entries.last {
            guard mark != last.mark, now >= last.moment + Checkpoints.interval else { return }
        }
        if entries.count == Checkpoints.entriesMax { entries.removeFirst(entries.count / 2) }
        entries.append((now, mark))
    }

    /// What had been learned for certain at a moment; 0 when that is not known any more.
    func mark(at moment: Instant) -> UInt64 {
        entries.last { $0.moment <= moment }?.mark ?? 0
    }
}

extension GroupKey {
    init(_ key: borrowing GroupingKey) {
        self.init()
        key.withJob { insert(name: ("job" as StaticString).span, value: $0) }
        for index in 0..<key.labelCount {
            key.withLabel(at: index) { insert(name: $0, value: $1) }
        }
    }
}

extension GroupListing {
    /// The name behind a key, as a group has it and an answer shows it.
    fileprivate func name(of family: FamilyKey, in group: Int) -> String {
        for index in families(of: group) {
            let name = withName(ofFamily: index) { name in
                FamilyKey(name) == family ? RefusalText.shown(name: name) : nil
            }
            if let name { return name }
        }
        return ""
    }
}
