import Bytes
package import Configuration
import HTTP
package import Reactor

/// Asks the Pushgateway for one of its pages and waits for it, so its place is a thread of its own or
/// a command, never a loop.
package struct PushgatewayReader: Sendable {
    private let url: UpstreamURL
    private let host: [UInt8]
    private let prefix: [UInt8]

    package init(_ upstream: Configuration.Upstream) {
        url = upstream.url.value
        host = Array(url.authority.utf8)
        prefix = Array(url.prefix.utf8)
    }

    /// Why there is no page.
    package enum Failure: Error, Equatable, Sendable {
        case unresolved(NameLookup.Failure)
        case unreachable(Errno)
        case malformed
        /// It was not all there in time.
        case late
        case tooLong(max: Int)

        package var sentence: String {
            switch self {
            case .unresolved(let failure): "its name cannot be resolved (\(failure.description))"
            case .unreachable(let error): error.description
            case .malformed: "its answer makes no sense"
            case .late: "its answer was not complete in time"
            case .tooLong(let max): "its answer is longer than \(max) bytes"
            }
        }
    }

    /// Reads a page as a stream: `take` gets its body piece by piece, of any status.
    /// - Parameters:
    ///   - path: below the prefix of the Pushgateway's URL.
    ///   - bytesMax: how long the body may be.
    ///   - deadline: when all of it must be there. Resolving a name may take longer.
    /// - Returns: the status.
    package func read(
        _ path: StaticString, bytesMax: Int, until deadline: Instant,
        _ take: (Span<UInt8>) -> Void
    ) throws(Failure) -> Int {
        let conversation = try connect(until: deadline)
        try conversation.send(request(for: path))
        return try conversation.receive(bytesMax: bytesMax, take)
    }

    /// Of several addresses the first that lets itself be connected to.
    private func connect(until deadline: Instant) throws(Failure) -> Conversation {
        var addresses = try addresses()[...]
        while true {
            let address = addresses.removeFirst()
            do throws(Failure) {
                return try Conversation.begin(with: address, until: deadline)
            } catch {
                if addresses.isEmpty || error == .late { throw error }
            }
        }
    }

    /// At least one.
    private func addresses() throws(Failure) -> [SocketAddress] {
        switch url.host {
        case .address(let address): return [SocketAddress(address: address, port: url.port)]
        case .name(let name):
            switch NameLookup.addresses(of: name) {
            case .success(let found):
                return found.map { SocketAddress(address: $0, port: url.port) }
            case .failure(let failure): throw .unresolved(failure)
            }
        }
    }

    private func request(for path: StaticString) -> ByteBuffer {
        var request = ByteBuffer()
        RequestWriter.append(
            .get, pathPrefix: prefix.span, path: path.span, host: host.span, authorization: nil,
            body: nil, to: &request)
        return request
    }
}

/// One request and its answer, on a connection of their own.
private struct Conversation: ~Copyable {
    private let socket: FileDescriptor
    private let poller: Poller
    private let deadline: Instant
    private static let ticket = Ticket(kind: 0, slot: 0, generation: 0)

    typealias Failure = PushgatewayReader.Failure

    private init(on socket: consuming FileDescriptor, _ poller: Poller, until deadline: Instant) {
        (self.poller, self.deadline) = (poller, deadline)
        self.socket = socket
    }

    /// Connects, and waits until that is done.
    static func begin(
        with address: SocketAddress, until deadline: Instant
    ) throws(Failure) -> Conversation {
        let conversation: Conversation
        do throws(Errno) {
            let socket = try Socket.connect(to: address)
            conversation = Conversation(on: socket, try Poller(), until: deadline)
        } catch {
            throw .unreachable(error)
        }
        try conversation.watch(for: .writing)
        try conversation.wait()
        if let error = Socket.connectionError(of: conversation.socket) {
            throw .unreachable(error)
        }
        return conversation
    }

    private func watch(for interest: Poller.Interest) throws(Failure) {
        do throws(Errno) {
            if interest == .writing {
                try poller.add(socket, for: interest, ticket: Conversation.ticket)
            } else {
                try poller.change(socket, to: interest, ticket: Conversation.ticket)
            }
        } catch {
            throw .unreachable(error)
        }
    }

    func send(_ request: borrowing ByteBuffer) throws(Failure) {
        do throws(Errno) {
            // Far smaller than the buffer of a socket that was never written to.
            _ = try socket.write(request.span)
        } catch {
            throw .unreachable(error)
        }
        try watch(for: .reading)
    }

    func receive(bytesMax: Int, _ take: (Span<UInt8>) -> Void) throws(Failure) -> Int {
        var parser = ResponseParser()
        var input = ByteBuffer()
        while true {
            let isEnd = try read(into: &input)
            if let head = try head(&parser, input.span) {
                input.consume(head.length)
                try receiveBody(head, &input, bytesMax: bytesMax, take)
                return head.status
            }
            if isEnd { throw .malformed }
        }
    }

    private func head(
        _ parser: inout ResponseParser, _ input: Span<UInt8>
    ) throws(Failure) -> ResponseHead? {
        do throws(ResponseError) {
            return try parser.parse(input, requestMethod: .get)
        } catch {
            throw .malformed
        }
    }

    private func receiveBody(
        _ head: ResponseHead, _ input: inout ByteBuffer, bytesMax: Int,
        _ take: (Span<UInt8>) -> Void
    ) throws(Failure) {
        var chunks = ChunkedDecoder()
        var body = ByteBuffer()
        var received = 0
        while true {
            let isComplete = try move(
                &input, to: &body, head, &chunks, received: received, bytesMax: bytesMax)
            received += body.count
            guard received <= bytesMax else { throw .tooLong(max: bytesMax) }
            take(body.span)
            body.removeAll()
            if isComplete { return }
            if try read(into: &input) {
                guard head.body == .untilClose else { throw .malformed }
                return
            }
        }
    }

    /// Moves what belongs to the body. True when that was all of it.
    private func move(
        _ input: inout ByteBuffer, to body: inout ByteBuffer, _ head: ResponseHead,
        _ chunks: inout ChunkedDecoder, received: Int, bytesMax: Int
    ) throws(Failure) -> Bool {
        switch head.body {
        case .none: return true
        case .length(let length):
            let count = min(input.count, length - received)
            body.append(input.span.extracting(0..<count))
            input.consume(count)
            return received + count == length
        case .chunked:
            do throws(ChunkError) {
                let progress = try chunks.decode(input.span, into: &body, bodyBytesMax: bytesMax)
                input.consume(progress.consumed)
                return progress.isComplete
            } catch {
                throw error == .bodyTooLarge ? .tooLong(max: bytesMax) : .malformed
            }
        case .untilClose:
            body.append(input.span)
            input.removeAll()
            return false
        }
    }

    /// Waits for bytes and reads them. True when the connection has ended.
    private func read(into input: inout ByteBuffer) throws(Failure) -> Bool {
        while true {
            try wait()
            do throws(Errno) {
                let step = try input.append(upTo: 64 << 10) { (output) throws(Errno) in
                    try socket.read(into: &output)
                }
                switch step {
                case .moved: return false
                case .finished: return true
                case .wouldBlock: continue
                }
            } catch {
                throw .unreachable(error)
            }
        }
    }

    private func wait() throws(Failure) {
        while poller.wait(until: deadline, from: .now()) == 0 {
            if Instant.now() >= deadline { throw .late }
        }
        // A peer that sends a byte at a time would otherwise be waited for without an end.
        if Instant.now() >= deadline { throw .late }
    }
}
