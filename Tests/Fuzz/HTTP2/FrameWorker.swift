import Bytes
import Fuzzing
import HTTP

/// Acts on what frames mean, as chance will have it, and looks at what the session sends.
struct FrameWorker {
    private struct Stream {
        var length: Int?
        var received = 0
        var hasEnded = false
        var isAnswered = false
    }

    private let inbox = FrameInbox()
    private let session: HTTP2Session
    private var choices: Choices
    private var streams: [UInt32: Stream] = [:]
    private var answered: Set<UInt32> = []
    private var lastStream: UInt32 = 0
    private var hasSaidGoodbye = false
    private var now: UInt64 = 0

    init(_ choices: Choices) {
        session = HTTP2Session(limits: HTTP2Limits(), inbox: inbox)
        self.choices = choices
    }

    mutating func take(_ piece: [UInt8]) {
        let wasOver = session.isOver
        now += UInt64(choices.number(upTo: 1_000_000_000))
        session.receive(piece.span, at: now)
        let heard = inbox.takeAll(of: piece)
        promise(!wasOver || heard.isEmpty, "once it is over nothing is heard")
        for event in heard { act(on: event) }
        let underWay = streams.count
        promise(underWay <= HTTP2Limits().streamsMax, "\(underWay) requests are under way")
        send()
    }

    mutating func finish() {
        for stream in streams.keys.sorted() where streams[stream]?.isAnswered == false {
            answer(stream)
        }
        switch choices.number(upTo: 2) {
        case 0: session.announceEnd()
        case 1: session.refuseMore()
        default: session.end(because: .none)
        }
        send()
    }

    private mutating func act(on event: Heard) {
        switch event {
        case .request(let stream, let head, _):
            begin(stream)
            if case .length(let length) = head.body { streams[stream]?.length = length }
            switch choices.number(upTo: 3) {
            case 0: answer(stream, isHead: head.method == .head)
            case 1: session.reset(stream, because: .cancelled)
            case 2: if head.expectsContinue { session.askForBody(stream) }
            default: break
            }
        case .malformed(let stream, _):
            begin(stream)
            answer(stream)
        case .body(let stream, let bytes): take(bytes.count, of: stream)
        case .end(let stream):
            guard let state = streams[stream] else { return promise(false, "an end has a head") }
            promise(!state.hasEnded, "a body ends once")
            let isWhole = state.length == nil || state.isAnswered || state.length == state.received
            promise(isWhole, "\(state.received) bytes came of \(state.length ?? 0)")
            streams[stream]?.hasEnded = true
            if !state.isAnswered { answer(stream) }
        case .answeredEarly(let stream):
            promise(answered.contains(stream), "it was answered")
            session.reset(stream, because: .none)
        case .closed(let stream): streams[stream] = nil
        case .over: break
        }
    }

    private mutating func begin(_ stream: UInt32) {
        promise(stream % 2 == 1 && stream > lastStream, "streams are opened in order")
        lastStream = stream
        streams[stream] = Stream()
    }

    private mutating func take(_ count: Int, of stream: UInt32) {
        guard let state = streams[stream] else { return promise(false, "a body has a head") }
        promise(!state.hasEnded, "nothing comes behind the end")
        streams[stream]?.received += count
        let isBounded = state.received + count <= state.length ?? .max
        promise(isBounded || state.isAnswered, "a body is no longer than its head says")
        if state.isAnswered { session.drop(count) } else { session.consume(count, of: stream) }
    }

    private mutating func answer(_ stream: UInt32, isHead: Bool = false) {
        let body = [UInt8](repeating: 0x61, count: choices.number(upTo: 300))
        let answer = Answer(.ok, contentType: "text/plain", contentLength: body.count)
        let date = Array("Sat, 21 Nov 2026 08:00:00 GMT".utf8)
        session.answer(
            stream, answer, body: body.span, isHead: isHead, date: date.span,
            requestID: date.span.extracting(0..<4))
        streams[stream]?.isAnswered = true
        answered.insert(stream)
    }

    /// Sends all that can be sent, and acts on what that means.
    private mutating func send() {
        for _ in 0..<1000 where session.hasOutput {
            var output = ByteBuffer()
            session.write(into: &output, upTo: 1 + choices.number(upTo: 16 << 10))
            checkFrames(output.span.copy)
            for event in inbox.takeAll(of: []) { act(on: event) }
            if output.isEmpty { return }
        }
        promise(!session.hasOutput, "there is an end to what is said")
    }

    private mutating func checkFrames(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            promise(rest.count >= 9, "frames are whole")
            let number = { (places: Range<Int>) in
                rest.dropFirst(places.lowerBound).prefix(places.count)
                    .reduce(0) { $0 << 8 | Int($1) }
            }
            let (length, type, stream) = (number(0..<3), number(3..<4), UInt32(number(5..<9)))
            promise(!hasSaidGoodbye || type == 7, "after the last word only that is repeated")
            promise(length <= 16 << 10 && rest.count >= 9 + length, "a frame is bounded and whole")
            switch type {
            case 0, 1: promise(stream <= lastStream && stream % 2 == 1, "an answer has a request")
            case 3, 4, 6, 7, 8: break
            default: promise(false, "a frame of type \(type) is none of ours")
            }
            if type == 7, session.isOver, rest.count == 9 + length { hasSaidGoodbye = true }
            rest = rest.dropFirst(9 + length)
        }
    }
}
