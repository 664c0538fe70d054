/// The labels of the line before, as far as another line that starts the same need not be read: all
/// of them, or all but the last, which is the one that most often differs.
struct LastLabels {
    /// Where they start, behind the brace.
    private var start = 0
    /// Whose line it was: a quantile or bucket is no label, and of another type it may be one.
    private var type = FamilyType.untyped
    /// Up to behind a comma.
    private var some = Place()
    /// Up to behind the closing brace.
    private var all = Place()

    /// A place that reading can go on from.
    private struct Place {
        /// Bytes from the start; zero when there is no such place.
        var length = 0
        var mark = LabelSet.Mark()
    }

    /// Moves behind what a line has in common with the line before. True when that was all.
    @inline(__always)
    mutating func skip(
        _ body: Span<UInt8>, _ offset: inout Int, _ labels: inout LabelSet, type: FamilyType
    ) -> Bool {
        let here = offset
        if self.type == type {
            if follows(all, body, here) {
                offset = here &+ all.length
                labels.resume(at: all.mark)
                return true
            }
            if follows(some, body, here) {
                offset = here &+ some.length
                labels.resume(at: some.mark)
            }
        }
        self.type = type
        if offset == here { some.length = 0 }
        all.length = 0
        start = here
        return false
    }

    @inline(__always)
    private func follows(_ place: Place, _ body: Span<UInt8>, _ offset: Int) -> Bool {
        place.length > 0 && offset &+ place.length <= body.count
            && body.isEqual(offset, start, count: place.length)
    }

    /// Notes that reading can go on here, behind a comma.
    @inline(__always)
    mutating func keep(_ labels: borrowing LabelSet, behindComma offset: Int) {
        guard labels.count <= LabelSet.fewMax else { return }
        some = Place(length: offset &- start, mark: labels.mark)
    }

    /// Notes that reading can go on here, behind the brace.
    @inline(__always)
    mutating func keep(_ labels: borrowing LabelSet, behindBrace offset: Int) {
        all = Place(length: offset &- start, mark: labels.mark)
    }
}
