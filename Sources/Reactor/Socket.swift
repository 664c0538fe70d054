import CLinux
import Bytes
import Glibc

/// TCP sockets: listening, accepting, connecting. All of them are non-blocking and close on exec.
package enum Socket {
    /// Which families a wildcard listener takes.
    package enum Family: Sendable { case ipv4, ipv6Only, dual }

    /// How many connections may wait in the kernel before they are accepted.
    package static let backlog: Int32 = 4096

    package static func listen(on local: SocketAddress, family: Family) throws(Errno)
        -> FileDescriptor
    {
        let socket = try open(family == .ipv4 ? AF_INET : AF_INET6)
        try set(socket, SOL_SOCKET, SO_REUSEADDR, to: 1)
        if family != .ipv4 {
            try set(socket, Int32(IPPROTO_IPV6), IPV6_V6ONLY, to: family == .dual ? 0 : 1)
        }
        let number = socket.number
        _ = try retryingOnInterrupt {
            unsafe local.withKernelForm(asIPv6: family != .ipv4) { address, length in
                unsafe bind(number, address, length)
            }
        }
        _ = try retryingOnInterrupt { Glibc.listen(number, backlog) }
        return socket
    }

    package struct Accepted: ~Copyable {
        private let socket: FileDescriptor
        package let peer: SocketAddress

        init(socket: consuming FileDescriptor, peer: SocketAddress) {
            self.socket = socket
            self.peer = peer
        }

        package consuming func takeSocket() -> FileDescriptor { socket }
    }

    /// The next connection that waits, with its peer; nil when none does.
    package static func accept(
        on listener: borrowing FileDescriptor
    ) throws(Errno) -> Accepted? {
        var storage = sockaddr_storage()
        let number = unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            var length = socklen_t(bytes.count)
            let address = unsafe bytes.assumingMemoryBound(to: sockaddr.self).baseAddress
            let flags = Int32(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
            return unsafe accept4(listener.number, address, &length, flags)
        }
        if number < 0 {
            let error = Errno.current
            if error == .wouldBlock { return nil }
            throw error
        }
        let socket = FileDescriptor(taking: number)
        guard let peer = SocketAddress(&storage) else { throw Errno.familyNotSupported }
        // An answer is one write; nothing is gained by waiting for more (Nagle).
        try set(socket, Int32(IPPROTO_TCP), TCP_NODELAY, to: 1)
        return Accepted(socket: socket, peer: peer)
    }

    /// Begins to connect. Writable, once it is connected or has failed: see `connectionError`.
    package static func connect(to remote: SocketAddress) throws(Errno) -> FileDescriptor {
        let isIPv4 = remote.address.isIPv4
        let socket = try open(isIPv4 ? AF_INET : AF_INET6)
        try set(socket, Int32(IPPROTO_TCP), TCP_NODELAY, to: 1)
        let number = socket.number
        let result = unsafe remote.withKernelForm(asIPv6: !isIPv4) { address, length in
            unsafe Glibc.connect(number, address, length)
        }
        if result != 0 {
            let error = Errno.current
            // An interrupted connect goes on by itself (connect(2)).
            if error != .inProgress && error != .interrupted { throw error }
        }
        return socket
    }

    /// Why a connection that was begun did not come about; nil when it did.
    package static func connectionError(of socket: borrowing FileDescriptor) -> Errno? {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        let result = unsafe getsockopt(socket.number, SOL_SOCKET, SO_ERROR, &code, &length)
        if result != 0 { return Errno.current }
        return code == 0 ? nil : Errno(code)
    }

    /// Where a listening socket is bound: the port the kernel chose when 0 was asked for.
    package static func localAddress(of socket: borrowing FileDescriptor) throws(Errno)
        -> SocketAddress
    {
        var storage = sockaddr_storage()
        let number = socket.number
        _ = try retryingOnInterrupt {
            unsafe withUnsafeMutableBytes(of: &storage) { bytes in
                var length = socklen_t(bytes.count)
                let address = unsafe bytes.assumingMemoryBound(to: sockaddr.self)
                guard let base = address.baseAddress else { return Int32(-1) }
                return unsafe getsockname(number, base, &length)
            }
        }
        guard let local = SocketAddress(&storage) else { throw Errno.familyNotSupported }
        return local
    }

    /// Says that nothing more will be sent; the peer may still send.
    package static func finishSending(_ socket: borrowing FileDescriptor) {
        _ = shutdown(socket.number, Int32(SHUT_WR))
    }

    private static func open(_ family: Int32) throws(Errno) -> FileDescriptor {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        return FileDescriptor(taking: try retryingOnInterrupt { socket(family, type, 0) })
    }

    private static func set(
        _ socket: borrowing FileDescriptor, _ level: Int32, _ option: Int32, to value: Int32
    ) throws(Errno) {
        var value = value
        let number = socket.number
        let size = socklen_t(MemoryLayout<Int32>.size)
        _ = try retryingOnInterrupt { unsafe setsockopt(number, level, option, &value, size) }
    }
}
