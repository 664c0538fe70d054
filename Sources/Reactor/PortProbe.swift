package import Bytes
import Glibc

/// Asks whether somebody listens at a port of this machine or another.
package enum PortProbe {
    /// Why no connection came about; nil when one did, which is closed at once.
    package static func fault(
        at address: IPAddress, port: UInt16, within patience: Interval
    ) -> Errno? {
        do throws(Errno) {
            let socket = try Socket.connect(to: SocketAddress(address: address, port: port))
            var wanted = pollfd(fd: socket.number, events: Int16(POLLOUT), revents: 0)
            let milliseconds = Int32(clamping: patience.nanoseconds / 1_000_000)
            guard unsafe poll(&wanted, 1, milliseconds) > 0 else { return .timedOut }
            return Socket.connectionError(of: socket)
        } catch {
            return error
        }
    }
}
