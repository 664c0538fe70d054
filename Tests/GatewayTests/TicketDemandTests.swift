import Bytes
import Testing

@testable import Gateway

@Suite struct TicketDemandTests {
    @Test func `who throws tickets away gets fewer, until one is used`() throws {
        var demand = TicketDemand()
        let network = try #require(IPAddress("198.51.100.9"))
        func given(of handshakes: Int) -> Int {
            (0..<handshakes).count { _ in demand.deserves(network) }
        }
        #expect(given(of: 64) == 64)
        #expect(given(of: 800) == 100)
        demand.noteResumption(in: network)
        #expect(given(of: 64) == 64)
        #expect(given(of: 8) == 1)

        // Two may have a place in common, but hardly three.
        let others = (1...40).compactMap { IPAddress("203.0.113.\($0)") }
        let givenToOthers = others.count { demand.deserves($0) }
        #expect(givenToOthers >= 38)
    }
}
