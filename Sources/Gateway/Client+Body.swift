import Bytes
import Configuration
import HTTP

/// The body of a request, whichever protocol brings it.
extension Client {
    /// How many bytes have come that may be of the body and are not looked at yet.
    func bodyBytesAtHand(of exchange: Exchange) -> Int {
        http2 == nil ? input.count : exchange.input.count
    }

    /// Moves what has come of it behind `body`. True when that was the end.
    func moveBody(of exchange: Exchange, to body: inout ByteBuffer) throws(ChunkError) -> Bool {
        let bodyBytesMax = exchange.snapshot.limits.bodyBytesMax
        guard let http2 else {
            return try http.moveBody(
                from: &input, to: &body, &exchange.chunks, bodyBytesMax: bodyBytesMax)
        }
        let count = exchange.input.count
        guard exchange.takenBytes + count <= bodyBytesMax else { throw .bodyTooLarge }
        exchange.takenBytes += count
        exchange.input.withSpan { body.append($0) }
        exchange.input.removeAll()
        http2.session.consume(count, of: exchange.id.stream)
        return exchange.hasInputEnded
    }

    /// Has its last byte been taken?
    func isBodyComplete(of exchange: Exchange) -> Bool {
        guard http2 != nil else { return http.isBodyComplete }
        return exchange.hasInputEnded && exchange.input.isEmpty
    }
}
