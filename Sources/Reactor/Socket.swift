import CLinux
import Bytes
import Glibc

/// Stream sockets: listening, accepting, connecting. All of them are non-blocking and close on exec.
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

    /// Bounds what the kernel keeps for connections that `listener` will accept, which inherit it: so
    /// much that is not taken yet, and that no longer than `silence`. Then they are reset, even those
    /// that are closed here (tcp(7), TCP_USER_TIMEOUT).
    package static func boundSending(
        onceAcceptedOn listener: borrowing FileDescriptor, bytes: Int32, silence: Interval
    ) throws(Errno) {
        let milliseconds = Int32(clamping: silence.nanoseconds / 1_000_000)
        try set(listener, SOL_SOCKET, SO_SNDBUF, to: bytes)
        try set(listener, Int32(IPPROTO_TCP), TCP_USER_TIMEOUT, to: max(1, milliseconds))
    }

    /// Has the peer yet to take something of what was sent? (tcp(7), SIOCOUTQ)
    package static func hasUntaken(_ socket: borrowing FileDescriptor) -> Bool {
        var count: Int32 = 0
        return unsafe ioctl(socket.number, UInt(TIOCOUTQ), &count) == 0 && count > 0
    }

    /// Has the peer sent something that was not read? (tcp(7), SIOCINQ)
    package static func hasUnread(_ socket: borrowing FileDescriptor) -> Bool {
        var count: Int32 = 0
        return unsafe ioctl(socket.number, UInt(FIONREAD), &count) == 0 && count > 0
    }

    /// Lets nothing outlive the close that follows: what is not taken is lost, and the peer reset.
    package static func resetOnClose(_ socket: borrowing FileDescriptor) {
        var linger = linger(l_onoff: 1, l_linger: 0)
        let size = socklen_t(MemoryLayout.size(ofValue: linger))
        _ = unsafe setsockopt(socket.number, SOL_SOCKET, SO_LINGER, &linger, size)
    }

    /// Begins to connect. Writable, once it is connected or has failed: see `connectionError`.
    package static func connect(to remote: SocketAddress) throws(Errno) -> FileDescriptor {
        try connect(to: .network(remote))
    }

    /// The same to a socket of this machine too. That one has no handshake to wait for: it takes a
    /// connection at once, or its queue is full and the error is `wouldBlock` (unix(7)).
    package static func connect(to remote: PeerAddress) throws(Errno) -> FileDescriptor {
        let socket = try open(remote.family)
        if case .network = remote { try set(socket, Int32(IPPROTO_TCP), TCP_NODELAY, to: 1) }
        let number = socket.number
        let result = unsafe remote.withKernelForm { address, length in
            unsafe Glibc.connect(number, address, length)
        }
        guard let result else { throw Errno.nameTooLong }
        if result != 0 {
            let error = Errno.current
            // An interrupted connect goes on by itself (connect(2)).
            if error != .inProgress && error != .interrupted { throw error }
        }
        return socket
    }

    /// Lets the kernel ask a silent peer whether it is still there, and end the connection of one that
    /// is not after 20 seconds. Only for TCP: a peer on this machine cannot vanish unnoticed.
    package static func keepAlive(_ socket: borrowing FileDescriptor) throws(Errno) {
        try set(socket, SOL_SOCKET, SO_KEEPALIVE, to: 1)
        try set(socket, Int32(IPPROTO_TCP), TCP_KEEPIDLE, to: 10)
        try set(socket, Int32(IPPROTO_TCP), TCP_KEEPINTVL, to: 5)
        try set(socket, Int32(IPPROTO_TCP), TCP_KEEPCNT, to: 2)
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
        guard let local = localAddress(ofNumber: socket.number) else {
            throw Errno.familyNotSupported
        }
        return local
    }

    /// The same for a socket without an owner; nil when it is none, or none for IP.
    static func localAddress(ofNumber number: Int32) -> SocketAddress? {
        var storage = sockaddr_storage()
        let result = unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            var length = socklen_t(bytes.count)
            let address = unsafe bytes.assumingMemoryBound(to: sockaddr.self)
            guard let base = address.baseAddress else { return Int32(-1) }
            return unsafe getsockname(number, base, &length)
        }
        return result == 0 ? SocketAddress(&storage) : nil
    }

    /// Does this machine have IPv6 at all?
    package static var isIPv6Supported: Bool {
        do throws(Errno) {
            _ = try open(AF_INET6)
            return true
        } catch {
            return error != .familyNotSupported
        }
    }

    /// Two ends of one line between processes.
    package struct Line: ~Copyable {
        package let near: FileDescriptor
        package let far: FileDescriptor

        package consuming func takeNear() -> FileDescriptor { near }
    }

    package static func makeLine() throws(Errno) -> Line {
        var ends: (Int32, Int32) = (-1, -1)
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        _ = try retryingOnInterrupt {
            unsafe withUnsafeMutableBytes(of: &ends) { ends in
                let numbers = unsafe ends.assumingMemoryBound(to: Int32.self)
                return unsafe socketpair(AF_UNIX, type, 0, numbers.baseAddress)
            }
        }
        return Line(near: FileDescriptor(taking: ends.0), far: FileDescriptor(taking: ends.1))
    }

    /// Takes the end of a line that was opened for this process.
    package static func adoptLine(_ number: Int32) throws(Errno) -> FileDescriptor {
        _ = try retryingOnInterrupt { fcntl(number, F_SETFD, FD_CLOEXEC) }
        return FileDescriptor(taking: number)
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
