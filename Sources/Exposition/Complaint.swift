/// One thing that is wrong with a body, told to the person who sent it.
public struct Complaint: Sendable, Equatable {
    /// The line, from 1. In protobuf the message.
    public let line: Int
    /// The byte within the line, from 1; within the message, the first of which is that of its length.
    /// One past the last byte when the end itself is the trouble.
    public let column: Int
    public let reason: Reason
    /// What stands there, made printable: at most 60 bytes of the body, then an ellipsis.
    public let evidence: String
    /// What probably happened, where there is a likely cause.
    public let cause: Cause?
    /// What should stand there instead, as printable and short, where that is known.
    public internal(set) var expectation: String?
    /// How the body is written, and so what `line` and `column` count.
    public internal(set) var format = Format.text
    /// The metric of the message, in quotes and cut, where its name was found. Nobody has an editor
    /// that goes to a message and a byte, so the sentence says the name too.
    public internal(set) var metric: String?

    /// Where it is, in words.
    public var place: String {
        switch format {
        case .text: "line \(line), column \(column)"
        case .delimitedProtobuf: "message \(line), byte \(column)"
        }
    }

    /// One sentence without a full stop, without line and column.
    public var message: String {
        let sentence = reason.message(about: evidence, not: expectation)
        guard let metric, !reason.showsMetric || metric != evidence else { return sentence }
        return "\(sentence) (in metric \(metric))"
    }
    /// What to do about it.
    public var hint: String? { cause?.hint }
}

extension Complaint {
    /// What is wrong. The first group is what the Pushgateway's parser refuses; the second what the
    /// Pushgateway refuses afterwards, or what harms it; the third are our own limits; the last what
    /// only messages can have.
    public enum Reason: Sendable, Equatable {
        case metricNameExpected, metricNameInvalid, metricNameMissing
        case metricNameRepeated, metricNameEndExpected, metricNameMisplaced
        case commentNameInvalid, helpRepeated, typeRepeated, typeUnknown
        case labelNameExpected, labelNameInvalid, labelNameReserved, labelNameRepeated
        case equalsExpected, quoteExpected, escapeInvalid, lineFeedInQuotes
        case labelValueInvalid, boundInvalid, quantileInvalid, labelEndExpected
        case valueInvalid, countNegative, bucketNegative
        case timestampInvalid, timestampTrailed, endUnexpected

        case timestampGiven, labelNamePrivate, pushTimeGiven, suffixTaken
        case seriesRepeated(line: Int)
        case typeContradicted(given: FamilyType, own: FamilyType)
        case helpContradicted
        /// A label says something else than the group: than the label of this number, from 0.
        case labelContradictsGroup(label: Int)
        /// The group has a label that every sample of the family uses for its quantile or bound.
        case boundInGroup(FamilyType)

        case tooManySeries(max: Int), tooManyFamilies(max: Int), tooManyLabels(max: Int)
        case labelValueTooLong(max: Int), lineTooLong(max: Int), bodyTooLong(max: Int)

        /// The form of the bytes.
        case lengthInvalid, messageCut
        case varintInvalid, fieldCut(in: MessageType), fieldNumberInvalid(in: MessageType)
        case wireTypeInvalid(field: Int, of: MessageType)
        /// What the schema says: decoders would drop something, or choose.
        case wireTypeContradicted(field: Int, of: MessageType)
        case fieldRepeated(field: Int, of: MessageType), numberTooLarge(field: Int, of: MessageType)
        /// What they mean.
        case familyNameMissing, familyEmpty, typeNumberUnknown(UInt64), helpInvalid
        case textTooLong(max: Int)
        case valueMissing(FamilyType), valueContradicted(given: FamilyType, type: FamilyType)
        case metricTimestamped, metricRepeated(byte: Int), boundAmongLabels(FamilyType)
        case schemaUnknown(Int), spansContradicted, countContradicted
    }
}

