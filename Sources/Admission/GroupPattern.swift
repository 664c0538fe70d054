import Bytes

/// Which groups a rule speaks of: every label listed has to be in the grouping key, with a value
/// that its pattern matches; labels that are not listed are free.
///
/// A pattern never matches the absence of a label, not even `*`: an empty label is an absent one,
/// and a `GroupingKey` holds none.
package struct GroupPattern: Sendable, Equatable {
    /// Nil when the job is free.
    private let job: ValuePattern?
    /// Sorted by name, as the labels of a `GroupingKey` are.
    private let labels: [Label]

    private struct Label: Sendable, Equatable {
        let name: [UInt8]
        let value: ValuePattern
    }

    /// From names and patterns of UTF-8, each name once; `job` is the job. A name that no label can
    /// have makes a pattern that matches nothing.
    package init(_ labels: [(name: [UInt8], pattern: [UInt8])]) {
        let patterns = labels.map { Label(name: $0.name, value: ValuePattern($0.pattern.span)) }
        let isJob = { (label: Label) in label.name.span.isEqual(to: "job") }
        job = patterns.first(where: isJob)?.value
        self.labels = patterns.filter { !isJob($0) }.sorted { left, right in
            left.name.lexicographicallyPrecedes(right.name)
        }
    }

    /// Nothing is allocated; the time is linear in the lengths of key and pattern.
    package func matches(_ key: borrowing GroupingKey) -> Bool {
        if let job, !key.withJob({ job.matches($0) }) { return false }
        var place = 0
        for label in labels {
            // Both are in the order of names, so one walk along the key finds them all.
            while place < key.labelCount, order(of: label, at: place, in: key) < 0 { place += 1 }
            guard place < key.labelCount, order(of: label, at: place, in: key) == 0,
                key.withLabel(at: place, { _, value in label.value.matches(value) })
            else { return false }
        }
        return true
    }

    /// Below, at or above zero, as the key's name comes before, is, or comes after the label's.
    private func order(of label: Label, at place: Int, in key: borrowing GroupingKey) -> Int {
        key.withLabel(at: place) { name, _ in name.order(against: label.name.span) }
    }
}

extension Span<UInt8> {
    /// Below, at or above zero, as these bytes come before, are, or come after the others.
    internal func order(against other: Span<UInt8>) -> Int {
        for index in 0..<Swift.min(count, other.count) where self[index] != other[index] {
            return Int(self[index]) - Int(other[index])
        }
        return count - other.count
    }
}
