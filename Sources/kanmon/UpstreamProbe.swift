import Bytes
import Configuration
import HTTP
import Reactor

/// Asks the Pushgateway once whether it is there, and waits for its answer.
enum UpstreamProbe {
    /// A sentence about it, for a person.
    static func report(_ upstream: Configuration.Upstream) -> String {
        let url = upstream.url.value
        do throws(Failure) {
            let status = try ask(url, within: Interval(upstream.connectTimeout + .seconds(2)))
            return status == 200
                ? "The Pushgateway at \(url) answers."
                : "The Pushgateway at \(url) answers /-/ready with \(status): is this its address?"
        } catch {
            return "The Pushgateway at \(url) does not answer: \(error.reason)."
        }
    }

    private struct Failure: Error { let reason: String }

    private static func ask(_ url: UpstreamURL, within limit: Interval) throws(Failure) -> Int {
        var request = ByteBuffer()
        let host = Array(url.authority.utf8)
        RequestWriter.append(
            .get, pathPrefix: Array(url.prefix.utf8).span, path: ("/-/ready" as StaticString).span,
            host: host.span, authorization: nil, body: nil, to: &request)
        do throws(Errno) {
            let socket = try Socket.connect(
                to: SocketAddress(address: try address(of: url), port: url.port))
            return try converse(on: socket, request, until: Instant.now() + limit)
        } catch {
            throw Failure(reason: error.description)
        }
    }

    private static func address(of url: UpstreamURL) throws(Errno) -> IPAddress {
        switch url.host {
        case .address(let address): return address
        case .name(let name):
            guard case .success(let addresses) = NameLookup.addresses(of: name),
                let first = addresses.first
            else { throw .noSuchFile }
            return first
        }
    }

    private static func converse(
        on socket: borrowing FileDescriptor, _ request: borrowing ByteBuffer,
        until deadline: Instant
    ) throws(Errno) -> Int {
        let poller = try Poller()
        let ticket = Ticket(kind: 0, slot: 0, generation: 0)
        try poller.add(socket, for: .writing, ticket: ticket)
        try wait(poller, until: deadline)
        if let error = Socket.connectionError(of: socket) { throw error }
        // The request is far smaller than the buffer of a socket that was never written to.
        _ = try socket.write(request.span)
        try poller.change(socket, to: .reading, ticket: ticket)
        var parser = ResponseParser()
        var answer = ByteBuffer()
        while true {
            try wait(poller, until: deadline)
            let step = try answer.append(upTo: 4096) { (output) throws(Errno) in
                try socket.read(into: &output)
            }
            if let head = try? parser.parse(answer.span, requestMethod: .get) { return head.status }
            if step == .finished { throw .connectionReset }
        }
    }

    private static func wait(_ poller: Poller, until deadline: Instant) throws(Errno) {
        while poller.wait(until: deadline, from: .now()) == 0 {
            if Instant.now() >= deadline { throw .timedOut }
        }
    }
}
