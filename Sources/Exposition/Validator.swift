/// Whether a body is one that a Pushgateway takes, and if not, why not.
///
/// Text exposition format 0.0.4 it reads as Pushgateway's own parser does (prometheus/common 0.69,
/// legacy names), line by line, and keeps what the parser and the checks behind it would know: the
/// families, and which series there were. All of it is ranges into the body and hashes. Nothing is
/// allocated for a line that is right, and the tables keep their storage from body to body.
///
/// A line that is wrong does not hide the next: reading goes on behind its line feed. Delimited
/// protobuf is read message by message, and metric by metric within one.
///
///     var validator = Validator()
///     validator.group.append(name: "job", value: "backup")
///     validator.validate(body.span, isComplete: true)  // or again and again, as the body grows
///     for complaint in validator.complaints {
///         print("\(complaint.place): \(complaint.message)")
///     }
///     validator.reset()  // ready for the next body; the tables keep their storage
///
/// Knows no file, socket, clock or thread. A value of it belongs to one body at a time.
public struct Validator: ~Copyable, Sendable {
    /// Offsets are kept in 32 bits.
    public static let bodyBytesMax = Int(Int32.max) - 1

    /// The first of the complaints, in the order of their lines.
    public private(set) var complaints: [Complaint] = []

    /// The group that the body is for. Empty when it is for none, as when somebody asks only whether
    /// it is well written. Set it before the first `validate`; `reset` forgets it.
    public var group = GroupLabels()

    let rules: Rules
    let ownFamilies: OwnFamilies
    let hash = KeyedHash.ofProcess

    var families = Families()
    var series = SeriesTable()
    /// The labels of the line being read.
    var labels = LabelSet()
    /// What is wrong with the line being read if nothing worse comes.
    var misgiving: Flaw?

    /// The name of the line before, which most lines repeat, and what it means.
    var lastName = Name.none
    var subject = Subject()
    var lastLabels = LastLabels()
    var bucketHead = BucketHead.none
    var sample = SamplePlaces()
    /// Whether any line of a summary or histogram has gone before. The Pushgateway's parser does not
    /// forget that, which matters to names in braces.
    var hasReadLabels = false

    /// How the body is written.
    private(set) var format = Format.text
    var messages = FamilyMessages()
    /// Samples with a label that the group overwrites.
    var overwritten = 0

    /// Where the first line, or message, starts that is not judged yet.
    var judged = 0
    private var lines = CompleteLines()
    /// The number of the line, or message, being judged.
    var line = 0
    var isFinished = false

    var samples = 0
    var familiesWithSamples = 0
    private var complaintCount = 0
    /// How much of the body complaints may still show.
    private var evidenceBytesLeft = 0
    /// Whether `tooManySeries` was said.
    var isFull = false
    /// Families whose HELP must equal the Pushgateway's, once all of the body is known.
    var helpDemands: [HelpDemand] = []
    /// Where a name is put together that stands nowhere in the body.
    var scratch: [UInt8] = []

    public init(rules: Rules = Rules()) {
        self.rules = rules
        evidenceBytesLeft = rules.evidenceBytesMax
        ownFamilies = OwnFamilies(rules.demandsPushable ? rules.ownFamilies : [])
    }

    /// What was found so far.
    public struct Summary: Sendable, Equatable {
        public var samples: Int
        /// Families with at least one sample; the others are as good as not there.
        public var families: Int
        /// All complaints, also those of which no text was kept.
        public var complaints: Int
        /// Samples with a label that the group overwrites, where that is allowed.
        public var overwritten = 0

        public init(samples: Int, families: Int, complaints: Int) {
            self.samples = samples
            self.families = families
            self.complaints = complaints
        }
    }

    public var summary: Summary {
        var summary = Summary(
            samples: samples, families: familiesWithSamples, complaints: complaintCount)
        summary.overwritten = overwritten
        return summary
    }

    /// Whether nothing wrong was found. Stands once the body was judged as complete.
    public var isValid: Bool { complaintCount == 0 }

    /// Forgets the last body and its group, keeps the tables' storage. The next body is written in
    /// `format`.
    public mutating func reset(for format: Format = .text) {
        self.format = format
        messages.removeAll()
        if !complaints.isEmpty { complaints.removeAll(keepingCapacity: true) }
        if !group.isEmpty { group.removeAll() }
        families.removeAll()
        series.removeAll()
        lastName = .none
        lastLabels.removeAll()
        bucketHead = .none
        (subject, hasReadLabels) = (Subject(), false)
        (judged, lines, line, isFinished) = (0, CompleteLines(), 0, false)
        (samples, familiesWithSamples, overwritten) = (0, 0, 0)
        (complaintCount, evidenceBytesLeft, isFull) = (0, rules.evidenceBytesMax, false)
        if !helpDemands.isEmpty { helpDemands.removeAll(keepingCapacity: true) }
    }

    /// Shows the families that have samples, each with its type. For a body that was judged right.
    public func forEachFamily(_ body: (FamilyKey, FamilyType) -> Void) {
        for family in 0..<families.count where families[family].hasSamples {
            guard let type = families[family].type else { continue }
            body(FamilyKey(hash: families[family].name.hash), type)
        }
    }

    /// How much of the heap the tables hold now, in bytes. They grow with the body, to about 90 bytes
    /// a series and 150 a family, and never shrink.
    public var storageBytes: Int {
        families.storageBytes &+ series.storageBytes &+ labels.storageBytes
            &+ lastLabels.storageBytes &+ messages.storageBytes
            &+ complaints.capacity &* MemoryLayout<Complaint>.stride
            &+ helpDemands.capacity &* MemoryLayout<HelpDemand>.stride &+ scratch.capacity
    }

