extension Validator {
    /// Reads the labels behind an opening brace, and moves behind the closing one. `nameAt` is where,
    /// in a line like `{"name",label="value"}`, the metric name stands that is known already.
    mutating func readLabels(
        _ body: Span<UInt8>, _ offset: inout Int, nameAt: Int? = nil
    ) throws(Flaw) {
        let start = offset
        let bound = subject.type.boundLabel
        guard var walk = lastLabels.begin(body, &offset, &labels, bound: bound) else {
            return noteHead(from: start)
        }
        var isLast = false
        while !isLast {
            let start = offset
            var isBound = false
            if lastLabels.follow(&walk, body, &offset) {
                isBound = lastLabels.isBound(at: walk)
                if !isBound { labels.repeatName() }
            } else {
                body.skipBlanks(&offset)
                if body[offset] == 0x7D { break }
                let element = try readLabelName(body, &offset, bound, nameAt: nameAt)
                guard let element else {
                    isLast = try endElement(body, &offset)
                    continue
                }
                isBound = element.isBound
                lastLabels.meet(element.name, start..<offset, isBound: isBound, &walk)
            }
            if isBound {
                labels.mark.bound = try readBound(body, &offset, bound)
            } else {
                try readValue(body, &offset, of: lastLabels.name(of: walk), from: start)
            }
            isLast = try endElement(body, &offset)
            lastLabels.keep(end: isLast ? offset &+ 1 : offset, labels, &walk)
        }
        offset &+= 1
        guard misgiving == nil && nameAt == nil else { return }
        lastLabels.end(walk, isWhole: isLast)
        noteHead(from: start)
    }

    /// Notes what a line whose labels start here may have in common with the next bucket.
    @inline(__always)
    private mutating func noteHead(from start: Int) {
        guard subject.type.isDistribution else { return }
        sample.headLength = lastLabels.lastBound(from: start) &- sample.start
    }

    /// Moves behind the comma that follows a label, or to the closing brace, which makes it the last.
    @inline(__always)
    private func endElement(_ body: Span<UInt8>, _ offset: inout Int) throws(Flaw) -> Bool {
        if body[offset] <= 0x20 { body.skipBlanks(&offset) }
        let byte = body[offset]
        if byte == 0x2C {
            offset &+= 1
            return false
        }
        guard byte == 0x7D else { throw Flaw(.labelEndExpected, found: offset) }
        return true
    }

    /// Reads a label name, and moves behind the opening quote of the value. Nil when it is the
    /// metric's name that stands here.
    @inline(never)
    private mutating func readLabelName(
        _ body: Span<UInt8>, _ offset: inout Int, _ bound: BoundLabel, nameAt: Int?
    ) throws(Flaw) -> (name: Name, isBound: Bool)? {
        let start = offset
        let name = try body.readName(&offset, .label, hash)
        guard !name.isEmpty else { throw Flaw(.labelNameExpected, found: start) }
        let range = start..<offset
        body.skipBlanks(&offset)
        guard body[offset] == 0x3D else {
            try checkNameEnd(body, offset, range, nameAt: nameAt)
            return nil
        }
        let isBound = bound.isName(name, in: body)
        try admit(name, range, offset, isBound: isBound, in: body)
        offset &+= 1
        body.skipBlanks(&offset)
        guard body[offset] == 0x22 else { throw Flaw(.quoteExpected, found: offset) }
        offset &+= 1
        return (name, isBound)
    }

    /// Reads a value, and takes the label into the set. The label starts at `start`.
    @inline(__always)
    private mutating func readValue(
        _ body: Span<UInt8>, _ offset: inout Int, of name: Name, from start: Int
    ) throws(Flaw) {
        let valueStart = offset
        let pair = try body.readLabelValue(&offset, hash, seed: name.hash)
        let length = offset &- 1 &- valueStart
        if length > rules.labelValueBytesMax { doubtLength(of: valueStart..<offset &- 1) }
        if length == 0 || group.mayHave(name.hash) {
            let isGiven = compare(name, from: start, valueStart..<offset &- 1, in: body)
            if isGiven { return labels.ignore(pair) }
        }
        labels.add(pair)
    }

