/// What a `Metric` message turned out to hold.
private struct Metric {
    /// As many lines as the text format would have for it; nil until the value has been read.
    var samples: Int?
    /// Whether a label says something else than the group, where that is allowed.
    var isOverwritten = false
}

extension Validator {
    /// Judges one metric of a family, and counts what it holds.
    mutating func judgeMetric(
        _ field: Field, of message: inout FamilyMessage, in body: Span<UInt8>
    ) throws(Flaw) {
        let metric = try readMetric(field, of: message.type, in: body)
        guard let lines = metric.samples else {
            throw Flaw(.valueMissing(message.type), in: field.start..<field.start)
        }
        guard lines <= rules.seriesMax &- samples else {
            if isFull { return }
            isFull = true
            throw Flaw(.tooManySeries(max: rules.seriesMax), in: field.start..<field.start)
        }
        samples &+= lines
        message.samples &+= lines
        guard rules.demandsPushable else { return }
        if metric.isOverwritten {
            overwritten &+= lines
            message.overwritten &+= lines
        }
        let new = SeriesTable.Series(
            hash: labels.mark.hash, ignored: 0,
            start: UInt32(truncatingIfNeeded: field.start), line: UInt32(truncatingIfNeeded: line))
        if let old = series.insert(new) {
            let byte = Int(old.start) &- message.start &+ 1
            throw Flaw(.metricRepeated(byte: byte), in: field.start..<field.start)
        }
    }

    /// Reads the labels and the value, in whatever order they come.
    private mutating func readMetric(
        _ metric: Field, of type: FamilyType, in body: Span<UInt8>
    ) throws(Flaw) -> Metric {
        labels.removeAll()
        var read = Metric()
        var reader = FieldReader(.metric, metric.content)
        while let field = try reader.next(in: body) {
            switch field.number {
            case 1:
                if try readLabel(field, of: type, in: body) { read.isOverwritten = true }
            case 6:
                guard rules.demandsPushable else { continue }
                throw Flaw(.metricTimestamped, in: field.start..<field.start)
            default:
                guard let given = FamilyType(valueIn: field.number) else { continue }
                let lines = try readValue(field, of: given, in: body)
                // The Pushgateway looks only at the value that the type calls for.
                guard given == type else {
                    let reason = Complaint.Reason.valueContradicted(given: given, type: type)
                    throw Flaw(reason, in: field.start..<field.start)
                }
                read.samples = lines
            }
        }
        return read
    }

    /// Reads a value of this type, and gives the lines that the text format would have for it.
    private func readValue(
        _ field: Field, of type: FamilyType, in body: Span<UInt8>
    ) throws(Flaw) -> Int {
        switch type {
        case .counter: try body.checkForm(of: .counter, field.content)
        case .gauge: try body.checkForm(of: .gauge, field.content)
        case .untyped: try body.checkForm(of: .untyped, field.content)
        case .summary: return try body.readSummary(field.content)
        case .histogram, .gaugeHistogram:
            return try body.readHistogram(field.content, name: messages.name)
        }
        return 1
    }

    /// Takes a label into the set. True when the group will write another value over it.
    private mutating func readLabel(
        _ pair: Field, of type: FamilyType, in body: Span<UInt8>
    ) throws(Flaw) -> Bool {
        var reader = FieldReader(.labelPair, pair.content)
        var (nameRange, value) = (pair.content.lowerBound..<pair.content.lowerBound, 0..<0)
        while let field = try reader.next(in: body) {
            if field.number == 1 { nameRange = field.content } else { value = field.content }
        }
        let name = Name(nameRange, hash: hash(body, nameRange))
        try admit(name, of: type, in: body)
        guard value.count <= rules.labelValueBytesMax else {
            throw Flaw(.labelValueTooLong(max: rules.labelValueBytesMax), in: value)
        }
        if let offset = body.firstNonUTF8(in: value) {
            throw Flaw(.labelValueInvalid, in: offset..<offset &+ 1)
        }
        if rules.demandsPushable, let number = group.number(of: name, in: body) {
            // An empty value is as good as no label.
            if value.isEmpty || group.isDecodedValue(value, of: number, in: body) { return false }
            guard rules.labelConflicts == .refused else { return true }
            throw Flaw(.labelContradictsGroup(label: number), in: nameRange)
        }
        // The Pushgateway gives an empty one to every sample that has none.
        if value.isEmpty && name.isEqual(to: "instance", in: body) { return false }
        labels.add(hash.pair(name.hash, hash(body, value)))
        return false
    }

    /// Takes the name of a label into the set, if it may stand there.
    private mutating func admit(
        _ name: Name, of type: FamilyType, in body: Span<UInt8>
    ) throws(Flaw) {
        let range = name.range
        try checkText(range)
        guard body.isName(name, .label, allowsUTF8: rules.allowsUTF8Names) else {
            throw Flaw(.labelNameInvalid, in: range)
        }
        if name.hasPrefix("__", in: body) {
            if name.isEqual(to: "__name__", in: body) { throw Flaw(.labelNameReserved, in: range) }
            if rules.demandsPushable { throw Flaw(.labelNamePrivate, in: range) }
        }
        // The Pushgateway adds it to each quantile and bucket, so they would have it twice.
        if type.boundLabel.isName(name, in: body) {
            throw Flaw(.boundAmongLabels(type), in: range)
        }
        guard labels.count < rules.sampleLabelsMax else {
            throw Flaw(.tooManyLabels(max: rules.sampleLabelsMax), in: range)
        }
        guard labels.insert(name, in: body) else { throw Flaw(.labelNameRepeated, in: range) }
    }
}

extension FamilyType {
    /// The type of the value that a field of a `Metric` holds.
    fileprivate init?(valueIn field: UInt32) {
        switch field {
        case 2: self = .gauge
        case 3: self = .counter
        case 4: self = .summary
        case 5: self = .untyped
        case 7: self = .histogram
        default: return nil
        }
    }
}
