extension Validator {
    /// Reads the labels behind an opening brace, and moves behind the closing one. `nameAt` is where,
    /// in a line like `{"name",label="value"}`, the metric name stands that is known already.
    @inline(__always)
    mutating func readLabels(
        _ body: Span<UInt8>, _ offset: inout Int, of subject: inout Subject, nameAt: Int? = nil
    ) throws(Flaw) {
        if nameAt == nil, lastLabels.skip(body, &offset, &labels, type: subject.type) { return }
        while true {
            body.skipBlanks(&offset)
            if body[offset] == 0x7D { break }
            let start = offset
            let name = try body.readName(&offset, .label, hash)
            guard !name.isEmpty else { throw Flaw(.labelNameExpected, found: start) }
            let end = offset
            body.skipBlanks(&offset)
            if body[offset] == 0x3D {
                try readLabel(body, &offset, name, start..<end, of: &subject)
                body.skipBlanks(&offset)
            } else {
                try checkNameEnd(body, offset, start..<end, nameAt: nameAt)
            }
            guard body[offset] == 0x2C else { break }
            offset &+= 1
            if nameAt == nil, isPlain(subject) { lastLabels.keep(labels, behindComma: offset) }
        }
        guard body[offset] == 0x7D else { throw Flaw(.labelEndExpected, found: offset) }
        offset &+= 1
        if nameAt == nil, isPlain(subject) { lastLabels.keep(labels, behindBrace: offset) }
    }

    /// Whether the labels read so far are nothing but labels, and right.
    @inline(__always)
    private func isPlain(_ subject: Subject) -> Bool { misgiving == nil && subject.bound == nil }

    /// Reads from the equals sign behind a label name to the quote behind the value.
    @inline(__always)
    private mutating func readLabel(
        _ body: Span<UInt8>, _ offset: inout Int, _ name: Name, _ range: Range<Int>,
        of subject: inout Subject
    ) throws(Flaw) {
        let equals = offset
        let type = subject.type
        let isBound = type.isDistribution && type.isBound(name, in: body)
        try admit(name, range, equals, isBound: isBound, in: body)
        offset &+= 1
        body.skipBlanks(&offset)
        guard body[offset] == 0x22 else { throw Flaw(.quoteExpected, found: offset) }
        offset &+= 1
        let value = try body.readLabelValue(&offset, hash)
        if value.range.count > rules.labelValueBytesMax {
            let reason = Complaint.Reason.labelValueTooLong(max: rules.labelValueBytesMax)
            let flaw = Flaw(
                reason, at: value.range.lowerBound, readTo: equals, showing: value.range)
            misgiving = misgiving ?? flaw
        }
        guard isBound else {
            let pair = hash.pair(name.hash, value.hash)
            if group.mayHave(name.hash) {
                let isGiven = compare(name, range, value.range, in: body)
                if isGiven { return labels.ignore(pair) }
            }
            if value.range.isEmpty && name.isEqual(to: "instance", in: body) {
                return labels.ignore(pair)
            }
            return labels.add(pair)
        }
        guard let bound = Float(body, in: value.range) else {
            throw Flaw(
                type == .summary ? .quantileInvalid : .boundInvalid, at: value.range.lowerBound,
                readTo: offset &- 1, showing: value.range)
        }
        subject.bound = bound
    }

    /// Whether the group has a label of this name. If so, its value must be the group's; an empty
    /// one is as good as none.
    @inline(never)
    private mutating func compare(
        _ name: Name, _ range: Range<Int>, _ value: Range<Int>, in body: Span<UInt8>
    ) -> Bool {
        guard rules.demandsPushable, let number = group.number(of: name, in: body) else {
            return false
        }
        if value.isEmpty || group.isValue(value, of: number, in: body) { return true }
        switch rules.labelConflicts {
        case .refused:
            doubt(
                .labelContradictsGroup(label: number), at: value.lowerBound,
                showing: range.lowerBound..<value.upperBound &+ 1)
        case .overwritten: labels.noteOverwritten()
        }
        return true
    }

    /// Takes the name of a label into the set.
    @inline(__always)
    private mutating func admit(
        _ name: Name, _ range: Range<Int>, _ equals: Int, isBound: Bool, in body: Span<UInt8>
    ) throws(Flaw) {
        if name.isQuoted || body[range.lowerBound] == 0x5F, name.hasPrefix("__", in: body) {
            try checkReserved(name, range, equals, in: body)
            doubt(.labelNamePrivate, at: range.lowerBound, showing: range)
        }
        try checkName(name, .label, from: range.lowerBound, to: equals, in: body)
        if isBound { return }
        guard labels.count < rules.sampleLabelsMax else {
            throw Flaw(
                .tooManyLabels(max: rules.sampleLabelsMax), at: range.lowerBound, readTo: equals,
                showing: range)
        }
        guard labels.insert(name, in: body) else {
            throw Flaw(.labelNameRepeated, at: range.lowerBound, readTo: equals, showing: range)
        }
    }

