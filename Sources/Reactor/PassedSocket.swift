import CLinux
import Bytes
import Glibc

/// A listening socket that was opened for this process by whoever started it (sd_listen_fds(3)).
package struct PassedSocket: Sendable {
    /// Its descriptor, which has no owner yet.
    package let number: Int32
    /// What the one who opened it calls it.
    package let name: String
    package let address: SocketAddress
    package let family: Socket.Family

    /// One that cannot be listened on, and why.
    package struct Fault: Error {
        package let text: String

        package init(text: String) { self.text = text }
    }

    /// The first one; those after it follow without a gap.
    package static let firstNumber: Int32 = 3
    /// Sixty-four addresses to listen at, and one for the operator.
    private static let countMax: Int32 = 65

    /// Whether LISTEN_FDS is meant for this process, and not for one it was started by.
    package static var areForThisProcess: Bool {
        ProcessEnvironment.value(of: "LISTEN_PID") == String(getpid())
    }

    /// All that LISTEN_FDS announces, made ready for a loop of ours.
    package static func announced() throws(Fault) -> [PassedSocket] {
        guard let text = ProcessEnvironment.value(of: "LISTEN_FDS") else { return [] }
        guard let count = Int32(text), (0...countMax).contains(count) else {
            throw Fault(text: "LISTEN_FDS is \"\(text)\", not a number from 0 to \(countMax)")
        }
        let names = (ProcessEnvironment.value(of: "LISTEN_FDNAMES") ?? "")
            .split(separator: ":", omittingEmptySubsequences: false)
        var sockets: [PassedSocket] = []
        for index in 0..<Int(count) {
            let name = index < names.count ? String(names[index]) : ""
            sockets.append(try PassedSocket(firstNumber + Int32(index), named: name))
        }
        return sockets
    }

    private init(_ number: Int32, named name: String) throws(Fault) {
        guard let facts = SocketFacts(of: number) else {
            throw Fault(
                text: "descriptor \(number) was passed as a listening socket and is no socket")
        }
        guard let address = facts.address else {
            throw Fault(text: "descriptor \(number) was passed and is no socket for IPv4 or IPv6")
        }
        guard facts.type == Int32(SOCK_STREAM.rawValue) else {
            throw Fault(text: "descriptor \(number) (\(address)) was passed and is no TCP socket")
        }
        guard facts.isListening else {
            throw Fault(
                text: "descriptor \(number) (\(address)) was passed and does not listen; the gate "
                    + "accepts its connections itself (Accept=no)")
        }
        guard SocketFacts.prepare(number) else {
            throw Fault(text: "descriptor \(number) (\(address)): \(Errno.current)")
        }
        (self.number, self.name, self.address) = (number, name, address)
        family = facts.family
    }
}

/// What the kernel tells about a socket.
private struct SocketFacts {
    let type: Int32
    let isListening: Bool
    let address: SocketAddress?
    let family: Socket.Family

    init?(of number: Int32) {
        guard let type = SocketFacts.option(SOL_SOCKET, SO_TYPE, of: number) else { return nil }
        self.type = type
        isListening = SocketFacts.option(SOL_SOCKET, SO_ACCEPTCONN, of: number) == 1
        let domain = SocketFacts.option(SOL_SOCKET, SO_DOMAIN, of: number)
        let isIPv6Only = SocketFacts.option(Int32(IPPROTO_IPV6), IPV6_V6ONLY, of: number) == 1
        family = domain == AF_INET ? .ipv4 : isIPv6Only ? .ipv6Only : .dual
        address = Socket.localAddress(ofNumber: number)
    }

    private static func option(_ level: Int32, _ name: Int32, of number: Int32) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(number, level, name, &value, &length) == 0 else { return nil }
        return value
    }

    /// A loop never waits in accept(2), and a child gets only what it is given.
    static func prepare(_ number: Int32) -> Bool {
        let flags = fcntl(number, F_GETFL)
        return flags >= 0 && fcntl(number, F_SETFL, flags | O_NONBLOCK) == 0
            && fcntl(number, F_SETFD, FD_CLOEXEC) == 0
    }
}
