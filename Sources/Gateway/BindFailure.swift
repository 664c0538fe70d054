package import Configuration
package import Reactor

/// Why an address cannot be listened on, and what mends it.
package struct BindFailure {
    private let address: ListenAddress
    private let error: Errno

    package init(of address: ListenAddress, _ error: Errno) {
        (self.address, self.error) = (address, error)
    }

    /// Why this address could not be bound now; nil when it could.
    package static func tryBinding(_ address: ListenAddress) -> Errno? {
        do throws(Errno) {
            _ = try Listener(address, index: 0)
            return nil
        } catch {
            return error
        }
    }

    package var text: String {
        let cannot = "cannot listen on \(address): "
        switch error {
        case .addressInUse:
            let holder = PortHolder(ofPort: address.port).map { "\($0) holds the port" }
            return cannot + (holder ?? "another process holds the port")
        case .notPermitted:
            return cannot
                + "a port below 1024 needs CAP_NET_BIND_SERVICE, or a socket from the service manager"
        case .addressNotAvailable:
            return cannot + "this machine has no such address"
        default:
            return cannot + error.description
        }
    }
}
