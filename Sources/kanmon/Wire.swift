import Bytes
import Reactor
import TLS

/// A connection to the gate, plain or with TLS, and one deadline for all that is done on it.
struct Wire: ~Copyable {
    private let socket: FileDescriptor
    private var tls: TLSConnection?
    private let address: SocketAddress
    private let poller: Poller
    private let deadline: Instant

    typealias Failure = GateInquiry.Failure
    private static let ticket = Ticket(kind: 0, slot: 0, generation: 0)

    /// What one step came to, in clear or with TLS.
    private enum Step { case moved(Int), wantsRead, wantsWrite, ended }

    private init(
        on socket: consuming FileDescriptor, _ poller: Poller, _ address: SocketAddress,
        until deadline: Instant
    ) {
        (self.poller, self.address, self.deadline) = (poller, address, deadline)
        self.socket = socket
    }

    static func open(
        to address: SocketAddress, until deadline: Instant
    ) throws(Failure) -> Wire {
        let wire: Wire
        do throws(Errno) {
            let socket = try Socket.connect(to: address)
            let poller = try Poller()
            try poller.add(socket, for: .writing, ticket: ticket)
            wire = Wire(on: socket, poller, address, until: deadline)
        } catch {
            throw unreachable(address, error.description)
        }
        try wire.wait(for: .writing)
        if let error = Socket.connectionError(of: wire.socket) {
            throw unreachable(address, error.description)
        }
        return wire
    }

    /// Goes on with TLS. Only the gate's own certificate is good enough, and that one whatever its names
    /// and dates: the question is about the gate, not about its certificate.
    mutating func secure(expecting pem: [UInt8], _ certificate: Certificate) throws(Failure) {
        guard let context = try? ClientContext(authorities: pem) else {
            throw Failure(sentence: "TLS cannot be begun")
        }
        tls = try? context.connect(on: socket, to: "localhost")
        tls?.leaveCertificateToCaller()
        try shakeHands()
        guard tls?.peerCertificate?.fingerprint == certificate.fingerprint else {
            throw Failure(
                sentence: "what answers at \(address) shows another certificate than the file: "
                    + "was it replaced, and the gate not told (SIGHUP)?")
        }
    }

    private mutating func shakeHands() throws(Failure) {
        while true {
            let step: Step
            do throws(TLSError) {
                step = Wire.meaning(of: try tls?.handshake())
            } catch {
                throw closed(error.description)
            }
            switch step {
            case .moved: return
            case .wantsRead: try wait(for: .reading)
            case .wantsWrite: try wait(for: .writing)
            case .ended: throw closed("without a word")
            }
        }
    }

    mutating func send(_ bytes: Span<UInt8>) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            switch try write(bytes.extracting(sent..<bytes.count)) {
            case .moved(let count): sent += count
            case .wantsRead: try wait(for: .reading)
            case .wantsWrite: try wait(for: .writing)
            case .ended: throw closed("in the middle of the question")
            }
        }
    }

    /// Appends what comes next. False when nothing does any more.
    mutating func receive(into input: inout ByteBuffer) throws(Failure) -> Bool {
        while true {
            switch try read(into: &input) {
            case .moved: return true
            case .wantsRead: try wait(for: .reading)
            case .wantsWrite: try wait(for: .writing)
            case .ended: return false
            }
        }
    }

    // MARK: Steps

    private mutating func write(_ bytes: Span<UInt8>) throws(Failure) -> Step {
        guard tls != nil else {
            do throws(Errno) {
                return Wire.meaning(of: try socket.write(bytes), whenBlocked: .wantsWrite)
            } catch {
                throw closed(error.description)
            }
        }
        do throws(TLSError) {
            return Wire.meaning(of: try tls?.write(bytes))
        } catch {
            throw closed(error.description)
        }
    }

    private mutating func read(into input: inout ByteBuffer) throws(Failure) -> Step {
        let room = 16 << 10
        guard tls != nil else {
            do throws(Errno) {
                let step = try input.append(upTo: room) { (output) throws(Errno) in
                    try socket.read(into: &output)
                }
                return Wire.meaning(of: step, whenBlocked: .wantsRead)
            } catch {
                throw closed(error.description)
            }
        }
        do throws(TLSError) {
            return Wire.meaning(
                of: try input.append(upTo: room) { (output) throws(TLSError) in
                    try tls?.read(into: &output)
                })
        } catch {
            throw closed(error.description)
        }
    }

    private static func meaning(
        of step: FileDescriptor.Step, whenBlocked blocked: Step
    ) -> Step {
        switch step {
        case .moved(let count): .moved(count)
        case .wouldBlock: blocked
        case .finished: .ended
        }
    }

    private static func meaning(of step: TLSConnection.Step?) -> Step {
        switch step {
        case .moved(let count): .moved(count)
        case .wantsRead: .wantsRead
        case .wantsWrite: .wantsWrite
        case .finished, .cut, nil: .ended
        }
    }

    private func wait(for interest: Poller.Interest) throws(Failure) {
        do throws(Errno) {
            try poller.change(socket, to: interest, ticket: Wire.ticket)
        } catch {
            throw closed(error.description)
        }
        while poller.wait(until: deadline, from: .now()) == 0 {
            guard Instant.now() < deadline else {
                throw Failure(sentence: "the gate at \(address) does not answer in time")
            }
        }
    }

    private static func unreachable(_ address: SocketAddress, _ reason: String) -> Failure {
        Failure(sentence: "the gate cannot be reached at \(address) (\(reason)): is it running?")
    }

    /// The gate closes on an address that is not allowed without a word.
    private func closed(_ how: String) -> Failure {
        tls == nil
            ? Failure(sentence: "the gate at \(address) closed the connection (\(how))")
            : Failure(
                sentence: "the gate at \(address) closed the connection (\(how)): is "
                    + "\(address.address) in allow? With an admin listener that would not matter")
    }
}
