extension Validator {
    /// Takes in the sample whose line was read last and is right: its family may clash, and the series
    /// may be there.
    @inline(__always)
    mutating func register(in body: Span<UInt8>, line: Int, lineStart: Int) throws(Flaw) {
        guard samples < rules.seriesMax else {
            if isFull { return }
            isFull = true
            throw Flaw(
                .tooManySeries(max: rules.seriesMax), at: sample.start, readTo: sample.end,
                showing: sample.name)
        }
        samples &+= 1
        if !subject.isAdmitted { try admit(in: body, line: line, lineStart: lineStart) }
        if rules.demandsPushable { try enter(in: body, line: line) }
        guard sample.headLength > 0, !labels.mark.isOverwritten, rules.labelValueBytesMax >= 200
        else { return }
        bucketHead = BucketHead(start: sample.start, length: sample.headLength)
    }

    /// Enters the series of a sample, unless it is there.
    @inline(__always)
    private mutating func enter(in body: Span<UInt8>, line: Int) throws(Flaw) {
        if labels.mark.isOverwritten { overwritten &+= 1 }
        let family = UInt64(truncatingIfNeeded: subject.family)
        let new = SeriesTable.Series(
            hash: hash.pair(family, labels.mark.hash), ignored: labels.mark.ignored,
            start: UInt32(truncatingIfNeeded: sample.start), line: UInt32(truncatingIfNeeded: line))
        if let old = series.insert(new) { try checkRepeated(old, in: body) }
    }

    /// Decides whether a series with a known hash may stand. The lines of a summary or histogram with
    /// the very same labels, as written, are parts of one metric.
    @inline(__always)
    private func checkRepeated(
        _ old: SeriesTable.Series, in body: Span<UInt8>
    ) throws(Flaw) {
        if subject.type.isDistribution && old.ignored == labels.mark.ignored { return }
        if hasRoomForComplaints {
            let isSame = body.haveSameLabels(
                Int(old.start), sample.start, subject.type, group, hash)
            if !isSame { return }
        }
        throw Flaw(
            .seriesRepeated(line: Int(old.line)), at: sample.start, readTo: sample.end,
            showing: sample.name)
    }
}

extension Validator {
    /// Takes in the family of a sample, if this is its first.
    @inline(never)
    private mutating func admit(in body: Span<UInt8>, line: Int, lineStart: Int) throws(Flaw) {
        subject.isAdmitted = true
        guard !families[subject.family].hasSamples else { return }
        families[subject.family].hasSamples = true
        familiesWithSamples &+= 1
        guard rules.demandsPushable else { return }
        try admit(
            subject.family, subject.type, at: sample.start..<sample.end, in: body, line: line,
            lineStart: lineStart)
    }

    /// Refuses a family that the Pushgateway will not have beside the others or beside its own.
    /// - Parameter place: from where its first sample starts to where that ends.
    @inline(never)
    mutating func admit(
        _ family: Int, _ type: FamilyType, at place: Range<Int>, in body: Span<UInt8>, line: Int,
        lineStart: Int
    ) throws(Flaw) {
        let name = families[family].name
        func flaw(_ reason: Complaint.Reason) -> Flaw {
            Flaw(reason, at: place.lowerBound, readTo: place.upperBound, showing: name.range)
        }
        // The gateway's own time stamps: a family of another type under this name would make every
        // later push to a new group fail.
        if name.isEqual(to: "push_time_seconds", in: body)
            || name.isEqual(to: "push_failure_time_seconds", in: body)
        {
            throw flaw(.pushTimeGiven)
        }
        if let number = ownFamilies.number(of: name, in: body) {
            let own = ownFamilies.families[number]
            guard own.type == type else {
                throw flaw(.typeContradicted(given: type, own: own.type))
            }
            if own.help != nil {
                helpDemands.append(
                    HelpDemand(
                        family: family, own: number, line: line, lineStart: lineStart,
                        flaw: flaw(.helpContradicted)))
            }
        }
        if group.binds(type) { throw flaw(.boundInGroup(type)) }
        if let asPart = NameAsPart(name, in: body) {
            let isPart = ownFamilies.have(asPart, in: body) || families.have(asPart, in: body)
            if isPart { throw flaw(.suffixTaken) }
        }
        if type.isDistribution, families.hasPartNames || ownFamilies.hasPartNames {
            let hasPart = hasPart(name, type, in: body)
            if hasPart { throw flaw(.suffixTaken) }
        }
    }

    /// Whether another family has a name that this one's count, sum or buckets have.
    private mutating func hasPart(_ name: Name, _ type: FamilyType, in body: Span<UInt8>) -> Bool {
        for (part, suffix) in Part.suffixes where type.has(part) {
            scratch.removeAll(keepingCapacity: true)
            for index in 0..<name.count { scratch.append(name.byte(index, of: body)) }
            for index in 0..<suffix.utf8CodeUnitCount {
                unsafe scratch.append(suffix.utf8Start[index])
            }
            if ownFamilies.has(scratch.span) { return true }
            if let other = families.exactly(scratch.span, in: body), families[other].hasSamples {
                return true
            }
        }
        return false
    }
}

extension FamilyType {
    /// Whether a family of this type shows its metrics under the suffix of `part` too.
    func has(_ part: Part) -> Bool {
        switch self {
        case .summary: part == .count || part == .sum
        case .histogram: part != .whole
        case .counter, .gauge, .untyped, .gaugeHistogram: false
        }
    }
}

extension Span<UInt8> {
    /// Compares the labels of two lines byte by byte.
    fileprivate func haveSameLabels(
        _ first: Int, _ second: Int, _ type: FamilyType, _ group: GroupLabels, _ hash: KeyedHash
    ) -> Bool {
        let firstPairs = pairs(inLineAt: first, type, group, hash)
        let secondPairs = pairs(inLineAt: second, type, group, hash)
        guard firstPairs.count == secondPairs.count else { return false }
        for pair in firstPairs {
            let isThere = secondPairs.contains {
                $0.name.isEqual(to: pair.name, in: self)
                    && $0.value.count == pair.value.count
                    && isEqual(
                        $0.value.lowerBound, pair.value.lowerBound, count: pair.value.count)
            }
            if !isThere { return false }
        }
        return true
    }

    /// The labels that tell series apart, in a line that was read before and was right.
    private func pairs(
        inLineAt start: Int, _ type: FamilyType, _ group: GroupLabels, _ hash: KeyedHash
    ) -> [(name: Name, value: Range<Int>)] {
        var pairs: [(name: Name, value: Range<Int>)] = []
        var offset = start
        do throws(Flaw) {
            _ = try readName(&offset, .metric, hash)
            skipBlanks(&offset)
            guard self[offset] == 0x7B else { return [] }
            repeat {
                offset &+= 1
                skipBlanks(&offset)
                let name = try readName(&offset, .label, hash)
                skipBlanks(&offset)
                guard self[offset] == 0x3D else { continue }
                offset &+= 1
                skipBlanks(&offset)
                offset &+= 1
                let start = offset
                _ = try readLabelValue(&offset, hash, seed: hash.begin)
                let value = start..<offset &- 1
                skipBlanks(&offset)
                let isGiven =
                    group.number(of: name, in: self) != nil
                    || value.isEmpty && name.isEqual(to: "instance", in: self)
                if !isGiven && !type.boundLabel.isName(name, in: self) {
                    pairs.append((name, value))
                }
            } while self[offset] == 0x2C
        } catch {
            // Not for a line that was right.
        }
        return pairs
    }
}
