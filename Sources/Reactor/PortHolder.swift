import Bytes
import Glibc

/// The process that listens on a port, as /proc tells it.
package struct PortHolder: Equatable, Sendable, CustomStringConvertible {
    package let processID: Int32
    package let name: String

    package var description: String { "\(name) (pid \(processID))" }

    /// Whoever listens on `port` of this machine, at any address. Nil when nobody does, or when that
    /// process is not ours to look into.
    package init?(ofPort port: UInt16) {
        let inodes = PortHolder.listeningInodes(port: port)
        guard !inodes.isEmpty else { return nil }
        for processID in PortHolder.numbers(in: "/proc") {
            for descriptor in PortHolder.numbers(in: "/proc/\(processID)/fd") {
                let target = PortHolder.target(of: "/proc/\(processID)/fd/\(descriptor)")
                guard let target, inodes.contains(where: { target == "socket:[\($0)]" }) else {
                    continue
                }
                self.processID = processID
                name = PortHolder.firstLine(of: "/proc/\(processID)/comm")
                return
            }
        }
        return nil
    }

    /// The sockets in state LISTEN (0A) on `port`, from the kernel's tables (proc(5)).
    private static func listeningInodes(port: UInt16) -> [Substring] {
        let hexadecimal = String(port, radix: 16, uppercase: true)
        let suffix = ":" + String(repeating: "0", count: 4 - hexadecimal.utf8.count) + hexadecimal
        return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap { table in
            text(of: table).split(separator: "\n").dropFirst().compactMap { line in
                let columns = line.split(separator: " ")
                let isListening =
                    columns.count > 9 && columns[1].hasSuffix(suffix) && columns[3] == "0A"
                return isListening ? columns[9] : nil
            }
        }
    }

    private static func numbers(in folder: String) -> [Int32] {
        guard let stream = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(stream) }
        var numbers: [Int32] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { name in
                unsafe String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
            }
            if let number = Int32(name) { numbers.append(number) }
        }
        return numbers
    }

    private static func target(of link: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: 256)
        let count = unsafe bytes.withUnsafeMutableBytes { bytes in
            guard let base = bytes.baseAddress else { return -1 }
            return unsafe readlink(link, base, bytes.count)
        }
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }

    private static func firstLine(of path: String) -> String {
        text(of: path).split(separator: "\n").first.map(String.init) ?? "unknown"
    }

    private static func text(of path: String) -> String {
        let bytes = try? RegularFile.contents(of: path, bytesMax: 16 << 20)
        return String(decoding: bytes ?? [], as: UTF8.self)
    }
}
