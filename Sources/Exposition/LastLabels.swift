/// The labels of the line before, which the next line mostly repeats: what both begin with is taken
/// over, and where they part, what follows has at least the same names as a rule.
///
/// Places are counted from the start of the labels, behind the brace, and so hold for both lines.
struct LastLabels: ~Copyable, Sendable {
    /// A label with its value.
    struct Known {
        let name: Name
        /// Where the label stood in the body when it was met, and how far it is from there to behind
        /// the opening quote.
        let start, head: UInt32
        /// Where the next label starts, behind the comma, or behind the closing brace: from the start
        /// of the labels, and so the same place in both lines.
        var end: UInt32 = 0
        /// Whether it is a quantile or the bound of a bucket.
        let isBound: Bool
        /// What all labels up to it come to.
        var mark = LabelSet.Mark()
    }

    /// The first labels; beyond `count` they are of older lines.
    private var labels = Records<Known>()
    private var count = 0
    /// Where they start in the body, and how long they are.
    private var start = 0
    private var length = 0
    /// Whether they are all the labels, with the closing brace.
    private var isWhole = false
    /// Which label was no label; of another type it may be one.
    private var bound = BoundLabel.none

    /// How far a line has come that goes along with the line before.
    struct Walk {
        /// Where the labels start in the body.
        let here: Int
        /// How many labels the line before has, as long as the names have been the same.
        var count: Int
        /// The number of the next label.
        var index = 0
    }

    var storageBytes: Int { labels.storageBytes }

    mutating func removeAll() { (count, length, isWhole) = (0, 0, false) }

    /// Moves behind the labels that a line has in common with the line before. Nil when that was all,
    /// with the closing brace. Until `end`, nothing is known of either line.
    @inline(__always)
    mutating func begin(
        _ body: Span<UInt8>, _ offset: inout Int, _ set: inout LabelSet, bound: BoundLabel
    ) -> Walk? {
        if self.bound != bound {
            self.bound = bound
            removeAll()
        }
        var walk = Walk(here: offset, count: count)
        let shared = body.sharedCount(offset, start, most: length)
        while walk.index < count, Int(labels[walk.index].end) <= shared { walk.index &+= 1 }
        if walk.index > 0 {
            let last = walk.index &- 1
            offset &+= Int(labels[last].end)
            set.mark = labels[last].mark
            if walk.index == count && isWhole { return nil }
        }
        removeAll()
        return walk
    }

    /// Moves behind the name of the next label, its equals sign and its opening quote, if the line
    /// before has the same there.
    @inline(__always)
    func follow(_ walk: inout Walk, _ body: Span<UInt8>, _ offset: inout Int) -> Bool {
        guard walk.index < walk.count else { return false }
        let start = Int(labels[walk.index].start)
        let head = Int(labels[walk.index].head)
        guard body.sharedCount(offset, start, most: head) == head else {
            walk.count = 0
            return false
        }
        offset &+= head
        return true
    }

    /// The label that has been followed or met.
    @inline(__always)
    func name(of walk: Walk) -> Name { labels[walk.index].name }
    @inline(__always)
    func isBound(at walk: Walk) -> Bool { labels[walk.index].isBound }

    /// Notes the next label, which the line before does not have, as one to be kept: its name, and
    /// where it starts and its value.
    @inline(__always)
    mutating func meet(_ name: Name, _ head: Range<Int>, isBound: Bool, _ walk: inout Walk) {
        walk.count = 0
        if walk.index > LabelSet.fewMax { walk.index = LabelSet.fewMax }
        let known = Known(
            name: name, start: UInt32(truncatingIfNeeded: head.lowerBound),
            head: UInt32(truncatingIfNeeded: head.count), isBound: isBound)
        labels.set(walk.index, to: known)
    }

    /// Keeps the label that has been followed or met, once its value and what follows it are read.
    @inline(__always)
    mutating func keep(end: Int, _ set: borrowing LabelSet, _ walk: inout Walk) {
        labels[walk.index].end = UInt32(truncatingIfNeeded: end &- walk.here)
        labels[walk.index].mark = set.mark
        walk.index &+= 1
    }

    /// Notes that the labels have been read and were right. `isWhole` tells whether the last one that
    /// was kept has the closing brace behind it.
    @inline(__always)
    mutating func end(_ walk: Walk, isWhole: Bool) {
        start = walk.here
        count = Swift.min(walk.index, LabelSet.fewMax)
        length = count > 0 ? Int(labels[count &- 1].end) : 0
        self.isWhole = isWhole && walk.index <= LabelSet.fewMax
    }

    /// Where the value of the last label starts in a line whose labels start at `here`, if it is a
    /// bound and stands right before the closing brace; else zero.
    @inline(__always)
    func lastBound(from here: Int) -> Int {
        guard isWhole, count > 0, labels[count &- 1].isBound else { return 0 }
        let before = count > 1 ? Int(labels[count &- 2].end) : 0
        return here &+ before &+ Int(labels[count &- 1].head)
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
