import Bytes
import Configuration
package import HTTP
package import Reactor
import TLS

/// Asks the Pushgateway for one of its pages and waits for it, so its place is a thread of its own or
/// a command, never a loop.
package struct PushgatewayReader: Sendable {
    let dialer: Dialer

    package init(_ dialer: Dialer) { self.dialer = dialer }

    /// Why there is no page.
    package enum Failure: Error, Equatable, Sendable {
        case unresolved(NameLookup.Failure)
        case unreachable(ConnectFailure)
        case malformed
        /// It was not all there in time.
        case late
        case tooLong(max: Int)

        package var sentence: String {
            switch self {
            case .unresolved(let failure): "its name cannot be resolved (\(failure.description))"
            case .unreachable(let failure): failure.sentence
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
        try ask(.get, path.span, bytesMax: bytesMax, until: deadline, take)
    }

    /// The same for any path with its query, percent-encoded, and for a method without a body.
    package func ask(
        _ method: HTTP.Method, _ path: Span<UInt8>, bytesMax: Int, until deadline: Instant,
        _ take: (Span<UInt8>) -> Void
    ) throws(Failure) -> Int {
        var conversation = try connect(until: deadline)
        try conversation.send(request(method, path))
        return try conversation.receive(bytesMax: bytesMax, take)
    }

    /// Of several addresses the first that lets itself be connected to.
    private func connect(until deadline: Instant) throws(Failure) -> Conversation {
        var addresses = try addresses()[...]
        while true {
            let address = addresses.removeFirst()
            do throws(Failure) {
                return try Conversation.begin(with: address, by: dialer, until: deadline)
            } catch {
                if addresses.isEmpty || error == .late { throw error }
            }
        }
    }

    /// At least one.
    private func addresses() throws(Failure) -> [PeerAddress] {
        let access = dialer.access
        if let fixed = access.fixedAddresses { return fixed }
        guard case .name(let name) = access.url.host else { return [] }
        switch NameLookup.addresses(of: name) {
        case .success(let found):
            return found.map { .network(SocketAddress(address: $0, port: access.url.port)) }
        case .failure(let failure): throw .unresolved(failure)
        }
    }

    private func request(_ method: HTTP.Method, _ path: Span<UInt8>) -> ByteBuffer {
        var request = ByteBuffer()
        RequestWriter.append(
            method, pathPrefix: dialer.pathPrefix.span, path: path, host: dialer.host.span,
            authorization: dialer.access.login?.fieldValue.span, body: nil, to: &request)
        return request
    }
}

/// One request and its answer, on a connection of their own.
private struct Conversation: ~Copyable {
    private var channel: Channel
    private let poller: Poller
    private let deadline: Instant
    private static let ticket = Ticket(kind: 0, slot: 0, generation: 0)

    typealias Failure = PushgatewayReader.Failure

    private init(on channel: consuming Channel, _ poller: Poller, until deadline: Instant) {
        (self.poller, self.deadline) = (poller, deadline)
        self.channel = channel
    }

    /// Connects, and waits until that is done.
    static func begin(
        with address: PeerAddress, by dialer: Dialer, until deadline: Instant
    ) throws(Failure) -> Conversation {
        var conversation: Conversation
        do throws(TLSError) {
            let channel = try dialer.connect(to: address)
            conversation = Conversation(on: channel, try makePoller(), until: deadline)
        } catch {
            throw Failure(error)
        }
        try conversation.finishConnecting()
        return conversation
    }

    private static func makePoller() throws(TLSError) -> Poller {
        do throws(Errno) { return try Poller() } catch { throw .socketFailed(error) }
    }

    private mutating func finishConnecting() throws(Failure) {
        do throws(Errno) {
            try poller.add(channel.socket, for: .writing, ticket: Conversation.ticket)
        } catch {
            throw Failure(.socketFailed(error))
        }
        try wait()
        if let error = Socket.connectionError(of: channel.socket) {
            throw Failure(.socketFailed(error))
        }
        while true {
            let step: Channel.Step
            do throws(TLSError) { step = try channel.handshake() } catch { throw Failure(error) }
            if case .moved = step { return }
            guard try wait(after: step) else { throw .unreachable(.hungUp) }
        }
    }

    mutating func send(_ request: consuming ByteBuffer) throws(Failure) {
        while !request.isEmpty {
            let step: Channel.Step
            do throws(TLSError) {
                step = try channel.write(request.span, Span())
            } catch {
                throw Failure(error)
            }
            if case .moved(let count) = step {
                request.consume(count)
            } else if try !wait(after: step) {
                throw .malformed
            }
        }
    }

    mutating func receive(bytesMax: Int, _ take: (Span<UInt8>) -> Void) throws(Failure) -> Int {
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

    private mutating func receiveBody(
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

    /// Reads, and waits for bytes where there are none yet. True when the connection has ended.
    private mutating func read(into input: inout ByteBuffer) throws(Failure) -> Bool {
        while true {
            // A peer that sends a byte at a time would otherwise be waited for without an end.
            if Instant.now() >= deadline { throw .late }
            let step: Channel.Step
            do throws(TLSError) {
                step = try input.append(upTo: 64 << 10) { (output) throws(TLSError) in
                    try channel.read(into: &output)
                }
            } catch {
                throw Failure(error)
            }
            if case .moved = step { return false }
            // Without a farewell nobody knows whether that was all.
            if step == .cut { throw .malformed }
            guard try wait(after: step) else { return true }
        }
    }

    /// Waits until the step can be tried again. False when there is nothing to wait for any more.
    private func wait(after step: Channel.Step) throws(Failure) -> Bool {
        let interest: Poller.Interest
        switch step {
        case .moved: return true
        case .finished, .cut: return false
        case .wantsRead: interest = .reading
        case .wantsWrite: interest = .writing
        }
        do throws(Errno) {
            try poller.change(channel.socket, to: interest, ticket: Conversation.ticket)
        } catch {
            throw Failure(.socketFailed(error))
        }
        try wait()
        return true
    }

    private func wait() throws(Failure) {
        while poller.wait(until: deadline, from: .now()) == 0 {
            if Instant.now() >= deadline { throw .late }
        }
    }
}

extension PushgatewayReader.Failure {
    fileprivate init(_ error: TLSError) { self = .unreachable(ConnectFailure(error)) }
}
