internal import Bytes

/// What the frames of a connection meant, in their order, until somebody has acted on it. One serves
/// all connections of a thread, one after another.
package final class FrameInbox {
    package enum Event {
        /// A request has its head; the head's ranges count from the start of `head` in `heads`.
        case request(stream: UInt32, RequestHead, head: Range<Int>)
        /// A request that cannot be right: it has to be answered, no more of it is told.
        case malformed(stream: UInt32, HeadError)
        /// A piece of a body, by its place among the bytes that were received.
        case body(stream: UInt32, Range<Int>)
        /// The body has ended, and was as long as its head had said.
        case end(stream: UInt32)
        /// The answer went out to its end, and the request's body has not come to its own.
        case answeredEarly(stream: UInt32)
        /// The stream is over: answered to its end, or taken back by one of the two.
        case closed(stream: UInt32)
    }

    private var events: [Event] = []
    /// The bytes of the heads.
    private var heads = ByteBuffer()
    /// What the library's sessions are made of.
    let blocks = BlockPool()
    /// What a head is collected in, while none is.
    private var spare = ByteBuffer()

    /// More bytes of heads than this are never waiting: whoever makes that many in one go floods.
    static let headBytesMax = 256 << 10

    package init() {}

    func post(_ event: Event) { events.append(event) }

    /// A buffer to collect a head in, which may come over many receipts.
    func lendBuffer() -> ByteBuffer { exchange(&spare, with: ByteBuffer()) }

    /// Takes the buffer back, with a head that is complete, and says where that is. Nil when too many
    /// wait already.
    func keep(_ head: consuming ByteBuffer) -> Range<Int>? {
        let start = heads.count
        guard start + head.count <= FrameInbox.headBytesMax else { return nil }
        heads.append(head.span)
        head.removeAll()
        spare = head
        return start..<heads.count
    }

    /// The event at a position; nil behind the last one.
    package func event(at position: Int) -> Event? {
        position < events.count ? events[position] : nil
    }

    /// The bytes of one head.
    package func withHead<R>(_ range: Range<Int>, _ body: (Span<UInt8>) -> R) -> R {
        heads.withSpan { body($0.extracting(range)) }
    }

    /// Everything was acted on.
    package func clear() {
        events.removeAll(keepingCapacity: true)
        heads.removeAll()
    }
}
