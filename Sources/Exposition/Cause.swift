extension Complaint {
    /// What a sender most likely did, where the bytes give it away.
    public enum Cause: UInt8, Sendable, Equatable, CaseIterable {
        case gzip, utf16, byteOrderMark, markup, json
        case carriageReturn, missingLineFeed, removedLineFeeds, gluedSamples
        case missingValue, unit, hugeNumber
        case trailingBlank, trailingComment, timestamp, decimalComma, quotedNumber, singleQuotes
        case nameCharacters, otherFormat, metadataTwice, reservedName, nameless, otherGroup
        case undelimited, textInPlaceOfMessages, framing, boundTwice

        /// What to do about it, in one sentence without a full stop.
        public var hint: String {
            switch self {
            case .gzip: "the body is gzip: send the header Content-Encoding: gzip with it"
            case .utf16: "the body is UTF-16: write it as UTF-8 without a byte order mark"
            case .byteOrderMark: "the body starts with a byte order mark: write UTF-8 without one"
            case .markup: "this is HTML or XML, perhaps an error page in place of the metrics"
            case .json: "this is JSON: the Pushgateway takes lines like: name{label=\"value\"} 1"
            case .carriageReturn:
                "lines end in CR LF: write line feeds alone, for instance through tr -d '\\r'"
            case .missingLineFeed:
                "end the last line with a line feed too; with curl use --data-binary, not -d"
            case .removedLineFeeds:
                "the body is a single line: curl -d takes line feeds out, --data-binary keeps them"
            case .missingValue: "write the value behind the name, and a blank between them"
            case .unit: "write the bare number: a unit or an underscore cannot stand in it"
            case .hugeNumber: "a number is at most 1.7976931348623157e308; +Inf is written so"
            case .gluedSamples:
                "two samples seem to stand in one line: write a line feed between them"
            case .trailingBlank: "take away the blank at the end of the line"
            case .trailingComment: "comments and exemplars cannot follow a value"
            case .timestamp: "take the timestamp away: the Pushgateway keeps the time of the push"
            case .decimalComma: "write the number with a decimal point, for instance under LC_ALL=C"
            case .quotedNumber: "write the number without quotes"
            case .singleQuotes: "label values stand in double quotes"
            case .nameCharacters: "names are made of letters, digits, '_' and ':' alone"
            case .otherFormat: "this type exists in OpenMetrics only: use gauge or untyped"
            case .metadataTwice:
                "one HELP and one TYPE for each name, before its samples; join the parts of a family"
            case .reservedName: "leave it out: the Pushgateway itself gives it to each group"
            case .nameless: "put the metric name before the braces"
            case .otherGroup: "take the label out, or push to the group that it names"
            case .undelimited: "write the length of each message before it, as a varint"
            case .textInPlaceOfMessages:
                "this is text: send it with the Content-Type text/plain; version=0.0.4"
            case .framing: "write each message whole, with its length before it as a varint"
            case .boundTwice: "rename the label: it is added to each quantile or bucket"
            }
        }
    }
}

extension Complaint.Cause {
    /// Guesses the cause of a flaw. Nil when nothing speaks for one.
    init?(of flaw: Flaw, in body: Span<UInt8>, line: Int) {
        if line == 1, let cause = Complaint.Cause(ofStart: body) {
            self = cause
        } else if body.hasReturn(at: flaw) {
            self = .carriageReturn
        } else if let cause = Complaint.Cause(of: flaw.reason) {
            self = cause
        } else if let cause = Complaint.Cause(showing: flaw, in: body) {
            self = cause
        } else {
            return nil
        }
    }

    /// Other formats give themselves away by how they start.
    private init?(ofStart body: Span<UInt8>) {
        var offset = 0
        while offset < body.count, body[offset].isBlank { offset &+= 1 }
        let (first, second) = (body.byte(offset), body.byte(offset &+ 1))
        switch (first, second) {
        case (0x1F, 0x8B): self = .gzip
        case (0xFE, 0xFF), (0xFF, 0xFE): self = .utf16
        case (0xEF, 0xBB) where body.byte(2) == 0xBF: self = .byteOrderMark
        case (0x3C, _): self = .markup
        case (0x5B, _): self = .json
        case (0x7B, 0x0A), (0x7B, 0x0D): self = .json
        case (0x7B, 0x22) where body.looksLikeJSON(from: offset &+ 2): self = .json
        default: return nil
        }
    }

    private init?(of reason: Complaint.Reason) {
        switch reason {
        case .timestampGiven: self = .timestamp
        case .helpRepeated, .typeRepeated: self = .metadataTwice
        case .pushTimeGiven: self = .reservedName
        case .labelContradictsGroup: self = .otherGroup
        case .metricNameMissing, .metricNameMisplaced: self = .nameless
        default: return nil
        }
    }

