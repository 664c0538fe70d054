import Admission
import Bytes
import Foundation
import Testing

/// The real Pushgateway as the judge: a path as the client wrote it and the path as the gate writes
/// it must reach the same group.
@Suite(.enabled(if: Pushgateway.isInstalled, "prometheus-pushgateway and curl are not installed"))
struct PushgatewayAgreementTests {
    @Test(.timeLimit(.minutes(10)))
    func `a path and its canonical form reach the same group`() async throws {
        let pushgateway = try await Pushgateway()
        defer { pushgateway.stop() }
        var key = GroupingKey()
        for (path, _, _) in GroupingKeyTests.accepted {
            // The gate drops an empty label; the Pushgateway keeps it, which is what breaks it.
            let isEmptyLabel = path.contains("@base64/=") || path.contains("@base64/%3D")
            if isEmptyLabel { continue }
            try key.decode(Array(path.utf8).span, labelsMax: 16)
            let canonical = text { key.writePath(into: &$0) }

            #expect(try pushgateway.request("PUT", path, body: "m 1\n").status == "200", "\(path)")
            #expect(try pushgateway.request("PUT", canonical, body: "m 2\n").status == "200")
            #expect(try pushgateway.groups() == [labels(of: key)], "\(path) and \(canonical)")
            #expect(try pushgateway.request("DELETE", canonical).status == "202")
        }
        #expect(try pushgateway.groups() == [])
    }

    private func labels(of key: borrowing GroupingKey) -> [String: String] {
        var labels = ["job": key.withJob { String(decoding: $0) }]
        for index in 0..<key.labelCount {
            key.withLabel(at: index) { labels[String(decoding: $0)] = String(decoding: $1) }
        }
        return labels
    }
}

/// A Pushgateway of our own on a free loopback port, without persistence.
private struct Pushgateway {
    private let process: Process
    private let url: String

    private static let path = "/usr/bin/prometheus-pushgateway"
    static var isInstalled: Bool {
        [path, "/usr/bin/curl"].allSatisfy(FileManager.default.isExecutableFile)
    }

    init() async throws {
        let port = try freePort()
        url = "http://127.0.0.1:\(port)"
        process = Process()
        process.executableURL = URL(fileURLWithPath: Pushgateway.path)
        process.arguments = ["--web.listen-address=127.0.0.1:\(port)", "--persistence.file="]
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        for _ in 0..<100 {
            if (try? request("GET", "/-/ready").status) == "200" { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        stop()
        throw PushgatewayError.notReady
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
    }

    func request(
        _ method: String, _ path: String, body: String? = nil
    ) throws -> (status: String, body: String) {
        let curl = Process()
        curl.executableURL = URL(fileURLWithPath: "/usr/bin/curl")
        curl.arguments =
            ["-sS", "-m", "10", "--path-as-is", "-g", "-X", method, "-w", "\n%{http_code}"]
            + (body.map { ["--data-binary", $0] } ?? []) + [url + path]
        let output = Pipe()
        curl.standardOutput = output
        try curl.run()
        let data = try output.fileHandleForReading.readToEnd() ?? Data()
        curl.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self)
        guard let end = text.lastIndex(of: "\n") else { throw PushgatewayError.noAnswer }
        return (String(text[text.index(after: end)...]), String(text[..<end]))
    }

    /// The labels of every group it holds.
    func groups() throws -> [[String: String]] {
        let answer = try request("GET", "/api/v1/metrics").body
        return try JSONDecoder().decode(Answer.self, from: Data(answer.utf8)).data.map(\.labels)
    }

    private struct Answer: Decodable {
        let data: [Group]
        struct Group: Decodable { let labels: [String: String] }
    }
}

private enum PushgatewayError: Error { case notReady, noAnswer, noPort }

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
    guard isBound else { throw PushgatewayError.noPort }
    return UInt16(bigEndian: address.sin_port)
}
