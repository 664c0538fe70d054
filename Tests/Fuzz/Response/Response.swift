import Fuzzing
import HTTP

/// Heads of answers, whole and cut, beside a reading by lines.
@main
struct ResponseFuzzer {
    static func main() {
        fuzz { input in
            check(input, to: .put)
            check(input, to: .head)
        }
    }

    private static func check(_ input: Span<UInt8>, to method: Method) {
        let whole = read(input, to: method)
        var choices = Choices(from: input)
        let cuts = choices.cuts(of: input.count)
        promise(read(input, cuts: cuts, to: method) == whole, "cut at \(cuts) it is the same")
        guard case .value(let head) = whole else { return }

        promise(head.length <= input.count, "its length is bounded")
        let part = choices.number(upTo: head.length - 1)
        let partial = read(input.extracting(0..<part), to: method)
        promise(partial == .needsMore, "\(part) bytes are no head")
        check(head, PlainHead(input.copy(0..<head.length)))
    }

    private static func read(
        _ input: Span<UInt8>, cuts: [Int] = [], to method: Method
    ) -> Outcome<ResponseHead, ResponseError> {
        var parser = ResponseParser()
        return outcome(of: input, cuts: cuts) { bytes throws(ResponseError) in
            try parser.parse(bytes, requestMethod: method)
        }
    }

    private static func check(_ head: ResponseHead, _ plain: PlainHead) {
        promise((100...599).contains(head.status) && head.status != 101, "\(head.status)")
        promise(plain.start[1] == "\(head.status)", "the status is the line's")
        let lengths = plain.values(of: "content-length")
        let codings = plain.values(of: "transfer-encoding").map { $0.lowercased() }
        let framing = lengths + codings
        promise(framing.count <= 1, "the end is said once")
        switch head.body {
        case .none: break
        case .length(let length): promise(framing == ["\(length)"], "one length")
        case .chunked: promise(framing == ["chunked"], "chunked, and nothing besides")
        case .untilClose: promise(framing == [] && !head.keepsAlive, "then it ends")
        }
        let options = plain.connectionOptions
        let mayStay = plain.start[0] == "HTTP/1.0" ? options.contains("keep-alive") : true
        promise(!head.keepsAlive || mayStay && !options.contains("close"), "it may stay open")
    }
}
