/// The labels of the line before, which the next line mostly repeats: what both begin with is taken
/// over, and where they part, what follows has at least the same names as a rule.
///
/// Places are counted from the start of the labels, behind the brace, and so hold for both lines.
struct LastLabels: ~Copyable, Sendable {
    /// A label with its value.
    struct Known {
        let name: Name
        /// Where its value starts, behind the quote.
        let value: UInt32
        /// Where the next label starts, behind the comma, or behind the closing brace.
        let end: UInt32
        /// Whether it is a quantile or the bound of a bucket.
        let isBound: Bool
        /// What all labels up to it come to.
        let mark: LabelSet.Mark
    }

    /// The first labels; beyond `count` they are of older lines.
    private var labels = Records<Known>()
    private var count = 0
    /// Where they start in the body, and how long they are with the closing brace; zero for none.
    private var start = 0
    private var length = 0
    /// What they all come to.
    private var mark = LabelSet.Mark()
    /// Which label was no label; of another type it may be one.
    private var bound = BoundLabel.none

    /// How far a line has come that goes along with the line before.
    struct Walk {
        /// Where the labels of both lines start in the body.
        let here, there: Int
        /// How many labels the line before has, as long as the names have been the same.
        var count: Int
        /// The number of the next label.
        var index = 0
        /// Where that starts in the line before.
        var place: Int
    }

    var storageBytes: Int { labels.storageBytes }

    mutating func removeAll() { (count, length) = (0, 0) }

    /// Moves behind the labels that a line has in common with the line before. Nil when that was all,
    /// with the closing brace. Until `end`, nothing is known of either line.
    @inline(__always)
    mutating func begin(
        _ body: Span<UInt8>, _ offset: inout Int, _ set: inout LabelSet, bound: BoundLabel
    ) -> Walk? {
        let here = offset
        guard self.bound == bound else {
            self.bound = bound
            removeAll()
            return Walk(here: here, there: here, count: 0, place: here)
        }
        let shared = body.sharedCount(here, start, most: length)
        if shared == length, length > 0 {
            offset &+= length
            set.mark = mark
            return nil
        }
        var walk = Walk(here: here, there: start, count: count, place: start)
        while walk.index < count, Int(labels[walk.index].end) <= shared { walk.index &+= 1 }
        if walk.index > 0 {
            let last = labels[walk.index &- 1]
            offset &+= Int(last.end)
            walk.place &+= Int(last.end)
            set.mark = last.mark
        }
        removeAll()
        return walk
    }

    /// Moves behind the name of the next label, its equals sign and its opening quote, if the line
    /// before has the same there.
    @inline(__always)
    func follow(_ walk: inout Walk, _ body: Span<UInt8>, _ offset: inout Int) -> Known? {
        guard walk.index < walk.count else { return nil }
        let next = labels[walk.index]
        let length = walk.there &+ Int(next.value) &- walk.place
        guard body.sharedCount(offset, walk.place, most: length) == length else {
            walk.count = 0
            return nil
        }
        offset &+= length
        walk.place = walk.there &+ Int(next.end)
        return next
    }

    /// Keeps a label whose name and value have been read, and what follows them.
    @inline(__always)
    mutating func keep(
        _ name: Name, isBound: Bool, value: Int, end: Int, _ set: borrowing LabelSet,
        _ walk: inout Walk
    ) {
        guard walk.index < LabelSet.fewMax else {
            walk.count = 0
            return
        }
        let known = Known(
            name: name, value: UInt32(truncatingIfNeeded: value &- walk.here),
            end: UInt32(truncatingIfNeeded: end &- walk.here), isBound: isBound, mark: set.mark)
        labels.set(walk.index, to: known)
        walk.index &+= 1
    }

    /// Keeps where the labels end, behind the closing brace.
    @inline(__always)
    mutating func end(_ walk: Walk, at offset: Int, _ set: borrowing LabelSet) {
        count = walk.index
        start = walk.here
        length = offset &- walk.here
        mark = set.mark
    }
}

/// The label that is no label in a summary or histogram.
enum BoundLabel {
    case none, quantile, upperBound

    /// Whether a label is not one, but says which quantile or bucket the line is about. Such a label
    /// may even come twice; the last one stands.
    @inline(__always)
    func isName(_ name: Name, in body: Span<UInt8>) -> Bool {
        switch self {
        case .none: false
        case .quantile: name.isEqual(to: "quantile", in: body)
        case .upperBound: name.isEqual(to: "le", in: body)
        }
    }
}
