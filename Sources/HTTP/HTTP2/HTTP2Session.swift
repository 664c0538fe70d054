package import Bytes
internal import CNghttp2

/// One connection's HTTP/2 (RFC 9113), in memory: bytes in, events and bytes out. libnghttp2 knows the
/// frames, HPACK and flow control; here is what it leaves to others: what a head may be, how much of
/// what is too much, and what is said in answer.
///
/// Once `isOver`, nothing more is received: a library that has ended a connection is not shown what
/// an attacker says next (CVE-2026-27135).
@safe
package final class HTTP2Session {
    private var session: OpaquePointer?
    let inbox: FrameInbox
    let memory: FrameMemory
    private var block: HeaderBlock
    private var trailer: HeaderBlock
    private var flood: FloodGuard
    private var boundaries = FrameBoundaries()
    private var closed = ClosedStreams()
    /// Why we end the connection at once, when it is not the library that does.
    private var verdict: HTTP2Error?
    private var hasSaidVerdict = false
    /// The answers that are on their way, and some that can be used again.
    private var answers: [AnswerBody] = []
    private var spareAnswers: [AnswerBody] = []

    /// The bytes that are being received, by which the place of a piece of a body is known.
    private var received = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    private var now: UInt64 = 0
    /// Streams that were one too many.
    private var refusals = 0
    /// WINDOW_UPDATE frames that the client owes us for what we have sent.
    private var expectedUpdates = 0
    private var hasClientSaidFarewell = false
    private var hasRefusedMore = false
    /// The highest stream that the client has opened.
    private var lastStream: UInt32 = 0
    /// How many requests have come.
    package private(set) var requestCount: UInt32 = 0
    /// A header section has begun and not ended. Until it does, no other stream can go on.
    package var isInHeaderSection: Bool { boundaries.isInHeaderSection }
    /// Has the client taken note of our settings?
    package private(set) var hasSettingsAcknowledged = false

    /// - Parameter inbox: where events go; it may serve other sessions of the same thread.
    package init(limits: HTTP2Limits, inbox: FrameInbox) {
        self.inbox = inbox
        memory = FrameMemory(inbox.blocks)
        block = HeaderBlock(limits: limits.head)
        trailer = HeaderBlock(limits: limits.head)
        flood = FloodGuard(limits)
        unsafe session = SessionCallbacks.makeSession(for: self, limits)
        unsafe SessionCallbacks.submitSettings(limits, in: session)
    }

    deinit { unsafe nghttp2_session_del(session) }

    // MARK: Bytes

    /// Reads frames; what they mean is in the inbox then, and has to be acted on before anything else
    /// is received there.
    /// - Parameter now: nanoseconds on a clock that never goes back.
    package func receive(_ bytes: Span<UInt8>, at now: UInt64) {
        self.now = now
        unsafe bytes.withUnsafeBytes { bytes in
            unsafe received = bytes
            defer { unsafe received = UnsafeRawBufferPointer(start: nil, count: 0) }
            var rest = unsafe bytes[...]
            while unsafe !rest.isEmpty, !isOver {
                let frame = unsafe UnsafeRawBufferPointer(rebasing: rest)
                unsafe rest = rest.dropFirst(receivePiece(of: frame))
            }
        }
        let queued = unsafe nghttp2_session_get_outbound_queue_size(session)
        if queued > HTTP2Limits.queuedFramesMax { fail(.tooMuch) }
    }

    /// Reads a piece of a frame. Gives how many bytes that were. A header is kept back until it is whole
    /// and it is known whether the library is to be told of the frame at all.
    private func receivePiece(of bytes: UnsafeRawBufferPointer) -> Int {
        switch boundaries.next(in: unsafe Span(_unsafeBytes: bytes)) {
        case .partOfHeader(let count): return count
        case .rest(let count):
            unsafe tell(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
            return count
        case .header(let count, let frame):
            guard frameBegan(frame), !isFirstAcknowledgement(frame) else { return count }
            boundaries.withHeader { header in
                unsafe header.withUnsafeBytes { unsafe tell($0) }
            }
            return count
        }
    }

    private func tell(_ bytes: UnsafeRawBufferPointer) {
        let result = unsafe nghttp2_session_mem_recv(session, bytes.baseAddress, bytes.count)
        // The library gives up on what is no HTTP/2 at all, and on floods that it counts itself.
        if result < 0 { fail(SessionCallbacks.isBadPreface(result) ? .malformed : .tooMuch) }
    }

    /// The library is not told that the client has taken note of our settings: it would then end the
    /// connection for one stream too many, which a client may have sent before it had read them. So it
    /// goes on to refuse the stream alone (section 5.1.2).
    private func isFirstAcknowledgement(_ frame: FrameHeader) -> Bool {
        guard frame.type == .settings, frame.isAcknowledgement, frame.length == 0,
            frame.stream == 0, !hasSettingsAcknowledged
        else { return false }
        hasSettingsAcknowledged = true
        return true
    }

    /// Appends what has to be sent, whole frames, until there are at least `limit` bytes or no more.
    package func write(into output: inout ByteBuffer, upTo limit: Int) {
        while verdict == nil, output.count < limit {
            var frames: UnsafePointer<UInt8>?
            let count = unsafe nghttp2_session_mem_send(session, &frames)
            if count < 0 { fail(.tooMuch) }
            guard count > 0, let frames = unsafe frames else { break }
            output.append(unsafe Span(_unsafeStart: frames, count: count))
        }
        if let verdict, !hasSaidVerdict {
            hasSaidVerdict = true
            verdict.appendGoAway(lastStream: lastStream, to: &output)
        }
    }

    /// Is there anything to be sent?
    package var hasOutput: Bool {
        if verdict != nil { return !hasSaidVerdict }
        return unsafe nghttp2_session_want_write(session) != 0
    }

    /// Nothing more is read, and once what was written is sent, nothing more is said.
    package var isOver: Bool {
        if verdict != nil { return true }
        return unsafe nghttp2_session_want_read(session) == 0
    }

    /// What the client has done, when the connection ends because of that. The library says it to the
    /// client alone.
    package var reproach: StaticString? {
        switch verdict {
        case .none?: nil
        case let verdict?: verdict.sentence
        case nil: hasClientSaidFarewell || hasRefusedMore ? nil : "this is against the protocol"
        }
    }

    /// Nothing is under way and nothing is to be sent: the session waits in less memory.
    package func rest() { memory.rest() }

    // MARK: Answers

    /// Answers a request.
    package func answer(
        _ stream: UInt32, _ answer: Answer, body: Span<UInt8>, isHead: Bool, date: Span<UInt8>,
        requestID: Span<UInt8>
    ) {
        // The client may have taken its request back meanwhile.
        let isOpen = unsafe nghttp2_session_find_stream(session, Int32(bitPattern: stream)) != nil
        guard isOpen else { return }
        let rest = spareAnswers.popLast() ?? AnswerBody()
        rest.begin(stream, isHead ? body.extracting(0..<0) : body)
        answers.append(rest)
        let isSubmitted = unsafe AnswerFields.submit(
            answer, body: rest, date: date, requestID: requestID, in: session)
        if !isSubmitted { reset(stream, because: .internal) }
    }

    /// Asks for a body that the client holds back (RFC 9110 section 15.2.1).
    package func askForBody(_ stream: UInt32) {
        unsafe AnswerFields.submitContinue(stream, in: session)
    }

    /// `count` bytes of a body were taken: so many more may come.
    package func consume(_ count: Int, of stream: UInt32) {
        unsafe nghttp2_session_consume(session, Int32(bitPattern: stream), count)
    }

    /// `count` bytes came that nobody wants. Other streams may send as much as before, this one less.
    package func drop(_ count: Int) { unsafe nghttp2_session_consume_connection(session, count) }

    /// Ends a stream: nobody answers it, or nobody wants the rest of what it brings (section 8.1).
    package func reset(_ stream: UInt32, because error: HTTP2Error) {
        unsafe nghttp2_submit_rst_stream(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), Int32(bitPattern: stream), error.code)
    }

    /// The client has logged in: it may have more of its bodies under way.
    package func widenWindow() {
        unsafe nghttp2_session_set_local_window_size(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), 0, Int32(HTTP2Limits.trustedWindowBytes))
    }

    // MARK: The end

    /// Tells the client to use another connection for what it has not asked yet (section 6.8). What
    /// is already on its way still counts.
    package func announceEnd() { unsafe nghttp2_submit_shutdown_notice(session) }

    /// Says which requests were the last. Those that are under way are answered; later ones were
    /// not looked at, and the client may ask elsewhere.
    package func refuseMore() {
        hasRefusedMore = true
        unsafe nghttp2_submit_goaway(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), Int32(bitPattern: lastStream),
            HTTP2Error.none.code, nil, 0)
    }

    /// Ends the connection: after this is said, nothing is.
    package func end(because error: HTTP2Error) { fail(error) }

    private func fail(_ error: HTTP2Error) { verdict = verdict ?? error }
}

