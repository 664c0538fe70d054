/// What a sample line speaks of.
struct Subject {
    var family = 0
    var part = Part.whole
    /// What the family has been since its first sample, at the latest.
    var type = FamilyType.untyped
    /// The name as it stands in the line.
    var name = 0..<0
}

extension Validator {
    /// Reads a line that starts with neither '#' nor a line feed, and moves behind its line feed.
    @inline(__always)
    mutating func readSample(_ body: Span<UInt8>, _ offset: inout Int) throws(Flaw) -> Sample {
        let start = offset
        misgiving = nil
        labels.removeAll()
        let subject: Subject
        if body[offset] == 0x7B {
            subject = try readNameInBraces(body, &offset)
        } else {
            let start = offset
            if !skipLastName(body, &offset) { try readNewName(body, &offset) }
            subject = settle(lastMeaning, start..<offset)
            current.family = subject.family
            if subject.type.isDistribution { current.hasLabels = true }
            body.skipBlanks(&offset)
            if body[offset] == 0x7B {
                offset &+= 1
                try readLabels(body, &offset, of: subject.type)
            }
        }
        body.skipBlanks(&offset)
        let valueStart = offset
        let value = try body.readValue(&offset)
        if value == .negative && subject.type.isHistogram {
            try checkCount(of: subject, value: valueStart..<offset)
        }
        if body[offset] != 0x0A { try readTimestamp(body, &offset) }
        let end = offset
        offset &+= 1
        if var misgiving {
            misgiving.readTo = end
            throw misgiving
        }
        return Sample(
            family: subject.family, type: subject.type, start: start, end: end, name: subject.name)
    }

    /// Moves behind the name that the line before had, if this line has it too.
    @inline(__always)
    func skipLastName(_ body: Span<UInt8>, _ offset: inout Int) -> Bool {
        let last = lastName.range
        let end = offset &+ last.count
        guard
            end > offset && end < body.count
                && body.isEqual(offset, last.lowerBound, count: last.count)
                && !NameKind.metric.contains(body[end]) && body[end] != 0x22
        else { return false }
        offset = end
        return true
    }

    /// Reads a name that the line before did not have.
    @inline(never)
    private mutating func readNewName(
        _ body: Span<UInt8>, _ offset: inout Int
    ) throws(Flaw) {
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
        lastMeaning = try family(of: name, from: start, to: end, in: body)
        lastName = name.isQuoted ? .none : name
    }

    /// What a sample of this name speaks of. A family whose first sample comes before any TYPE is
    /// untyped from then on.
    @inline(__always)
    mutating func settle(_ meaning: Meaning, _ range: Range<Int>) -> Subject {
        var type = FamilyType.untyped
        if let decided = families[meaning.family].type {
            type = decided
        } else {
            families.declare(meaning.family, type)
        }
        return Subject(family: meaning.family, part: meaning.part, type: type, name: range)
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
    private func checkCount(of subject: Subject, value: Range<Int>) throws(Flaw) {
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
