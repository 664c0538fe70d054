import Bytes
import Testing

@testable import HTTP

/// What frames mean to a session that has no socket. The journeys try the same through TLS.
@Suite struct HTTP2SessionTests {
    /// A session, and what has come of it.
    private final class Peer {
        let inbox = FrameInbox()
        let session: HTTP2Session
        var events: [String] = []
        var output: [UInt8] = []

        init(_ limits: HTTP2Limits = HTTP2Limits()) {
            session = HTTP2Session(limits: limits, inbox: inbox)
        }

        /// - Parameter step: how many bytes the session is shown at once.
        @discardableResult
        func say(_ frames: Frames, step: Int = 16_384, at now: UInt64 = 1) -> Peer {
            var rest = frames.bytes[...]
            while !rest.isEmpty {
                let piece = Array(rest.prefix(step))
                session.receive(piece.span, at: now)
                note(piece)
                rest = rest.dropFirst(step)
            }
            hear()
            return self
        }

        func hear() {
            var buffer = ByteBuffer()
            session.write(into: &buffer, upTo: 1 << 20)
            output += [UInt8](copying: buffer.span)
            note([])
        }

        private func note(_ piece: [UInt8]) {
            var position = 0
            while let event = inbox.event(at: position) {
                position += 1
                switch event {
                case .request(let stream, let head, let place):
                    let path = inbox.withHead(place) { String(decoding: $0.extracting(head.path)) }
                    events.append("\(stream) \(head.method.name) \(path) \(head.body)")
                case .malformed(let stream, let error): events.append("\(stream) \(error)")
                case .body(let stream, let place):
                    events.append("\(stream) " + String(decoding: piece[place], as: UTF8.self))
                case .end(let stream): events.append("\(stream) end")
                case .answeredEarly(let stream): events.append("\(stream) answered early")
                case .closed(let stream): events.append("\(stream) closed")
                }
            }
            inbox.clear()
        }

        /// The frames that were sent: their types, and of GOAWAY and RST_STREAM the error.
        var sent: [String] {
            let names = [
                "data", "headers", "priority", "reset", "settings", "push", "ping", "goaway",
                "window", "continuation",
            ]
            var frames: [String] = []
            var rest = output[...]
            while rest.count >= 9 {
                let header = Array(rest.prefix(9))
                let length = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
                let payload = Array(rest.dropFirst(9).prefix(length))
                let code = header[3] == 7 ? payload[7] : header[3] == 3 ? payload[3] : nil
                frames.append(names[Int(header[3])] + (code.map { " \($0)" } ?? ""))
                rest = rest.dropFirst(9 + length)
            }
            return frames
        }
    }

    private static let answer = Answer(.ok, contentType: "text/plain", contentLength: 3)

    private func respond(_ peer: Peer, to stream: UInt32) {
        let date = [UInt8](repeating: 0x30, count: HTTPDate.length)
        peer.session.answer(
            stream, Self.answer, body: Array("OK\n".utf8).span, isHead: false, date: date.span,
            requestID: Array("0123456789".utf8).span)
        peer.hear()
    }

    @Test(arguments: [1, 7, 16_384])
    func `a push is told in order, however its bytes are cut`(step: Int) {
        let frames = Frames.opening().request(
            1, "PUT", "/metrics/job/a", [("content-length", "4")], ends: false
        ).data(1, "a 1\n")
        let peer = Peer().say(frames, step: step)
        let body = peer.events.dropFirst().dropLast().map { $0.dropFirst(2) }.joined()
        #expect(peer.events.first == "1 PUT /metrics/job/a length(4)")
        #expect(body == "a 1\n")
        #expect(peer.events.last == "1 end")
        respond(peer, to: 1)
        #expect(peer.events.last == "1 closed")
        #expect(peer.sent == ["settings", "settings", "headers", "data"])
    }

