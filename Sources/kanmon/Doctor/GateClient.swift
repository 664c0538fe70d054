import Bytes
import Configuration
import HTTP
import Reactor
import TLS

/// A connection to the gate as its clients have one, with the words for what may go wrong on it.
struct GateClient: ~Copyable {
    private let socket: FileDescriptor
    private var tls: TLSConnection
    private let vigil: Vigil

    private static let answerBytesMax = 64 << 10

    enum Failure: Error {
        case interrupted
        case unreachable(Errno)
        case late
        /// The connection ended, before (`wordless`) or after the first byte had come.
        case ended(wordless: Bool)
        case refused(TLSError)
        case identityRefused(IdentityError)
        /// What came is no answer of a gate.
        case malformed
        /// What came has gone through Cloudflare.
        case proxied
    }

    private init(
        on socket: consuming FileDescriptor, _ tls: consuming TLSConnection, _ vigil: Vigil
    ) {
        self.socket = socket
        self.tls = tls
        self.vigil = vigil
    }

    /// Connects, and waits until that is done.
    static func connect(
        to address: SocketAddress, by vigil: Vigil, until deadline: Instant
    ) throws(Failure) -> FileDescriptor {
        let socket: FileDescriptor
        do throws(Errno) {
            socket = try vigil.connect(to: address)
        } catch {
            throw .unreachable(error)
        }
        try wait(for: socket, .writing, by: vigil, until: deadline)
        if let error = Socket.connectionError(of: socket) { throw .unreachable(error) }
        return socket
    }

    /// Shakes hands whatever certificate is shown: nothing may be sent before `certificate` is judged.
    /// - Parameters:
    ///   - name: what the gate is called, if it is not an address.
    ///   - identity: who to say that we are, if it asks.
    static func shakeHands(
        on socket: consuming FileDescriptor, by context: ClientContext, name: String,
        identity: Identity?, _ vigil: Vigil, until deadline: Instant
    ) throws(Failure) -> GateClient {
        let tls: TLSConnection
        do throws(TLSError) {
            tls =
                if let address = IPAddress(name) {
                    try context.connect(on: socket, to: address)
                } else {
                    try context.connect(on: socket, to: name)
                }
        } catch {
            throw .refused(error)
        }
        var client = GateClient(on: socket, tls, vigil)
        client.tls.leaveCertificateToCaller()
        if let identity { try client.show(identity) }
        while try client.step(deadline, { tls throws(TLSError) in try tls.handshake() }) == nil {}
        return client
    }

    var certificate: Certificate? { tls.peerCertificate }
    var isVersion13: Bool { tls.isVersion13 }
    func speaks(for name: String) -> Bool { tls.peerSpeaks(for: name) }

    private mutating func show(_ identity: Identity) throws(Failure) {
        do throws(IdentityError) {
            try tls.show(identity)
        } catch {
            throw .identityRefused(error)
        }
    }

    /// Sends a request and waits for all of its answer.
    mutating func ask(_ request: [UInt8], until deadline: Instant) throws(Failure) -> GateAnswer {
        try send(request, until: deadline)
        var parser = ResponseParser()
        var input = ByteBuffer()
        var head: ResponseHead?
        while true {
            if head == nil {
                head = try GateClient.head(&parser, input.span)
                if let head, Cloudflare.hasSigned(input.span.extracting(0..<head.length)) {
                    throw .proxied
                }
            }
            if let head, let answer = try GateAnswer(head, input.span) { return answer }
            guard input.count < GateClient.answerBytesMax else { throw .malformed }
            try receive(&input, until: deadline)
        }
    }

    private mutating func send(_ bytes: [UInt8], until deadline: Instant) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            let moved = try step(deadline) { tls throws(TLSError) in
                try tls.write(bytes.span.extracting(sent...))
            }
            sent += moved ?? 0
        }
    }

    private mutating func receive(
        _ input: inout ByteBuffer, until deadline: Instant
    ) throws(Failure) {
        let moved = try step(deadline) { tls throws(TLSError) in
            try input.append(upTo: 16 << 10) { (output) throws(TLSError) in
                try tls.read(into: &output)
            }
        }
        _ = moved
    }

    private static func head(
        _ parser: inout ResponseParser, _ input: Span<UInt8>
    ) throws(Failure) -> ResponseHead? {
        do throws(ResponseError) {
            return try parser.parse(input, requestMethod: .post)
        } catch {
            throw .malformed
        }
    }

    /// One step of TLS, and the wait it asks for. Nil when it has to be tried again.
    private mutating func step(
        _ deadline: Instant, _ body: (inout TLSConnection) throws(TLSError) -> TLSConnection.Step
    ) throws(Failure) -> Int? {
        let step: TLSConnection.Step
        do throws(TLSError) {
            step = try body(&tls)
        } catch {
            if case .socketFailed = error { throw .ended(wordless: !tls.hasReceived) }
            throw .refused(error)
        }
        switch step {
        case .moved(let count): return count
        case .finished, .cut: throw .ended(wordless: !tls.hasReceived)
        case .wantsRead:
            try GateClient.wait(for: socket, .reading, by: vigil, until: deadline)
        case .wantsWrite:
            try GateClient.wait(for: socket, .writing, by: vigil, until: deadline)
        }
        return nil
    }

    private static func wait(
        for socket: borrowing FileDescriptor, _ interest: Poller.Interest, by vigil: Vigil,
        until deadline: Instant
    ) throws(Failure) {
        let outcome: Vigil.Outcome
        do throws(Errno) {
            outcome = try vigil.wait(for: socket, interest, until: deadline)
        } catch {
            throw .unreachable(error)
        }
        switch outcome {
        case .ready: return
        case .late: throw .late
        case .interrupted: throw .interrupted
        }
    }
}
