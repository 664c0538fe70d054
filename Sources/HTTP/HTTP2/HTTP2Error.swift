internal import Bytes

/// Why a stream or a connection is ended, by the codes of RFC 9113 section 7 that we use.
package enum HTTP2Error: UInt32, Sendable {
    case none = 0x0
    case malformed = 0x1
    case `internal` = 0x2
    case flowControl = 0x3
    case settingsTimeout = 0x4
    case streamClosed = 0x5
    case refused = 0x7
    case cancelled = 0x8
    /// ENHANCE_YOUR_CALM: it could be an attack.
    case tooMuch = 0xB

    var code: UInt32 { rawValue }

    /// What GOAWAY says beside the code.
    var sentence: StaticString {
        switch self {
        case .none: "the connection is not needed any more"
        case .malformed: "this is not HTTP/2"
        case .internal: "the gate cannot go on with this connection"
        case .flowControl: "a window is larger than windows are"
        case .settingsTimeout: "the settings were never acknowledged"
        case .streamClosed: "this stream was over"
        case .refused, .cancelled: "the request was taken back"
        case .tooMuch: "too much of what is none of a push"
        }
    }

    /// Appends a GOAWAY frame (section 6.8): the last word of a connection whose library may not be
    /// asked any more.
    func appendGoAway(lastStream: UInt32, to output: inout ByteBuffer) {
        let text = sentence.span
        output.append(bigEndian: UInt32(8 + text.count), count: 3)
        output.append(bigEndian: 0x7, count: 1)  // GOAWAY
        output.append(bigEndian: 0, count: 1)  // no flags
        output.append(bigEndian: 0, count: 4)  // the connection itself
        output.append(bigEndian: lastStream, count: 4)
        output.append(bigEndian: code, count: 4)
        output.append(text)
    }
}

extension ByteBuffer {
    fileprivate mutating func append(bigEndian value: UInt32, count: Int) {
        for place in stride(from: (count - 1) * 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: value >> UInt32(place)))
        }
    }
}
