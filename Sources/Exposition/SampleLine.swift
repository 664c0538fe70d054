/// What the last name that was read speaks of.
struct Subject {
    /// Below zero before any name.
    var family = -1
    var part = Part.whole
    /// What the family is from its first sample on.
    var type = FamilyType.untyped
    /// Whether it has had that, and the line was right; then the type stands.
    var isAdmitted = false
}

/// Places in the sample line that was read last.
struct SamplePlaces {
    /// Where it starts, and where its line feed is.
    var start = 0
    var end = 0
    /// The name.
    var name = 0..<0
    /// How many bytes it may have in common with the other buckets or quantiles of its metric; zero
    /// or less for none.
    var headLength = 0
}

extension Validator {
    /// Reads a line that starts with neither '#' nor a line feed, and moves behind its line feed. What
    /// it says is in `subject`, `sample` and `labels` then: handed on as values, which do not fit into
    /// registers, it took 40 instructions more.
    @inline(__always)
    mutating func readSample(_ body: Span<UInt8>, _ offset: inout Int) throws(Flaw) {
        sample.start = offset
        sample.headLength = 0
        if misgiving != nil { misgiving = nil }
        labels.removeAll()
        if body[offset] == 0x7B {
            try readNameInBraces(body, &offset)
        } else {
            if !skipLastName(body, &offset) { try readNewName(body, &offset) }
            sample.name = unsafe Range(uncheckedBounds: (sample.start, offset))
            if !subject.isAdmitted { settleAtStart() }
            body.skipBlanks(&offset)
            if body[offset] == 0x7B {
                offset &+= 1
                try readLabels(body, &offset)
            }
        }
        body.skipBlanks(&offset)
        let valueStart = offset
        let value = try body.readValue(&offset)
        if value == .negative && subject.type.isHistogram {
            try checkCount(value: valueStart..<offset)
        }
        if body[offset] != 0x0A { try readTimestamp(body, &offset) }
        sample.end = offset
        offset &+= 1
        if misgiving != nil { try endMisgiving() }
    }

    @inline(never)
    private mutating func endMisgiving() throws(Flaw) {
        guard var misgiving else { return }
        misgiving.readTo = sample.end
        throw misgiving
    }

    /// Moves behind the name that the line before had, if this line has it too.
    @inline(__always)
    func skipLastName(_ body: Span<UInt8>, _ offset: inout Int) -> Bool {
        let last = lastName.range
        let length = last.upperBound &- last.lowerBound
        guard
            length > 0
                && body.sharedCount(offset, last.lowerBound, most: length) == length
                && body.endsName(at: offset &+ length)
        else { return false }
        offset &+= length
        return true
    }

    /// Reads a name that the line before did not have.
    @inline(never)
    private mutating func readNewName(
        _ body: Span<UInt8>, _ offset: inout Int
    ) throws(Flaw) {
        if let known = families.foreseen(at: offset, in: body) {
            offset &+= known.name.count
            return know(known.name, known.meaning)
        }
        let start = offset
        let name = try body.readName(&offset, .metric, hash)
        guard !name.isEmpty else { throw Flaw(.metricNameExpected, found: start) }
        try checkName(name, .metric, from: start, to: offset, in: body)
        try know(name, from: start, to: offset, in: body)
    }

    /// Finds out what a name means, and keeps it for the next line.
    @inline(__always)
    mutating func know(
        _ name: Name, from start: Int, to end: Int, in body: Span<UInt8>
    ) throws(Flaw) {
        know(name, try family(of: name, from: start, to: end, in: body))
    }

    @inline(__always)
    private mutating func know(_ name: Name, _ meaning: Meaning) {
        subject = Subject(family: meaning.family, part: meaning.part)
        lastName = name.isQuoted ? .none : name
        bucketHead = .none
    }

    /// Notes that a sample starts with the name that was read last.
    @inline(never)
    private mutating func settleAtStart() {
        settle()
        if subject.type.isDistribution { hasReadLabels = true }
    }

    /// Decides the type of the name that was read last, which a sample has. A family whose first
    /// sample comes before any TYPE is untyped from then on.
    mutating func settle() {
        if let decided = families[subject.family].type {
            subject.type = decided
        } else {
            subject.type = .untyped
            families.declare(subject.family, .untyped)
        }
    }

    /// Refuses what was written in quotes and is no name. By grammar the others are.
    func checkName(
        _ name: Name, _ kind: NameKind, from start: Int, to end: Int, in body: Span<UInt8>
    ) throws(Flaw) {
        guard name.isQuoted, !body.isName(name, kind, allowsUTF8: rules.allowsUTF8Names) else {
            return
        }
        let reason: Complaint.Reason = kind == .metric ? .metricNameInvalid : .labelNameInvalid
        throw Flaw(reason, at: start, readTo: end, showing: start..<end)
    }

    /// The family that a line of this name speaks of.
    mutating func family(
        of name: Name, from start: Int, to end: Int, in body: Span<UInt8>
    ) throws(Flaw) -> Meaning {
        guard let meaning = families.named(name, in: body, max: rules.seriesMax) else {
            throw Flaw(
                .tooManyFamilies(max: rules.seriesMax), at: start, readTo: end, showing: start..<end
            )
        }
        return meaning
    }

    /// A histogram's negative count or bucket cannot be stored by the Pushgateway, which keeps them unsigned.
    private func checkCount(value: Range<Int>) throws(Flaw) {
        let reason: Complaint.Reason
        switch subject.part {
        case .count: reason = .countNegative
        case .sum: return
        case .whole, .bucket:
            guard let bound = labels.mark.bound, bound != .nan else { return }
            reason = .bucketNegative
        }
        throw Flaw(
            reason, at: value.lowerBound, readTo: value.upperBound,
            showing: families[subject.family].name.range)
    }

    /// Reads what stands behind the value, up to the line feed. The blank behind a value announces a
    /// timestamp, so nothing but a timestamp may follow it.
    @inline(never)
    private mutating func readTimestamp(
        _ body: Span<UInt8>, _ offset: inout Int
    ) throws(Flaw) {
        body.skipBlanks(&offset)
        let start = offset
        while !body[offset].endsToken { offset &+= 1 }
        let end = offset
        guard body.isInteger(start..<end) else {
            throw Flaw(.timestampInvalid, at: start, readTo: end, showing: start..<end)
        }
        offset = body.lineFeed(from: end)
        guard offset == end else {
            throw Flaw(.timestampTrailed, at: end, readTo: offset, showing: end..<offset)
        }
        doubt(.timestampGiven, at: start, showing: start..<end)
    }

    /// Notes what the Pushgateway refuses only after it has parsed the whole line.
    mutating func doubt(_ reason: Complaint.Reason, at offset: Int, showing evidence: Range<Int>) {
        guard rules.demandsPushable, misgiving == nil else { return }
        misgiving = Flaw(reason, at: offset, readTo: offset, showing: evidence)
    }
}
