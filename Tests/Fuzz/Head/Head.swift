import Bytes
import Fuzzing
import HTTP

/// Heads of requests, whole and cut, beside a reading by lines, and written anew.
@main
struct HeadFuzzer {
    private typealias Reading = Outcome<RequestHead, HeadError>

    private static let tight = HeadLimits(headBytesMax: 128, targetBytesMax: 24, fieldsMax: 3)

    static func main() { fuzz(check) }

    private static func check(_ input: Span<UInt8>) {
        let whole = read(input)
        var choices = Choices(from: input)
        let cuts = choices.cuts(of: input.count)
        promise(read(input, cuts: cuts) == whole, "cut at \(cuts) it is the same head")

        let bounded = read(input, limits: tight)
        promise(bounded == whole || bounded.isRefused, "bounds change nothing but the end")

        if whole != .needsMore {
            let longer = input.copy + Array("\r\n\r\n: x".utf8)
            promise(read(longer.span) == whole, "what comes behind changes nothing")
        }
        guard case .value(let head) = whole else { return }
        let part = choices.number(upTo: head.length - 1)
        promise(read(input.extracting(0..<part)) == .needsMore, "\(part) bytes are no head")
        checkFields(of: head, input)
        checkStart(of: head, input)
        checkWrittenAnew(head, input)
    }

    private static func read(
        _ input: Span<UInt8>, cuts: [Int] = [], limits: HeadLimits = HeadLimits()
    ) -> Reading {
        var parser = RequestParser(limits: limits)
        let reading = outcome(of: input, cuts: cuts) { bytes throws(HeadError) in
            try parser.parse(bytes)
        }
        if case .value(let head) = reading {
            promise(head.length <= min(input.count, limits.headBytesMax), "its length is bounded")
            promise(head.path.count <= limits.targetBytesMax, "the path is bounded")
        }
        return reading
    }

    private static func checkFields(of head: RequestHead, _ input: Span<UInt8>) {
        let plain = PlainHead(input.copy(0..<head.length))
        let kept = [
            ("host", head.host), ("authorization", head.authorization),
            ("content-type", head.contentType), ("content-encoding", head.contentEncoding),
            ("accept", head.accept),
        ]
        for (name, range) in kept {
            let value = range.map { text(input, $0, within: head.length) }
            promise(value == plain.value(of: name), "\(name) is \(value ?? "absent")")
            let isOnce = name == "accept" || plain.values(of: name).count < 2
            promise(isOnce, "there is one \(name)")
            let isPlain = value?.utf8.allSatisfy { $0 == 0x09 || (0x20..<0x7F).contains($0) }
            promise(isPlain ?? true, "\(name) is printable ASCII")
        }
        let lengths = plain.values(of: "content-length")
        let codings = plain.values(of: "transfer-encoding").map { $0.lowercased() }
        switch head.body {
        case .none: promise(lengths + codings == [], "a body without framing is none")
        case .length(let length): promise(lengths + codings == ["\(length)"], "one length")
        case .chunked: promise(lengths + codings == ["chunked"], "chunked, and nothing besides")
        }
        let options = plain.connectionOptions
        let mayStay = head.isHTTP10 ? options.contains("keep-alive") : true
        promise(!head.keepsAlive || mayStay && !options.contains("close"), "it may stay open")
        promise(head.hasOrigin == (plain.value(of: "origin") != nil), "an Origin is noticed")
    }

    private static func checkStart(of head: RequestHead, _ input: Span<UInt8>) {
        let start = PlainHead(input.copy(0..<head.length)).start
        promise(start.count == 3, "there are method, target and version")
        let known = [
            "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE",
        ]
        let method = known.contains(start[0]) ? start[0] : "OTHER"
        promise("\(head.method.name)" == method, "the method is \(method)")
        promise(start[2] == (head.isHTTP10 ? "HTTP/1.0" : "HTTP/1.1"), "the version is known")
        let path = text(input, head.path, within: head.length)
        let parts = start[1].split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        promise(parts[0].hasSuffix(path), "the path is the target's")
        promise(head.hasQuery == (parts.count == 2), "a query is noticed")
        if parts[0].hasPrefix("/") { promise(path == parts[0], "the path is \(parts[0])") }
    }

    /// What the gate would send of it is a head that means the same.
    private static func checkWrittenAnew(_ head: RequestHead, _ input: Span<UInt8>) {
        guard let host = head.host, !head.path.isEmpty else { return }
        var length = 0
        if case .length(let given) = head.body { length = given }
        var authorization: Span<UInt8>?
        if let range = head.authorization { authorization = input.extracting(range) }
        var buffer = ByteBuffer()
        RequestWriter.append(
            head.method, pathPrefix: input.extracting(0..<0), path: input.extracting(head.path),
            host: input.extracting(host), authorization: authorization,
            body: .init(.text, length: length), to: &buffer)
        let written = buffer.span.copy
        guard case .value(let again) = read(written.span) else {
            return promise(false, "what is written anew is read")
        }
        promise(again.length == written.count, "it is a head and nothing more")
        promise(again.method == head.method && !again.hasQuery, "it asks for the same")
        promise(again.body == .length(length) && again.keepsAlive, "its body is found")
        for (old, new) in [
            (head.path, again.path), (host, again.host), (head.authorization, again.authorization),
        ] {
            let before = old.map { text(input, $0, within: head.length) }
            let after = new.map { text(written.span, $0, within: again.length) }
            promise(before == after, "\(before ?? "nothing") stays")
        }
    }

    private static func text(_ input: Span<UInt8>, _ range: Range<Int>, within end: Int) -> String {
        promise(range.lowerBound >= 0 && range.upperBound <= end, "\(range) is in the head")
        return String(decoding: input.extracting(range))
    }
}
