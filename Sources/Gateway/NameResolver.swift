import Bytes
import Configuration
import Reactor

/// Keeps the workers told where the Pushgateway is, from a thread that may wait for a resolver.
///
/// A name that cannot be resolved for a while costs nothing as long as its last addresses answer.
enum NameResolver {
    /// In seconds: how often a name is resolved again, and how soon after it could not be.
    private static let interval: UInt32 = 30
    private static let retryInterval: UInt32 = 5

    /// Starts the thread, if the URL has a name that needs it.
    static func start(for url: UpstreamURL, _ process: ProcessState) throws(Errno) {
        guard case .name(let name) = url.host else { return }
        try Thread.start(name: "kanmon-names") {
            var known: [SocketAddress] = []
            while true { resolve(name, port: url.port, known: &known, process) }
        }
    }

    private static func resolve(
        _ name: String, port: UInt16, known: inout [SocketAddress], _ process: ProcessState
    ) {
        switch NameLookup.addresses(of: name) {
        case .success(let found):
            let addresses = found.map { SocketAddress(address: $0, port: port) }
            if addresses != known {
                known = addresses
                for mailbox in process.mailboxes { mailbox.post(.upstreamAddresses(addresses)) }
            }
            Thread.sleep(seconds: interval)
        case .failure(let failure):
            process.log.write(.error, "the Pushgateway's name cannot be resolved") { line in
                line.add("name", name)
                line.add("error", failure.description)
            }
            Thread.sleep(seconds: retryInterval)
        }
    }
}
