import Bytes
import Testing

@Suite struct IPAddressTests {
    @Test(arguments: [
        ("192.0.2.7", "192.0.2.7"), ("::1", "::1"), ("::", "::"), ("2001:DB8::7", "2001:db8::7"),
        ("::ffff:10.0.0.1", "10.0.0.1"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1:0:0:2::", "1:0:0:2::"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
        ("64:ff9b::10.0.0.1", "64:ff9b::a00:1"), ("fe80::", "fe80::"), ("1::8", "1::8"),
    ])
    func `a textual form is read and written canonically`(text: String, canonical: String) {
        #expect(IPAddress(text)?.description == canonical)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "010.0.0.1", "0x0a.0.0.1", "10.1", "167772161", "256.0.0.1",
        "1.2.3.+4", "1::2::3", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::",
        "12345::", "fe80::1%eth0", "[::1]", "::g", "1.2.3.4::", ":1::", "::1:", " ::1", "+1::",
        "1:2:3:4:5:6:7:1.2.3.4",
    ])
    func `what is no address is refused`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `IPv4 and its v4-mapped form are one value, v4-compatible is another`() {
        #expect(IPAddress("::ffff:10.0.0.1") == IPAddress("10.0.0.1"))
        #expect(IPAddress("::10.0.0.1") != IPAddress("10.0.0.1"))
    }

    @Test func `loopback is 127 slash 8 and colon-colon-1 only`() {
        #expect(
            ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"].allSatisfy {
                IPAddress($0)?.isLoopback == true
            })
        #expect(
            ["128.0.0.1", "126.255.255.255", "::2", "::127.0.0.1"].allSatisfy {
                IPAddress($0)?.isLoopback == false
            })
    }
}
