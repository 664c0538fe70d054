import Configuration
import Foundation
import Testing

@Suite struct LimitsTests {
    static func sample() throws -> String {
        String(decoding: try CorpusTests.bytes(CorpusTests.sample), as: UTF8.self)
    }

    /// The lines of the sample's `limits` as `key: value`, sections dotted, each with the comment
    /// above it.
    static func sampleRows() throws -> [String: (value: String, comment: String)] {
        var rows: [String: (value: String, comment: String)] = [:]
        var (section, comment, isInside) = ("", "", false)
        for line in try sample().split(separator: "\n") {
            if !line.hasPrefix(" ") { isInside = line == "limits:" }
            guard isInside, line.hasPrefix("  ") else { continue }
            let text = line.trimmingCharacters(in: .whitespaces)
            if text.hasPrefix("# ") {
                comment = String(text.dropFirst(2))
                continue
            }
            let parts = text.split(separator: ": ").map(String.init)
            if parts.count == 1 {
                section = text.dropLast() + "."
            } else {
                let isNested = line.hasPrefix("    ")
                rows[(isNested ? section : "") + parts[0]] = (parts[1], comment)
            }
        }
        return rows
    }

    @Test func `the sample shows every limit with its default and its sentence`() throws {
        let shown = try Self.sampleRows()
        for row in Limits.rows {
            #expect(shown[row.key]?.value == row.defaultText, "\(row.key)")
            #expect(shown[row.key]?.comment == row.sentence, "\(row.key)")
        }
        #expect(Set(shown.keys) == Set(Limits.rows.map(\.key)))
    }

    @Test func `the sample sets nothing but defaults`() throws {
        let bytes = try CorpusTests.bytes(CorpusTests.sample)
        let sample = try #require(Configuration.read(bytes, named: "x").configuration)
        let minimal = try #require(read(file()).configuration)
        #expect(sample.limits == minimal.limits)
        #expect(sample.environment == minimal.environment)
        #expect(sample.listen.map(\.value) == minimal.listen.map(\.value))
        #expect(sample.tls.versionMin == minimal.tls.versionMin)
        #expect(sample.upstream.connectionsMax == minimal.upstream.connectionsMax)
        #expect(sample.upstream.connectTimeout == minimal.upstream.connectTimeout)
        #expect(sample.upstream.firstByteTimeout == minimal.upstream.firstByteTimeout)
        #expect(sample.upstream.timeout == minimal.upstream.timeout)
        #expect(sample.upstream.takesUTF8Names == minimal.upstream.takesUTF8Names)
        #expect(sample.labelConflicts == minimal.labelConflicts)
        #expect(sample.workers == minimal.workers)
        #expect(sample.log.level == minimal.log.level && sample.log.format == minimal.log.format)
    }

    @Test func `the sample names every key there is`() throws {
        let sample = try Self.sample()
        #expect(Configuration.keys.count == 12 + 4 + 2 + 4 + 4 + 9 + 1 + 28 + 5 * 2 + 3 + 2)
        for key in Configuration.keys {
            let name = try #require(key.split(separator: ".").last)
            #expect(sample.contains(try Regex("(?m)^ *(# *)?\(name):")), "\(key)")
        }
    }

    @Test func `the sample with its optional lines switched on is good too`() throws {
        var text = try Self.sample().replacing("url: http://", with: "url: https://")
        for line in ["client_ca_file", "ca_file", "username", "password_file"] {
            text = text.replacing("  # \(line):", with: "  \(line):")
        }
        for line in ["admin:", "  listen: 127", "audit:", "  file:", "  max_bytes:", "  retain:"] {
            text = text.replacing("\n# \(line)", with: "\n\(line)")
        }
        let (configuration, problems) = read(text)
        #expect(problems == [])
        #expect(configuration?.tls.clientAuthorityFile?.value == .path("tls/client-ca.crt"))
        #expect(configuration?.upstream.authorityFile?.value == .path("tls/pushgateway.crt"))
        #expect(configuration?.upstream.login?.username.value == "gate")
        #expect(configuration?.admin?.listen.value.description == "127.0.0.1:9444")
        #expect(configuration?.audit?.file.value == "audit.jsonl")
        #expect(configuration?.audit?.bytesMax == 10 << 20)
        #expect(configuration?.audit?.retain == 7)
    }

