/// What is kept of a body's `MetricFamily` messages.
struct FamilyMessages: ~Copyable, Sendable {
    /// One for each name, with the same number as in `Families`.
    fileprivate var records = Records<FamilyMessage>()
    /// The name in the message being judged, as far as one was found: a person looks for that, and
    /// not for the message with some number.
    var name = 0..<0

    var storageBytes: Int { records.storageBytes }

    mutating func removeAll() {
        records.removeAll()
        name = 0..<0
    }
}

/// A message whose form is right and whose name and type are some.
struct FamilyMessage {
    /// The number of the message, from 1, and where its length starts.
    let number: Int
    let start: Int
    let type: FamilyType
    let name: Name
    let help: Stretch?
    var samples = 0
    var overwritten = 0
}

extension Validator {
    /// Judges the message that `content` is, whose length stands at `start`. Its metrics are judged one
    /// by one, once the name and the type are known, which may stand behind them.
    mutating func judgeFamily(
        _ content: Range<Int>, messageAt start: Int, in body: Span<UInt8>
    ) {
        messages.name = 0..<0
        do throws(Flaw) {
            let message = try readFamily(content, messageAt: start, in: body)
            let family = try enter(message, in: body)
            try judgeMetrics(content, of: family, in: body)
        } catch {
            complain(error, in: body, lineStart: start)
        }
    }

    /// Reads everything but the metrics.
    private mutating func readFamily(
        _ content: Range<Int>, messageAt start: Int, in body: Span<UInt8>
    ) throws(Flaw) -> FamilyMessage {
        var reader = FieldReader(.metricFamily, content)
        var (name, help): (Range<Int>?, Range<Int>?)
        // In proto2 a missing enumeration is its first value.
        var type = FamilyType.counter
        var unknown: Flaw?
        var hasMetrics = false
        while let field = try reader.next(in: body) {
            switch field.number {
            case 1:
                name = field.content
                messages.name = field.content
            case 2: help = field.content
            case 3:
                if let known = FamilyType(enumeration: field.value) {
                    type = known
                } else {
                    let reason = Complaint.Reason.typeNumberUnknown(field.value)
                    unknown = Flaw(reason, in: field.start..<field.start)
                }
            case 4: hasMetrics = true
            default: continue
            }
        }
        guard let name, !name.isEmpty else { throw Flaw(.familyNameMissing, in: content) }
        let familyName = Name(name, hash: hash(body, name))
        try checkText(name)
        guard body.isName(familyName, .metric, allowsUTF8: rules.allowsUTF8Names) else {
            throw Flaw(.metricNameInvalid, in: name)
        }
        if let unknown { throw unknown }
        if let help {
            try checkText(help)
            // The Pushgateway would take it, but no Prometheus could read what it then shows.
            if let offset = body.firstNonUTF8(in: help) {
                throw Flaw(.helpInvalid, in: offset..<offset &+ 1)
            }
        }
        // The Pushgateway keeps it and shows it to nobody, and whoever then pushes a family of that name
        // and another type is refused.
        if !hasMetrics && rules.demandsPushable { throw Flaw(.familyEmpty, in: name) }
        return FamilyMessage(
            number: line, start: start, type: type, name: familyName,
            help: help.map { Stretch($0) })
    }

    /// In the text format, names and help stand in a line, and are as long as it at most.
    func checkText(_ range: Range<Int>) throws(Flaw) {
        guard range.count > rules.lineBytesMax else { return }
        throw Flaw(.textTooLong(max: rules.lineBytesMax), in: range)
    }

    /// Takes a family in, and gives its number. The Pushgateway keeps the last of several messages with
    /// one name, without a word, so what the one before held no longer counts.
    private mutating func enter(
        _ message: FamilyMessage, in body: Span<UInt8>
    ) throws(Flaw) -> Int {
        guard let meaning = families.named(message.name, in: body, max: rules.seriesMax) else {
            throw Flaw(.tooManyFamilies(max: rules.seriesMax), in: message.name.range)
        }
        let family = meaning.family
        guard family < messages.records.count else {
            messages.records.append(message)
            return family
        }
        let replaced = messages.records[family]
        samples &-= replaced.samples
        overwritten &-= replaced.overwritten
        if replaced.samples > 0 { familiesWithSamples &-= 1 }
        messages.records[family] = message
        return family
    }

    /// Judges each metric of a family. One that is wrong does not hide the next.
    private mutating func judgeMetrics(
        _ content: Range<Int>, of family: Int, in body: Span<UInt8>
    ) throws(Flaw) {
        var message = messages.records[family]
        series.removeAll()  // Two families have no series in common.
        var reader = FieldReader(.metricFamily, content)
        while let field = try reader.next(in: body) {
            guard field.number == 4 else { continue }
            do throws(Flaw) {
                try judgeMetric(field, of: &message, in: body)
            } catch {
                complain(error, in: body, lineStart: message.start)
            }
        }
        if message.samples > 0 { familiesWithSamples &+= 1 }
        messages.records[family] = message
    }

    /// Holds the families of the whole body against each other and against the Pushgateway's own.
    mutating func judgeClashes(_ body: Span<UInt8>) {
        for family in 0..<messages.records.count {
            let message = messages.records[family]
            families.declare(family, message.type)
            families[family].help = message.help
            families[family].hasSamples = true
            guard rules.demandsPushable else { continue }
            messages.name = message.name.range
            line = message.number
            let range = message.name.range
            do throws(Flaw) {
                try admit(
                    family, message.type, at: range, in: body, line: message.number,
                    lineStart: message.start)
            } catch {
                complain(error, in: body, lineStart: message.start)
            }
        }
        messages.name = 0..<0
    }
}

extension FamilyType {
    /// The type with this number in the schema. That of gauge histograms is left out: older
    /// Pushgateways take one, and from then on can show neither it nor anything behind it.
    fileprivate init?(enumeration value: UInt64) {
        switch value {
        case 0: self = .counter
        case 1: self = .gauge
        case 2: self = .summary
        case 3: self = .untyped
        case 4: self = .histogram
        default: return nil
        }
    }
}
