import Bytes

/// The kernel's list of TCP connections over IPv4.
enum TCPTable {
    struct Connection {
        let hasKeepAliveTimer: Bool
    }

    /// Those that are established and lead to this port.
    static func connections(to port: UInt16) -> [Connection] {
        let table = (try? RegularFile.contents(of: "/proc/net/tcp", bytesMax: 16 << 20)) ?? []
        let hex = String(port, radix: 16, uppercase: true)
        let suffix = ":" + String(repeating: "0", count: 4 - hex.count) + hex
        let lines = String(decoding: table, as: UTF8.self).split(separator: "\n")
        return lines.dropFirst().compactMap { line in
            let columns = line.split(separator: " ")
            guard columns.count > 5, columns[2].hasSuffix(suffix), columns[3] == "01" else {
                return nil
            }
            return Connection(hasKeepAliveTimer: columns[5].hasPrefix("02:"))
        }
    }
}
