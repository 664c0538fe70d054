/// Every bound of the gate. What each one means, its default and what it may be set to stand in
/// `rows`, one row a limit; the names here are the names there.
///
/// Counts and sizes are at least what their row says, so nothing divides by zero further in. All
/// of them are `var` so that a test can make a small gate; a running one holds them in a `let`.
package struct Limits: Hashable, Sendable {
    package var connectionsMax = 0
    package var connectionsPerAddressMax = 0
    package var handshakesMax = 0
    package var handshakeTimeout = Duration.zero
    package var headTimeout = Duration.zero
    package var headBytesMax = 0
    package var targetBytesMax = 0
    package var headerFieldsMax = 0
    package var bodyTimeout = Duration.zero
    package var bodyBytesMax = 0
    package var inflateRatioMax = 0
    package var bodyRateMin = BodyRate()
    package var idleTimeout = Duration.zero
    package var writeTimeout = Duration.zero
    package var requestsPerConnectionMax = 0
    package var http2StreamsMax = 0
    package var http2ClientResets = Burst()
    package var http2ServerResets = Burst()
    package var http2Glitches = Burst()
    package var pathLabelsMax = 0
    package var sampleLabelsMax = 0
    package var labelValueBytesMax = 0
    package var seriesMax = 0
    package var passwordQueueMax = 0
    package var failedLoginsPerMinuteMax = FailedLogins()
    package var bufferedBytesMax = 0
    package var jobLabelsMax = 0
    package var drainTimeout = Duration.zero

    /// How slowly a body may come.
    package struct BodyRate: Hashable, Sendable {
        package var bytesPerSecond = 0
        package var after = Duration.zero
    }

    /// So many at once, and so many a second from then on.
    package struct Burst: Hashable, Sendable {
        package var burst = 0
        package var perSecond = 0
    }

    /// How many logins may fail in a minute before further ones go slowly.
    package struct FailedLogins: Hashable, Sendable {
        package var user = 0
        package var address = 0
    }

    /// Every limit at its default.
    package init() { for row in Limits.rows { row.setDefault(&self) } }
}

extension Limits {
    /// One limit as the operator knows it.
    package struct Row: Sendable {
        /// The key under `limits`; a dot leads into a section.
        package let key: String
        package let sentence: String
        package let defaultText: String
        /// The bounds as text: `1 to 1000`.
        package let boundsText: String
        fileprivate let valueText: @Sendable (Limits) -> String
        fileprivate let setDefault: @Sendable (inout Limits) -> Void
        fileprivate let read: @Sendable (Section, _ key: String, inout Limits) -> Void

        fileprivate init<Value>(
            _ key: String, _ field: WritableKeyPath<Limits, Value> & Sendable,
            _ quantity: Quantity<Value>, _ standard: Value, _ bounds: ClosedRange<Value>,
            _ sentence: String
        ) {
            (self.key, self.sentence) = (key, sentence)
            defaultText = quantity.text(standard)
            boundsText =
                "\(quantity.text(bounds.lowerBound)) to \(quantity.text(bounds.upperBound))"
            valueText = { limits in quantity.text(limits[keyPath: field]) }
            setDefault = { limits in limits[keyPath: field] = standard }
            read = { section, key, limits in
                limits[keyPath: field] = section.value(
                    key, quantity, default: standard, in: bounds)
            }
        }
    }

    /// The value of the limit under `key` as it could be written in the file: `4MiB`. Nil when there is
    /// no such limit.
    package func text(of key: String) -> String? {
        Limits.rows.first { $0.key == key }?.valueText(self)
    }

