/// Reading a body of delimited messages: each `MetricFamily` has its length before it, as
/// `encoding=delimited` says.
extension Validator {
    /// Judges the messages that are all there and not judged yet.
    ///
    /// The length is all that tells where the next message starts, so reading ends where one is wrong.
    /// What is wrong within a message says nothing about the next.
    mutating func judgeMessages(_ body: Span<UInt8>, isComplete: Bool) {
        while judged < body.count {
            let start = judged
            do throws(Flaw) {
                guard let content = try body.contentOfMessage(at: start) else { break }
                line &+= 1
                judged = content.upperBound
                judgeFamily(content, messageAt: start, in: body)
            } catch {
                line &+= 1
                messages.name = 0..<0
                complain(error, in: body, lineStart: start)
                return endMessages(body)
            }
        }
        guard isComplete else { return }
        if judged < body.count {
            line &+= 1
            messages.name = 0..<0
            let flaw = Flaw(.messageCut, in: body.count..<body.count)
            complain(flaw, in: body, lineStart: judged)
        }
        endMessages(body)
    }

    /// What only the whole body tells.
    private mutating func endMessages(_ body: Span<UInt8>) {
        isFinished = true
        judgeClashes(body)
        judgeHelp(body)
    }
}

extension Span<UInt8> {
    /// Where the message is whose length starts at `start`; nil while not all of it has arrived.
    ///
    /// At most five bytes may be a length, as Java's and Go's decoders have it. A Pushgateway sets as
    /// much memory aside as the length says before it reads on, so one that no body can have must
    /// never reach it.
    fileprivate func contentOfMessage(at start: Int) throws(Flaw) -> Range<Int>? {
        var offset = start
        var length: UInt64 = 0
        for shift in stride(from: 0 as UInt64, to: 35, by: 7) {
            guard offset < count else { return nil }
            let byte = self[offset]
            offset &+= 1
            length |= UInt64(byte & 0x7F) &<< shift
            guard byte < 0x80 else { continue }
            let left = Validator.bodyBytesMax &- offset
            guard left >= 0 && length <= UInt64(left) else {
                throw Flaw(.bodyTooLong(max: Validator.bodyBytesMax), in: start..<offset)
            }
            let end = offset &+ Int(length)
            return end <= count ? offset..<end : nil
        }
        throw Flaw(.lengthInvalid, in: start..<offset)
    }
}
