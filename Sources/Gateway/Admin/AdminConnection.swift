import Bytes
import HTTP
import Reactor

/// One connection to the admin listener: a request in, its answer out, farewell.
final class AdminConnection {
    enum Phase {
        case asking
        /// It wants to know how a reload goes, which takes a moment.
        case waiting
        case answering
        /// The answer is sent; what still comes is read and dropped, or the answer could be lost.
        case leaving
    }

    let ticket: Ticket
    let socket: FileDescriptor
    let acceptedAt: Instant
    var phase = Phase.asking
    var interest = Poller.Interest.reading
    var wantsBody = true
    /// What has come of the head.
    private var input = ByteBuffer()
    /// What is left of the answer.
    private var output = ByteBuffer()
    private(set) var droppedBytes = 0
    private var parser = RequestParser(
        limits: HeadLimits(headBytesMax: 8 << 10, targetBytesMax: 2 << 10))

    /// How much is read at once.
    private static let stepBytes = 4 << 10

    init(ticket: Ticket, socket: consuming FileDescriptor, at now: Instant) {
        (self.ticket, acceptedAt) = (ticket, now)
        self.socket = socket
    }

    func read() throws(Errno) -> FileDescriptor.Step {
        try input.append(upTo: AdminConnection.stepBytes) { (output) throws(Errno) in
            try socket.read(into: &output)
        }
    }

    /// The head, once all of it has come.
    func head() throws(HeadError) -> RequestHead? {
        try input.withSpan { (bytes) throws(HeadError) in try parser.parse(bytes) }
    }

    func route(of head: RequestHead, isLocal: Bool) -> AdminRoute {
        input.withSpan { AdminRoute(head, $0, isLocal: isLocal) }
    }

    /// Puts the answer together, the only one that is given here.
    func beginAnswer(
        _ answer: Answer, _ body: Span<UInt8>, date: Span<UInt8>, requestID: Span<UInt8>
    ) {
        phase = .answering
        input = ByteBuffer()
        ResponseWriter.append(
            answer, persistence: .closed, date: date, requestId: requestID, to: &output)
        if wantsBody { output.append(body) }
    }

    /// Is something left to send?
    var hasAnswer: Bool { !output.isEmpty }

    /// Sends once from the front of what is left, which is something.
    func send() throws(Errno) -> FileDescriptor.Step {
        let step = try output.withSpan { (bytes) throws(Errno) in try socket.write(bytes) }
        if case .moved(let count) = step { output.consume(count) }
        return step
    }

    func sayFarewell() {
        phase = .leaving
        output = ByteBuffer()
        Socket.finishSending(socket)
    }

    func drop() throws(Errno) -> FileDescriptor.Step {
        let step = try read()
        droppedBytes += input.count
        input.removeAll()
        return step
    }
}
