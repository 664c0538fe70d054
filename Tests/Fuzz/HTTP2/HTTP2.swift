import Bytes
import Fuzzing
import HTTP

/// Connections of HTTP/2 from their preface on: heard at once and in pieces, and answered as a worker
/// answers.
@main
struct HTTP2Fuzzer {
    /// The preface of RFC 9113 section 3.4, with SETTINGS that say nothing.
    private static let preface =
        Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]

    static func main() { fuzz(check) }

    private static func check(_ input: Span<UInt8>) {
        var bytes = input.copy
        if !bytes.starts(with: Array("PRI".utf8)) { bytes = preface + bytes }
        var choices = Choices(from: input)
        let cuts = choices.cuts(of: bytes.count)
        let (whole, cut) = (heard(bytes), heard(bytes, cuts: cuts))
        // A client that has said GOAWAY, with nothing under way, is not listened to from the next read on.
        promise(
            cut == whole || cut.last == .over(true) && isPart(cut.dropLast(), of: whole),
            "cut at \(cuts) it means the same")
        var worker = FrameWorker(choices)
        for piece in pieces(of: bytes, cuts) { worker.take(piece) }
        worker.finish()
    }

    /// What frames mean when nobody acts on it. How much of a body was told before it was refused may
    /// depend on the cut.
    private static func heard(_ bytes: [UInt8], cuts: [Int] = []) -> [Heard] {
        let inbox = FrameInbox()
        let session = HTTP2Session(limits: HTTP2Limits(), inbox: inbox)
        var heard: [Heard] = []
        for piece in pieces(of: bytes, cuts) {
            session.receive(piece.span, at: 0)
            for event in inbox.takeAll(of: piece) {
                if case .body(let stream, let more) = event,
                    case .body(stream, let before)? = heard.last
                {
                    heard[heard.count - 1] = .body(stream, before + more)
                } else {
                    heard.append(event)
                }
            }
        }
        let whole = heard.filter { event in
            if case .body(let stream, _) = event { heard.contains(.end(stream)) } else { true }
        }
        return whole + [.over(session.isOver)]
    }

    /// Are these among those, in the same order?
    private static func isPart(_ some: ArraySlice<Heard>, of all: [Heard]) -> Bool {
        var rest = some
        for event in all where event == rest.first { rest.removeFirst() }
        return rest.isEmpty
    }

    private static func pieces(of bytes: [UInt8], _ cuts: [Int]) -> [[UInt8]] {
        zip([0] + cuts, cuts + [bytes.count]).map { Array(bytes[$0..<$1]) }
    }
}

/// An event with the bytes it speaks of.
enum Heard: Equatable {
    case request(UInt32, RequestHead, [UInt8])
    case malformed(UInt32, HeadError)
    case body(UInt32, [UInt8])
    case end(UInt32)
    case answeredEarly(UInt32)
    case closed(UInt32)
    case over(Bool)
}

extension FrameInbox {
    /// All events, after which there are none.
    func takeAll(of piece: [UInt8]) -> [Heard] {
        var heard: [Heard] = []
        while let event = event(at: heard.count) {
            switch event {
            case .request(let stream, let head, let place):
                let bytes = withHead(place) { $0.copy }
                let ranges = [
                    head.path, head.authorization, head.contentType, head.contentEncoding,
                    head.accept, head.host,
                ]
                let areInside = ranges.allSatisfy { ($0?.upperBound ?? 0) <= bytes.count }
                promise(areInside, "a head's values are in its bytes")
                promise(head.host != nil, "a request says where to")
                heard.append(.request(stream, head, bytes))
            case .malformed(let stream, let error): heard.append(.malformed(stream, error))
            case .body(let stream, let place):
                promise(place.upperBound <= piece.count, "a body's bytes were just received")
                heard.append(.body(stream, Array(piece[place])))
            case .end(let stream): heard.append(.end(stream))
            case .answeredEarly(let stream): heard.append(.answeredEarly(stream))
            case .closed(let stream): heard.append(.closed(stream))
            }
        }
        clear()
        return heard
    }
}