    @Test func `the sample with its users switched on is good too`() throws {
        var isInside = false
        let lines = try Self.sample().split(separator: "\n", omittingEmptySubsequences: false)
        let text = lines.map { line in
            isInside = line == "  # users:" || isInside && line.hasPrefix("  # ")
            return isInside ? "  " + line.dropFirst(4) : String(line)
        }.joined(separator: "\n")
        let (configuration, problems) = read(text)
        #expect(problems == [])
        let users = try #require(configuration?.auth.users?.value)
        let prom = try #require(users.first)
        #expect(users.count == 1 && prom.name.value == "prom")
        #expect(prom.groups?.value.map(\.value.labels.count) == [1, 2])
        #expect(prom.methods.value == [.post, .put])
        #expect(prom.allow?.map(\.value) == ["127.0.0.1"])
        #expect(prom.quotas.pushesPerMinute?.value == 60)
        #expect(prom.quotas.bytesPerMinute?.value == 8 << 20)
        #expect(prom.quotas.groupsMax?.value == 20)
        #expect(prom.quotas.seriesMax?.value == 2000)
    }

    @Test func `each row sets the field of its own name`() {
        var fields: [String] = []
        func collect(_ value: Any, _ path: String) {
            let children = Mirror(reflecting: value).children.filter { _ in !(value is Duration) }
            if children.isEmpty { fields.append(path) }
            for child in children {
                let name = (child.label ?? "").replacing(#/[A-Z]/#) { "_" + $0.output.lowercased() }
                collect(child.value, path.isEmpty ? name : "\(path).\(name)")
            }
        }
        collect(Limits(), "")
        #expect(fields == Limits.rows.map(\.key))
    }

    @Test func `a limit can be shown as it is written`() {
        var limits = Limits()
        for row in Limits.rows { #expect(limits.text(of: row.key) == row.defaultText) }
        limits.bodyBytesMax = 1536
        limits.bodyTimeout = .seconds(90)
        #expect(limits.text(of: "body_bytes_max") == "1536")
        #expect(limits.text(of: "body_timeout") == "1m30s")
        #expect(limits.text(of: "body") == nil)
    }

    /// The rows as the design has them: a default that drifts is found here.
    @Test func `the defaults are those of the design`() {
        let defaults = Limits()
        #expect(defaults.connectionsMax == 10_000)
        #expect(defaults.connectionsPerAddressMax == 256)
        #expect(defaults.handshakesMax == 512)
        #expect(defaults.handshakeTimeout == .seconds(5))
        #expect(defaults.headTimeout == .seconds(10))
        #expect(defaults.headBytesMax == 8192)
        #expect(defaults.targetBytesMax == 4096)
        #expect(defaults.headerFieldsMax == 64)
        #expect(defaults.bodyTimeout == .seconds(30))
        #expect(defaults.bodyBytesMax == 4_194_304)
        #expect(defaults.bodyRateMin.bytesPerSecond == 1024)
        #expect(defaults.bodyRateMin.after == .seconds(5))
        #expect(defaults.idleTimeout == .seconds(75))
        #expect(defaults.writeTimeout == .seconds(10))
        #expect(defaults.requestsPerConnectionMax == 10_000)
        #expect(defaults.pathLabelsMax == 16)
        #expect(defaults.sampleLabelsMax == 64)
        #expect(defaults.labelValueBytesMax == 2048)
        #expect(defaults.seriesMax == 50_000)
        #expect(defaults.passwordQueueMax == 256)
        #expect(defaults.failedLoginsPerMinuteMax.user == 10)
        #expect(defaults.failedLoginsPerMinuteMax.address == 60)
        #expect(defaults.bufferedBytesMax == 67_108_864)
        #expect(defaults.drainTimeout == .seconds(20))
    }

    /// A file that sets one limit and, where another one would contradict it, that one too.
    static func setting(_ key: String, _ value: String) -> Configuration.Reading {
        let parts = key.split(separator: ".")
        let row = parts.count == 1 ? "\(key): \(value)" : "\(parts[0]): {\(parts[1]): \(value)}"
        let companions = [
            "head_bytes_max": "target_bytes_max: 64", "target_bytes_max": "head_bytes_max: 1MiB",
            "body_bytes_max": "buffered_bytes_max: 64GiB",
            "buffered_bytes_max": "body_bytes_max: 1",
        ]
        return read(file("limits:\n  \(row)\n  \(companions[key] ?? "")"))
    }

    @Test(arguments: Limits.rows)
    func `a limit takes its bounds and nothing beyond`(row: Limits.Row) throws {
        let bounds = row.boundsText.components(separatedBy: " to ")
        for bound in bounds {
            let (configuration, problems) = Self.setting(row.key, bound)
            #expect(configuration != nil && problems.allSatisfy { $0.severity == .warning })
        }
        let unit = bounds[1].drop { $0.isNumber }
        let number = try #require(Int(bounds[1].prefix { $0.isNumber }))
        for beyond in ["\(number + 1)\(unit)", bounds[0] == "0s" ? "-1s" : "0"] {
            let (configuration, problems) = Self.setting(row.key, beyond)
            #expect(configuration == nil)
            #expect(problems.map(\.severity).contains(.error))
            #expect(problems.contains { $0.message.hasPrefix("limits.\(row.key): ") })
        }
    }

    @Test(arguments: [
        ("0", Duration.zero), ("0s", .zero), ("1ms", .milliseconds(1)),
        ("500ms", .milliseconds(500)),
        ("10s", .seconds(10)), ("1m", .seconds(60)), ("1m1s1ms", .milliseconds(61_001)),
        ("0y0w0d0h59m59s999ms", .milliseconds(3_599_999)), ("1h", .seconds(3600)),
        ("3600s", .seconds(3600)), ("007s", .seconds(7)), ("\"7s\"", .seconds(7)),
    ])
    func `a duration is read as Prometheus does`(text: String, duration: Duration) {
        #expect(Self.setting("drain_timeout", text).configuration?.limits.drainTimeout == duration)
    }

    @Test(arguments: [
        ("1d", "1d"), ("1w", "1w"), ("1y", "1y"), ("25h", "25h"), ("2h", "2h"),
    ])
    func `a unit that is too long for a limit is still understood`(text: String, shown: String) {
        #expect(
            Self.setting("drain_timeout", text).problems.map(\.message) == [
                "limits.drain_timeout: \"\(shown)\" is out of bounds; 0s to 1h is possible"
            ])
    }

    @Test(arguments: [
        "", "s", "1", "1.5s", "1 s", "-1s", "+1s", "1S", "1sec", "1s1m", "1s1s", "1ms1s", "1h 1m",
        "0x1s", "1_0s", "1µs", "1us", "１s", "s1", "1s2", "١s", "1min",
    ])
    func `what is no duration is refused`(text: String) {
        let (configuration, problems) = Self.setting("drain_timeout", "\"\(text)\"")
        #expect(configuration == nil && problems.count == 1)
    }

    @Test(arguments: [
        ("1024", 1024), ("1KiB", 1024), ("\"1KiB\"", 1024), ("01KiB", 1024), ("1MiB", 1_048_576),
        ("1GiB", 1_073_741_824),
    ])
    func `a size is bytes or has a binary unit`(text: String, bytes: Int) {
        #expect(Self.setting("body_bytes_max", text).configuration?.limits.bodyBytesMax == bytes)
    }

    @Test(arguments: [
        "", "KiB", "1K", "1KB", "1kib", "1 KiB", "1.5KiB", "-1", "+1", "0x10", "1e3", "\"1024\"",
        "1TiB", "1KiBKiB", "１KiB",
    ])
    func `what is no size is refused`(text: String) {
        let (configuration, problems) = Self.setting("body_bytes_max", text)
        #expect(configuration == nil && problems.count == 1)
    }
}