// MARK: What the library tells

/// Each is false when the connection has to end. Nothing here may change anything in the library, which is in the middle of its work.
extension HTTP2Session {
    private func frameBegan(_ frame: FrameHeader) -> Bool {
        switch frame.type {
        case .headers: return headersBegan(on: frame.stream)
        case .data: return dataBegan(on: frame)
        case .reset: return flood.admitsClientReset(at: now) || tooMuch()
        case .priority where frame.stream == 0 || frame.dependency == frame.stream:
            // Section 6.3, and section 5.3.1 of RFC 7540.
            fail(.malformed)
            return false
        case .goAway:
            hasClientSaidFarewell = true
            return flood.admitsGlitch(at: now) || tooMuch()
        case .windowUpdate where expectedUpdates > 0:
            expectedUpdates -= 1
            return true
        case .settings, .ping, .windowUpdate, .priority, .continuation, .other:
            return flood.admitsGlitch(at: now) || tooMuch()
        }
    }

    /// Section 5.1.1: streams are opened in ascending order. The library ignores what is out of order;
    /// only trailers of a stream that we have reset may still be on their way.
    private func headersBegan(on stream: UInt32) -> Bool {
        if stream > lastStream { return true }
        if unsafe nghttp2_session_find_stream(session, Int32(bitPattern: stream)) != nil {
            return true
        }
        return frameCame(forClosed: stream, .malformed)
    }

