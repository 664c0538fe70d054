import Foundation

/// A real Pushgateway of the test's own, on a free loopback port, with nothing kept on disk.
final class Pushgateway: Sendable {
    let url: String
    private let port: UInt16
    private let process: Process

    private static let path = "/usr/bin/prometheus-pushgateway"
    static var isInstalled: Bool {
        [path, "/usr/bin/curl"].allSatisfy(FileManager.default.isExecutableFile)
    }

    enum Trouble: Error { case notReady, noPort, noAnswer }

    init(isChecking: Bool = true) throws {
        port = try freePort()
        url = "http://127.0.0.1:\(port)"
        process = Process()
        process.executableURL = URL(filePath: Pushgateway.path)
        process.arguments =
            ["--web.listen-address=127.0.0.1:\(port)", "--persistence.file="]
            + (isChecking ? [] : ["--push.disable-consistency-check"])
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        for _ in 0..<200 {
            if (try? request("GET", "/-/ready").status) == 200 { return }
            usleep(25_000)
        }
        stop()
        throw Trouble.notReady
    }

    deinit { stop() }

    func stop() {
        guard process.isRunning else { return }
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    /// One request, as it is written: nothing is cleaned or encoded on the way.
    @discardableResult
    func request(
        _ method: String, _ path: String, _ body: String = "", isProtobuf: Bool = false
    ) throws -> (status: Int, body: [UInt8]) {
        try request(method, path, Array(body.utf8), isProtobuf: isProtobuf)
    }

    @discardableResult
    func request(
        _ method: String, _ path: String, _ body: [UInt8], isProtobuf: Bool
    ) throws -> (status: Int, body: [UInt8]) {
        let type =
            isProtobuf
            ? "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; "
                + "encoding=delimited" : "text/plain"
        let head =
            "\(method) \(path) HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: \(type)\r\n"
            + "Content-Length: \(body.count)\r\n\r\n"
        let answer = try exchange(Array(head.utf8) + body)
        guard let end = answer.firstRange(of: Array("\r\n\r\n".utf8)),
            let status = Int(String(decoding: answer.prefix(12).suffix(3), as: UTF8.self))
        else { throw Trouble.noAnswer }
        return (status, Array(answer[end.upperBound...]))
    }

    private func exchange(_ request: [UInt8]) throws -> [UInt8] {
        let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var timeout = timeval(tv_sec: 10, tv_usec: 0)
        unsafe setsockopt(
            socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                unsafe connect(socket, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw Trouble.noAnswer }
        var sent = 0
        while sent < request.count {
            let count = unsafe request[sent...].withUnsafeBytes { bytes in
                unsafe send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Trouble.noAnswer }
            sent += count
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = unsafe recv(socket, &buffer, buffer.count, 0)
            guard count > 0 else { return answer }
            answer += buffer[..<count]
        }
    }
}

/// A port the system has just handed out and nobody holds.
private func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = unsafe withUnsafeMutablePointer(to: &address) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            unsafe bind(descriptor, pointer, length) == 0
                && getsockname(descriptor, pointer, &length) == 0
        }
    }
    guard isBound else { throw Pushgateway.Trouble.noPort }
    return UInt16(bigEndian: address.sin_port)
}

/// Runs a command as a person would who copies it from the screen.
func shell(_ command: String) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    process.arguments = ["-c", command]
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
}