    /// In the order in which a push meets them.
    package static let rows = [
        Row(
            "connections_max", \.connectionsMax, .count, 10_000, 1...million,
            "Connections of all clients together."),
        Row(
            "connections_per_address_max", \.connectionsPerAddressMax, .count, 256, 1...million,
            "Connections of one client address; an IPv6 /64 counts as one."),
        Row(
            "handshakes_max", \.handshakesMax, .count, 512, 1...million,
            "TLS handshakes going on at once; at that many who comes waits, and each has one second."
        ),
        Row(
            "handshake_timeout", \.handshakeTimeout, .time, .seconds(5), tick...tenMinutes,
            "From the accepted connection to the end of its TLS handshake."),
        Row(
            "head_timeout", \.headTimeout, .time, .seconds(10), tick...tenMinutes,
            "From the first byte of a request to the end of its header section."),
        Row(
            "head_bytes_max", \.headBytesMax, .bytes, 8 * KiB, 256...MiB,
            "Request line and header section together."),
        Row(
            "target_bytes_max", \.targetBytesMax, .bytes, 4 * KiB, 64...MiB,
            "The path in the request line."),
        Row(
            "header_fields_max", \.headerFieldsMax, .count, 64, 1...1000,
            "Header fields of one request."),
        Row(
            "body_timeout", \.bodyTimeout, .time, .seconds(30), tick...hour,
            "From the end of the header section to the end of the body."),
        Row(
            "body_bytes_max", \.bodyBytesMax, .bytes, 4 * MiB, 1...GiB,
            "One body, on the wire and decoded."),
        Row(
            "inflate_ratio_max", \.inflateRatioMax, .count, 100, 1...1032,
            "How much larger than on the wire a gzip body may be, beyond its first 1 MiB."),
        Row(
            "body_rate_min.bytes_per_second", \.bodyRateMin.bytesPerSecond, .bytes, KiB, 1...GiB,
            "A body that comes more slowly is refused."),
        Row(
            "body_rate_min.after", \.bodyRateMin.after, .time, .seconds(5), tick...hour,
            "How long a body may take before its rate matters."),
        Row(
            "idle_timeout", \.idleTimeout, .time, .seconds(75), tick...hour,
            "How long a connection may stay open between two requests."),
        Row(
            "write_timeout", \.writeTimeout, .time, .seconds(10), tick...tenMinutes,
            "How long a client may take nothing of its answer."),
        Row(
            "requests_per_connection_max", \.requestsPerConnectionMax, .count, 10_000,
            1...1000 * million,
            "Requests on one connection before it is closed."),
        Row(
            "http2_streams_max", \.http2StreamsMax, .count, 32, 1...1000,
            "Requests under way at once on one connection of HTTP/2."),
        Row(
            "http2_client_resets.burst", \.http2ClientResets.burst, .count, 100, 1...million,
            "Requests that a client of HTTP/2 may take back at once."),
        Row(
            "http2_client_resets.per_second", \.http2ClientResets.perSecond, .count, 20,
            1...million,
            "And how many a second from then on; more end the connection."),
        Row(
            "http2_server_resets.burst", \.http2ServerResets.burst, .count, 50, 1...million,
            "Requests that the gate may have to take back at once, for the client's mistakes."),
        Row(
            "http2_server_resets.per_second", \.http2ServerResets.perSecond, .count, 5,
            1...million,
            "And how many a second from then on; more end the connection."),
        Row(
            "http2_glitches.burst", \.http2Glitches.burst, .count, 200, 1...million,
            "Frames of HTTP/2 at once that ask for nothing: pings, settings, empty ones."),
        Row(
            "http2_glitches.per_second", \.http2Glitches.perSecond, .count, 20, 1...million,
            "And how many a second from then on; more end the connection."),
        Row(
            "path_labels_max", \.pathLabelsMax, .count, 16, 1...64,
            "Labels in the path of a push."),
        Row(
            "sample_labels_max", \.sampleLabelsMax, .count, 64, 1...1024,
            "Labels of one sample."),
        Row(
            "label_value_bytes_max", \.labelValueBytesMax, .bytes, 2 * KiB, 1...MiB,
            "The value of one label."),
        Row(
            "series_max", \.seriesMax, .count, 50_000, 1...10 * million,
            "Series of one push."),
        Row(
            "password_queue_max", \.passwordQueueMax, .count, 256, 1...65_536,
            "Logins that wait for their password check."),
        Row(
            "failed_logins_per_minute_max.user", \.failedLoginsPerMinuteMax.user, .count, 10,
            1...million,
            "Failed logins of one user from one address before its next ones are slowed down."),
        Row(
            "failed_logins_per_minute_max.address", \.failedLoginsPerMinuteMax.address, .count, 60,
            1...million,
            "Failed logins of one address, whoever it claims to be, before all of them slow down."
        ),
        Row(
            "buffered_bytes_max", \.bufferedBytesMax, .bytes, 64 * MiB, 64 * KiB...64 * GiB,
            "Bodies of all pushes in flight, and what their check keeps, in memory."),
        Row(
            "job_labels_max", \.jobLabelsMax, .count, 200, 1...100_000,
            "Jobs that metrics tell apart; those beyond are counted together."),
        Row(
            "drain_timeout", \.drainTimeout, .time, .seconds(20), .zero...hour,
            "How long a stopping gate waits for the pushes in flight."),
    ]

