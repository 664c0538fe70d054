import Foundation

/// Requests that a client should not send, and some that it should, made up from a seed: the same seed
/// makes the same requests. Each knows whether it may be let in at all.
struct Hostility {
    /// Every connection pushes to groups of its own, so that what it did last is what is there.
    private let connection: Int
    private var random: Seeded

    init(seed: UInt64, connection: Int) {
        self.connection = connection
        // Seeds that are near each other would give sequences that are the same but for their start.
        var seeds = Seeded(seed: seed ^ UInt64(connection))
        random = Seeded(seed: seeds.next())
    }

    struct Request {
        var bytes: [UInt8]
        /// The group it is for; nil when it must be refused.
        var group: Labels?
        var end = End.whole
    }

    /// What follows a request.
    enum End { case whole, nothingMore, reset }

    mutating func next() -> Request {
        let (path, group) = path()
        let method = chance(4) ? pick(["GET", "PATCH", "OPTIONS", "put", "FOO"]) : verb()
        let login = login()
        let body = method == "DELETE" && !chance(10) ? Body([], isGood: true) : self.body()
        let isAllowed =
            ["POST", "PUT", "DELETE"].contains(method) && body.isGood
            && (login.user == "ops" || login.user == "prom" && method != "DELETE")
        let head = ["\(method) \(path) HTTP/1.1", "Host: localhost"] + login.fields + body.fields
        var request = framed(head, body.bytes)
        request.group = isAllowed && request.end == .whole ? group : nil
        return request
    }

    // MARK: Paths

    /// A path and what it means; nil when it means nothing.
    private mutating func path() -> (text: String, group: Labels?) {
        var labels = pick([
            [:], [:], ["instance": "i"], ["l": "x/y"], ["zone": "é 1", "l": "1"], ["le": "5"],
            ["quantile": ".."],
        ])
        let job = "c\(connection)-\(pick(["a", "b%"]))"
        var text = "/metrics/job" + spelled(job)
        for (name, value) in labels.shuffled(using: &random) { text += "/\(name)\(spelled(value))" }
        labels["job"] = job
        if chance(10) { text += "/\(pick(["gone", "instance2"]))@base64/=" }
        return chance(75) ? (text, labels) : (tricked(text), nil)
    }

