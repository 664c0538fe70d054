import Bytes
import Foundation
import Reactor
import Testing

@testable import Gateway

@Suite struct RefusalSumsTests {
    private struct Line: Decodable, Hashable {
        let ts: String
        let from: String
        let verdict: String
        let reason: String
        let count: Int
    }

    private func lines(of sums: inout RefusalSums) throws -> [Line] {
        var text = ByteBuffer()
        sums.write(into: &text, at: WallClock(milliseconds: 1_795_233_960_000))
        return try String(decoding: text.span).split(separator: "\n").map {
            try JSONDecoder().decode(Line.self, from: Data($0.utf8))
        }
    }

    @Test func `each source and reason has one line with its count`() throws {
        var sums = RefusalSums()
        let one = try #require(IPAddress("198.51.100.9"))
        let two = try #require(IPAddress("2001:db8:1:2::7"))
        let sameNetwork = try #require(IPAddress("2001:db8:1:2:ffff::"))
        for _ in 0..<41 { sums.count("wrong_credentials", of: one) }
        sums.count("not_found", of: one)
        for address in [two, sameNetwork, two] { sums.count("address_not_allowed", of: address) }
        let found = try lines(of: &sums).map { "\($0.ts) \($0.from) \($0.reason) \($0.count)" }
        #expect(
            Set(found) == [
                "2026-11-21T04:06:00.000Z 198.51.100.9 wrong_credentials 41",
                "2026-11-21T04:06:00.000Z 198.51.100.9 not_found 1",
                "2026-11-21T04:06:00.000Z 2001:db8:1:2::/64 address_not_allowed 3",
            ])
        let isEmpty = sums.isEmpty
        #expect(isEmpty)
        #expect(try lines(of: &sums).isEmpty)
    }

    @Test func `the keys are in their order`() throws {
        var sums = RefusalSums()
        sums.count("wrong_credentials", of: try #require(IPAddress("198.51.100.9")))
        var text = ByteBuffer()
        sums.write(into: &text, at: WallClock(milliseconds: 1_795_233_960_000))
        let wanted =
            #"{"ts":"2026-11-21T04:06:00.000Z","from":"198.51.100.9","verdict":"refused","#
            + #""reason":"wrong_credentials","count":1}"# + "\n"
        #expect(String(decoding: text.span) == wanted)
    }

    @Test func `a million sources make a bounded number of lines, and none is lost from the count`()
        throws
    {
        var sums = RefusalSums()
        for number in 0..<1_000_000 {
            sums.count("address_not_allowed", of: IPAddress(ipv4: UInt32(number)))
        }
        sums.count("not_found", of: IPAddress(ipv4: .max))
        let found = try lines(of: &sums)
        #expect(found.count == 4096 + 2)
        #expect(found.reduce(0) { $0 + $1.count } == 1_000_001)
        let others = found.filter { $0.from == "(others)" }
        #expect(
            Set(others.map { "\($0.reason) \($0.count)" })
                == ["address_not_allowed 995904", "not_found 1"])
    }
}
