internal import Bytes
internal import CNghttp2

/// The body of an answer until it is sent. A class, since the library holds on to where it is.
final class AnswerBody {
    private(set) var stream: UInt32 = 0
    private var bytes = ByteBuffer()

    func begin(_ stream: UInt32, _ body: Span<UInt8>) {
        self.stream = stream
        bytes.removeAll()
        bytes.append(body)
    }

    var isEmpty: Bool { bytes.isEmpty }

    /// Moves as much as fits to `target`. Gives how much that was.
    func move(to target: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(bytes.count, target.count)
        bytes.withSpan { span in
            unsafe span.extracting(0..<count).withUnsafeBytes { unsafe target.copyMemory(from: $0) }
        }
        bytes.consume(count)
        return count
    }
}

/// Hands the fields of answers to the library: the same as `ResponseWriter` writes for HTTP/1.1, but
/// for what is about a connection.
enum AnswerFields {
    /// False when the library did not take it.
    static func submit(
        _ answer: Answer, body: AnswerBody, date: Span<UInt8>, requestID: Span<UInt8>,
        in session: OpaquePointer?
    ) -> Bool {
        var fields = FieldList()
        fields.add(":status", number: answer.status.code, isRepeated: true)
        fields.add("date", date)
        if let contentType = answer.contentType { fields.add("content-type", contentType) }
        fields.add("content-length", number: answer.contentLength)
        fields.add("x-request-id", requestID)
        fields.add("cache-control", "no-store")
        fields.add("x-content-type-options", "nosniff")
        if let challenge = answer.challenge { fields.add("www-authenticate", challenge) }
        if let allow = answer.allow { fields.add("allow", allow) }
        if let seconds = answer.retryAfterSeconds {
            fields.add("retry-after", number: max(0, seconds))
        }
        if let acceptEncoding = answer.acceptEncoding {
            fields.add("accept-encoding", acceptEncoding)
        }
        return unsafe fields.withPairs { pairs in
            guard !body.isEmpty else {
                return unsafe nghttp2_submit_response(
                    session, Int32(bitPattern: body.stream), pairs.baseAddress, pairs.count, nil)
                    == 0
            }
            var provider = unsafe SessionCallbacks.provider(of: body)
            return unsafe nghttp2_submit_response(
                session, Int32(bitPattern: body.stream), pairs.baseAddress, pairs.count, &provider)
                == 0
        }
    }

    static func submitContinue(_ stream: UInt32, in session: OpaquePointer?) {
        var fields = FieldList()
        fields.add(":status", number: 100, isRepeated: true)
        unsafe fields.withPairs { pairs in
            _ = unsafe nghttp2_submit_headers(
                session, UInt8(NGHTTP2_FLAG_NONE.rawValue), Int32(bitPattern: stream), nil,
                pairs.baseAddress, pairs.count, nil)
        }
    }
}

/// Some fields, as the library takes them. It copies what is not the program's own text.
private struct FieldList {
    private struct Field {
        var name: StaticString = ""
        /// Nil when the value lies in `text`.
        var literal: StaticString?
        var place = 0..<0
        /// Worth being remembered by HPACK.
        var isRepeated = false
    }

    /// As many as an answer may have.
    private var fields = InlineArray<12, Field>(repeating: Field())
    private var count = 0
    /// A date, a name of ten letters and the numbers.
    private var text = InlineArray<128, UInt8>(repeating: 0)
    private var textEnd = 0

    /// A value that is the same in many answers.
    mutating func add(_ name: StaticString, _ literal: StaticString) {
        add(Field(name: name, literal: literal, isRepeated: true))
    }

    /// A value that is another in each answer, so that remembering it is of no use.
    mutating func add(_ name: StaticString, _ value: Span<UInt8>) {
        let start = textEnd
        for index in value.indices { put(value[index]) }
        add(Field(name: name, place: start..<textEnd))
    }

    mutating func add(_ name: StaticString, number: Int, isRepeated: Bool = false) {
        let start = textEnd
        var scale = 1
        while number / scale >= 10 { scale *= 10 }
        while scale > 0 {
            put(UInt8(ascii: "0") + UInt8(number / scale % 10))
            scale /= 10
        }
        add(Field(name: name, place: start..<textEnd, isRepeated: isRepeated))
    }

    private mutating func put(_ byte: UInt8) {
        precondition(textEnd < text.count)
        text[textEnd] = byte
        textEnd += 1
    }

    private mutating func add(_ field: Field) {
        precondition(count < fields.count)
        fields[count] = field
        count += 1
    }

    func withPairs<R>(_ body: (UnsafeMutableBufferPointer<nghttp2_nv>) -> R) -> R {
        unsafe text.span.withUnsafeBufferPointer { text in
            unsafe withUnsafeTemporaryAllocation(of: nghttp2_nv.self, capacity: count) { pairs in
                for index in 0..<count {
                    let field = fields[index]
                    let value =
                        unsafe field.literal.map { unsafe ($0.utf8Start, $0.utf8CodeUnitCount) }
                        ?? (
                            text.baseAddress.unsafelyUnwrapped + field.place.lowerBound,
                            field.place.count
                        )
                    var flags = NGHTTP2_NV_FLAG_NO_COPY_NAME.rawValue
                    if field.literal != nil { flags |= NGHTTP2_NV_FLAG_NO_COPY_VALUE.rawValue }
                    if !field.isRepeated { flags |= NGHTTP2_NV_FLAG_NO_INDEX.rawValue }
                    unsafe pairs.initializeElement(
                        at: index,
                        to: nghttp2_nv(
                            name: UnsafeMutablePointer(mutating: field.name.utf8Start),
                            value: UnsafeMutablePointer(mutating: value.0),
                            namelen: field.name.utf8CodeUnitCount, valuelen: value.1,
                            flags: UInt8(flags)))
                }
                return unsafe body(pairs)
            }
        }
    }
}
