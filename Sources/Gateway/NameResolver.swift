import Bytes
import Configuration
import Reactor

/// What others write to the resolver.
enum ResolverLetter: Sendable {
    /// The Pushgateway may have another name.
    case snapshotChanged
}

/// Keeps the workers told where the Pushgateway is, from a thread that may wait for a resolver.
///
/// A name that cannot be resolved for a while costs nothing as long as its last addresses answer.
struct NameResolver: ~Copyable {
    private let process: ProcessState
    private let poller: Poller
    private var url: UpstreamURL
    /// What the workers were told; nil until they were told something of this URL.
    private var known: [PeerAddress]?
    private var nextLookup = Instant(nanoseconds: 0)

    /// How often a name is resolved again, and how soon after it could not be.
    private static let interval = Interval.seconds(30)
    private static let retryInterval = Interval.seconds(5)

    /// Starts the thread.
    static func start(_ process: ProcessState) throws(Errno) {
        try Thread.start(name: "kanmon-names") {
            do throws(Errno) {
                let poller = try Poller()
                try process.resolverMailbox.watch(
                    by: poller, ticket: Ticket(kind: 0, slot: 0, generation: 0))
                var resolver = NameResolver(process, poller)
                while true { resolver.turn() }
            } catch {
                process.end(because: "the Pushgateway's name cannot be looked up", error)
            }
        }
    }

    private init(_ process: ProcessState, _ poller: Poller) {
        (self.process, self.poller) = (process, poller)
        url = process.snapshot.configuration.upstream.url.value
    }

    private mutating func turn() {
        if case .name(let name) = url.host {
            if Instant.now() >= nextLookup { resolve(name) }
        } else {
            nextLookup = .distantFuture
        }
        _ = poller.wait(until: nextLookup, from: .now())
        guard !process.resolverMailbox.collect().isEmpty,
            url != process.snapshot.configuration.upstream.url.value
        else { return }
        url = process.snapshot.configuration.upstream.url.value
        known = nil
        nextLookup = .now()
    }

    private mutating func resolve(_ name: String) {
        switch NameLookup.addresses(of: name) {
        case .success(let found):
            tell(found.map { .network(SocketAddress(address: $0, port: url.port)) })
            nextLookup = .now() + NameResolver.interval
        case .failure(let failure):
            process.log.write(.error, "the Pushgateway's name cannot be resolved") { line in
                line.add("name", name)
                line.add("error", failure.description)
            }
            if known == nil { tell([]) }
            nextLookup = .now() + NameResolver.retryInterval
        }
    }

    private mutating func tell(_ addresses: [PeerAddress]) {
        guard addresses != known else { return }
        known = addresses
        for mailbox in process.mailboxes { mailbox.post(.upstreamAddresses(addresses, of: url)) }
    }
}
