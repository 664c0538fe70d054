extension Complaint.Cause {
    /// Guesses the cause of a flaw in a body of messages. Nil when nothing speaks for one.
    init?(of flaw: Flaw, in body: Span<UInt8>, message: Int) {
        if message == 1, let cause = Complaint.Cause(ofStartInPlaceOfMessage: body) {
            self = cause
            return
        }
        switch flaw.reason {
        case .metricTimestamped: self = .timestamp
        case .pushTimeGiven: self = .reservedName
        case .boundAmongLabels: self = .boundTwice
        case .labelContradictsGroup: self = .otherGroup
        case .messageCut, .lengthInvalid: self = .framing
        default: return nil
        }
    }

    /// What something else than a message starts with. What comes behind the tenth byte may not
    /// have arrived: the shortest message taken for one of these is nine bytes and its length.
    private init?(ofStartInPlaceOfMessage body: Span<UInt8>) {
        let count = Swift.min(body.count, 10)
        guard count >= 2 else { return nil }
        if body[0] == 0x1F && body[1] == 0x8B {
            self = .gzip
        } else if body.isUndelimited(upTo: count) {
            self = .undelimited
        } else if body[1] != 0x0A && body.isPrintable(upTo: count) {
            self = .textInPlaceOfMessages
        } else {
            return nil
        }
    }
}

extension Span<UInt8> {
    /// Whether a message starts where its length should: with the name, and what may follow it.
    fileprivate func isUndelimited(upTo count: Int) -> Bool {
        guard count > 2, self[0] == 0x0A else { return false }
        let end = 2 &+ Int(self[1])
        guard end > 2 else { return false }
        for offset in 2..<Swift.min(end, count)
        where !NameKind.metric.contains(self[offset]) { return false }
        return end >= count || [0x12, 0x18, 0x22].contains(self[end])
    }

    fileprivate func isPrintable(upTo count: Int) -> Bool {
        for offset in 0..<count {
            let byte = self[offset]
            let isText = byte >= 0x20 && byte < 0x7F || byte == 0x09 || byte == 0x0A || byte == 0x0D
            if !isText { return false }
        }
        return true
    }
}
