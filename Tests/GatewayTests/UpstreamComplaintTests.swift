import Bytes
import Testing

@testable import Gateway

/// The texts are those of Pushgateway 1.5.1.
@Suite struct UpstreamComplaintTests {
    private static let start =
        "pushed metrics are invalid or inconsistent with existing metrics: "
    private static let series =
        "{ label:<name:\"instance\" value:\"\" > label:<name:\"job\" value:\"secret\" > gauge:<value:1 > }"

    private func complaint(_ answer: String, to body: String) -> UpstreamComplaint {
        let (answer, body) = (Array(answer.utf8), Array(body.utf8))
        return UpstreamComplaint(answer.span, to: body.span)
    }

    @Test(arguments: [
        (
            "collected metric \"x\" \(series) is not a COUNTER\n", "# TYPE x gauge\nx 1\n",
            UpstreamComplaint.typeTaken("x")
        ),
        (
            "gathered metric family x has type UNTYPED but should have GAUGE\n", "x 1\n",
            .typeTaken("x")
        ),
        (
            "collected metric named \"x_sum\" collides with previously collected summary named \"x\"\n",
            "x_sum 2\n", .nameTaken("x_sum")
        ),
        (
            "collected histogram or summary named \"x\" collides with previously collected metric named \"x_sum\"\n",
            "# TYPE x summary\nx_count 2\n", .nameTaken("x")
        ),
        (
            "collected metric \"x\" \(series) was collected before with the same name and label values\n",
            "x 1\n", .seriesTaken("x")
        ),
        (
            "2 error(s) occurred:\n* collected metric \"push_time_seconds\" \(series) was collected before with the same name and label values\n* collected metric \"x\" \(series) is not a COUNTER\n",
            "x 1\n", .typeTaken("x")
        ),
        (
            "2 error(s) occurred:\n* collected metric \"push_time_seconds\" \(series) was collected before with the same name and label values\n",
            "x 1\n", .broken("push_time_seconds")
        ),
        (
            "pushed metrics must not have timestamps", "x 1\n",
            .other("\(start)pushed metrics must not have timestamps")
        ),
    ])
    func `what the Pushgateway says is understood`(
        answer: String, body: String, complaint expected: UpstreamComplaint
    ) {
        #expect(complaint(Self.start + answer, to: body) == expected)
    }

    @Test(arguments: [
        "collected metric \"x\" \(series) is not a COUNTER",
        "collected metric \"y\" \(series) was collected before with the same name and label values",
        "something new about \(series)", "collected metric \"x\" \(series) has moods", "\(series)",
    ])
    func `nothing of another group is told`(answer: String) {
        let told = complaint(Self.start + answer, to: "x 1\n").sentence
        #expect(!told.contains("secret") && !told.contains("label:"), "\(told)")
        #expect(!told.isEmpty)
    }

    @Test func `what it cannot read is relayed`() {
        let text = "text format parsing error in line 1: invalid metric name"
        #expect(complaint(text + "\n", to: "{\"a\"} 1\n") == .unreadable(text))
    }

    @Test(arguments: [
        "", "\n", "collected", "collected metric", "* gathered metric family", "{", "collected \"",
    ])
    func `an answer cut anywhere does no harm`(answer: String) {
        _ = complaint(answer, to: "").sentence
    }
}
