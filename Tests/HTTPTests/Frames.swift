/// Frames of HTTP/2 as a client writes them (RFC 9113 section 4), right or wrong.
struct Frames {
    var bytes: [UInt8] = []

    /// The preface and empty settings, with which every connection begins (section 3.4).
    static func opening() -> Frames {
        Frames(bytes: Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)).settings([])
    }

    func frame(_ type: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8]) -> Frames {
        let length = payload.count
        let header: [UInt8] = [
            UInt8(length >> 16 & 0xFF), UInt8(length >> 8 & 0xFF), UInt8(length & 0xFF), type,
            flags, UInt8(stream >> 24), UInt8(stream >> 16 & 0xFF), UInt8(stream >> 8 & 0xFF),
            UInt8(stream & 0xFF),
        ]
        return Frames(bytes: bytes + header + payload)
    }

    func settings(_ payload: [UInt8]) -> Frames { frame(4, payload) }
    func acknowledgement() -> Frames { frame(4, flags: 1, []) }
    func ping() -> Frames { frame(6, [UInt8](repeating: 7, count: 8)) }
    func reset(_ stream: UInt32) -> Frames { frame(3, stream: stream, [0, 0, 0, 8]) }

    func data(_ stream: UInt32, _ text: String, ends: Bool = true) -> Frames {
        frame(0, flags: ends ? 1 : 0, stream: stream, Array(text.utf8))
    }

    /// Fields as literals that are never indexed and not compressed (RFC 7541 section 6.2.3).
    func headers(
        _ stream: UInt32, _ fields: [(String, String)], ends: Bool = true, isWhole: Bool = true
    ) -> Frames {
        let block = fields.reduce(into: [UInt8]()) { block, field in
            block.append(0x10)
            for text in [field.0, field.1] { block += Frames.string(text) }
        }
        return frame(
            1, flags: (ends ? 1 : 0) | (isWhole ? 4 : 0), stream: stream, block)
    }

    /// A request with the four fields that all have, and others behind them.
    func request(
        _ stream: UInt32, _ method: String = "POST", _ path: String = "/metrics/job/a",
        _ others: [(String, String)] = [], ends: Bool = true, isWhole: Bool = true
    ) -> Frames {
        let pseudo = [
            (":method", method), (":scheme", "https"), (":path", path), (":authority", "gate:9443"),
        ]
        return headers(stream, pseudo + others, ends: ends, isWhole: isWhole)
    }

    /// Section 5.2: a length in seven bits, or more of them behind 127.
    private static func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        guard bytes.count >= 127 else { return [UInt8(bytes.count)] + bytes }
        var rest = bytes.count - 127
        var length: [UInt8] = [127]
        while rest >= 128 {
            length.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return length + [UInt8(rest)] + bytes
    }
}
