import Foundation

/// A real Pushgateway of the test's own, on a free port, with nothing kept on disk.
final class Pushgateway: Sendable {
    let port: UInt16
    let program: RunningProgram

    /// - Parameters:
    ///   - arguments: further ones, such as `--web.enable-admin-api`.
    ///   - addressSpaceBytesMax: what the kernel lets it have, so that one that asks for all memory
    ///     ends before the machine does.
    ///   - given: the port, where it has to be a certain one.
    init(
        _ arguments: String..., addressSpaceBytesMax: Int? = nil, port given: UInt16? = nil
    ) throws {
        guard let path = Programs.pushgateway else {
            throw RunningProgram.CannotStart(
                description: "prometheus-pushgateway is not installed; make test installs it")
        }
        port = try given ?? freePort()
        let all =
            ["--web.listen-address=127.0.0.1:\(port)", "--persistence.file="] + arguments
        if let bytes = addressSpaceBytesMax {
            program = try RunningProgram("/usr/bin/prlimit", ["--as=\(bytes)", path] + all)
        } else {
            program = try RunningProgram(path, all)
        }
        let end = Date().addingTimeInterval(20)
        while (try? get("/-/ready"))?.status != 200 {
            guard Date() < end else {
                throw RunningProgram.CannotStart(description: "no Pushgateway: \(program.output)")
            }
            usleep(20_000)
        }
    }

    deinit { program.signal(SIGKILL) }

    var url: String { "http://127.0.0.1:\(port)" }

    func get(_ path: String) throws -> (status: Int, body: String) {
        try ask(Array("GET \(path) HTTP/1.0\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".utf8))
    }

    /// What it answers to these bytes; status 0 when it says nothing in time.
    /// - Parameter isCut: whether nothing more will come, although more was announced.
    func ask(
        _ request: [UInt8], isCut: Bool = false, within seconds: Int = 10
    ) throws -> (status: Int, body: String) {
        let socket = try BlockingSocket(port: port, within: seconds)
        try socket.send(request)
        if isCut { socket.finishSending() }
        let answer = String(decoding: socket.receiveAll(), as: UTF8.self)
        let parts = answer.split(separator: "\r\n\r\n", maxSplits: 1).map(String.init)
        let status = answer.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return (status, parts.count > 1 ? parts[1] : "")
    }

    /// A push past the gate, as anybody could make who reaches the Pushgateway itself.
    @discardableResult func push(
        _ path: String, body: String, method: String = "PUT", fields: [String] = []
    ) throws -> (status: Int, body: String) {
        try push(path, bytes: Array(body.utf8), method: method, fields: fields)
    }

    /// The same with a body that need not be text.
    @discardableResult func push(
        _ path: String, bytes: [UInt8], method: String = "PUT", fields: [String] = [],
        within seconds: Int = 10
    ) throws -> (status: Int, body: String) {
        let head =
            ["\(method) \(path) HTTP/1.0", "Host: 127.0.0.1"] + fields
            + ["Content-Length: \(bytes.count)", "", ""]
        return try ask(Array(head.joined(separator: "\r\n").utf8) + bytes, within: seconds)
    }

    /// The groups it lists, each by its labels. It lists them also when no scrape works any more.
    func groups() throws -> Set<Labels> {
        struct Listing: Decodable {
            struct Group: Decodable { let labels: Labels }
            let data: [Group]
        }
        let listing = try JSONDecoder().decode(
            Listing.self, from: Data(get("/api/v1/metrics").body.utf8))
        return Set(listing.data.map(\.labels))
    }

    /// The labels of every `push_time_seconds` it exports: the groups as Prometheus sees them.
    func pushTimes() throws -> [Labels] {
        try samples(of: "push_time_seconds").map { line in
            var labels: Labels = [:]
            for match in line.matches(of: /(\w+)="((?:[^"\\]|\\.)*)"/) {
                let value = String(match.2)
                labels[String(match.1)] = value.replacing(/\\(.)/) { escape in
                    escape.1 == "n" ? "\n" : String(escape.1)
                }
            }
            return labels
        }
    }

    /// Deletes every group; it has to have been started with `--web.enable-admin-api`.
    func wipe() throws {
        try push("/api/v1/admin/wipe", body: "")
        let end = Date().addingTimeInterval(5)
        while try !groups().isEmpty, Date() < end { usleep(5_000) }
    }

    /// The samples it exports of `metric`, as lines.
    func samples(of metric: String) throws -> [String] {
        try get("/metrics").body.split(separator: "\n").map(String.init)
            .filter { $0.hasPrefix(metric + "{") || $0.hasPrefix(metric + " ") }
    }

    /// How many requests reached its push and delete handlers: what a refusal must not change.
    func pushRequests() throws -> Int {
        try get("/metrics").body.split(separator: "\n")
            .filter { $0.hasPrefix("pushgateway_http_requests_total{") }
            .filter { $0.contains("handler=\"push\"") || $0.contains("handler=\"delete\"") }
            .compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
            .reduce(0) { $0 + Int($1) }
    }
}

/// Labels by their names: what a group is.
typealias Labels = [String: String]

/// A plain TCP connection that waits, but never for long.
final class BlockingSocket {
    let number: Int32

    init(port: UInt16, within seconds: Int = 10) throws {
        number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var timeout = timeval(tv_sec: seconds, tv_usec: 0)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &timeout, size)
        unsafe setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &timeout, size)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe connect(number, address, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else {
            throw RunningProgram.CannotStart(
                description: "cannot connect to port \(port): errno \(errno)")
        }
    }

    deinit { close(number) }

    /// Says that nothing more will be sent, and goes on reading.
    func finishSending() { shutdown(number, Int32(SHUT_WR)) }

    func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes { bytes in
                unsafe Glibc.send(number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else {
                throw RunningProgram.CannotStart(description: "send: errno \(errno)")
            }
            rest = rest.dropFirst(count)
        }
    }

    /// Up to `limit` bytes; nil when the peer has closed or nothing came in time.
    func receive(upTo limit: Int = 65_536) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: limit)
        let count = unsafe bytes.withUnsafeMutableBytes { bytes in
            unsafe recv(number, bytes.baseAddress, bytes.count, 0)
        }
        return count > 0 ? Array(bytes[..<count]) : nil
    }

    func receiveAll() -> [UInt8] {
        var all: [UInt8] = []
        while let more = receive() { all += more }
        return all
    }
}
