import Foundation
import Testing

/// Our verdicts beside those of the Pushgateway's own code, on bodies that nobody thought of.
///
/// KANMON_DIFFERENTIAL_BODIES says on how many, KANMON_DIFFERENTIAL_SEED from which seed on.
@Suite(.enabled(if: Oracle.isAvailable, Oracle.absence))
struct DifferentialTests {
    static let bodies = environment("KANMON_DIFFERENTIAL_BODIES") ?? 20_000
    static let seed = environment("KANMON_DIFFERENTIAL_SEED") ?? 1
    private static let batchBodies = 500
    private static let findingsMax = 5

    private static func environment(_ name: String) -> Int? {
        ProcessInfo.processInfo.environment[name].flatMap(Int.init)
    }

    @Test func `every difference from the Pushgateway's own verdict has its reason`() throws {
        let corpus = Corpus.bodies()
        print("differential: \(Self.bodies) bodies, seed \(Self.seed), corpus \(corpus.count)")
        var generator = BodyGenerator(seed: UInt64(Self.seed), corpus: corpus)
        let oracle = try Oracle()
        var comparer = Comparer(group: Oracle.group)
        var tally = Tally()

        // A body of the corpus as it stands is worth asking about too.
        var batch = corpus
        while tally.total < Self.bodies, tally.findings < Self.findingsMax {
            try oracle.ask(batch)
            let next = (0..<Self.batchBodies).map { _ in generator.next() }
            for (body, answer) in zip(batch, try oracle.answers(batch.count)) {
                let comparison = comparer.compare(body, with: answer)
                tally.count(comparison)
                guard case .unexplained(let what) = comparison else { continue }
                tally.findings += 1
                if tally.findings > Self.findingsMax { break }
                let small = try shrink(body, oracle, &comparer)
                Issue.record("\(what)\n  body: \(body.literal)\n  smaller: \(small.literal)")
            }
            batch = next
        }
        tally.report()
        // Bodies of one kind only would prove little.
        #expect(tally.share(of: .accepted) > 0.15)
        #expect(tally.share(of: .refused) > 0.15)
    }

    /// Takes away what need not be there for the verdicts to differ: lines first, then bytes.
    private func shrink(
        _ body: [UInt8], _ oracle: Oracle, _ comparer: inout Comparer
    ) throws -> [UInt8] {
        var small = body
        var length = small.count / 2
        while length >= 1 {
            var start = 0
            while start < small.count {
                var candidate = small
                candidate.removeSubrange(start..<min(small.count, start + length))
                try oracle.ask([candidate])
                let answer = try oracle.answers(1)
                if case .unexplained = comparer.compare(candidate, with: answer[0]) {
                    small = candidate
                } else {
                    start += length
                }
            }
            length /= 2
        }
        return small
    }
}

/// What came of the bodies.
private struct Tally {
    private var counts: [Comparison: Int] = [:]
    private(set) var total = 0
    var findings = 0

    mutating func count(_ comparison: Comparison) {
        total += 1
        counts[comparison, default: 0] += 1
    }

    func share(of comparison: Comparison) -> Double {
        Double(counts[comparison, default: 0]) / Double(max(1, total))
    }

    func report() {
        print("  \(counts[.accepted, default: 0])\tboth take and push")
        print("  \(counts[.inconsistent, default: 0])\tboth take, and refuse to push")
        print("  \(counts[.refused, default: 0])\tboth refuse, in the same line")
        for explanation in Explanation.allCases {
            print("  \(counts[.explained(explanation), default: 0])\t\(explanation.rawValue)")
        }
        print("  \(findings)\twithout a reason")
    }
}

/// The bodies that changes start from.
private enum Corpus {
    private static let bodyBytesMax = 1500

    /// The package's own, and a larger corpus where one stands beside the package.
    static func bodies() -> [[UInt8]] {
        let package = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let folders = [
            package.appending(path: "Tests/Corpus/exposition"),
            package.deletingLastPathComponent().appending(path: "shared/corpus"),
        ]
        return folders.flatMap { folder in
            let files = FileManager.default.enumerator(atPath: folder.path)?.allObjects ?? []
            return files.compactMap { $0 as? String }.filter { $0.hasSuffix(".prom") }.sorted()
                .compactMap { try? Data(contentsOf: folder.appending(path: $0)) }
                .filter { !$0.isEmpty && $0.count <= bodyBytesMax }.map { [UInt8]($0) }
        }
    }
}

extension [UInt8] {
    /// The body as a Swift literal that is the same bytes, where it is UTF-8.
    fileprivate var literal: String {
        count > 2000
            ? "\(count) bytes"
            : String(validating: self, as: UTF8.self)?.debugDescription ?? "\(self)"
    }
}