    private func checkReserved(
        _ name: Name, _ range: Range<Int>, _ equals: Int, in body: Span<UInt8>
    ) throws(Flaw) {
        guard name.isEqual(to: "__name__", in: body) else { return }
        throw Flaw(.labelNameReserved, at: range.lowerBound, readTo: equals, showing: range)
    }

    /// What stands in braces without a value must be the metric's name.
    private func checkNameEnd(
        _ body: Span<UInt8>, _ offset: Int, _ name: Range<Int>, nameAt: Int?
    ) throws(Flaw) {
        guard let nameAt else { throw Flaw(.equalsExpected, found: offset) }
        guard name.lowerBound == nameAt else {
            throw Flaw(.metricNameRepeated, at: offset, readTo: offset, showing: name)
        }
        guard body[offset] == 0x2C || body[offset] == 0x7D else {
            throw Flaw(.metricNameEndExpected, found: offset)
        }
    }

    /// Reads a line like `{"name",label="value"}` up to the closing brace. The name may be anywhere, so
    /// it is looked for first: what the labels mean depends on it.
    @inline(never)
    mutating func readNameInBraces(
        _ body: Span<UInt8>, _ offset: inout Int
    ) throws(Flaw) -> Subject {
        let brace = offset
        offset &+= 1
        lastLabels = LastLabels()  // The names it counts on are overwritten below.
        let (name, range) = try findName(body, from: offset)
        let memory = current
        if let family = memory.family, families[family].type?.isDistribution == true {
            current.hasLabels = true
        }
        let meaning = try family(of: name, from: range.lowerBound, to: range.upperBound, in: body)
        var subject = settle(meaning, range)
        current.family = subject.family
        try readLabels(body, &offset, of: &subject, nameAt: range.lowerBound)
        let isFirst = body.isBlank(from: brace &+ 1, to: range.lowerBound)
        try checkPlace(of: subject, isFirst: isFirst, memory, readTo: offset &- 1)
        return subject
    }

    /// The parser starts a line in braces with what it remembers of the line before. When that was of
    /// another family, it crashes on the labels of a summary or histogram, or puts the line into a
    /// metric of that other family, or takes `le` and `quantile` for ordinary labels.
    private func checkPlace(
        of subject: Subject, isFirst: Bool, _ memory: ParserMemory, readTo: Int
    ) throws(Flaw) {
        guard subject.type.isDistribution, memory.family != subject.family else { return }
        let isRightlyPlaced = isFirst && !current.hasLabels
        let isHarmless = labels.count == 0 && (isRightlyPlaced || !rules.demandsPushable)
        guard !isHarmless else { return }
        throw Flaw(
            .metricNameMisplaced, at: subject.name.lowerBound, readTo: readTo,
            showing: subject.name)
    }

    /// Goes through the elements between braces as far as the one without '='.
    private func findName(
        _ body: Span<UInt8>, from start: Int
    ) throws(Flaw) -> (name: Name, range: Range<Int>) {
        var offset = start
        while true {
            body.skipBlanks(&offset)
            if body[offset] == 0x7D { break }
            let start = offset
            let name = try body.readName(&offset, .label, hash)
            guard !name.isEmpty else { throw Flaw(.labelNameExpected, found: start) }
            let range = start..<offset
            body.skipBlanks(&offset)
            if body[offset] != 0x3D {
                try checkNameEnd(body, offset, range, nameAt: start)
                try checkName(name, .metric, from: start, to: offset, in: body)
                return (name, range)
            }
            try checkReserved(name, range, offset, in: body)
            offset &+= 1
            body.skipBlanks(&offset)
            guard body[offset] == 0x22 else { throw Flaw(.quoteExpected, found: offset) }
            offset &+= 1
            _ = try body.readLabelValue(&offset, hash)
            body.skipBlanks(&offset)
            guard body[offset] == 0x2C else { break }
            offset &+= 1
        }
        guard body[offset] == 0x7D else { throw Flaw(.labelEndExpected, found: offset) }
        let brace = start &- 1
        throw Flaw(.metricNameMissing, at: brace, readTo: offset, showing: brace..<start)
    }
}

extension Span<UInt8> {
    fileprivate func isBlank(from start: Int, to end: Int) -> Bool {
        for offset in start..<end where !self[offset].isBlank { return false }
        return true
    }
}
