/// What a body must satisfy beyond the grammar, and how much of it there may be.
public struct Rules: Sendable {
    /// Complaints kept with their text. Later ones are only counted.
    public var complaintsMax = 20
    /// Bytes of the body that all complaints about it show together, each at most 60. What is left out
    /// is an ellipsis.
    public var evidenceBytesMax = 120
    /// Samples in one body, and families named in it. At most 16,777,214, whatever is set. In protobuf a
    /// summary or histogram is as many samples as it has lines in text.
    public var seriesMax = 50_000
    /// Labels of one sample.
    public var sampleLabelsMax = 64
    /// Bytes of one label value, as written; protobuf has no escapes.
    public var labelValueBytesMax = 2048
    /// Bytes of one line, without its line feed. In protobuf, of one name or HELP.
    public var lineBytesMax = 262_144
    /// Whether a quoted name may be any UTF-8, as with `--push.enable-utf8-names`. Otherwise quotes
    /// are read, but what they hold must be a name of the old kind.
    public var allowsUTF8Names = false
    /// Whether to refuse what parses but what a Pushgateway then refuses, loses or is harmed by:
    /// timestamps, duplicate series, private labels, families that clash with others or its own.
    public var demandsPushable = true
    /// What becomes of a sample's label whose value is another than the group's.
    public var labelConflicts = LabelConflicts.refused
    /// The families that the Pushgateway exports about itself.
    public var ownFamilies = OwnFamily.ofPushgateway

    public init() {}
}

/// What becomes of a sample's label that contradicts the group it is pushed to.
public enum LabelConflicts: Sendable, Equatable {
    /// The body is wrong.
    case refused
    /// The Pushgateway writes its own value over it without a word; such samples are counted.
    case overwritten
}

/// How a body is written.
public enum Format: UInt8, Sendable, Equatable {
    /// Text exposition format 0.0.4.
    case text
    /// `io.prometheus.client.MetricFamily` messages, each with its length before it.
    case delimitedProtobuf
}

/// The type of a family, as a TYPE line declares it.
public enum FamilyType: UInt8, Sendable, Equatable, BitwiseCopyable {
    case counter, gauge, summary, untyped, histogram, gaugeHistogram

    /// Whether lines of several names and bounds make up one metric of the family.
    var isDistribution: Bool { self == .summary || isHistogram }
    var isHistogram: Bool { self == .histogram || self == .gaugeHistogram }

    /// The label that is none, in a family of this type.
    @inline(__always)
    var boundLabel: BoundLabel { self == .summary ? .quantile : isHistogram ? .upperBound : .none }

    /// The label by which the samples of a distribution differ.
    var boundName: String { self == .summary ? "quantile" : "le" }

    /// The word for a person, and for a TYPE line.
    public var word: String {
        switch self {
        case .counter: "counter"
        case .gauge: "gauge"
        case .summary: "summary"
        case .untyped: "untyped"
        case .histogram: "histogram"
        case .gaugeHistogram: "gaugehistogram"
        }
    }
}

/// A family that the Pushgateway itself exports. A push may add to it, with the same type only.
public struct OwnFamily: Sendable {
    public var name: String
    public var type: FamilyType
    /// The HELP text a push must repeat to the byte. Nil where the Pushgateway puts its own in place
    /// of the pushed one, which it does for families it has collected when it starts.
    public var help: String?

    public init(_ name: String, _ type: FamilyType, help: String? = nil) {
        self.name = name
        self.type = type
        self.help = help
    }
}
