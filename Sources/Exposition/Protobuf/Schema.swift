/// The messages of `io.prometheus.client` that a body may hold (client_model's metrics.proto, up to
/// the exemplars of native histograms), and the time stamp that they borrow from `google.protobuf`.
public enum MessageType: UInt8, Sendable, Equatable {
    case metricFamily, metric, labelPair
    case gauge, counter, untyped
    case summary, quantile
    case histogram, bucket, bucketSpan
    case exemplar, timestamp

    /// Its name in the schema.
    public var name: String {
        switch self {
        case .metricFamily: "MetricFamily"
        case .metric: "Metric"
        case .labelPair: "LabelPair"
        case .gauge: "Gauge"
        case .counter: "Counter"
        case .untyped: "Untyped"
        case .summary: "Summary"
        case .quantile: "Quantile"
        case .histogram: "Histogram"
        case .bucket: "Bucket"
        case .bucketSpan: "BucketSpan"
        case .exemplar: "Exemplar"
        case .timestamp: "Timestamp"
        }
    }
}

/// What the schema says of one field.
enum FieldRule {
    /// At most once. Decoders merge or take the last of several, which is two meanings too many.
    case one(FieldKind)
    /// Any number of times; numbers also packed, several in one field.
    case many(FieldKind)

    var kind: FieldKind {
        switch self {
        case .one(let kind), .many(let kind): kind
        }
    }
}

/// What a field holds.
enum FieldKind: Equatable {
    case text, double
    case enumeration
    case uint32, uint64, int32, int64
    /// Numbers with the sign in the lowest bit.
    case sint32, sint64
    case message(MessageType)

    var wireType: WireType {
        switch self {
        case .text, .message: .bytes
        case .double: .fixed64
        case .enumeration, .uint32, .uint64, .int32, .int64, .sint32, .sint64: .varint
        }
    }

    /// Whether a decoder keeps all of a varint. Go drops what does not fit into 32 bits, and so reads
    /// another number than was sent. An enumeration is judged by its reader, who knows its values.
    func holds(_ value: UInt64) -> Bool {
        switch self {
        case .uint32, .sint32: value <= UInt64(UInt32.max)
        case .int32: Int64(bitPattern: value) == Int64(Int32(truncatingIfNeeded: value))
        case .text, .double, .enumeration, .uint64, .int64, .sint64, .message: true
        }
    }
}

extension MessageType {
    /// What the schema says of a field; nil for one that it does not know.
    func rule(of number: UInt32) -> FieldRule? {
        switch self {
        case .metricFamily:
            switch number {
            case 1, 2, 5: .one(.text)
            case 3: .one(.enumeration)
            case 4: .many(.message(.metric))
            default: nil
            }
        case .metric:
            switch number {
            case 1: .many(.message(.labelPair))
            case 2: .one(.message(.gauge))
            case 3: .one(.message(.counter))
            case 4: .one(.message(.summary))
            case 5: .one(.message(.untyped))
            case 6: .one(.int64)
            case 7: .one(.message(.histogram))
            default: nil
            }
        case .labelPair: number == 1 || number == 2 ? .one(.text) : nil
        case .gauge, .untyped: number == 1 ? .one(.double) : nil
        case .counter:
            switch number {
            case 1: .one(.double)
            case 2: .one(.message(.exemplar))
            case 3: .one(.message(.timestamp))
            default: nil
            }
        case .summary, .quantile, .histogram, .bucket, .bucketSpan:
            ruleInDistribution(of: number)
        case .exemplar:
            switch number {
            case 1: .many(.message(.labelPair))
            case 2: .one(.double)
            case 3: .one(.message(.timestamp))
            default: nil
            }
        case .timestamp:
            switch number {
            case 1: .one(.int64)
            case 2: .one(.int32)
            default: nil
            }
        }
    }

    private func ruleInDistribution(of number: UInt32) -> FieldRule? {
        switch (self, number) {
        case (.summary, 1): .one(.uint64)
        case (.summary, 2): .one(.double)
        case (.summary, 3): .many(.message(.quantile))
        case (.summary, 4): .one(.message(.timestamp))
        case (.quantile, 1), (.quantile, 2): .one(.double)
        case (.histogram, 1), (.histogram, 7): .one(.uint64)
        case (.histogram, 2), (.histogram, 4), (.histogram, 6), (.histogram, 8): .one(.double)
        case (.histogram, 3): .many(.message(.bucket))
        case (.histogram, 5): .one(.sint32)
        case (.histogram, 9), (.histogram, 12): .many(.message(.bucketSpan))
        case (.histogram, 10), (.histogram, 13): .many(.sint64)
        case (.histogram, 11), (.histogram, 14): .many(.double)
        case (.histogram, 15): .one(.message(.timestamp))
        case (.histogram, 16): .many(.message(.exemplar))
        case (.bucket, 1): .one(.uint64)
        case (.bucket, 2), (.bucket, 4): .one(.double)
        case (.bucket, 3): .one(.message(.exemplar))
        case (.bucketSpan, 1): .one(.sint32)
        case (.bucketSpan, 2): .one(.uint32)
        default: nil
        }
    }
}