    /// A limit that cannot exceed another one.
    private struct Relation: Sendable {
        let smaller: String
        let larger: String
        let severity: Problem.Severity
        let reason: String
        /// The two values as text when they contradict each other.
        let contradiction: @Sendable (Limits) -> (smaller: String, larger: String)?

        init<Value>(
            _ smaller: String, _ smallerField: WritableKeyPath<Limits, Value> & Sendable,
            atMost larger: String, _ largerField: WritableKeyPath<Limits, Value> & Sendable,
            _ quantity: Quantity<Value>, _ severity: Problem.Severity, _ reason: String
        ) {
            (self.smaller, self.larger) = (smaller, larger)
            (self.severity, self.reason) = (severity, reason)
            contradiction = { limits in
                let (small, large) = (limits[keyPath: smallerField], limits[keyPath: largerField])
                return small <= large ? nil : (quantity.text(small), quantity.text(large))
            }
        }
    }

    private static let relations = [
        Relation(
            "target_bytes_max", \.targetBytesMax, atMost: "head_bytes_max", \.headBytesMax, .bytes,
            .error, "the path is a part of the head"),
        Relation(
            "body_bytes_max", \.bodyBytesMax, atMost: "buffered_bytes_max", \.bufferedBytesMax,
            .bytes, .error, "one body has to fit into the memory for all"),
        Relation(
            "connections_per_address_max", \.connectionsPerAddressMax, atMost: "connections_max",
            \.connectionsMax, .count, .warning, "it will never be reached"),
        Relation(
            "handshakes_max", \.handshakesMax, atMost: "connections_max", \.connectionsMax, .count,
            .warning, "it will never be reached"),
        Relation(
            "label_value_bytes_max", \.labelValueBytesMax, atMost: "body_bytes_max",
            \.bodyBytesMax, .bytes, .warning, "it will never be reached"),
        Relation(
            "body_rate_min.after", \.bodyRateMin.after, atMost: "body_timeout", \.bodyTimeout,
            .time, .warning, "it will never be reached"),
        Relation(
            "failed_logins_per_minute_max.user", \.failedLoginsPerMinuteMax.user,
            atMost: "failed_logins_per_minute_max.address", \.failedLoginsPerMinuteMax.address,
            .count, .warning, "it will never be reached"),
    ]
}

extension Limits {
    /// Reads `limits:`, every row and every relation between two of them.
    init(_ section: Section, complaints: Complaints) {
        self.init()
        for row in Limits.rows {
            let (owner, key) = Limits.place(of: row.key, in: section)
            row.read(owner, key, &self)
        }
        for relation in Limits.relations { check(relation, in: section, complaints) }
    }

    /// The section and the key in it that a dotted key means.
    private static func place(of path: String, in section: Section) -> (Section, key: String) {
        let parts = path.split(separator: ".", maxSplits: 1)
        guard parts.count == 2 else { return (section, path) }
        return (section.section(String(parts[0])), String(parts[1]))
    }

    private func check(_ relation: Relation, in section: Section, _ complaints: Complaints) {
        guard let (small, large) = relation.contradiction(self) else { return }
        let (smallOwner, smallKey) = Limits.place(of: relation.smaller, in: section)
        let (largeOwner, largeKey) = Limits.place(of: relation.larger, in: section)
        // A value that is already refused was replaced by its default, which proves nothing.
        guard !smallOwner.isFaulty(smallKey), !largeOwner.isFaulty(largeKey) else { return }

        let smallPosition = smallOwner.position(of: smallKey)
        let largePosition = largeOwner.position(of: largeKey)
        // Only a value that was written down is worth a warning.
        guard relation.severity == .error || smallPosition != nil else { return }
        let position = max(smallPosition ?? .none, largePosition ?? .none)
        let smallText = smallPosition == nil ? "\(small), the default," : small
        let largeText = largePosition == nil ? "\(large), the default" : large
        complaints.add(
            "\(smallOwner.path(of: smallKey)) (\(smallText)) is larger than "
                + "\(largeOwner.path(of: largeKey)) (\(largeText)); \(relation.reason)",
            at: position, relation.severity)
    }
}

private let KiB = 1 << 10
private let MiB = 1 << 20
private let GiB = 1 << 30
private let million = 1_000_000
/// The finest a deadline of ours gets.
private let tick = Duration.milliseconds(10)
private let tenMinutes = Duration.seconds(600)
private let hour = Duration.seconds(3600)
