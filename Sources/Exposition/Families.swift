/// What has been said of a family so far.
struct Family {
    let name: Name
    /// Nil until a TYPE line or the first sample decides it.
    var type: FamilyType?
    /// The text, as written, once a HELP line gave one.
    var help: Range<Int>?
    var hasSamples = false
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

/// The families of a body, and every name that led to one of them.
///
/// What a name means is decided when it first occurs and then stands: a family of exactly that name
/// wins, and none can come into being once the name has been taken for a part of another.
struct Families {
    private var families: [Family] = []
    private var names: [KnownName] = []
    private var index = HashIndex()
    private let hash = KeyedHash.ofProcess

    /// A name that has occurred, and what it means.
    private struct KnownName {
        let name: Name
        let hash: UInt64
        let family: Int
        let part: Part
    }

    mutating func removeAll() {
        families.removeAll(keepingCapacity: true)
        names.removeAll(keepingCapacity: true)
        index.removeAll()
    }

    subscript(family: Int) -> Family {
        @inline(__always) get { families[family] }
        @inline(__always) _modify { yield &families[family] }
    }

    /// The family that a HELP, TYPE or sample line of this name speaks of, and as which part; a new
    /// one when there is none. Nil when `max` families are there already.
    mutating func named(
        _ name: Name, in body: Span<UInt8>, max: Int
    ) -> (family: Int, part: Part)? {
        let hash = name.hash(body, with: hash)
        var slot = 0
        if let found = search(name, hash, in: body, endingIn: &slot) {
            return (names[found].family, names[found].part)
        }
        return enter(name, hash, slot, in: body, max: max)
    }

    private mutating func enter(
        _ name: Name, _ hash: UInt64, _ slot: Int, in body: Span<UInt8>, max: Int
    ) -> (family: Int, part: Part)? {
        // Names that are parts come on top of the families; so many that they fill the index can
        // only be met with rules that allow millions.
        guard names.count < HashIndex.recordsMax else { return nil }
        var known = KnownName(name: name, hash: hash, family: families.count, part: .whole)
        if let (family, part) = distribution(of: name, in: body) {
            known = KnownName(name: name, hash: hash, family: family, part: part)
        } else {
            guard families.count < max else { return nil }
            families.append(Family(name: name))
        }
        index.insert(names.count, hash: hash, in: slot)
        names.append(known)
        return (known.family, known.part)
    }

    /// The family of exactly this name.
    func exactly(_ name: Name, in body: Span<UInt8>) -> Int? {
        var slot = 0
        let found = search(name, name.hash(body, with: hash), in: body, endingIn: &slot)
        guard let found, names[found].part == .whole else { return nil }
        return names[found].family
    }

    /// The family of the name that these bytes of another text are.
    func exactly(_ text: Span<UInt8>, in body: Span<UInt8>) -> Int? {
        let hash = hash(text, 0..<text.count)
        var slot = index.firstSlot(of: hash)
        while true {
            let entry = index.entry(in: slot)
            if entry == 0 { return nil }
            let known = names[HashIndex.record(of: entry)]
            if known.hash == hash && known.part == .whole && known.name.isEqual(text, in: body) {
                return known.family
            }
            slot = index.slot(after: slot)
        }
    }

    /// The summary or histogram of which a sample with this name would be a part.
    private func distribution(of name: Name, in body: Span<UInt8>) -> (Int, Part)? {
        for (part, suffix) in Part.suffixes {
            let length = name.count &- suffix.utf8CodeUnitCount
            guard length > 0, name.hasSuffix(suffix, in: body) else { continue }
            guard let family = exactly(name.first(length), in: body),
                let type = families[family].type
            else { return nil }
            return type.isHistogram || (type == .summary && part != .bucket) ? (family, part) : nil
        }
        return nil
    }

    /// The record of a name, and the slot in which the search for it ended.
    @inline(__always)
    private func search(
        _ name: Name, _ hash: UInt64, in body: Span<UInt8>, endingIn slot: inout Int
    ) -> Int? {
        slot = index.firstSlot(of: hash)
        while true {
            let entry = index.entry(in: slot)
            if entry == 0 { return nil }
            let record = HashIndex.record(of: entry)
            if HashIndex.matches(entry, hash), names[record].name.isEqual(to: name, in: body) {
                return record
            }
            slot = index.slot(after: slot)
        }
    }
}