    @Test func `an answer before the body's end is told, and the rest may be dropped`() {
        let peer = Peer().say(Frames.opening().request(1, ends: false))
        respond(peer, to: 1)
        #expect(peer.events == ["1 POST /metrics/job/a chunked", "1 answered early"])
        peer.session.reset(1, because: .none)
        peer.hear()
        #expect(peer.events.last == "1 closed")
        #expect(peer.sent.last == "reset 0")
        // What was on its way is no fault of the client's.
        peer.say(Frames().data(1, "a 1\n"))
        #expect(!peer.session.isOver)
    }

    typealias Fields = [(String, String)]
    /// Fields that make a request malformed, and what is told of it; nil where the library takes the
    /// stream back by itself.
    static let malformed: [(fields: Fields, complaint: String?)] = [
        ([("content-length", "1"), ("content-length", "1")], nil),
        ([("host", "other")], "1 hostMismatch"),
        (
            [("authorization", "Basic a"), ("authorization", "Basic b")],
            "1 repeated(HTTP.FieldName.authorization)"
        ),
        ([("content_length", "4")], "1 imitatedFraming"),
        ([("x", String(repeating: "a", count: 8200))], "1 headTooLarge"),
        (Fields(repeating: ("cookie", "a"), count: 61), "1 field(HTTP.FieldError.tooMany)"),
        ([("Upper", "a")], nil), ([("connection", "close")], nil), ([("te", "gzip")], nil),
        ([("transfer-encoding", "chunked")], nil), ([("x", "a\r\nb")], nil),
    ]

    @Test(arguments: malformed.indices)
    func `a malformed request is answered or taken back, and the connection goes on`(index: Int) {
        let (fields, complaint) = Self.malformed[index]
        let peer = Peer().say(Frames.opening().request(1, "POST", "/metrics/job/a", fields))
        #expect(!peer.session.isOver)
        if let complaint {
            #expect(peer.events.first == complaint)
        } else {
            #expect(!peer.events.contains { $0.hasPrefix("1 POST") })
            #expect(peer.sent.contains("reset 1"))
        }
        peer.events = []
        peer.say(Frames().request(3, "GET", "/healthz"))
        #expect(peer.events.first == "3 GET /healthz none")
    }

    /// A connection that has to end, and how.
    struct Offence: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let frames: Frames
        let last: String

        init(_ name: String, _ last: String, _ frames: Frames) {
            (testDescription, self.last, self.frames) = (name, last, frames)
        }

