/// What has been said of a family so far.
struct Family {
    let name: Name
    /// Nil until a TYPE line or the first sample decides it.
    var type: FamilyType?
    /// The text, as written, once a HELP line gave one.
    var help: Stretch?
    var hasSamples = false

    init(name: Name) { self.name = name }
}

/// A range of a body, in half the room.
struct Stretch {
    /// Both at most `Validator.bodyBytesMax`, which fits.
    private let start, end: UInt32

    @inline(__always)
    init(_ range: Range<Int>) {
        start = UInt32(truncatingIfNeeded: range.lowerBound)
        end = UInt32(truncatingIfNeeded: range.upperBound)
    }

    @inline(__always)
    var range: Range<Int> { unsafe Range(uncheckedBounds: (Int(start), Int(end))) }
}

/// Which part of a family's metrics the samples of a name are.
enum Part: UInt8 {
    /// The family's own name: a value, or a quantile, or a bucket by another way of writing.
    case whole
    case count, sum, bucket

    /// The parts that have a name of their own, with the suffix that makes it.
    static let suffixes: [(part: Part, text: StaticString)] = [
        (.count, "_count"), (.sum, "_sum"), (.bucket, "_bucket"),
    ]
}

/// A name that ends as the name of a part does: of the family whose name is the rest, if there is one.
struct NameAsPart {
    let name: Name
    let part: Part
    fileprivate let wholeCount: Int

    /// Nil when it has no such end, or nothing before that.
    @inline(__always)
    init?(_ name: Name, in body: Span<UInt8>) {
        let last = name.lastByte(of: body)
        guard last == 0x6D || last == 0x74, name.count > 4 else { return nil }
        let suffix: StaticString
        switch (name.byte(name.count &- 2, of: body), last) {
        case (0x75, 0x6D): (part, suffix) = (.sum, "_sum")
        case (0x6E, 0x74): (part, suffix) = (.count, "_count")
        case (0x65, 0x74): (part, suffix) = (.bucket, "_bucket")
        default: return nil
        }
        wholeCount = name.count &- suffix.utf8CodeUnitCount
        guard wholeCount > 0, name.hasSuffix(suffix, in: body) else { return nil }
        self.name = name
    }

    func whole(_ hash: KeyedHash, in body: Span<UInt8>) -> Name {
        name.first(wholeCount, in: body, with: hash)
    }
}

/// What a name means.
struct Meaning {
    let family: Int
    let part: Part
}

/// The families of a body, and every name that led to one of them.
///
/// What a name means is decided when it first occurs and then stands: a family of exactly that name
/// wins, and none can come into being once the name has been taken for a part of another.
struct Families: ~Copyable, Sendable {
    private var families = Records<Family>()
    private var names = Records<KnownName>()
    private var index = HashIndex()
    private let hash = KeyedHash.ofProcess

    // Not private: Swift 6.3.1 cannot compile that in a debug build.
    /// A name that has occurred.
    struct KnownName {
        let name: Name
        let meaning: Meaning
        /// The number of the name that came after it last time.
        var next = UInt32.max
    }

    /// The number of the name that was asked for last.
    private var last = 0
    /// Whether a TYPE line made a family of which other names can be parts.
    private var hasDistribution = false
    /// Whether a family has a name such as parts have.
    private(set) var hasPartNames = false

    mutating func removeAll() {
        families.removeAll()
        names.removeAll()
        index.removeAll()
        (hasDistribution, hasPartNames) = (false, false)
    }

    var storageBytes: Int {
        families.storageBytes &+ names.storageBytes &+ index.storageBytes
    }

    var count: Int { families.count }

    subscript(family: Int) -> Family {
        @inline(__always) get { families[family] }
        @inline(__always) _modify { yield &families[family] }
    }

    /// Decides the type of a family that has none.
    @inline(__always)
    mutating func declare(_ family: Int, _ type: FamilyType) {
        families[family].type = type
        if type.isDistribution { hasDistribution = true }
    }