    private func dataBegan(on frame: FrameHeader) -> Bool {
        let isOpen =
            unsafe nghttp2_session_find_stream(session, Int32(bitPattern: frame.stream)) != nil
        if !isOpen && frame.stream <= lastStream { return frameCame(forClosed: frame.stream, nil) }
        let isEmpty = frame.length == 0 && !frame.endsStream
        return !isEmpty || flood.admitsGlitch(at: now) || tooMuch()
    }

    /// - Parameter error: what it is when nothing is known of that stream any more.
    private func frameCame(forClosed stream: UInt32, _ error: HTTP2Error?) -> Bool {
        switch closed.wasReset(stream) {
        case true?: break
        case false?:
            fail(.streamClosed)
            return false
        case nil:
            if let error {
                fail(error)
                return false
            }
        }
        return flood.admitsGlitch(at: now) || tooMuch()
    }

    private func tooMuch() -> Bool {
        fail(.tooMuch)
        return false
    }

    func headBegan(on stream: UInt32) {
        lastStream = max(lastStream, stream)
        requestCount &+= 1
        block.begin(with: inbox)
    }

    func fieldCame(_ name: Span<UInt8>, _ value: Span<UInt8>, inTrailer: Bool) -> Bool {
        // What a trailer says is of no use here, but it counts.
        let isInBounds =
            inTrailer
            ? trailer.count(name, value) : block.take(name, value)
        return isInBounds || tooMuch()
    }

