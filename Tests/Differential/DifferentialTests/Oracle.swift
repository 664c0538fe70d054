import Exposition
import Foundation
import Testing

/// The Pushgateway's own parser and check, as Debian packages them, in a child process.
///
/// Built from `Oracle/main.go`, which describes the bytes that go back and forth.
final class Oracle {
    private let process = Process()
    private let questions = Pipe()
    private let answers = Pipe()
    private let folder: URL

    /// What the parser and the check said of one body.
    struct Answer {
        /// Nil when the parser took the body; then the rest counts.
        var refusal: Refusal?
        var families: Int
        /// Nil when there is a summary or histogram, whose lines make up fewer metrics.
        var metrics: Int?
        /// What the consistency check found; empty when nothing.
        var inconsistency: String
    }

    struct Refusal {
        /// From 1.
        var line: Int
        /// Of the last byte that the parser had read when it gave up.
        var offset: Int
        var text: String
    }

    enum Failure: Error { case notBuilt(String), ended }

    static let group = [("job", "backup"), ("zone", "north")]

    static let isAvailable: Bool =
        environment.flatMap { FileManager.default.fileExists(atPath: $0.parser) } ?? false

    static let absence: Comment =
        "needs golang-go, golang-github-prometheus-common-dev and -client-golang-dev"

    /// The Go compiler, and where Debian keeps the sources.
    private static let environment: (go: String, parser: String)? = {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let go = path.split(separator: ":").map { $0 + "/go" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
        return go.map { ($0, sources + "/src/github.com/prometheus/client_golang/prometheus") }
    }()
    private static let sources = "/usr/share/gocode"

    init() throws {
        folder = FileManager.default.temporaryDirectory
            .appending(path: "kanmon-oracle-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let program = try Self.build(into: folder)
        process.executableURL = program
        process.arguments =
            Self.group.flatMap { ["-group", "\($0.0)=\($0.1)"] }
            + OwnFamily.ofPushgateway.flatMap {
                ["-own", "\($0.name),\($0.type.word),\($0.help ?? "")"]
            }
        process.standardInput = questions
        process.standardOutput = answers
        // A child that died shall be an error here, and not our end.
        signal(SIGPIPE, SIG_IGN)
        try process.run()
    }

    deinit {
        try? questions.fileHandleForWriting.close()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }

    private static func build(into folder: URL) throws -> URL {
        guard let environment else { throw Failure.notBuilt("there is no go") }
        let source = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appending(path: "Oracle/main.go")
        let program = folder.appending(path: "oracle")
        let build = Process()
        let complaints = Pipe()
        build.executableURL = URL(filePath: environment.go)
        build.arguments = ["build", "-o", program.path, source.path]
        build.environment = ProcessInfo.processInfo.environment.merging([
            "GO111MODULE": "off", "GOPATH": sources, "GOFLAGS": "",
        ]) { $1 }
        build.standardError = complaints
        try build.run()
        let text = try complaints.fileHandleForReading.readToEnd() ?? Data()
        build.waitUntilExit()
        guard build.terminationStatus == 0 else {
            throw Failure.notBuilt(String(decoding: text, as: UTF8.self))
        }
        return program
    }

    /// Sends bodies off; `answers` must be called before the next.
    func ask(_ bodies: [[UInt8]]) throws {
        var batch = Data()
        batch.append(number: bodies.count)
        for body in bodies {
            batch.append(number: body.count)
            batch.append(contentsOf: body)
        }
        try questions.fileHandleForWriting.write(contentsOf: batch)
    }

    /// The answers to the bodies last asked about, in their order.
    func answers(_ count: Int) throws -> [Answer] {
        try (0..<count).map { _ in
            let (line, offset, text) = (try number(), try number(), try text())
            let (families, metrics, inconsistency) = (try number(), try number(), try self.text())
            return Answer(
                refusal: line == 0 ? nil : Refusal(line: line, offset: offset, text: text),
                families: families, metrics: metrics == Int(UInt32.max) ? nil : metrics,
                inconsistency: inconsistency)
        }
    }

    private var arrived: [UInt8] = []
    private var used = 0

    private func number() throws -> Int {
        try (0..<4).reduce(0) { try $0 | Int(byte()) << (8 * $1) }
    }

    private func text() throws -> String {
        let count = try number()
        return String(decoding: try (0..<count).map { _ in try byte() }, as: UTF8.self)
    }

    private func byte() throws -> UInt8 {
        if used == arrived.count {
            let data = answers.fileHandleForReading.availableData
            guard !data.isEmpty else { throw Failure.ended }
            (arrived, used) = ([UInt8](data), 0)
        }
        used += 1
        return arrived[used - 1]
    }
}

extension Data {
    fileprivate mutating func append(number: Int) {
        for shift in [0, 8, 16, 24] { append(UInt8(truncatingIfNeeded: number >> shift)) }
    }
}
