/// What a sample line speaks of.
struct Subject {
    var family = 0
    var part = Part.whole
    /// What the family has been since its first sample, at the latest.
    var type = FamilyType.untyped
    /// Whether the family has had a sample that was right.
    var isAdmitted = false
    /// The name as it stands in the line.
    var name = 0..<0
}

extension Validator {
    /// Reads a line that starts with neither '#' nor a line feed, and moves behind its line feed. Nil
    /// when all is known of its sample, which then has been counted.
    @inline(__always)
    mutating func readSample(_ body: Span<UInt8>, _ offset: inout Int) throws(Flaw) -> Sample? {
        if samples < rules.seriesMax, bucketHead.skipLine(body, &offset) {
            samples &+= 1
            offset &+= 1
            current.family = bucketHead.family
            return nil
        }
        let start = offset
        var headLength = 0
        if misgiving != nil { misgiving = nil }
        labels.removeAll()
        let subject: Subject
        if body[offset] == 0x7B {
            subject = try readNameInBraces(body, &offset)
        } else {
            if !skipLastName(body, &offset) { try readNewName(body, &offset) }
            subject = settle(start..<offset)
            body.skipBlanks(&offset)
            if body[offset] == 0x7B {
                offset &+= 1
                let labelsStart = offset
                try readLabels(body, &offset, of: subject.type)
                if subject.type.isDistribution {
                    headLength = lastLabels.lastBound(from: labelsStart) &- start
                }
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
        return Sample(subject: subject, start: start, end: end, headLength: headLength)
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
        let start = offset
        let name = try body.readName(&offset, .metric, hash)
        guard !name.isEmpty else { throw Flaw(.metricNameExpected, found: start) }
        try checkName(name, .metric, from: start, to: offset, in: body)
        try know(name, from: start, to: offset, in: body)
        bucketHead = .none
    }

    /// Finds out what a name means, and keeps it for the next line.
    @inline(__always)
    mutating func know(
        _ name: Name, from start: Int, to end: Int, in body: Span<UInt8>
    ) throws(Flaw) {
        lastMeaning = try family(of: name, from: start, to: end, in: body)
        lastName = name.isQuoted ? .none : name
        lastType = nil
    }

    /// What a sample speaks of whose name is the last one that was read. The range is where it stands
    /// in this line.
    @inline(__always)
    private mutating func settle(_ range: Range<Int>) -> Subject {
        var subject = Subject(family: lastMeaning.family, part: lastMeaning.part, name: range)
        if let lastType {
            subject.type = lastType
            subject.isAdmitted = true
        } else {
            subject = settle(lastMeaning, range)
        }
        current.family = subject.family
        if subject.type.isDistribution { current.hasLabels = true }
        return subject
    }

    /// What a sample of this name speaks of. A family whose first sample comes before any TYPE is
    /// untyped from then on.
    @inline(never)
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