        static func many(
            _ count: Int, _ start: Frames, _ next: (Frames, UInt32) -> Frames
        ) -> Frames {
            var frames = start
            for index in 0..<count { frames = next(frames, UInt32(index) * 2 + 1) }
            return frames
        }
    }

    static let crumbs = [(String, String)](repeating: ("cookie", "a"), count: 300)
    static let offences: [Offence] = [
        Offence("a stream out of order", "goaway 1", Frames.opening().request(5).request(3)),
        Offence("an even stream", "goaway 1", Frames.opening().request(2)),
        Offence("no preface", "goaway 1", Frames(bytes: [UInt8](repeating: 0x20, count: 40))),
        Offence("bombs of fields", "goaway 11", Frames.opening().request(1, "GET", "/", crumbs)),
        Offence(
            "a head in too many pieces", "goaway 11",
            Offence.many(20, Frames.opening().request(1, isWhole: false)) { frames, _ in
                frames.frame(9, stream: 1, [])
            }),
        Offence(
            "too many pings", "goaway 11",
            Offence.many(300, Frames.opening()) { frames, _ in frames.ping() }),
        Offence(
            "too many resets", "goaway 11",
            Offence.many(150, Frames.opening()) { frames, stream in
                frames.request(stream, ends: false).reset(stream)
            }),
        Offence(
            "too many empty frames", "goaway 11",
            Offence.many(300, Frames.opening().request(1, ends: false)) { frames, _ in
                frames.data(1, "", ends: false)
            }),
    ]

    @Test(arguments: offences)
    func `a connection that is no good ends with its reason`(offence: Offence) {
        let peer = Peer().say(offence.frames)
        #expect(peer.sent.last == offence.last)
        #expect(peer.session.isOver)
        let before = peer.output.count
        peer.say(Frames().request(9_999, "GET", "/healthz"))
        #expect(peer.output.count == before)
    }

    @Test func `frames for a stream that is over end the connection`() {
        let peer = Peer().say(Frames.opening().request(1, "GET", "/healthz"))
        respond(peer, to: 1)
        peer.say(Frames().data(1, "late"))
        #expect(peer.sent.last == "goaway 5")
    }

    @Test func `mistakes by which the gate has to take streams back are counted`() {
        let peer = Peer().say(Frames.opening())
        for index in 0..<80 {
            peer.say(Frames().request(UInt32(index) * 2 + 1, "POST", "/", [("te", "gzip")]))
        }
        #expect(peer.sent.count { $0 == "reset 1" } == 50)
        #expect(peer.sent.last == "goaway 11")
    }

    @Test func `streams that a client opens before it has read the settings are refused alone`() {
        var frames = Frames.opening()
        for index in 0..<200 { frames = frames.request(UInt32(index) * 2 + 1, ends: false) }
        // The acknowledgement does not make one too many an offence: it may have crossed the settings.
        let peer = Peer().say(frames.acknowledgement().request(401, ends: false))
        #expect(!peer.session.isOver)
        #expect(peer.session.hasSettingsAcknowledged)
        #expect(peer.sent.count { $0 == "reset 7" } == 169)
        #expect(peer.events.count { $0.contains("POST") } == 32)
    }

    @Test func `room for what was answered is no flood`() {
        let peer = Peer().say(Frames.opening())
        for index in 0..<400 {
            let stream = UInt32(index) * 2 + 1
            peer.say(Frames().request(stream, "GET", "/healthz"))
            respond(peer, to: stream)
            peer.say(Frames().frame(8, stream: 0, [0, 0, 0, 3]))
        }
        #expect(!peer.session.isOver)
    }

    @Test func `a push without body or length is none`() {
        let peer = Peer().say(Frames.opening().request(1, "PUT"))
        #expect(peer.events.first == "1 PUT /metrics/job/a none")
    }

    @Test(arguments: [1, 5, 9, 13, 16_384])
    func `a head in two sections, cut anywhere, is one head`(step: Int) {
        let block = Frames().request(1, "PUT", "/metrics/job/a", [("content-length", "4")])
        let fields = Array(block.bytes.dropFirst(9))
        let frames = Frames.opening()
            .frame(1, stream: 1, Array(fields.prefix(20)))
            .frame(9, flags: 4, stream: 1, Array(fields.dropFirst(20)))
            .data(1, "a 1\n")
        let peer = Peer().say(frames, step: step)
        #expect(peer.events.first == "1 PUT /metrics/job/a length(4)")
        #expect(peer.events.last == "1 end")
    }

    @Test func `a body that contradicts its length is taken back`() {
        let frames = Frames.opening().request(
            1, "POST", "/metrics/job/a", [("content-length", "3")], ends: false
        ).data(1, "a 1\n")
        let peer = Peer().say(frames)
        #expect(!peer.events.contains("1 end"))
        #expect(peer.sent.contains("reset 1"))
    }

    @Test func `allowances come back with time`() {
        var meter = FloodGuard.Meter(Allowance(burst: 3, perSecond: 2))
        let second: UInt64 = 1_000_000_000
        func expect(_ isAdmitted: Bool, _ now: UInt64) {
            let verdict = meter.admits(at: now)
            #expect(verdict == isAdmitted)
        }
        for _ in 0..<3 { expect(true, second) }
        expect(false, second)
        expect(true, second + second / 2)
        expect(false, second + second / 2)
        for _ in 0..<3 { expect(true, 10 * second) }
    }
}
