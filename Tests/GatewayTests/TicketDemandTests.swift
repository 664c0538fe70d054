import Bytes
import Testing

@testable import Gateway

@Suite struct TicketDemandTests {
    @Test func `who throws tickets away gets fewer, and who uses one gets another`() throws {
        var demand = TicketDemand()
        let network = try #require(IPAddress("198.51.100.9"))
        func given(of handshakes: Int) -> Int {
            (0..<handshakes).count { _ in demand.deserves(network, hasResumed: false) }
        }
        #expect(given(of: 64) == 64)
        #expect(given(of: 800) == 100)
        let isGivenAnother = demand.deserves(network, hasResumed: true)
        #expect(isGivenAnother)
        #expect(given(of: 64) == 64)
        #expect(given(of: 8) == 1)

        // Two may have a place in common, but hardly three.
        let others = (1...40).compactMap { IPAddress("203.0.113.\($0)") }
        let givenToOthers = others.count { demand.deserves($0, hasResumed: false) }
        #expect(givenToOthers >= 38)
    }
}
