import Reactor
import TLS

/// A connection to the Pushgateway as bytes go through it, in the clear or over TLS, by the same verbs.
struct Channel: ~Copyable {
    let socket: FileDescriptor
    private var tls: TLSConnection?

    /// How many records one call writes at most, so that a large body does not hold the turn.
    private static let recordsMax = 16

    init(on socket: consuming FileDescriptor, tls: consuming TLSConnection?) {
        self.socket = socket
        self.tls = tls
    }

    typealias Step = TLSConnection.Step

    /// Goes on with what has to be said before the first byte; `.moved(0)` when all of it has been.
    mutating func handshake() throws(TLSError) -> Step {
        try tls?.handshake() ?? .moved(0)
    }

    /// Reads once. Over TLS at most one record, all of it when there is room for 16 KiB: so nothing that
    /// the poller knows nothing of is left in memory.
    mutating func read(into output: inout OutputSpan<UInt8>) throws(TLSError) -> Step {
        if tls != nil { return try tls?.read(into: &output) ?? .finished }
        do throws(Errno) {
            return Step(try socket.read(into: &output), waiting: .wantsRead)
        } catch {
            throw .socketFailed(error)
        }
    }

    /// Writes from the front of `first`, then of `second`; not both are empty.
    mutating func write(_ first: Span<UInt8>, _ second: Span<UInt8>) throws(TLSError) -> Step {
        if tls != nil { return try encrypt(first, second) }
        do throws(Errno) {
            let step =
                try second.isEmpty
                ? socket.write(first)
                : first.isEmpty ? socket.write(second) : socket.write(first, second)
            return Step(step, waiting: .wantsWrite)
        } catch {
            throw .socketFailed(error)
        }
    }

    /// Each write is a record, at most.
    private mutating func encrypt(
        _ first: Span<UInt8>, _ second: Span<UInt8>
    ) throws(TLSError) -> Step {
        var moved = 0
        for _ in 0..<Channel.recordsMax where moved < first.count + second.count {
            let rest =
                moved < first.count
                ? first.extracting(moved...) : second.extracting((moved - first.count)...)
            switch try tls?.write(rest) ?? .finished {
            case .moved(let count): moved += count
            // What has been written is told first; the next call meets the same again.
            case let step: return moved > 0 ? .moved(moved) : step
            }
        }
        return .moved(moved)
    }

    /// Says that nothing more will be sent, where there is a way to say it.
    mutating func sayFarewell() { tls?.finishSending() }
}

extension TLSConnection.Step {
    fileprivate init(_ step: FileDescriptor.Step, waiting: TLSConnection.Step) {
        switch step {
        case .moved(let count): self = .moved(count)
        case .finished: self = .finished
        case .wouldBlock: self = waiting
        }
    }
}
