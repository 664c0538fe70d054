import Admission
import Bytes
import Catalogue
import Configuration
import Exposition
import Gzip
import Reactor

/// The proof of one body, made piece by piece as the body arrives: undone from gzip, compared with its
/// precedent if there is one, and where it departs from that, judged line by line. Has no say about when
/// the body is complete, and sends nothing on.
final class Inspection {
    private var validator: Validator
    /// What the body has followed so far, and the validator has seen nothing of it then. When that gives
    /// way to another, the body is judged after all.
    private var place: Precedents.Place?
    private var walk = Precedent.Walk()
    /// What the body, now that it is complete, has followed.
    private var followed: Precedent?
    private var decoder: GzipDecoder?
    /// What has arrived of a compressed body and is not decompressed yet.
    var encoded = ByteBuffer()
    /// How much of a compressed body has arrived.
    private(set) var encodedBytes = 0
    /// More comes out of what has arrived than a single step lets out.
    private(set) var isInflating = false
    /// What its tables have taken of the heap when the body began.
    private var keptBytes = 0

    fileprivate init(rules: Rules) { validator = Validator(rules: rules) }

    /// What was found in a body that is complete.
    var summary: Validator.Summary { followed?.summary ?? validator.summary }
    var isValid: Bool { followed != nil || validator.isValid }
    var followsPrecedent: Bool { followed != nil }
    var complaints: [Complaint] { validator.complaints }

    /// Appends the families that have samples, each with its type, and gives one hash of them all.
    func collectClaims(into claims: inout [FamilyClaim], max: Int) -> UInt64 {
        var hash: UInt64 = 0
        forEachFamily { family, type in
            if claims.count < max { claims.append(FamilyClaim(family, type)) }
            // The key of a family is a keyed hash; a product in between lets the order count.
            let product = (hash ^ family.hash ^ UInt64(type.rawValue))
                .multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            hash = product.high ^ product.low
        }
        return hash
    }

    private func forEachFamily(_ body: (FamilyKey, FamilyType) -> Void) {
        if let followed { followed.forEachFamily(body) } else { validator.forEachFamily(body) }
    }

    /// What the body has made it take in memory, beyond what each may.
    var excessBytes: Int {
        let storage =
            validator.storageBytes + encoded.capacity
            + (decoder == nil ? 0 : GzipDecoder.storageBytes)
        return max(0, storage - max(keptBytes, InspectionPool.freeBytes))
    }

    var storageBytes: Int { validator.storageBytes }

    /// Makes ready for the body of a push, which may follow the precedent if that is for its group.
    fileprivate func begin(
        _ exchange: Exchange, _ place: Precedents.Place?
    ) throws(GzipError) {
        keptBytes = validator.storageBytes
        validator.reset(for: exchange.format)
        exchange.key.withJob { job in
            validator.group.append(name: ("job" as StaticString).span, value: job)
        }
        for index in 0..<exchange.key.labelCount {
            exchange.key.withLabel(at: index) { validator.group.append(name: $0, value: $1) }
        }
        if let place, place.precedent?.isFor(validator.group) == true {
            (self.place, walk) = (place, Precedent.Walk())
        }
        guard exchange.coding == .gzip else { return }
        let limits = exchange.snapshot.limits
        decoder = try GzipDecoder(
            GzipDecoder.Limits(
                decodedBytesMax: limits.bodyBytesMax, ratioMax: limits.inflateRatioMax))
    }

    /// Forgets the body. The tables are kept as they are.
    fileprivate func end() {
        (place, followed) = (nil, nil)
        guard decoder != nil else { return }
        decoder = nil
        encoded = ByteBuffer()
        (encodedBytes, isInflating) = (0, false)
    }

    /// Decompresses what has arrived, as much as one step lets out, behind `body`.
    func inflate(into body: inout ByteBuffer, room: Int) throws(GzipError) {
        let waiting = encoded.count
        let step = try decoder?.decode(&encoded, into: &body, room: room)
        encodedBytes += waiting - encoded.count
        isInflating = step == .needsRoom
    }

    /// Whether a compressed body may end here.
    func finishInflating() throws(GzipError) { try decoder?.finish() }

    /// Judges the lines that have come since the last time; with `isComplete` the rest too.
    func judge(_ body: Span<UInt8>, isComplete: Bool) {
        if let precedent = place?.precedent {
            if precedent.isFollowed(by: body, isComplete: isComplete, &walk) {
                if isComplete { followed = precedent }
                return
            }
            place = nil
        }
        validator.validate(body, isComplete: isComplete)
    }

    /// Makes a precedent of a body that was judged right.
    fileprivate func precedent(of body: Span<UInt8>) -> Precedent? {
        Precedent(validator, of: body)
    }
}

/// What is kept for the bodies that come next: inspections that are not needed, with their tables, and
/// precedents.
struct InspectionPool: ~Copyable {
    private var kept: [Inspection] = []
    private var keptBytes = 0
    private var precedents = Precedents()
    /// Whose rules they go by.
    private var snapshot: Snapshot?

    private static let keptMax = 32
    /// What all together may keep.
    private static let keptBytesMax = 4 << 20
    /// Bodies that need no more than this each are not charged for it.
    static let freeBytes = 64 << 10

    mutating func begin(_ exchange: Exchange, at now: Instant) throws(GzipError) {
        if snapshot !== exchange.snapshot {
            kept.removeAll()
            keptBytes = 0
            precedents.removeAll()
            snapshot = exchange.snapshot
        }
        let inspection = takeKept() ?? Inspection(rules: Rules(exchange.snapshot))
        exchange.group = GroupKey(exchange.key)
        let isText = exchange.format == .text
        let place = isText ? precedents.place(for: exchange.group, at: now) : nil
        try inspection.begin(exchange, place)
        exchange.inspection = inspection
    }

    private mutating func takeKept() -> Inspection? {
        guard let inspection = kept.popLast() else { return nil }
        keptBytes -= inspection.storageBytes
        return inspection
    }

    /// Keeps a body that was judged right as a precedent, unless it is much like the one there is.
    mutating func learn(from exchange: Exchange, at now: Instant) {
        guard let inspection = exchange.inspection, !inspection.followsPrecedent,
            snapshot === exchange.snapshot, precedents.wantsOne(for: exchange.group, at: now),
            let precedent = inspection.precedent(of: exchange.body.span)
        else { return }
        precedents.insert(precedent, for: exchange.group, at: now)
    }

    mutating func end(_ exchange: Exchange) {
        guard let inspection = exchange.inspection else { return }
        exchange.inspection = nil
        inspection.end()
        let bytes = inspection.storageBytes
        guard kept.count < InspectionPool.keptMax, snapshot === exchange.snapshot,
            keptBytes + bytes <= InspectionPool.keptBytesMax
        else { return }
        keptBytes += bytes
        kept.append(inspection)
    }
}

extension Rules {
    fileprivate init(_ snapshot: Snapshot) {
        self.init()
        seriesMax = snapshot.limits.seriesMax
        sampleLabelsMax = snapshot.limits.sampleLabelsMax
        labelValueBytesMax = snapshot.limits.labelValueBytesMax
        allowsUTF8Names = snapshot.configuration.upstream.takesUTF8Names
        labelConflicts =
            snapshot.configuration.labelConflicts == .overwrite ? .overwritten : .refused
    }
}
