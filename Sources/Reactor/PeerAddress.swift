import Bytes
import Glibc

/// Where a connection of ours goes: to an address of the network, or to a socket of this machine that has
/// a place among its files.
package enum PeerAddress: Hashable, Sendable, CustomStringConvertible {
    case network(SocketAddress)
    case file(path: String)

    package var description: String {
        switch self {
        case .network(let address): address.description
        case .file(let path): "unix:\(path)"
        }
    }

    var family: Int32 {
        switch self {
        case .network(let address): address.address.isIPv4 ? AF_INET : AF_INET6
        case .file: AF_UNIX
        }
    }

    /// Lets `body` see the kernel's form; nil when the path is longer than that can hold.
    func withKernelForm<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R? {
        switch self {
        case .network(let address):
            return unsafe address.withKernelForm(asIPv6: !address.address.isIPv4, body)
        case .file(let path):
            guard var form = sockaddr_un(path: path) else { return nil }
            return unsafe withUnsafeKernelForm(of: &form, body)
        }
    }
}

extension sockaddr_un {
    /// Nil when the path does not fit with the zero byte that ends it (unix(7)).
    fileprivate init?(path: String) {
        self.init()
        sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let isWritten = unsafe withUnsafeMutableBytes(of: &sun_path) { room in
            guard bytes.count < room.count else { return false }
            unsafe room.copyBytes(from: bytes)
            return true
        }
        guard isWritten else { return nil }
    }
}