    /// Reads the value of a quantile or an upper bound.
    @inline(__always)
    private mutating func readBound(
        _ body: Span<UInt8>, _ offset: inout Int, _ bound: BoundLabel
    ) throws(Flaw) -> Float {
        let start = offset
        if body.skipPlainDecimal(&offset), body[offset] == 0x22,
            offset &- start <= rules.labelValueBytesMax
        {
            offset &+= 1
            return .notNegative
        }
        offset = start
        return try readRareBound(body, &offset, bound)
    }

    @inline(never)
    private mutating func readRareBound(
        _ body: Span<UInt8>, _ offset: inout Int, _ bound: BoundLabel
    ) throws(Flaw) -> Float {
        let start = offset
        _ = try body.readLabelValue(&offset, hash, seed: hash.begin)
        let value = start..<offset &- 1
        if value.count > rules.labelValueBytesMax { doubtLength(of: value) }
        guard let float = Float(body, in: value) else {
            throw Flaw(
                bound == .quantile ? .quantileInvalid : .boundInvalid, at: start,
                readTo: value.upperBound, showing: value)
        }
        return float
    }

    @inline(never)
    private mutating func doubtLength(of value: Range<Int>) {
        let flaw = Flaw(
            .labelValueTooLong(max: rules.labelValueBytesMax), at: value.lowerBound,
            readTo: value.upperBound, showing: value)
        misgiving = misgiving ?? flaw
    }

    /// Whether the Pushgateway gives every sample a label of this name. If the group has it, the value
    /// must be the group's; an empty one is as good as none.
    @inline(never)
    private mutating func compare(
        _ name: Name, from start: Int, _ value: Range<Int>, in body: Span<UInt8>
    ) -> Bool {
        guard rules.demandsPushable, let number = group.number(of: name, in: body) else {
            return value.isEmpty && name.isEqual(to: "instance", in: body)
        }
        if value.isEmpty || group.isValue(value, of: number, in: body) { return true }
        switch rules.labelConflicts {
        case .refused:
            var start = start
            body.skipBlanks(&start)
            doubt(
                .labelContradictsGroup(label: number), at: value.lowerBound,
                showing: start..<value.upperBound &+ 1)
        case .overwritten: labels.mark.isOverwritten = true
        }
        return true
    }

    /// Takes the name of a label into the set.
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
    ) throws(Flaw) {
        let brace = offset
        offset &+= 1
        lastLabels.removeAll()  // The names it counts on are overwritten below.
        let (name, range) = try findName(body, from: offset)
        let familyBefore = subject.family
        if familyBefore >= 0, families[familyBefore].type?.isDistribution == true {
            hasReadLabels = true
        }
        try know(name, from: range.lowerBound, to: range.upperBound, in: body)
        lastName = .none  // It may have been read with the rules for labels.
        sample.name = range
        settle()
        try readLabels(body, &offset, nameAt: range.lowerBound)
        guard subject.type.isDistribution, familyBefore != subject.family else { return }
        let isFirst = body.isBlank(from: brace &+ 1, to: range.lowerBound)
        try checkPlace(isFirst: isFirst, readTo: offset &- 1)
    }

    /// The parser starts a line in braces with what it remembers of the line before. When that was of
    /// another family, it crashes on the labels of a summary or histogram, or puts the line into a
    /// metric of that other family, or takes `le` and `quantile` for ordinary labels.
    private func checkPlace(isFirst: Bool, readTo: Int) throws(Flaw) {
        let isRightlyPlaced = isFirst && !hasReadLabels
        let isHarmless = labels.count == 0 && (isRightlyPlaced || !rules.demandsPushable)
        guard !isHarmless else { return }
        throw Flaw(
            .metricNameMisplaced, at: sample.name.lowerBound, readTo: readTo,
            showing: sample.name)
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
            _ = try body.readLabelValue(&offset, hash, seed: hash.begin)
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
