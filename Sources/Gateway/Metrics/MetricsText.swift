import Bytes

/// Metrics as a scrape reads them: text format 0.0.4, each with its HELP and TYPE.
struct MetricsText: ~Copyable {
    private(set) var bytes = ByteBuffer(capacity: 32 << 10)
    private var metric = Metric.buildInfo

    struct Label {
        let name: StaticString
        let value: [UInt8]

        init(_ name: StaticString, _ value: StaticString) {
            (self.name, self.value) = (name, [UInt8](copying: value.span))
        }

        init(_ name: StaticString, _ value: String) {
            (self.name, self.value) = (name, Array(value.utf8))
        }

        init(_ name: StaticString, _ value: [UInt8]) { (self.name, self.value) = (name, value) }
    }

    /// What follows is of this metric.
    mutating func begin(_ metric: Metric) {
        self.metric = metric
        bytes.append("# HELP ")
        bytes.append(metric.name)
        bytes.append(" ")
        bytes.append(metric.help)
        bytes.append("\n# TYPE ")
        bytes.append(metric.name)
        switch metric.kind {
        case .counter: bytes.append(" counter\n")
        case .gauge: bytes.append(" gauge\n")
        case .histogram: bytes.append(" histogram\n")
        }
    }

    mutating func add(_ value: Int, _ labels: Label...) {
        bytes.append(metric.name)
        append(labels)
        end(value)
    }

    /// A time or a length of time, in seconds as all of them.
    mutating func add(nanoseconds value: UInt64, _ labels: Label...) {
        bytes.append(metric.name)
        append(labels)
        bytes.append(" ")
        append(nanoseconds: value)
        bytes.append("\n")
    }

    /// Bounds are told with all that lies below them.
    mutating func add(counts: [Int], sumOfNanoseconds sum: Int) {
        var total = 0
        for (index, count) in counts.enumerated() {
            total &+= count
            let bound = index < Histogram.bounds.count ? Histogram.bounds[index].text : "+Inf"
            bytes.append(metric.name)
            bytes.append("_bucket")
            append([Label("le", bound)])
            end(total)
        }
        bytes.append(metric.name)
        bytes.append("_sum ")
        append(nanoseconds: UInt64(clamping: sum))
        bytes.append("\n")
        bytes.append(metric.name)
        bytes.append("_count")
        end(total)
    }

    private mutating func end(_ value: Int) {
        bytes.append(" ")
        bytes.append(decimal: value)
        bytes.append("\n")
    }

    private mutating func append(_ labels: [Label]) {
        for (index, label) in labels.enumerated() {
            bytes.append(index == 0 ? "{" : ",")
            bytes.append(label.name)
            bytes.append("=\"")
            append(escaping: label.value)
            bytes.append("\"")
        }
        if !labels.isEmpty { bytes.append("}") }
    }

    /// As the text format has label values; what is not UTF-8 would make the whole scrape fail, so its
    /// place is marked.
    private mutating func append(escaping value: [UInt8]) {
        for byte in String(decoding: value, as: UTF8.self).utf8 {
            switch byte {
            case UInt8(ascii: "\\"): bytes.append("\\\\")
            case UInt8(ascii: "\""): bytes.append("\\\"")
            case 0x0A: bytes.append("\\n")
            default: bytes.append(byte)
            }
        }
    }

    /// Seconds, with as many decimals as there are.
    private mutating func append(nanoseconds: UInt64) {
        bytes.append(decimal: Int(clamping: nanoseconds / 1_000_000_000))
        var rest = Int(nanoseconds % 1_000_000_000)
        guard rest > 0 else { return }
        var width = 9
        while rest % 10 == 0 { (rest, width) = (rest / 10, width - 1) }
        bytes.append(".")
        bytes.append(decimal: rest, width: width)
    }
}
