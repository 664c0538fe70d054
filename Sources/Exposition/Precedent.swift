import CVector

/// A body that was judged right, and what came of it.
///
/// A client pushes every minute what it pushed before, line by line, but for the values. Such a body,
/// for the same group and under the same rules, is right as well, and has as many samples in the same
/// families: the values are all that is left to read, for a seventh of what a judgement takes.
///
/// Why that holds: a line is judged by what it says up to the value and by what the lines before said
/// up to theirs. Of a value it matters only that it is a float that ends with the line, and in a
/// histogram whether it is negative. So the text between two values is compared byte by byte, line
/// feeds and comments included, and values are read as the validator reads them. Where a body departs
/// from that, nothing is known of it, and it has to be judged from its first byte.
///
///     if let precedent = Precedent(validator, of: body.span) {  // text, complete and right
///         var walk = Precedent.Walk()
///         precedent.isFollowed(by: other.span, isComplete: true, &walk)  // if so, it is right too
///     }
///
/// Holds for validators with the same rules and the same group. It never changes.
public final class Precedent: Sendable {
    /// No longer body becomes a precedent or follows one: one that departs from it near its end is
    /// judged in one go.
    public static let bodyBytesMax = 256 << 10
    /// Longer values are read by the validator alone. So the length of a line is bounded by that of
    /// its text.
    private static let valueBytesMax = 64

    /// What is found in each body that follows.
    public let summary: Validator.Summary
    private let group: GroupLabels
    private let body: [UInt8]
    private let values: [Value]
    private let families: [Family]

    private struct Value {
        let place: Stretch
        let mayBeNegative: Bool
    }

    private struct Family {
        let key: FamilyKey
        let type: FamilyType
    }

    /// Makes one of a body that `validator` has judged, as complete. Nil when it was wrong, has no
    /// samples, or is one whose lines cannot be told from their values here: it may be written in
    /// protobuf, be judged by the grammar alone, where timestamps are right, or have unusual lines.
    public init?(_ validator: borrowing Validator, of body: Span<UInt8>) {
        guard validator.isFinished, validator.isValid, validator.format == .text,
            validator.rules.demandsPushable, body.count <= Precedent.bodyBytesMax
        else { return nil }
        summary = validator.summary
        var families: [Family] = []
        families.reserveCapacity(summary.families)
        validator.forEachFamily { families.append(Family(key: $0, type: $1)) }
        let values = Precedent.values(
            in: body, count: summary.samples, lineBytesMax: validator.rules.lineBytesMax,
            mayBeNegative: !families.contains { $0.type.isHistogram })
        guard let values else { return nil }
        (self.families, self.values) = (families, values)
        group = validator.group
        self.body = body.copied
    }

    /// The value of each sample in a right body; nil when one is not clear, or there is none.
    private static func values(
        in body: Span<UInt8>, count: Int, lineBytesMax: Int, mayBeNegative: Bool
    ) -> [Value]? {
        var values: [Value] = []
        values.reserveCapacity(count)
        var start = 0
        while true {
            let end = body.lineFeed(from: start)
            // What stands behind the last line feed of a right body is blank.
            guard end < body.count else { break }
            var offset = start
            body.skipBlanks(&offset)
            if body[offset] != 0x0A && body[offset] != 0x23 {
                offset = body.valueStart(in: start..<end)
                guard end &- offset <= valueBytesMax,
                    offset &- start &+ valueBytesMax <= lineBytesMax
                else { return nil }
                let place = Stretch(offset..<end)
                guard let value = try? body.readValue(&offset), offset == end else { return nil }
                values.append(
                    Value(place: place, mayBeNegative: mayBeNegative || value == .negative))
            }
            start = end &+ 1
        }
        return values.count == count && count > 0 ? values : nil
    }

    /// Whether it speaks of bodies for this group.
    public func isFor(_ group: borrowing GroupLabels) -> Bool { self.group.isEqual(to: group) }

    /// Shows the families of each body that follows, in the order in which a validator shows them.
    public func forEachFamily(_ body: (FamilyKey, FamilyType) -> Void) {
        for family in families { body(family.key, family.type) }
    }

    /// How much of the heap it takes, in bytes.
    public var storageBytes: Int {
        body.capacity &+ group.storageBytes &+ values.capacity &* MemoryLayout<Value>.stride
            &+ families.capacity &* MemoryLayout<Family>.stride
    }

    /// How far a body has been compared. A new one for each body.
    public struct Walk: Sendable {
        fileprivate var lines = CompleteLines()
        /// Behind the last value, in the body and in the precedent.
        fileprivate var here = 0
        fileprivate var there = 0
        /// The number of the next value.
        fileprivate var next = 0

        public init() {}
    }

    /// Whether what has come of a body follows the precedent. As with a validator, `body` is all of it
    /// from its first byte, in one call or in many as it grows. Once the answer is no it stays no; yes
    /// is a verdict only with `isComplete`.
    public func isFollowed(
        by body: Span<UInt8>, isComplete: Bool, _ walk: inout Walk
    ) -> Bool {
        guard body.count <= Precedent.bodyBytesMax else { return false }
        let (precedent, known) = (self.body, self.values)
        let (text, values) = (precedent.span, known.span)
        let end = walk.lines.end(in: body)
        var (here, there) = (walk.here, walk.there)
        while walk.next < values.count {
            let value = values[walk.next]
            let place = value.place.range
            let count = place.lowerBound &- there
            let start = here &+ count
            // The value is read when its line feed is there.
            guard start < end else { return !isComplete }
            var offset = start
            guard body.isEqual(here, to: text, there, count: count),
                let sign = try? body.readValue(&offset),
                offset &- start <= Precedent.valueBytesMax,
                sign != .negative || value.mayBeNegative
            else { return false }
            (here, there) = (offset, place.upperBound)
            (walk.here, walk.there) = (here, there)
            walk.next &+= 1
        }
        let rest = text.count &- there
        return !isComplete
            || body.count &- here == rest && body.isEqual(here, to: text, there, count: rest)
    }
}

extension Span<UInt8> {
    /// Where the value starts in the line of a sample: behind its last blank, or its last brace. In a
    /// right line, a number that reaches from there to the end is its value: it cannot be part of a
    /// name or of quotes, and timestamps are never right.
    @inline(__always)
    fileprivate func valueStart(in line: Range<Int>) -> Int {
        var offset = line.upperBound
        while offset &- line.lowerBound >= 16 {
            let heads = kanmon_value_heads(block(at: offset &- 16))
            if heads != 0 { return offset &+ 16 &- heads.leadingZeroBitCount }
            offset &-= 16
        }
        while offset > line.lowerBound, !self[offset &- 1].isBlank, self[offset &- 1] != 0x7D {
            offset &-= 1
        }
        return offset
    }
}
