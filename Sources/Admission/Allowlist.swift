package import Bytes

/// Which addresses may connect at all. An empty list admits nobody.
///
/// The ranges are cut, once, into segments that do not overlap, so that a look-up is one binary
/// search however many networks there are and however they lie in each other.
package struct Allowlist: Sendable {
    private let segments: [Segment]

    /// Addresses of which the same entry speaks: the first one in the list as written that
    /// contains them.
    private struct Segment {
        let first: UInt128
        var last: UInt128
        let entry: Int
    }

    package init(_ ranges: [AddressRange]) {
        segments = Allowlist.cut(Allowlist.intervals(of: ranges))
    }

    package func contains(_ address: IPAddress) -> Bool { entry(for: address) != nil }

    /// The index, in the list as given, of the first range that contains the address; nil when
    /// none does.
    package func entry(for address: IPAddress) -> Int? {
        let bits = address.bits
        var (lower, upper) = (0, segments.count)
        while lower < upper {
            let middle = (lower + upper) / 2
            if segments[middle].last < bits { lower = middle + 1 } else { upper = middle }
        }
        guard lower < segments.count, segments[lower].first <= bits else { return nil }
        return segments[lower].entry
    }

    /// Is every address of the network in this list? What of a user's own network is not cannot
    /// connect, whatever that user may do: worth a warning, and no error, since taking an address
    /// out of the list in a hurry must not make a reload fail.
    package func covers(_ range: AddressRange) -> Bool {
        Allowlist.intervals(of: [range]).allSatisfy { interval in
            var next = interval.first
            for segment in segments where segment.last >= next {
                guard segment.first <= next else { return false }
                guard segment.last < interval.last else { return true }
                next = segment.last + 1
            }
            return false
        }
    }

    /// The ranges in bits, wider before narrower. An IPv6 range that spans the v4-mapped block
    /// becomes what is before it and what is behind it.
    private static func intervals(of ranges: [AddressRange]) -> [Segment] {
        let mapped = (first: IPAddress(ipv4: 0).bits, last: IPAddress(ipv4: .max).bits)
        var intervals: [Segment] = []
        for (entry, range) in ranges.enumerated() {
            let (first, last) = (range.first.bits, range.last.bits)
            if range.isIPv4 || last < mapped.first || first > mapped.last {
                intervals.append(Segment(first: first, last: last, entry: entry))
                continue
            }
            if first < mapped.first {
                intervals.append(Segment(first: first, last: mapped.first - 1, entry: entry))
            }
            if last > mapped.last {
                intervals.append(Segment(first: mapped.last + 1, last: last, entry: entry))
            }
        }
        return intervals.sorted { ($0.first, $1.last, $0.entry) < ($1.first, $0.last, $1.entry) }
    }

    /// Networks lie in each other or apart, never across. So a walk along the addresses needs only
    /// a stack of those it is in, each with the lowest entry among itself and those around it.
    private static func cut(_ intervals: [Segment]) -> [Segment] {
        var segments: [Segment] = []
        var open: [Segment] = []
        var position: UInt128 = 0

        func emit(through last: UInt128, entry: Int) {
            guard position <= last else { return }
            if let end = segments.indices.last, segments[end].entry == entry,
                segments[end].last + 1 == position
            {
                segments[end].last = last
            } else {
                segments.append(Segment(first: position, last: last, entry: entry))
            }
        }

        func close(before next: UInt128?) {
            while let inner = open.last, next.map({ inner.last < $0 }) ?? true {
                open.removeLast()
                emit(through: inner.last, entry: inner.entry)
                // Whatever else is open at the very last address ends there too.
                guard inner.last < .max else { return }
                position = max(position, inner.last + 1)
            }
        }

        for interval in intervals {
            close(before: interval.first)
            if let outer = open.last, interval.first > 0 {
                emit(through: interval.first - 1, entry: outer.entry)
            }
            position = interval.first
            let entry = min(interval.entry, open.last?.entry ?? interval.entry)
            open.append(Segment(first: interval.first, last: interval.last, entry: entry))
        }
        close(before: nil)
        return segments
    }
}
