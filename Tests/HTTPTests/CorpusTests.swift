import Bytes
import Foundation
import HTTP
import Testing

/// One file of `Tests/Corpus/http1`: what a client sent. A refused one begins its name with the
/// status it deserves.
struct CorpusFile: CustomTestStringConvertible, Sendable {
    var name: String
    var bytes: [UInt8]
    var testDescription: String { name }

    var status: Int? { Int(name.prefix { $0 != "-" }) }

    static let accepted = files(in: "accepted")
    static let refused = files(in: "refused")

    private static func files(in folder: String) -> [CorpusFile] {
        let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent()
        let directory = tests.appendingPathComponent("Corpus/http1/\(folder)")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        return names.sorted().filter { $0.hasSuffix(".http") }.compactMap { name in
            (try? Data(contentsOf: directory.appendingPathComponent(name)))
                .map { CorpusFile(name: name, bytes: Array($0)) }
        }
    }

    /// Every place to cut a short file in two; of a long one the ends and a sample.
    var cuts: [Int] {
        if bytes.count <= 2000 { return Array(0...bytes.count) }
        let sample = stride(from: 40, to: bytes.count - 40, by: max(1, bytes.count / 60))
        return Array(0..<40) + Array(sample) + Array((bytes.count - 40)...bytes.count)
    }
}

@Suite struct `The HTTP/1.1 corpus` {
    @Test func `is there`() {
        #expect(CorpusFile.accepted.count >= 64)
        #expect(CorpusFile.refused.count >= 310)
    }

    @Test(arguments: CorpusFile.accepted)
    func `is accepted, to the last byte`(_ file: CorpusFile) {
        let transcript = converse(file.bytes)
        #expect(transcript.refusal == nil)
        #expect(transcript.requests.count >= 1)
        #expect(transcript.consumed == file.bytes.count)
        #expect(transcript.isIdle)
    }

    @Test(arguments: CorpusFile.refused)
    func `is refused with the status in the file's name`(_ file: CorpusFile) throws {
        let refusal = try #require(converse(file.bytes).refusal)
        #expect(refusal.status.code == file.status)
    }

    @Test(arguments: CorpusFile.accepted + CorpusFile.refused)
    func `means the same however it is cut in two`(_ file: CorpusFile) {
        let whole = converse(file.bytes)
        let deviating = file.cuts.filter { converse(file.bytes, ends: [$0]) != whole }
        #expect(deviating == [])
    }

    @Test(arguments: CorpusFile.accepted + CorpusFile.refused)
    func `means the same byte by byte`(_ file: CorpusFile) {
        #expect(converseByBytes(file.bytes) == converse(file.bytes))
    }

    @Test(arguments: CorpusFile.accepted)
    func `is never taken for complete while a byte is missing`(_ file: CorpusFile) {
        for count in file.cuts where count < file.bytes.count {
            let transcript = converse(Array(file.bytes[..<count]))
            #expect(transcript.refusal == nil)
            #expect(!transcript.isIdle || transcript.requests.count < requestCount(file))
        }
    }

    private func requestCount(_ file: CorpusFile) -> Int { converse(file.bytes).requests.count }
}

@Suite struct `Bytes that nobody meant` {
    @Test(arguments: 0..<8)
    func `random bytes never trap and never depend on the cut`(_ seed: UInt64) {
        var random = SeededGenerator(state: seed)
        for _ in 0..<200 {
            let bytes = (0..<Int.random(in: 0...120, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            #expect(converseByBytes(bytes) == converse(bytes))
        }
    }

    /// Random bytes hardly get past the method, so these begin as something good.
    @Test(arguments: 0..<8)
    func `damaged requests never trap and never depend on the cut`(_ seed: UInt64) throws {
        var random = SeededGenerator(state: seed)
        let small = CorpusFile.accepted.filter { $0.bytes.count < 500 }
        for _ in 0..<200 {
            let file = try #require(small.randomElement(using: &random))
            let bytes = damaged(file.bytes, using: &random)
            let whole = converse(bytes)
            #expect(converseByBytes(bytes) == whole, "\(file.name)")
            let cut = Int.random(in: 0...bytes.count, using: &random)
            #expect(converse(bytes, ends: [cut]) == whole, "\(file.name) cut at \(cut)")
        }
    }

    @Test(arguments: 0..<4)
    func `random and damaged answers never trap and never depend on the cut`(_ seed: UInt64) {
        var random = SeededGenerator(state: seed)
        let good = Array(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        for _ in 0..<300 {
            let bytes = damaged(good, using: &random)
            let cuts = [Int.random(in: 0...bytes.count, using: &random)]
            #expect(answer(bytes, ends: cuts) == answer(bytes))
            #expect(answer(bytes, ends: Array(0..<bytes.count)) == answer(bytes))
        }
    }

    private func damaged(_ bytes: [UInt8], using random: inout SeededGenerator) -> [UInt8] {
        let telling = Array("\r\n\t :,;=0a\0\u{7F}/?#%[]*\"".utf8) + [0x80, 0xFF]
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            let byte = telling.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[place] = byte
            case 1: bytes.insert(byte, at: place)
            case 2 where bytes.count > 1: bytes.remove(at: place)
            default: bytes[place] = UInt8.random(in: 0...255, using: &random)
            }
        }
        return bytes
    }
}
