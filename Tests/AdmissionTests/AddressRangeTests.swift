import Admission
import Bytes
import Testing

@Suite struct AddressRangeTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.0.0.0/8"), ("192.0.2.7", "192.0.2.7"), ("192.0.2.7/32", "192.0.2.7"),
        ("0.0.0.0/0", "0.0.0.0/0"), ("::/0", "::/0"), ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1"), ("::1/128", "::1"), ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:0:0/96", "0.0.0.0/0"), ("::ffff:10.0.0.1", "10.0.0.1"), ("::/80", "::/80"),
        ("fe80::/10", "fe80::/10"), ("128.0.0.0/1", "128.0.0.0/1"), ("8000::/1", "8000::/1"),
    ])
    func `a network is read and written canonically`(text: String, canonical: String) throws {
        let range = try AddressRange(parsing: text)
        #expect(range.description == canonical)
        #expect(try AddressRange(parsing: canonical) == range)
    }

    @Test(
        arguments: [
            ("", .empty), ("/8", .empty), ("fe80::1%eth0", .zone), ("fe80::1%eth0/64", .zone),
            ("localhost", .hostName), ("bot.example.com/32", .hostName), ("fritz-box", .hostName),
            ("010.0.0.1", .ambiguousIPv4), ("0x0a.0.0.1", .ambiguousIPv4), ("10.1", .ambiguousIPv4),
            ("167772161", .ambiguousIPv4), ("10.0.0.256", .ambiguousIPv4),
            ("10.0.0/24", .ambiguousIPv4), ("10.0.0.0.0/8", .ambiguousIPv4),
            ("10.0.0.0/33", .prefixTooLong(max: 32)), ("::/129", .prefixTooLong(max: 128)),
            ("10.0.0.0/999", .prefixTooLong(max: 32)), ("10.0.0.0/-1", .prefixMalformed),
            ("10.0.0.0/+8", .prefixMalformed), ("10.0.0.0/08", .prefixMalformed),
            ("10.0.0.0/00", .prefixMalformed), ("10.0.0.0/", .prefixMalformed),
            ("10.0.0.0/8x", .prefixMalformed), ("10.0.0.0/ 8", .prefixMalformed),
            ("10.0.0.0/8/8", .prefixMalformed), ("10.0.0.0/1234", .prefixMalformed),
            ("10.0.0.0/255.0.0.0", .prefixMalformed), ("10.0.0.0/٨", .prefixMalformed),
            ("1::2::3", .notAnAddress), (":::", .notAnAddress), ("[::1]", .notAnAddress),
            (" 10.0.0.1", .notAnAddress), ("10.0.0.1\r", .notAnAddress),
            ("10.0.0.1\0", .notAnAddress),
            ("10.0.0.1 # me", .notAnAddress), ("*", .notAnAddress), ("10.0.0.1-9", .notAnAddress),
            ("10.0.0.1/8", .hostBitsSet(network: "10.0.0.0/8", address: "10.0.0.1")),
            ("2001:db8::1/32", .hostBitsSet(network: "2001:db8::/32", address: "2001:db8::1")),
            ("::ffff:1.2.3.4/96", .hostBitsSet(network: "0.0.0.0/0", address: "1.2.3.4")),
            ("0.0.0.1/0", .hostBitsSet(network: "0.0.0.0/0", address: "0.0.0.1")),
            ("::ffff:0:0/95", .hostBitsSet(network: "::fffe:0:0/95", address: "0.0.0.0")),
        ] as [(String, AddressRangeError)])
    func `what is no network, or could be two, is refused`(
        text: String, error: AddressRangeError
    ) {
        #expect(throws: error) { try AddressRange(parsing: text) }
        #expect(!error.sentence.isEmpty)
    }

    @Test func `host bits are refused with both things that may have been meant`() {
        let error = AddressRangeError.hostBitsSet(network: "10.0.0.0/8", address: "10.0.0.1")
        #expect(error.sentence.contains("write 10.0.0.0/8 for the network or 10.0.0.1 for"))
    }

    @Test(arguments: [0, 1, 7, 8, 9, 15, 16, 23, 24, 30, 31, 32])
    func `an IPv4 network ends exactly where it ends`(length: Int) throws {
        let mask: UInt32 = length == 0 ? 0 : ~0 << UInt32(32 - length)
        let first = 0xAC1F_4080 & mask
        let last = first | ~mask
        let range = try AddressRange(parsing: "\(IPAddress(ipv4: first))/\(length)")
        #expect(range.contains(IPAddress(ipv4: first)))
        #expect(range.contains(IPAddress(ipv4: last)))
        if first > 0 { #expect(!range.contains(IPAddress(ipv4: first - 1))) }
        if last < .max { #expect(!range.contains(IPAddress(ipv4: last + 1))) }
    }

    @Test(arguments: [1, 3, 32, 48, 63, 64, 65, 127, 128])
    func `an IPv6 network ends exactly where it ends`(length: Int) throws {
        let mask: UInt128 = ~0 << UInt128(128 - length)
        let first = 0x2001_0DB8_4000_0001_8000_0000_0000_0001 & mask
        let last = first | ~mask
        let range = try AddressRange(parsing: "\(address(first))/\(length)")
        #expect(range.contains(address(first)))
        #expect(range.contains(address(last)))
        if first > 0 { #expect(!range.contains(address(first - 1))) }
        if last < .max { #expect(!range.contains(address(last + 1))) }
    }

    @Test(arguments: [
        ("10.0.0.0/8", "::ffff:10.0.0.1", true), ("10.0.0.0/8", "::10.0.0.1", false),
        ("10.0.0.0/8", "64:ff9b::a00:1", false), ("10.0.0.0/8", "2002:a00:1::", false),
        ("::/0", "10.0.0.1", false), ("::/80", "10.0.0.1", false), ("0.0.0.0/0", "::1", false),
        ("0.0.0.0/0", "::", false), ("::/0", "::1", true), ("127.0.0.0/8", "::1", false),
        ("::1", "127.0.0.1", false), ("127.0.0.0/8", "::ffff:127.0.0.1", true),
    ])
    func `the families stay apart, and v4-mapped is IPv4`(
        range: String, address: String, isContained: Bool
    ) throws {
        let address = try #require(IPAddress(address))
        let range = try AddressRange(parsing: range)
        #expect(range.contains(address) == isContained)
        #expect(Allowlist([range]).contains(address) == isContained)
    }

    @Test func `an IPv6 client is counted by its slash 64, an IPv4 client alone`() throws {
        let counted = { (text: String) in IPAddress(text)?.countedNetwork.description }
        #expect(counted("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::")
        #expect(counted("192.0.2.7") == "192.0.2.7")
        #expect(counted("::ffff:192.0.2.7") == "192.0.2.7")
    }
}

func address(_ bits: UInt128) -> IPAddress {
    IPAddress(
        high: UInt64(truncatingIfNeeded: bits >> 64), low: UInt64(truncatingIfNeeded: bits))
}
