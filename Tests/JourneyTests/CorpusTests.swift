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

    @Test(.enabled(if: isThere, "the shared corpus does not stand beside the package"))
    func `the gate's verdict is the Pushgateway's, but for what is listed`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port, settings: "log: {level: warn}")
        let client = try gate.connect()
        var differences: [String] = []
        for line in try String(contentsOf: Self.verdicts, encoding: .utf8).split(separator: "\n") {
            let columns = line.split(separator: "\t", maxSplits: 2).map(String.init)
            guard columns.count > 1, let expected = Int(columns[1]) else { continue }
            let body = try [UInt8](Data(contentsOf: Self.folder.appending(path: columns[0])))
            try client.send(TestClient.request("PUT", "/metrics/job/j", bytes: body))
            let answer = try client.answer(to: "PUT")
            if answer.status != expected {
                differences.append(
                    "\(columns[0])\t\(expected)\t\(answer.status)\t\(answer.body.prefix(200).replacingOccurrences(of: "\n", with: "|"))"
                )
            }
            #expect(try client.send("DELETE", "/metrics/job/j").status == 202)
        }
        print(differences.joined(separator: "\n"))
        #expect(try pushgateway.get("/metrics").status == 200)
    }
}
