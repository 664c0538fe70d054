/// The buckets of a native histogram, which come as spans of places and, apart from these, as what is
/// counted in each place.
///
/// The Pushgateway does not look at them, but a Prometheus that scrapes protobuf refuses everything it
/// is shown together with one that contradicts itself (`Validate` in its `model/histogram`). So what
/// it would find is found here.
struct NativeBuckets {
    /// What is said of the buckets on one side of zero.
    fileprivate struct Side {
        var spans = 0
        /// The places of all spans. No body has so many spans that the sum would not fit.
        var places: Int64 = 0
        var deltas: Int64 = 0
        var counts: Int64 = 0
        /// What the deltas so far add up to: the count of the last bucket.
        var last: Int64 = 0
        /// All buckets together.
        var total: UInt64 = 0
        /// What was wrong first.
        var flaw: Complaint.Reason?

        var isEmpty: Bool { spans == 0 && deltas == 0 && counts == 0 }

        /// Whether there is one number for each place, of the one kind that the histogram has.
        func fits(isFloat: Bool) -> Bool {
            isFloat ? places == counts && deltas == 0 : places == deltas && counts == 0
        }
    }

    private var negative = Side()
    private var positive = Side()
    private var schema: Int64 = 0
    private var count: UInt64 = 0
    private var sum = 0.0
    private var zeroCount: UInt64 = 0
    private var hasZeroBucket = false
    private var hasZeroFloatCount = false
    /// Whether the count was given as a floating-point number.
    var hasFloatCount = false
    private var hasNegativeZeroCount = false

    /// Takes up a field of a `Histogram`.
    mutating func take(_ field: Field, in body: Span<UInt8>) throws(Flaw) {
        switch field.number {
        case 1: count = field.value
        case 2: sum = field.double
        case 5: schema = field.value.unzigzagged
        case 6: hasZeroBucket = hasZeroBucket || field.double > 0
        case 7:
            zeroCount = field.value
            hasZeroBucket = hasZeroBucket || zeroCount > 0
        case 8:
            hasZeroFloatCount = true
            hasZeroBucket = hasZeroBucket || field.double != 0
            hasNegativeZeroCount = field.double.isNegativeCount
        case 9: try negative.take(spanIn: field.content, in: body)
        case 10: try negative.take(field, of: .sint64, in: body)
        case 11: try negative.take(field, of: .double, in: body)
        case 12: try positive.take(spanIn: field.content, in: body)
        case 13: try positive.take(field, of: .sint64, in: body)
        case 14: try positive.take(field, of: .double, in: body)
        default: return
        }
    }

    /// What a Prometheus would refuse it for. Asked once all fields are taken.
    var contradiction: Complaint.Reason? {
        guard hasZeroBucket || !negative.isEmpty || !positive.isEmpty else { return nil }
        if let flaw = negative.flaw ?? positive.flaw { return flaw }
        if hasNegativeZeroCount { return .bucketNegative }
        guard -4...8 ~= schema else { return .schemaUnknown(Int(schema)) }
        let isFloat = hasFloatCount || hasZeroFloatCount
        guard negative.fits(isFloat: isFloat), positive.fits(isFloat: isFloat) else {
            return .spansContradicted
        }
        if isFloat { return nil }
        let (sides, isOver) = negative.total.addingReportingOverflow(positive.total)
        let (total, isOverWithZero) = sides.addingReportingOverflow(zeroCount)
        guard !isOver && !isOverWithZero else { return .countContradicted }
        // Observations of NaN are in the count and in no bucket.
        return total == count || (sum.isNaN && total < count) ? nil : .countContradicted
    }
}

extension NativeBuckets.Side {
    mutating func take(spanIn content: Range<Int>, in body: Span<UInt8>) throws(Flaw) {
        var reader = FieldReader(.bucketSpan, content)
        while let part = try reader.next(in: body) {
            if part.number == 2 {
                places &+= Int64(truncatingIfNeeded: part.value)
            } else if spans > 0 && part.value.unzigzagged < 0 {
                flaw = flaw ?? .spansContradicted
            }
        }
        spans &+= 1
    }

    /// Takes one number or several, which may come packed or not.
    mutating func take(
        _ field: Field, of kind: FieldKind, in body: Span<UInt8>
    ) throws(Flaw) {
        guard field.isPacked else { return take(field.value, of: kind) }
        var numbers = PackedNumbers(field.content, of: kind)
        while let number = try numbers.next(in: body) { take(number, of: kind) }
    }

    private mutating func take(_ number: UInt64, of kind: FieldKind) {
        guard kind == .sint64 else {
            counts &+= 1
            if Double(bitPattern: number).isNegativeCount { flaw = flaw ?? .bucketNegative }
            return
        }
        deltas &+= 1
        let (sum, isOver) = last.addingReportingOverflow(number.unzigzagged)
        guard !isOver, sum >= 0 else {
            flaw = flaw ?? .bucketNegative
            return
        }
        last = sum
        let (all, isTotalOver) = total.addingReportingOverflow(UInt64(sum))
        if isTotalOver { flaw = flaw ?? .countContradicted }
        total = all
    }
}

extension UInt64 {
    /// The number whose sign stands in the lowest bit.
    fileprivate var unzigzagged: Int64 {
        Int64(bitPattern: self &>> 1) ^ -Int64(bitPattern: self & 1)
    }
}