    func headersEnded(on frame: FrameHeader, isRequest: Bool) {
        if isRequest {
            do throws(HeadError) {
                let head = try block.conclude(endsStream: frame.endsStream)
                if let place = block.moveBytes(to: inbox) {
                    inbox.post(.request(stream: frame.stream, head, head: place))
                } else {
                    fail(.tooMuch)
                }
            } catch {
                inbox.post(.malformed(stream: frame.stream, error))
            }
        }
        if frame.endsStream { inbox.post(.end(stream: frame.stream)) }
    }

    func trailerBegan() { trailer.beginCounting() }

    func dataEnded(on frame: FrameHeader) {
        if frame.endsStream { inbox.post(.end(stream: frame.stream)) }
    }

    /// - Parameter piece: a part of the bytes that are being received.
    func bodyCame(_ piece: UnsafeRawBufferPointer, on stream: UInt32) -> Bool {
        guard let start = unsafe received.baseAddress, let first = piece.baseAddress else {
            return unsafe piece.isEmpty
        }
        let offset = unsafe first - start
        guard offset >= 0, unsafe piece.count <= received.count - offset else {
            fail(.internal)
            return false
        }
        inbox.post(.body(stream: stream, offset..<offset + piece.count))
        return true
    }

    func streamClosed(_ stream: UInt32) {
        if let index = answers.firstIndex(where: { $0.stream == stream }) {
            let answer = answers.remove(at: index)
            if spareAnswers.count < 2 { spareAnswers.append(answer) }
        }
        closed.note(stream)
        inbox.post(.closed(stream: stream))
    }

    /// We have sent RST_STREAM. Only for a mistake of the client's does it count.
    func resetWasSent(on stream: UInt32, code: UInt32) -> Bool {
        closed.noteReset(stream)
        // It may have been SETTINGS that made a window too large, which is an error of the connection
        // (section 6.9.2).
        if code == HTTP2Error.flowControl.code {
            fail(.flowControl)
            return false
        }
        guard code != HTTP2Error.none.code, code != HTTP2Error.cancelled.code else { return true }
        // So many at once are what a client does that has not read our settings yet.
        if code == HTTP2Error.refused.code, refusals < HTTP2Limits.refusalsMax {
            refusals += 1
            return true
        }
        return flood.admitsServerReset(at: now) || tooMuch()
    }

    /// One for the stream and one for the connection may come back.
    func dataWasSent() {
        expectedUpdates = min(expectedUpdates + 2, HTTP2Limits.expectedUpdatesMax)
    }

    func answerWasSent(on stream: UInt32) {
        let hasRequestEnded =
            unsafe nghttp2_session_get_stream_remote_close(
                session, Int32(bitPattern: stream)) != 0
        if !hasRequestEnded { inbox.post(.answeredEarly(stream: stream)) }
    }
}

/// The streams that ended lately, and how: what may still come for one that we have reset is in order,
/// for others it is not (section 5.1).
private struct ClosedStreams {
    private static let kept = 32
    private var streams = InlineArray<32, UInt32>(repeating: 0)
    private var resets: UInt32 = 0
    private var next = 0

    mutating func noteReset(_ stream: UInt32) { add(stream, isReset: true) }

    mutating func note(_ stream: UInt32) {
        if wasReset(stream) == nil { add(stream, isReset: false) }
    }

    private mutating func add(_ stream: UInt32, isReset: Bool) {
        streams[next] = stream
        let bit: UInt32 = 1 << UInt32(next)
        resets = isReset ? resets | bit : resets & ~bit
        next = (next + 1) % ClosedStreams.kept
    }

    /// Nil when nothing is known of it any more.
    func wasReset(_ stream: UInt32) -> Bool? {
        for index in streams.indices where streams[index] == stream {
            return resets & 1 << UInt32(index) != 0
        }
        return nil
    }
}
