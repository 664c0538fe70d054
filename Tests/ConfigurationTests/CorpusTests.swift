import Configuration
import Foundation
import Testing

/// The files under `Tests/Corpus/configuration`: `NAME.good.yml` is accepted, `NAME.bad.yml` is
/// refused with exactly the problems in `NAME.bad.txt`.
@Suite struct CorpusTests {
    static let folder = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Corpus/configuration")
    static let names = ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [])
        .sorted()
    static let good = names.filter { $0.hasSuffix(".good.yml") }
    static let bad = names.filter { $0.hasSuffix(".bad.yml") }

    /// What operators start from; it has to be accepted like the good files of the corpus.
    static let sample = "../../../deploy/kanmon.sample.yml"

    static func bytes(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appending(path: name)))
    }

    @Test func `the corpus is there and nothing else is`() {
        #expect(Self.good.count >= 2 && Self.bad.count >= 90)
        let explained = Self.bad.map { $0.replacing(".yml", with: ".txt") }
        #expect(Set(Self.names).symmetricDifference(Self.good + Self.bad + explained) == [])
    }

    @Test(arguments: good + [sample])
    func `a good file is accepted without a word`(name: String) throws {
        let (configuration, problems) = Configuration.read(try Self.bytes(name), named: name)
        #expect(configuration != nil)
        #expect(problems == [])
    }

    @Test(arguments: bad)
    func `a bad file is refused with every problem in its place`(name: String) throws {
        let (configuration, problems) = Configuration.read(try Self.bytes(name), named: name)
        #expect(configuration == nil)
        #expect(problems.contains { $0.severity == .error })
        let text = problems.map { "\($0)\n" }.joined()
        let record = Self.folder.appending(path: name.replacing(".yml", with: ".txt"))
        #expect(text == String(decoding: try Data(contentsOf: record), as: UTF8.self))
    }
}
