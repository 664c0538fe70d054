/// Summaries and histograms. What they hold is bounded by counting it as the lines that the text
/// format would have, among which are always a sum and a count.
extension Span<UInt8> {
    /// Reads a `Summary`, and gives the number of its lines.
    func readSummary(_ content: Range<Int>) throws(Flaw) -> Int {
        var quantiles = 0
        var reader = FieldReader(.summary, content)
        while let field = try reader.next(in: self) {
            switch field.number {
            case 3:
                try checkForm(of: .quantile, field.content)
                quantiles &+= 1
            case 4: try checkForm(of: .timestamp, field.content)
            default: continue
            }
        }
        return quantiles &+ 2
    }

    /// Reads a `Histogram` of the family with the name in `name`, and gives the number of its lines.
    func readHistogram(_ content: Range<Int>, name: Range<Int>) throws(Flaw) -> Int {
        var buckets = 0
        var hasInfinity = false
        var native = NativeBuckets()
        var reader = FieldReader(.histogram, content)
        while let field = try reader.next(in: self) {
            switch field.number {
            case 3:
                if try readBucket(field, name: name) == .infinity { hasInfinity = true }
                buckets &+= 1
            case 4:
                guard !field.double.isNegativeCount else {
                    throw Flaw(.countNegative, at: field.start, readTo: field.start, showing: name)
                }
                native.hasFloatCount = true
            case 15: try checkForm(of: .timestamp, field.content)
            case 16: try checkForm(of: .exemplar, field.content)
            default: try native.take(field, in: self)
            }
        }
        if let reason = native.contradiction {
            throw Flaw(
                reason, at: content.lowerBound, readTo: content.lowerBound, showing: name)
        }
        // The bucket for everything need not be sent, and is always shown.
        return buckets &+ (hasInfinity ? 2 : 3)
    }

    /// Reads a `Bucket`, and gives its upper bound.
    private func readBucket(_ bucket: Field, name: Range<Int>) throws(Flaw) -> Double {
        var bound = 0.0
        var reader = FieldReader(.bucket, bucket.content)
        while let field = try reader.next(in: self) {
            switch field.number {
            case 2: bound = field.double
            case 3: try checkForm(of: .exemplar, field.content)
            case 4 where field.double.isNegativeCount:
                throw Flaw(.bucketNegative, at: field.start, readTo: field.start, showing: name)
            default: continue
            }
        }
        return bound
    }
}

extension Double {
    /// Whether something was counted less than never. (Minus zero and NaN are let pass, as in text.)
    var isNegativeCount: Bool { self < 0 }
}