    /// Judges the complete lines, or messages, of `body` that are not judged yet.
    ///
    /// `body` is all that has arrived so far, from its first byte; call this again as it grows. With
    /// `isComplete` the rest is judged too and the verdict stands; later calls do nothing until
    /// `reset`. How the bytes were split never changes the verdict.
    public mutating func validate(_ body: Span<UInt8>, isComplete: Bool) {
        guard !isFinished else { return }
        guard body.count <= Validator.bodyBytesMax else {
            isFinished = true
            let flaw = Flaw(
                .bodyTooLong(max: Validator.bodyBytesMax), at: judged, readTo: judged,
                showing: judged..<judged)
            line &+= 1
            return complain(flaw, in: body, lineStart: judged)
        }
        if format == .delimitedProtobuf { return judgeMessages(body, isComplete: isComplete) }
        let end = lines.end(in: body)
        while judged < end { judgeLine(body) }
        guard isComplete else { return }
        isFinished = true
        judgeRest(body)
        judgeHelp(body)
    }
}

/// A family that the Pushgateway takes only with its own HELP.
struct HelpDemand {
    let family: Int
    let own: Int
    let line: Int
    let lineStart: Int
    let flaw: Flaw
}

extension Validator {
    @inline(__always)
    private mutating func judgeLine(_ body: Span<UInt8>) {
        let start = judged
        line &+= 1
        var offset = start
        if bucketHead.skipLine(body, &offset), samples < rules.seriesMax,
            offset &- start &- 1 <= rules.lineBytesMax
        {
            samples &+= 1
            judged = offset
            return
        }
        do throws(Flaw) {
            offset = start
            let hasSample = try readLine(body, &offset)
            judged = offset
            if offset &- start &- 1 > rules.lineBytesMax { throw tooLong(start, offset &- 1) }
            if hasSample { try register(in: body, line: line, lineStart: start) }
        } catch {
            complain(error, in: body, lineStart: start)
            judged = body.lineFeed(from: error.readTo) &+ 1
        }
    }

    private func tooLong(_ start: Int, _ end: Int) -> Flaw {
        let offset = start &+ rules.lineBytesMax
        return Flaw(
            .lineTooLong(max: rules.lineBytesMax), at: offset, readTo: end,
            showing: offset..<offset)
    }

    /// Reads one line that has its line feed, and moves behind that. Tells whether it holds a sample.
    @inline(__always)
    private mutating func readLine(
        _ body: Span<UInt8>, _ offset: inout Int
    ) throws(Flaw) -> Bool {
        body.skipBlanks(&offset)
        switch body[offset] {
        case 0x0A:
            offset &+= 1
            return false
        case 0x23:
            offset &+= 1
            try readComment(body, &offset)
            return false
        default:
            try readSample(body, &offset)
            return true
        }
    }

    /// What stands behind the last line feed must be blank. Otherwise it is an error for certain; it
    /// is read only to learn whether a worse one comes before the end.
    @inline(never)
    private mutating func judgeRest(_ body: Span<UInt8>) {
        var blank = judged
        while blank < body.count, body[blank].isBlank { blank &+= 1 }
        guard blank < body.count else { return }

        line &+= 1
        let ended = body.copiedWithLineFeed()
        let end = body.count
        var flaw = Flaw(.endUnexpected, at: end, readTo: end, showing: judged..<end)
        do throws(Flaw) {
            var offset = judged
            _ = try readLine(ended.span, &offset)
        } catch {
            // A token that reaches the end was cut, and is not judged.
            if error.readTo < end { flaw = error }
        }
        complain(flaw, in: body, lineStart: judged)
        judged = end
    }

    /// HELP may come behind the samples, so only the whole body tells.
    @inline(never)
    mutating func judgeHelp(_ body: Span<UInt8>) {
        for demand in helpDemands {
            let own = ownFamilies.families[demand.own].help.map { Array($0.utf8) } ?? []
            if let help = families[demand.family].help, body.isEqual(help.range, to: own.span) {
                continue
            }
            line = demand.line
            complain(demand.flaw, in: body, lineStart: demand.lineStart)
        }
    }

    /// Keeps a complaint, if there is still room for it.
    @inline(never)
    mutating func complain(_ flaw: Flaw, in body: Span<UInt8>, lineStart: Int) {
        complaintCount &+= 1
        guard complaints.count < rules.complaintsMax else { return }
        let cause =
            format == .text
            ? Complaint.Cause(of: flaw, in: body, line: line)
            : Complaint.Cause(of: flaw, in: body, message: line)
        var complaint = Complaint(
            line: line, column: flaw.offset &- lineStart &+ 1, reason: flaw.reason,
            evidence: body.excerpt(flaw, bytesLeft: &evidenceBytesLeft), cause: cause)
        complaint.format = format
        if !messages.name.isEmpty {
            complaint.metric = body.quoted(messages.name, bytesLeft: &evidenceBytesLeft)
        }
        if case .labelContradictsGroup(let label) = flaw.reason {
            complaint.expectation = group.excerpt(ofValue: label)
        }
        let place = complaints.lastIndex { $0.line <= complaint.line }.map { $0 &+ 1 } ?? 0
        complaints.insert(complaint, at: place)
    }

    /// Whether a repeated series would still be told, which makes it worth proving.
    var hasRoomForComplaints: Bool { complaints.count < rules.complaintsMax }
}