    private init?(showing flaw: Flaw, in body: Span<UInt8>) {
        let evidence = flaw.evidence.clamped(to: 0..<body.count)
        let first = body.byte(evidence.lowerBound)
        switch flaw.reason {
        case .endUnexpected:
            self = body.holdsLostLines() ? .removedLineFeeds : .missingLineFeed
        case .valueInvalid:
            guard let cause = Complaint.Cause(ofValue: evidence, in: body) else { return nil }
            self = cause
        case .timestampInvalid where evidence.isEmpty: self = .trailingBlank
        case .timestampInvalid where first == 0x23: self = .trailingComment
        case .timestampTrailed:
            var rest = evidence.lowerBound
            while rest < evidence.upperBound, body[rest].isBlank { rest &+= 1 }
            self = rest == evidence.upperBound ? .trailingBlank : .trailingComment
            if rest < evidence.upperBound && body[rest] != 0x23 { return nil }
        case .typeUnknown:
            if body.byte(evidence.upperBound &- 1).isBlank {
                self = .trailingBlank
            } else if body.isEqual(evidence, to: "unknown") || body.isEqual(evidence, to: "info")
                || body.isEqual(evidence, to: "stateset")
            {
                self = .otherFormat
            } else {
                return nil
            }
        case .quoteExpected where first == 0x27: self = .singleQuotes
        case .equalsExpected, .commentNameInvalid: self = .nameCharacters
        default: return nil
        }
    }

    /// Why a value is no number.
    private init?(ofValue range: Range<Int>, in body: Span<UInt8>) {
        var offset = range.lowerBound
        guard offset < range.upperBound else {
            self = .missingValue
            return
        }
        let first = body[offset]
        if first == 0x22 || first == 0x27 {
            self = .quotedNumber
            return
        }
        // The name stopped where it could not go on: `node.load 1`, `cpu-idle 1`.
        let isGlued = offset > 0 && NameKind.metric.contains(body[offset &- 1])
        if isGlued {
            self = .nameCharacters
            return
        }
        if first == 0x2D || first == 0x2B { offset &+= 1 }
        let digits = offset
        while offset < range.upperBound, body[offset].isDigit || body[offset] == 0x2E {
            offset &+= 1
        }
        guard offset > digits, offset < range.upperBound else { return nil }
        switch body[offset] {
        case 0x2C: self = .decimalComma
        case let byte where NameKind.metric.contains(byte) && body.goesOn(behind: range):
            self = body.lineFeed(from: 0) >= body.count ? .removedLineFeeds : .gluedSamples
        case 0x45, 0x65: self = .hugeNumber
        case let byte where byte != 0x78 && NameKind.metric.contains(byte): self = .unit
        default: return nil
        }
    }
}

extension Span<UInt8> {
    /// The byte at an offset; zero beyond the end.
    fileprivate func byte(_ offset: Int) -> UInt8 {
        offset >= 0 && offset < count ? self[offset] : 0
    }

    /// Whether something other than blanks follows in the line.
    fileprivate func goesOn(behind range: Range<Int>) -> Bool {
        var offset = range.upperBound
        while byte(offset).isBlank { offset &+= 1 }
        return offset > range.upperBound && offset < count && self[offset] != 0x0A
    }

    /// Whether a carriage return is what was found, or ends what is shown.
    fileprivate func hasReturn(at flaw: Flaw) -> Bool {
        let last = byte(flaw.evidence.upperBound &- 1)
        let end = byte(flaw.evidence.upperBound)
        return last == 0x0D && (end == 0x0A || flaw.evidence.upperBound >= count)
    }

    /// Whether, behind a quote that follows a brace, the closing quote is followed by a colon.
    fileprivate func looksLikeJSON(from start: Int) -> Bool {
        var offset = start
        while offset < count, self[offset] != 0x22 {
            // The next line may not have arrived yet, so it must not matter.
            if self[offset] == 0x0A { return false }
            offset &+= 1
        }
        offset &+= 1
        while byte(offset).isBlank { offset &+= 1 }
        return byte(offset) == 0x3A
    }

    /// Whether a body without any line feed holds a HELP or TYPE further on.
    fileprivate func holdsLostLines() -> Bool {
        guard lineFeed(from: 0) >= count else { return false }
        var offset = 1
        while offset &+ 6 <= count {
            let range = offset..<offset &+ 6
            if self[offset] == 0x23, isEqual(range, to: "# HELP") || isEqual(range, to: "# TYPE") {
                return true
            }
            offset &+= 1
        }
        return false
    }
}
