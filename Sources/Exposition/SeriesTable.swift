/// The series of a body: which metric, and which of its samples was first. Holds no labels: where two
/// hashes agree, the labels are read again from the body.
struct SeriesTable: ~Copyable, Sendable {
    private var series = Records<Series>()
    private var index = HashIndex()

    struct Series {
        /// Of the family and the labels.
        let hash: UInt64
        /// Of the labels that its hash leaves out.
        let ignored: UInt32
        /// Where the line of the first sample starts.
        let start: UInt32
        let line: UInt32
    }

    mutating func removeAll() {
        series.removeAll()
        index.removeAll()
    }

    var storageBytes: Int { series.storageBytes &+ index.storageBytes }

    /// Enters a series, unless one of the same hash is there, which is then given. With a 64-bit keyed
    /// hash two different series share one so rarely that the second may stay unknown.
    @inline(__always)
    mutating func insert(_ new: Series) -> Series? {
        var slot = index.firstSlot(of: new.hash)
        while true {
            let entry = index.entry(in: slot)
            if entry == 0 { break }
            if HashIndex.matches(entry, new.hash) {
                let old = series[HashIndex.record(of: entry)]
                if old.hash == new.hash { return old }
            }
            slot = index.slot(after: slot)
        }
        guard series.count < HashIndex.recordsMax else { return nil }
        index.insert(series.count, hash: new.hash, in: slot)
        series.append(new)
        return nil
    }
}