extension Complaint.Reason {
    /// The wording follows the Pushgateway's where that is clear, since people search for it.
    fileprivate func message(about evidence: String, not expectation: String?) -> String {
        switch self {
        case .metricNameExpected:
            "invalid metric name: it starts with a letter, '_' or ':', found \(evidence)"
        case .metricNameInvalid: "invalid metric name \(evidence)"
        case .metricNameMissing: "invalid metric name: this line has none"
        case .metricNameRepeated: "multiple metric names in one line: \(evidence) is the second"
        case .metricNameEndExpected: "unexpected end of metric name, found \(evidence)"
        case .metricNameMisplaced:
            "the name of summary or histogram \(evidence) must stand before the braces"
        case .commentNameInvalid:
            "invalid metric name in comment, found \(evidence) after HELP or TYPE"
        case .helpRepeated: "second HELP line for metric name \(evidence)"
        case .typeRepeated:
            "second TYPE line for metric name \(evidence), or TYPE reported after samples"
        case .typeUnknown: "unknown metric type \(evidence)"
        case .labelNameExpected:
            "invalid label name: it starts with a letter or '_', found \(evidence)"
        case .labelNameInvalid: "invalid label name \(evidence)"
        case .labelNameReserved: "label name \(evidence) is reserved"
        case .labelNameRepeated: "duplicate label name \(evidence)"
        case .equalsExpected: "expected '=' after label name, found \(evidence)"
        case .quoteExpected: "expected '\"' at start of label value, found \(evidence)"
        case .escapeInvalid:
            "invalid escape sequence \(evidence): only \\\\, \\\" and \\n are known"
        case .lineFeedInQuotes: "unescaped new-line: the quotes around \(evidence) do not close"
        case .labelValueInvalid: "invalid label value: \(evidence) is not UTF-8"
        case .boundInvalid: "expected float as value for 'le' label, got \(evidence)"
        case .quantileInvalid: "expected float as value for 'quantile' label, got \(evidence)"
        case .labelEndExpected:
            "unexpected end of label value: expected ',' or '}', found \(evidence)"
        case .valueInvalid: "expected float as value, got \(evidence)"
        case .countNegative: "negative count for histogram \(evidence)"
        case .bucketNegative: "negative bucket population for histogram \(evidence)"
        case .timestampInvalid: "expected integer as timestamp, got \(evidence)"
        case .timestampTrailed: "spurious string after timestamp: \(evidence)"
        case .endUnexpected: "unexpected end of input: the last line has no line feed"

        case .timestampGiven: "pushed metrics must not have timestamps, found \(evidence)"
        case .labelNamePrivate: "label name \(evidence) starts with '__'"
        case .pushTimeGiven: "metric \(evidence) is the Pushgateway's own"
        case .suffixTaken: "metric \(evidence) collides with a summary or histogram"
        case .seriesRepeated(let line):
            "metric \(evidence) was given in line \(line) with the same label values"
        case .typeContradicted(let given, let own):
            "metric \(evidence) has type \(given.word) but should have \(own.word)"
        case .helpContradicted: "metric \(evidence) has another HELP than the Pushgateway's own"

        case .labelContradictsGroup:
            "label \(evidence) contradicts the path of the push"
                + (expectation.map { ", which says \($0)" } ?? "")
        case .boundInGroup(let type):
            "\(type.word) \(evidence) cannot be pushed to a group with the label \(type.boundName)"

        case .tooManySeries(let max): "more than \(max) samples in one push"
        case .tooManyFamilies(let max): "more than \(max) metric names in one push"
        case .tooManyLabels(let max): "more than \(max) labels in one sample"
        case .labelValueTooLong(let max): "label value longer than \(max) bytes: \(evidence)"
        case .lineTooLong(let max): "line longer than \(max) bytes"
        case .bodyTooLong(let max): "body longer than \(max) bytes"

        case .lengthInvalid: "the length of this message is not one of at most five bytes"
        case .messageCut: "unexpected end of input: this message is longer than what is left"
        case .varintInvalid: "a number that does not end, or is larger than 64 bits"
        case .fieldCut(let type): "a field is longer than the \(type.name) it stands in"
        case .fieldNumberInvalid(let type): "a field of \(type.name) has no valid number"
        case .wireTypeInvalid(let field, let type):
            "field \(field) of \(type.name) has a wire type that is not in use"
        case .wireTypeContradicted(let field, let type):
            "field \(field) of \(type.name) has another wire type in the schema"
        case .fieldRepeated(let field, let type): "field \(field) of \(type.name) is given twice"
        case .numberTooLarge(let field, let type):
            "the number in field \(field) of \(type.name) does not fit into 32 bits"

        case .familyNameMissing: "invalid metric name: this MetricFamily has none"
        case .familyEmpty: "metric \(evidence) has a type and no value at all"
        case .typeNumberUnknown(let number): "unknown metric type \(number)"
        case .helpInvalid: "invalid HELP: \(evidence) is not UTF-8"
        case .textTooLong(let max): "name or HELP longer than \(max) bytes: \(evidence)"
        case .valueMissing(let type): "expected a value of type \(type.word), found none"
        case .valueContradicted(let given, let type):
            "expected a value of type \(type.word), found \(given.word)"
        case .metricTimestamped: "pushed metrics must not have timestamps"
        case .metricRepeated(let byte):
            "the metric at byte \(byte) of this message has the same label values"
        case .boundAmongLabels(let type):
            "label \(evidence) cannot be given in a \(type.word), which has its own"
        case .schemaUnknown(let schema): "unknown schema \(schema) of a native histogram"
        case .spansContradicted: "the spans of native histogram \(evidence) do not fit its buckets"
        case .countContradicted:
            "the buckets of native histogram \(evidence) do not add up to its count"
        }
    }

    /// Whether the metric's name is among what the sentence shows.
    fileprivate var showsMetric: Bool {
        switch self {
        case .metricNameInvalid, .countNegative, .bucketNegative, .spansContradicted,
            .countContradicted, .pushTimeGiven, .suffixTaken, .typeContradicted, .helpContradicted,
            .boundInGroup, .tooManyFamilies, .textTooLong, .familyEmpty:
            true
        default: false
        }
    }
}
