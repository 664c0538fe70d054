import Testing

@testable import HTTP

@Suite struct MediaTypeTests {
    private static let type = "application/vnd.google.protobuf"
    private static let message = "proto=io.prometheus.client.MetricFamily"

    private func isProtobuf(_ value: String) -> Bool {
        let bytes = Array(value.utf8)
        return MediaType.isDelimitedProtobuf(bytes.span)
    }

    @Test(arguments: [
        "\(type); \(message); encoding=delimited",
        "\(type);encoding=delimited;\(message)",
        "Application/VND.Google.Protobuf ; Encoding=delimited ;\tPROTO=io.prometheus.client.MetricFamily",
        "\(type); \(message); encoding=\"delimited\"; charset=utf-8",
        "\(type); x=\"a;\\\"b\"; \(message); encoding=delimited;",
    ])
    func `protobuf is what says exactly so, in any order`(value: String) {
        #expect(isProtobuf(value))
    }

    @Test(arguments: [
        "", ";", "text/plain", "text/plain; version=0.0.4", "application/json", type,
        "\(type); \(message)",
        "\(type); encoding=delimited",
        "\(type); \(message); encoding=text",
        "\(type); \(message); encoding=Delimited",
        "\(type); proto=io.prometheus.client.metricfamily; encoding=delimited",
        "\(type); \(message); encoding=delimited; encoding=text",
        "\(type); \(message); encoding=delimited x",
        "\(type); \(message); encoding=\"delimited",
        "\(type); \(message); encoding=\"deli\\mited\"",
        "\(type); \(message); encoding=",
        "\(type); \(message); =delimited; encoding=delimited",
        "\(type); \(message), encoding=delimited",
        "\(type)x; \(message); encoding=delimited",
        "x; \(type); \(message); encoding=delimited",
    ])
    func `everything else is text, as a Pushgateway reads it`(value: String) {
        #expect(!isProtobuf(value))
    }
}
