import CVector

extension Validator {
    /// Reads a line whose '#' has been passed. Only HELP and TYPE mean anything, in capitals.
    @inline(__always)
    mutating func readComment(_ body: Span<UInt8>, _ offset: inout Int) throws(Flaw) {
        body.skipBlanks(&offset)
        if offset &+ 4 < body.count && body[offset &+ 4].endsToken {
            let word = body.partialWord(at: offset, count: 4)
            let isHelp = word == UInt64(characters: "HELP\0\0\0\0")
            if isHelp || word == UInt64(characters: "TYPE\0\0\0\0") {
                offset &+= 4
                body.skipBlanks(&offset)
                try readMetadata(body, &offset, isHelp: isHelp)
            }
        }
        if body[offset] != 0x0A { offset = body.lineFeed(from: offset) }
        offset &+= 1
    }

    /// Reads the name behind HELP or TYPE, and what is said of it. Stops at the line feed. A line that
    /// ends early means nothing, except that a name with a blank behind it makes a family known.
    private mutating func readMetadata(
        _ body: Span<UInt8>, _ offset: inout Int, isHelp: Bool
    ) throws(Flaw) {
        let start = offset
        if skipLastName(body, &offset) {
            if body[offset] == 0x0A { return }
            guard body[offset].isBlank else { throw Flaw(.commentNameInvalid, found: offset) }
        } else {
            let name = try body.readName(&offset, .metric, hash)
            if body[offset] == 0x0A { return }
            guard body[offset].isBlank else { throw Flaw(.commentNameInvalid, found: offset) }
            try checkName(name, .metric, from: start, to: offset, in: body)
            try know(name, from: start, to: offset, in: body)
        }
        let family = subject.family
        body.skipBlanks(&offset)
        if body[offset] == 0x0A { return }

        if isHelp {
            guard families[family].help == nil else {
                throw Flaw(
                    .helpRepeated, at: start, readTo: offset, showing: families[family].name.range)
            }
            families[family].help = Stretch(try readHelp(body, &offset))
        } else {
            guard families[family].type == nil else {
                throw Flaw(
                    .typeRepeated, at: start, readTo: offset, showing: families[family].name.range)
            }
            families.declare(family, try readType(body, &offset))
        }
    }

    /// Any bytes up to the line feed, where a backslash must escape.
    private func readHelp(_ body: Span<UInt8>, _ offset: inout Int) throws(Flaw) -> Range<Int> {
        let start = offset
        while true {
            while body.hasBlock(at: offset) {
                let ends = kanmon_help_ends(body.block(at: offset))
                if ends != 0 {
                    offset &+= ends.trailingZeroBitCount
                    break
                }
                offset &+= 16
            }
            switch body[offset] {
            case 0x0A: return start..<offset
            case 0x5C: try body.skipEscape(&offset)
            default: offset &+= 1
            }
        }
    }

    private func readType(_ body: Span<UInt8>, _ offset: inout Int) throws(Flaw) -> FamilyType {
        if let type = FamilyType(usual: body, &offset) { return type }
        let start = offset
        offset = body.lineFeed(from: start)
        guard let type = FamilyType(body, in: start..<offset) else {
            throw Flaw(.typeUnknown, at: start, readTo: offset, showing: start..<offset)
        }
        return type
    }
}

extension FamilyType {
    /// The type as most people write it, with its line feed: one comparison a type.
    @inline(__always)
    fileprivate init?(usual body: Span<UInt8>, _ offset: inout Int) {
        guard offset &+ 10 <= body.count else { return nil }
        let word = body.word(at: offset)
        if word.first(6) == UInt64(characters: "gauge\n\0\0") {
            self = .gauge
            offset &+= 5
        } else if word == UInt64(characters: "counter\n") {
            self = .counter
            offset &+= 7
        } else if word == UInt64(characters: "summary\n") {
            self = .summary
            offset &+= 7
        } else if word == UInt64(characters: "untyped\n") {
            self = .untyped
            offset &+= 7
        } else if word == UInt64(characters: "histogra") && body[offset &+ 8] == 0x6D
            && body[offset &+ 9] == 0x0A
        {
            self = .histogram
            offset &+= 9
        } else {
            return nil
        }
    }

    /// The type that a TYPE line declares with this text: in any case, and as the Pushgateway's parser
    /// has it, after every backslash was taken out.
    fileprivate init?(_ body: Span<UInt8>, in range: Range<Int>) {
        var word: [UInt8] = []
        for offset in range where body[offset] != 0x5C {
            guard word.count < 32 else { return nil }
            let (before, byte) = (word.last ?? 0, body[offset])
            switch (before, byte) {
            // Unicode gives two letters beyond ASCII an upper case within it: U+0131 and U+017F.
            case (0xC4, 0xB1): word[word.count &- 1] = 0x69
            case (0xC5, 0xBF): word[word.count &- 1] = 0x73
            case (_, 0x41...0x5A): word.append(byte | 0x20)
            default: word.append(byte)
            }
        }
        let whole = 0..<word.count
        if word.span.isEqual(whole, to: "counter") {
            self = .counter
        } else if word.span.isEqual(whole, to: "gauge") {
            self = .gauge
        } else if word.span.isEqual(whole, to: "summary") {
            self = .summary
        } else if word.span.isEqual(whole, to: "untyped") {
            self = .untyped
        } else if word.span.isEqual(whole, to: "histogram") {
            self = .histogram
        } else if word.span.isEqual(whole, to: "gauge_histogram")
            || word.span.isEqual(whole, to: "gaugehistogram")
        {
            self = .gaugeHistogram
        } else {
            return nil
        }
    }
}