    /// A value in one of the ways in which it can be written.
    private mutating func spelled(_ value: String) -> String {
        let base64 = Data(value.utf8).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_")
        switch value.contains("/") || value == ".." ? 2 + number(2) : number(5) {
        case 0:
            return "/" + value.utf8.map { String(format: "%%%02x", $0) }.joined()
        case 2: return "@base64/" + base64
        case 3: return "@base64/" + base64.replacing("=", with: "")
        default:
            return "/" + (value.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
        }
    }

    /// What makes a path mean nothing, or two things.
    private static let suffixes = [
        "/./x", "/../x", "/%2e%2E/x", "/t/.", "/t/%2e", "%2Ft/1", "/t/1%2f", "/t/1/t/2",
        "/t/1/t@base64/Mg", "/job/other", "/job@base64/b3RoZXI", "/t@base64/!!", "/t@base64/YQ=",
        "/t@base64/YR", "/t@base64/_w", "/t@base64/YQo", "/t@base64/", "/t@base64/==", "/t/%ff",
        "/t/%c0%af", "/t/%ed%a0%80", "/t/%0a", "/t/%00", "/t/%c2%85", "/t/%zz", "/t/%", "/t/%4",
        "/__x/y", "/__name__/y", "/9l/y", "/a-b/y", "/U__l/y", "/%C3%A9/y", "/%ff/y", "/@base64/YQ",
        "/odd", "/t/", "/instance3/", "/t/x/", "//t/x", "/t//x", "?job=x", "#t", "/t/é", "/t/a b",
        "/t/\u{1}", "/t/\"", "/t/\\", "\r/t/x",
    ]

    private mutating func tricked(_ path: String) -> String {
        switch number(9) {
        case 0: return path.replacing("/metrics/job", with: pick(["/Metrics/job", "/metrics/JOB"]))
        case 1:
            return path.replacing("/metrics", with: pick(["//metrics", "/metrics/", "/./metrics"]))
        case 2:
            return path.replacing(
                "/metrics/job", with: pick(["/metrics/%6aob", "/metrics%2Fjob", "/metrics/jobs"]))
        case 3:
            return path
                + pick([
                    "/t/" + String(repeating: "t", count: 5000),
                    (0..<17).map { "/t\($0)/x" }.joined(),
                ])
        default: return path + pick(Self.suffixes)
        }
    }

    // MARK: Logins

    private mutating func verb() -> String {
        pick(["POST", "POST", "POST", "PUT", "PUT", "DELETE", "DELETE"])
    }

    /// A login and who it makes the client; nil for nobody who may push from here.
    private mutating func login() -> (fields: [String], user: String?) {
        let user = pick([
            "prom", "prom", "prom", "ops", "ops", "ops", "ops", "ops", "far", "stranger",
        ])
        switch number(40) {
        case 0: return ([], nil)
        case 1: return ([pick(["Authorization: Bearer x", "Authorization: Basic !!"])], nil)
        case 2: return ([Self.authorization(user, "wrong")], nil)
        default:
            let mayPush = user == "prom" || user == "ops"
            return ([Self.authorization(user, "secret")], mayPush ? user : nil)
        }
    }

    private static func authorization(_ user: String, _ password: String) -> String {
        "Authorization: Basic " + Data("\(user):\(password)".utf8).base64EncodedString()
    }

    // MARK: Bodies

    private struct Body {
        var bytes: [UInt8]
        var fields: [String] = []
        /// Whether it may be let in, for all that is known without reading it.
        var isGood: Bool

        init(_ bytes: [UInt8], _ fields: [String] = [], isGood: Bool) {
            (self.bytes, self.fields, self.isGood) = (bytes, fields, isGood)
        }

        init(_ text: String, isGood: Bool) { self.init(Array(text.utf8), isGood: isGood) }
    }

    /// Texts that may be let in, here or there.
    private static let arguable = [
        "m 1\n", "m 1\n", "m 1\nn{x=\"é\"} 2\n", "m{job=\"other\"} 1\n", "m{instance=\"i\"} 1\n",
        "m{l=\"1\",zone=\"é 1\"} 1\n", "m{instance=\"\"} 1\n", "", "# TYPE m gauge\n", "\n\n",
        "s_count 1\n", "s_sum 1\n", "s_bucket 1\n", "# TYPE s summary\ns_sum 1\ns_count 1\n",
        "# TYPE s summary\ns{quantile=\"0.5\"} 1\n",
        "# TYPE s histogram\ns_bucket{le=\"1\"} 1\ns_sum 1\ns_count 1\n",
        "# TYPE go_goroutines gauge\ngo_goroutines 1\n", "# TYPE clash counter\nclash 1\n",
        "# TYPE clash gauge\nclash 1\n", "clash 1\n",
    ]

    /// Texts that a Pushgateway refuses or chokes on, whatever it holds.
    private static let bad = [
        "m 1", "m 1\r\n", "m 1 1000\n", "m 1\nm 2\n", "m{x=\"1\",x=\"2\"} 1\n", "m{__x=\"1\"} 1\n",
        "m{x=\"\u{1}\n\"} 1\n", "go_goroutines 1\n", "process_cpu_seconds_total 1\n",
        "go_gc_duration_seconds_count 1\n", "push_time_seconds 1\n",
        "# TYPE push_failure_time_seconds counter\npush_failure_time_seconds 9\n",
        "pushgateway_http_requests_total 1\n", "# TYPE m gauge\n# TYPE m gauge\nm 1\n",
        "m 1\n# TYPE m gauge\n", "m x\n", "{} 1\n", "<html>\n", "m 1 # {a=\"b\"} 1\n",
    ]

    /// Bodies of the corpora, as long as a usual push.
    private static let corpus: [[UInt8]] = {
        let folders = [
            Programs.packageRoot + "/Tests/Corpus/exposition", CorpusTests.folder.path,
        ]
        return folders.flatMap { folder in
            let names = FileManager.default.enumerator(atPath: folder)?.allObjects ?? []
            return names.compactMap { $0 as? String }.filter { $0.hasSuffix(".prom") }.sorted()
                .compactMap { FileManager.default.contents(atPath: folder + "/" + $0) }
                .map { [UInt8]($0) }.filter { $0.count < 4096 }
        }
    }()

    private mutating func body() -> Body {
        switch number(12) {
        case 0...3: return Body(pick(Self.arguable), isGood: true)
        case 4: return Body(pick(Self.bad), isGood: false)
        case 5...7: return Body(pick(Self.corpus), isGood: true)
        case 8: return message()
        case 9:
            return Body(
                Array("m 1\n".utf8),
                [pick(["br", "x-gzip", "deflate", "gzip, gzip"])]
                    .map { "Content-Encoding: \($0)" }, isGood: false)
        default: return compressed()
        }
    }

    private mutating func message() -> Body {
        let good = Bodies.family("m", type: pick([.untyped, .untyped, .gauge]), value: 1)
        let none = Bodies.family("e", type: .gauge)
        let (bytes, isGood): ([UInt8], Bool) = pick([
            (good, true), (good, true), (good + Bodies.family("n", type: .untyped, value: 2), true),
            (none, false), (good + none, false), (Array(good.dropLast()), false),
            (good + [1], false),
            (Bodies.varint(1 << 35 - 1), false), (good + Bodies.varint(1 << 31), false),
            (good + good, true), (Array("m 1\n".utf8), false), ([], true),
            (Bodies.family("push_failure_time_seconds", type: .counter, value: 1), false),
            (Bodies.family("go_goroutines", type: .untyped, value: 1), false),
        ])
        return Body(bytes, [Bodies.protobufField], isGood: isGood)
    }

    private mutating func compressed() -> Body {
        let isText = chance(70)
        let plain = isText ? Body(pick(Self.arguable), isGood: true) : message()
        var bytes = Bodies.gzip(plain.bytes)
        var isGood = plain.isGood
        if chance(60) {
            isGood = false
            switch number(5) {
            case 0: bytes.removeLast(1 + number(bytes.count - 1))
            case 1: bytes[bytes.count - 1 - number(8)] ^= 1 << number(8)
            case 2: bytes.append(UInt8(number(256)))
            case 3: bytes[number(3)] ^= 0x55
            default: bytes = plain.bytes + [0x1F, 0x8B]
            }
        }
        return Body(bytes, plain.fields + [Bodies.gzipField], isGood: isGood)
    }

    // MARK: Framing

    private mutating func framed(_ head: [String], _ body: [UInt8]) -> Request {
        func request(_ fields: [String], _ bytes: [UInt8], _ end: End = .whole) -> Request {
            let text = (head + fields).joined(separator: "\r\n") + "\r\n\r\n"
            return Request(bytes: Array(text.utf8) + bytes, group: nil, end: end)
        }
        let length = "Content-Length: \(body.count)"
        let chunked = "Transfer-Encoding: chunked"
        switch number(32) {
        // Cut: in the head, in the body, between chunks
        case 0:
            var whole = request([length], body, chance(50) ? .nothingMore : .reset)
            whole.bytes.removeLast(1 + number(whole.bytes.count - 1))
            return whole
        case 1:
            return request(["Content-Length: \(body.count + 1 + number(99))"], body, .nothingMore)
        case 2: return request([chunked], chunks(of: body), chance(50) ? .nothingMore : .reset)
        // A tail that would be a request of its own
        case 3:
            let tail = "POST /metrics/job/c\(connection)-a HTTP/1.1\r\nHost: x\r\n"
            return request(
                ["Content-Length: 0"], Array((tail + "Content-Length: 4\r\n\r\nm 1\n").utf8),
                .nothingMore)
        case 4:
            let fields = pick([
                [length, chunked], [length, "Content-Length: \(body.count + 1)"],
                ["Content-Length: +\(body.count)"], ["Content-Length: -1"],
                ["Content-Length: 99999999999999999999"], ["Transfer-Encoding: identity, chunked"],
                ["Transfer-Encoding: chunked, chunked"], ["Transfer-Encoding : chunked"],
                [" \(length)"], ["Content-Length: \(body.count)\u{0B}"],
            ])
            return request(fields, body, .nothingMore)
        case 5:
            let bytes = pick([
                "0x4\r\nm 1\n\r\n0\r\n\r\n", "4\nm 1\n\n0\n\n", "FFFFFFFFFFFFFFFFF\r\n",
                "4\r\nm 1\nxx0\r\n\r\n", "-4\r\nm 1\n\r\n0\r\n\r\n", "4 \r\nm 1\n\r\n0\r\n\r\nz",
            ])
            return request([chunked], Array(bytes.utf8), .nothingMore)
        case 6...10: return request([chunked], chunks(of: body) + Array("0\r\n\r\n".utf8))
        default: return request([length], body)
        }
    }

    private mutating func chunks(of body: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = body[...]
        while !rest.isEmpty {
            let piece = rest.prefix(1 + number(64))
            bytes += Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece
            bytes += Array("\r\n".utf8)
            rest = rest.dropFirst(piece.count)
        }
        return bytes
    }

    // MARK: Chance

    private mutating func number(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &random) }
    private mutating func chance(_ percent: Int) -> Bool { number(100) < percent }

    private mutating func pick<Choice>(_ choices: [Choice]) -> Choice {
        choices[number(choices.count)]
    }
}

/// SplitMix64: numbers that depend on the seed alone.
struct Seeded: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
