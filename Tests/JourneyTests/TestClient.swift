import Bytes
import Foundation
import Reactor
import TLS

/// A client of the gate over real TLS that can also misbehave: it sends whatever bytes it is given.
final class TestClient {
    private let socket: FileDescriptor
    private var tls: TLSConnection
    private let poller: Poller
    private var received = ByteBuffer()

    enum Failure: Error, Equatable {
        /// The connection ended before what was waited for had come.
        case ended
        case tooLate
    }

    init(
        port: UInt16, certificate: [UInt8], address: String = "127.0.0.1",
        within seconds: Double = 10, beforeHandshake: () -> Void = {}
    ) throws {
        guard let address = IPAddress(address) else { throw Failure.ended }
        socket = try Socket.connect(to: SocketAddress(address: address, port: port))
        poller = try Poller()
        try poller.add(socket, for: .writing, ticket: Ticket(bits: 0))
        tls = try ClientContext(authorities: certificate).connect(on: socket, to: "localhost")
        _ = poller.wait(until: .now() + .milliseconds(Int(seconds * 1000)), from: .now())
        beforeHandshake()
        let end = Instant.now() + .milliseconds(Int(seconds * 1000))
        while try step(end, { client throws(TLSError) in try client.tls.handshake() }) == nil {}
    }

    /// Sends bytes as they are.
    func send(_ bytes: [UInt8], within seconds: Double = 10) throws {
        let end = Instant.now() + .milliseconds(Int(seconds * 1000))
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = Array(rest)
            let count = try step(end) { client throws(TLSError) in try client.tls.write(sent.span) }
            rest = rest.dropFirst(count ?? 0)
        }
    }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    /// Sends a request with an exact length and waits for its answer.
    func send(
        _ method: String, _ path: String, body: String? = nil, login: String? = "prom:secret",
        fields: [String] = []
    ) throws -> Answer {
        try send(TestClient.request(method, path, body: body, login: login, fields: fields))
        return try answer(to: method)
    }

    static func request(
        _ method: String, _ path: String, body: String? = nil, login: String? = "prom:secret",
        fields: [String] = []
    ) -> String {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: localhost"]
        if let login {
            lines.append("Authorization: Basic \(Data(login.utf8).base64EncodedString())")
        }
        lines += fields
        if let body { lines.append("Content-Length: \(body.utf8.count)") }
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + (body ?? "")
    }

    /// A request with a body that need not be text.
    static func request(
        _ method: String, _ path: String, bytes: [UInt8], login: String? = "prom:secret",
        fields: [String] = []
    ) -> [UInt8] {
        let length = "Content-Length: \(bytes.count)"
        return Array(request(method, path, login: login, fields: fields + [length]).utf8) + bytes
    }

    /// The next answer, read to its last byte.
    func answer(to method: String = "POST", within seconds: Double = 15) throws -> Answer {
        let end = Instant.now() + .milliseconds(Int(seconds * 1000))
        while true {
            let text = receivedText
            if let head = text.range(of: "\r\n\r\n") {
                let lines = text[..<head.lowerBound].components(separatedBy: "\r\n")
                let status =
                    lines[0].split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
                var fields: [String: String] = [:]
                for line in lines.dropFirst() {
                    let parts = line.split(separator: ":", maxSplits: 1)
                    if parts.count == 2 {
                        fields[parts[0].lowercased()] = parts[1].trimmingCharacters(
                            in: .whitespaces)
                    }
                }
                let length =
                    method == "HEAD" || status < 200 ? 0 : Int(fields["content-length"] ?? "0") ?? 0
                let body = text[head.upperBound...]
                if body.utf8.count >= length {
                    let taken = text[..<head.upperBound].utf8.count + length
                    received.consume(taken)
                    return Answer(
                        status: status, fields: fields, body: String(body.utf8.prefix(length)) ?? ""
                    )
                }
            }
            try receive(until: end)
        }
    }

    /// How the gate ended the connection, and what came before it did.
    func waitForEnd(within seconds: Double = 15) -> (ended: Bool, rest: String) {
        let end = Instant.now() + .milliseconds(Int(seconds * 1000))
        while true {
            do { try receive(until: end) } catch Failure.tooLate {
                return (false, receivedText)
            } catch { return (true, receivedText) }
        }
    }

    /// Says that nothing more will be sent, and goes on reading.
    func finishSending() {
        tls.finishSending()
        Socket.finishSending(socket)
    }

    /// Goes away as a process does that is killed: without a farewell.
    func reset() {
        var hard = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(
            socket.number, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
        // What is gone is the connection; the number stays taken until the client is let go of.
        var nowhere = sockaddr()
        nowhere.sa_family = sa_family_t(AF_UNSPEC)
        unsafe Glibc.connect(
            socket.number, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }

    var isVersion13: Bool { tls.isVersion13 }

    private var receivedText: String { received.withSpan { String(decoding: $0) } }

    private func receive(until end: Instant) throws {
        _ = try step(end) { client throws(TLSError) in
            try client.received.append(upTo: 16_384) { (output) throws(TLSError) in
                try client.tls.read(into: &output)
            }
        }
    }

    /// One step of TLS, then a wait if it needs one. Nil when it has to be tried again.
    private func step(
        _ end: Instant, _ body: (TestClient) throws(TLSError) -> TLSConnection.Step
    ) throws -> Int? {
        switch try body(self) {
        case .moved(let count): return count
        case .finished, .cut: throw Failure.ended
        case .wantsRead: try poller.change(socket, to: .reading, ticket: Ticket(bits: 0))
        case .wantsWrite: try poller.change(socket, to: .writing, ticket: Ticket(bits: 0))
        }
        let now = Instant.now()
        guard now < end else { throw Failure.tooLate }
        _ = poller.wait(until: end, from: now)
        return nil
    }
}