    /// The family that a HELP, TYPE or sample line of this name speaks of, and as which part; a new
    /// one when there is none. Nil when `max` families are there already.
    mutating func named(_ name: Name, in body: Span<UInt8>, max: Int) -> Meaning? {
        var slot = 0
        let found = search(name, in: body, endingIn: &slot)
        guard let number = found ?? enter(name, slot, in: body, max: max) else { return nil }
        if last < names.count { names[last].next = UInt32(truncatingIfNeeded: number) }
        last = number
        return names[number].meaning
    }

    /// The name that stands at an offset, if it is the one that came after the last one before: the
    /// buckets, sum and count of a histogram take turns for each set of labels, and so no such name
    /// is hashed and looked up twice.
    @inline(__always)
    mutating func foreseen(at offset: Int, in body: Span<UInt8>) -> KnownName? {
        guard last < names.count else { return nil }
        let next = Int(names[last].next)
        guard next < names.count, !names[next].name.isQuoted else { return nil }
        let range = names[next].name.range
        let length = range.upperBound &- range.lowerBound
        guard body.sharedCount(offset, range.lowerBound, most: length) == length,
            body.endsName(at: offset &+ length)
        else { return nil }
        last = next
        return names[next]
    }

    @inline(__always)
    private mutating func enter(
        _ name: Name, _ slot: Int, in body: Span<UInt8>, max: Int
    ) -> Int? {
        // Names that are parts come on top of the families; so many that they fill the index can
        // only be met with rules that allow millions.
        guard names.count < HashIndex.recordsMax else { return nil }
        var meaning = Meaning(family: families.count, part: .whole)
        let asPart = NameAsPart(name, in: body)
        if hasDistribution, let asPart, let family = distribution(of: asPart, in: body) {
            meaning = Meaning(family: family, part: asPart.part)
        } else {
            guard families.count < max else { return nil }
            if asPart != nil { hasPartNames = true }
            families.append(Family(name: name))
        }
        index.insert(names.count, hash: name.hash, in: slot)
        names.append(KnownName(name: name, meaning: meaning))
        return names.count &- 1
    }

    /// The family of exactly this name.
    func exactly(_ name: Name, in body: Span<UInt8>) -> Int? {
        var slot = 0
        let found = search(name, in: body, endingIn: &slot)
        guard let found, names[found].meaning.part == .whole else { return nil }
        return names[found].meaning.family
    }

    /// The family of the name that these bytes of another text are.
    func exactly(_ text: Span<UInt8>, in body: Span<UInt8>) -> Int? {
        let hash = hash(text, 0..<text.count)
        var slot = index.firstSlot(of: hash)
        while true {
            let entry = index.entry(in: slot)
            if entry == 0 { return nil }
            let known = names[HashIndex.record(of: entry)]
            if known.name.hash == hash && known.meaning.part == .whole
                && known.name.isEqual(text, in: body)
            {
                return known.meaning.family
            }
            slot = index.slot(after: slot)
        }
    }

    /// Whether the name is one that the count, sum or buckets of a family with samples have. (The
    /// gateway does not look at gauge histograms.)
    @inline(never)
    func have(_ asPart: NameAsPart, in body: Span<UInt8>) -> Bool {
        guard hasDistribution, let family = exactly(asPart.whole(hash, in: body), in: body),
            families[family].hasSamples, let type = families[family].type
        else { return false }
        return type.has(asPart.part)
    }

    /// The summary or histogram of which a sample with this name would be a part.
    private func distribution(
        of asPart: NameAsPart, in body: Span<UInt8>
    ) -> Int? {
        guard let family = exactly(asPart.whole(hash, in: body), in: body) else { return nil }
        switch families[family].type {
        case .histogram, .gaugeHistogram: return family
        case .summary: return asPart.part == .bucket ? nil : family
        case .counter, .gauge, .untyped, nil: return nil
        }
    }

    /// The record of a name, and the slot in which the search for it ended.
    @inline(__always)
    private func search(
        _ name: Name, in body: Span<UInt8>, endingIn slot: inout Int
    ) -> Int? {
        slot = index.firstSlot(of: name.hash)
        while true {
            let entry = index.entry(in: slot)
            if entry == 0 { return nil }
            let record = HashIndex.record(of: entry)
            if HashIndex.matches(entry, name.hash), names[record].name.isEqual(to: name, in: body) {
                return record
            }
            slot = index.slot(after: slot)
        }
    }
}
