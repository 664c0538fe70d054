import Foundation
import Testing

/// A gate with an admin listener, both on ports that are known, and how its operator asks it.
final class AdministeredGate: Sendable {
    let gate: Gate
    let adminPort: UInt16

    /// - Parameters:
    ///   - admin: where the admin listener is, with a `0` for its port.
    ///   - settings: further lines of the configuration.
    init(
        upstream: UInt16, admin: String = "127.0.0.1:0", settings: String = "",
        users: String = Gate.users
    ) throws {
        adminPort = try freePort()
        let address = admin.replacing(/:0$/, with: ":\(adminPort)")
        var lines = "admin: {listen: \"\(address)\"}\n" + settings
        if !settings.contains("listen:") { lines += "\nlisten: 127.0.0.1:\(try freePort())" }
        gate = try Gate(upstream: upstream, settings: lines, users: users)
    }

    var configuration: String { gate.folder.path + "/kanmon.yml" }

    /// One request to the admin listener.
    func ask(
        _ path: String, method: String = "GET", host: String = "localhost", fields: [String] = []
    ) throws -> Answer {
        let lines = ["\(method) \(path) HTTP/1.1", "Host: \(host)"] + fields + ["", ""]
        return try ask(bytes: Array(lines.joined(separator: "\r\n").utf8))
    }

    func ask(bytes: [UInt8]) throws -> Answer {
        let socket = try BlockingSocket(port: adminPort)
        try socket.send(bytes)
        return try #require(Answer(reading: socket))
    }

    /// The samples of a scrape, each by its name with its labels as they are written.
    func metrics() throws -> [String: Double] {
        let page = try ask("/metrics")
        #expect(page.status == 200)
        var samples: [String: Double] = [:]
        for line in page.body.split(separator: "\n") where !line.hasPrefix("#") {
            let space = try #require(line.lastIndex(of: " "))
            let value = try #require(Double(line[line.index(after: space)...]), "\(line)")
            #expect(samples.updateValue(value, forKey: String(line[..<space])) == nil, "\(line)")
        }
        return samples
    }

    /// By how much each sample grows while `body` runs and the gate takes note of it.
    func growth(
        until sample: String? = nil, of body: () throws -> Void
    ) throws -> [String: Double] {
        let before = try metrics()
        try body()
        let end = Date().addingTimeInterval(15)
        while true {
            let after = try metrics()
            let growth = after.merging(before) { $0 - $1 }
            if sample == nil || growth[sample ?? ""] != 0 || Date() > end { return growth }
            usleep(50_000)
        }
    }

    func status() throws -> [String: Any] {
        let page = try ask("/-/status")
        #expect(page.status == 200 && page.fields["content-type"] == "application/json", "\(page)")
        let object = try JSONSerialization.jsonObject(with: Data(page.body.utf8))
        return try #require(object as? [String: Any])
    }
}

extension Answer {
    /// An answer that ends with its connection; nil when there is none.
    init?(reading socket: BlockingSocket) {
        let text = String(decoding: socket.receiveAll(), as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].components(separatedBy: "\r\n")
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            fields[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        let status = lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        self.init(status: status, fields: fields, body: String(text[end.upperBound...]))
    }
}
