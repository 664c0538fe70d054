import CLinux
package import Bytes
import Glibc

/// Where a socket is bound or connected: an address and a port.
package struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
    package var address: IPAddress
    package var port: UInt16

    package init(address: IPAddress, port: UInt16) { (self.address, self.port) = (address, port) }

    package var description: String {
        address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
    }

    /// Lets `body` see the kernel's form. A dual-stack socket is given IPv4 v4-mapped.
    func withKernelForm<R>(
        asIPv6: Bool, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
    ) -> R {
        if address.isIPv4 && !asIPv6 {
            var form = sockaddr_in()
            form.sin_family = sa_family_t(AF_INET)
            form.sin_port = port.bigEndian
            form.sin_addr.s_addr = UInt32(truncatingIfNeeded: address.low).bigEndian
            return unsafe withUnsafeKernelForm(of: &form, body)
        }
        var form = sockaddr_in6()
        form.sin6_family = sa_family_t(AF_INET6)
        form.sin6_port = port.bigEndian
        unsafe withUnsafeMutableBytes(of: &form.sin6_addr) { bytes in
            unsafe bytes.storeBytes(of: address.high.bigEndian, toByteOffset: 0, as: UInt64.self)
            unsafe bytes.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return unsafe withUnsafeKernelForm(of: &form, body)
    }

    /// Reads what the kernel wrote into `storage`; nil for a family that is not IP.
    init?(_ storage: inout sockaddr_storage) {
        switch Int32(storage.ss_family) {
        case AF_INET:
            let form = unsafe withUnsafeBytes(of: &storage) { unsafe $0.load(as: sockaddr_in.self) }
            self.init(
                address: IPAddress(ipv4: UInt32(bigEndian: form.sin_addr.s_addr)),
                port: UInt16(bigEndian: form.sin_port))
        case AF_INET6:
            var form = unsafe withUnsafeBytes(of: &storage) {
                unsafe $0.load(as: sockaddr_in6.self)
            }
            let (high, low) = unsafe withUnsafeBytes(of: &form.sin6_addr) { bytes in
                unsafe (
                    UInt64(bigEndian: bytes.loadUnaligned(as: UInt64.self)),
                    UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                )
            }
            self.init(
                address: IPAddress(high: high, low: low),
                port: UInt16(bigEndian: form.sin6_port))
        default: return nil
        }
    }
}

func withUnsafeKernelForm<Form, R>(
    of form: inout Form, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R
) -> R {
    unsafe withUnsafeBytes(of: &form) { bytes in
        let address = unsafe bytes.assumingMemoryBound(to: sockaddr.self)
        guard let base = address.baseAddress else { preconditionFailure("an empty form") }
        return unsafe body(base, socklen_t(bytes.count))
    }
}
