import CLinux
import Glibc

/// Where the service manager wants to be told things (sd_notify(3)): one datagram for each.
package struct NotifySocket: ~Copyable, Sendable {
    private let descriptor: FileDescriptor
    /// As it stands in the environment: a path, or `@` and a name that is in no file system.
    private let name: String

    /// What sun_path holds, less the byte that ends a path.
    private static let nameBytesMax = 107

    package init(named name: String) throws(Errno) {
        guard name.hasPrefix("/") || name.hasPrefix("@"),
            (2...NotifySocket.nameBytesMax).contains(name.utf8.count)
        else { throw Errno(EINVAL) }
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let number = try retryingOnInterrupt { socket(AF_UNIX, type, 0) }
        descriptor = FileDescriptor(taking: number)
        self.name = name
    }

    /// Sends `message` whole, or not at all: a service manager that does not read is not waited for.
    package func send(_ message: String) throws(Errno) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(name.utf8)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { path in
            unsafe path.copyBytes(from: bytes)
            // A name that is in no file system begins with a NUL (unix(7)).
            if bytes.first == UInt8(ascii: "@") { unsafe path[0] = 0 }
        }
        // The length of an abstract name counts exactly; a path may have its NUL.
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let text = Array(message.utf8)
        let number = descriptor.number
        _ = try retryingOnInterrupt {
            unsafe withUnsafeBytes(of: &address) { address in
                let form = unsafe address.assumingMemoryBound(to: sockaddr.self)
                return unsafe text.withUnsafeBytes { text in
                    unsafe sendto(
                        number, text.baseAddress, text.count, Int32(MSG_NOSIGNAL),
                        form.baseAddress, length)
                }
            }
        }
    }
}
