import Foundation
import Testing

/// Every body of the shared corpus through the gate to a real Pushgateway, beside what a bare
/// Pushgateway 1.5.1 said to the same.
@Suite struct CorpusTests {
    static let folder = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "shared/corpus")
    static let verdicts = folder.appending(path: "PUSHGATEWAY_1.5.1_HTTP.tsv")
    static var isThere: Bool { FileManager.default.fileExists(atPath: verdicts.path) }

    /// Why the gate refuses what Pushgateway 1.5.1 takes.
    private enum Reason: String, CaseIterable {
        /// Pushgateway 1.11 refuses it; 1.5.1 casts it to a huge unsigned number.
        case negative = "negative"
        /// The limits of the gate: 64 labels, 2 KiB a value.
        case limit = "more than 64 labels|longer than 2048 bytes"
        /// The Pushgateway overwrites it without a word.
        case contradiction = "contradicts the path"
        /// Once stored, it can make every later push fail.
        case pushTime = "is the Pushgateway's own"

        func explains(_ text: String) -> Bool {
            rawValue.split(separator: "|").contains { text.contains($0) }
        }
    }

    private static let refusedHere: [String: Reason] = [
        "other/newer_rejects/common_error_43": .negative,
        "other/newer_rejects/common_error_44": .negative,
        "other/newer_rejects/common_error_45": .negative,
        "other/newer_rejects/common_error_46": .negative,
        "other/newer_rejects/om_bad_counter_values_6": .negative,
        "other/newer_rejects/om_bad_counter_values_7": .negative,
        "other/newer_rejects/q_hist_bare_le_neg": .negative,
        "other/newer_rejects/q_hist_bucket_neg": .negative,
        "other/newer_rejects/q_hist_count_le_neg": .negative,
        "other/newer_rejects/q_hist_count_neg_inf": .negative,
        "valid/pgw_handler_01": .contradiction,
        "valid/q_label_value_70000": .limit,
        "valid/q_label_value_escape_at_4096": .limit,
        "valid/q_labels_100": .limit,
        "valid/q_labels_1000": .limit,
        "valid/q_pgw_job_label_in_body": .contradiction,
        "valid/q_pgw_push_failure_time": .pushTime,
        "valid/q_pgw_push_time": .pushTime,
        "valid/q_pgw_push_time_counter": .pushTime,
    ]

    @Test(.enabled(if: isThere, "the shared corpus does not stand beside the package"))
    func `the gate's verdict is the Pushgateway's, but for what is listed`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port, settings: "log: {level: info}")
        let client = try gate.connect()
        var count = 0
        for line in try String(contentsOf: Self.verdicts, encoding: .utf8).split(separator: "\n") {
            let columns = line.split(separator: "\t", maxSplits: 2).map(String.init)
            guard columns.count > 1, let status = Int(columns[1]) else { continue }
            count += 1
            let body = try [UInt8](Data(contentsOf: Self.folder.appending(path: columns[0])))
            try client.send(TestClient.request("PUT", "/metrics/job/j", bytes: body))
            let answer = try client.answer(to: "PUT")
            if let reason = Self.refusedHere[String(columns[0].dropLast(".prom".count))] {
                #expect(status == 200 && answer.status == 400, "\(columns[0]): \(answer)")
                #expect(reason.explains(answer.body), "\(columns[0]): \(answer)")
            } else {
                #expect(answer.status == status, "\(columns[0]): \(answer)")
            }
            #expect(try client.send("DELETE", "/metrics/job/j").status == 202)
        }
        #expect(count == 1262)
        #expect(try pushgateway.get("/metrics").status == 200)
    }
}
