import Bytes
import Configuration
import Reactor
import Testing

@testable import Gateway

@Suite struct InheritedSocketsTests {
    /// Where a socket is bound, for which families, and the address in a configuration that it is for.
    private static let forms: [(address: String, family: Socket.Family, configured: String)] = [
        ("127.0.0.1", .ipv4, "127.0.0.1:9443"),
        ("0.0.0.0", .ipv4, "0.0.0.0:9443"),
        ("::", .dual, ":9443"),
        ("::", .ipv6Only, "[::]:9443"),
        // For a single address it does not matter what else the socket might take.
        ("::1", .dual, "[::1]:9443"),
        ("::1", .ipv6Only, "[::1]:9443"),
    ]

    @Test(arguments: forms.indices)
    func `a socket is for the one address that means exactly what it listens on`(_ index: Int)
        throws
    {
        let (address, family, configured) = Self.forms[index]
        let bound = SocketAddress(address: try #require(IPAddress(address)), port: 9443)
        #expect(ListenAddress(of: bound, family).description == configured)
    }

    @Test func `a name says what a socket was for, and whether somebody else holds it`() {
        let name = ListenerName(of: .listener, 2)
        for isHeld in [true, false] {
            let text = name.text(isHeldOutside: isHeld)
            #expect(name.isName(text))
            #expect(ListenerName.isHeldOutside(text) == isHeld)
            #expect(!ListenerName(of: .listener, 22).isName(text))
        }
    }
}
