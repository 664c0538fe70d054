package import Bytes
import Glibc

/// Which addresses a name has, by the system's resolver. It blocks for as long as that takes, so it has
/// no place on a loop.
package enum NameLookup {
    /// How many addresses of one name are used.
    private static let addressesMax = 16

    /// The addresses of `name`, in the resolver's order of preference; why there are none otherwise.
    package static func addresses(of name: String) -> Result<[IPAddress], Failure> {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(name, nil, &hints, &list)
        guard code == 0 else { return .failure(Failure(code: code)) }
        defer { unsafe freeaddrinfo(list) }

        var found: [IPAddress] = []
        var entry = unsafe list
        while let current = unsafe entry, found.count < addressesMax {
            if let address = unsafe address(of: current.pointee), !found.contains(address) {
                found.append(address)
            }
            unsafe entry = current.pointee.ai_next
        }
        return found.isEmpty ? .failure(Failure(code: EAI_NONAME)) : .success(found)
    }

    private static func address(of entry: addrinfo) -> IPAddress? {
        var storage = sockaddr_storage()
        let count = unsafe min(Int(entry.ai_addrlen), MemoryLayout<sockaddr_storage>.size)
        guard let source = unsafe entry.ai_addr else { return nil }
        unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(start: source, count: count))
        }
        return SocketAddress(&storage)?.address
    }

    package struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
        let code: Int32

        package var description: String {
            unsafe gai_strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
        }
    }
}
