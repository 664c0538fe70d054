import Admission
import Bytes
import Testing

@Suite struct AllowlistTests {
    @Test(arguments: ["0.0.0.0", "127.0.0.1", "::", "::1", "255.255.255.255"])
    func `an empty list admits nobody`(text: String) throws {
        #expect(!Allowlist([]).contains(try #require(IPAddress(text))))
    }

    @Test func `the first entry that contains an address is the one that admitted it`() throws {
        let list = Allowlist(
            try ["10.1.0.0/16", "10.0.0.0/8", "10.1.2.0/24", "::/0", "10.0.0.0/8", "2001:db8::/32"]
                .map { try AddressRange(parsing: $0) })
        #expect(list.entry(for: try #require(IPAddress("10.1.2.3"))) == 0)
        #expect(list.entry(for: try #require(IPAddress("10.2.2.3"))) == 1)
        #expect(list.entry(for: try #require(IPAddress("10.255.255.255"))) == 1)
        #expect(list.entry(for: try #require(IPAddress("2001:db8::1"))) == 3)
        #expect(list.entry(for: try #require(IPAddress("11.0.0.0"))) == nil)
        #expect(list.entry(for: try #require(IPAddress("9.255.255.255"))) == nil)
    }

    @Test func `all of IPv6 and all of IPv4 together admit everybody`() throws {
        let list = Allowlist([
            try AddressRange(parsing: "::/0"), try AddressRange(parsing: "0.0.0.0/0"),
        ])
        for (text, entry) in [
            ("::", 0), ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 0), ("0.0.0.0", 1),
            ("255.255.255.255", 1), ("::fffe:ffff:ffff", 0), ("::1:0:0:0", 0),
        ] {
            #expect(list.entry(for: try #require(IPAddress(text))) == entry, "\(text)")
        }
    }

    /// The naive loop is the definition; the boundaries of every range are where a cut can slip.
    @Test(arguments: 0..<150)
    func `the answer is that of trying each range in turn`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let ranges = try (0..<Int.random(in: 0...24, using: &random)).map { _ in
            try randomRange(&random)
        }
        let list = Allowlist(ranges)
        var probes: [UInt128] = [0, .max, 0xFFFF_0000_0000, 0xFFFF_FFFF_FFFF]
        for range in ranges {
            let bits = UInt128(range.first.high) << 64 | UInt128(range.first.low)
            let hosts: UInt128 =
                range.prefixLength == 0 ? .max : (1 << UInt128(128 - range.prefixLength)) - 1
            probes += [bits, bits &- 1, bits | hosts, (bits | hosts) &+ 1]
        }
        for probe in probes {
            let address = address(probe)
            let expected = ranges.firstIndex { $0.contains(address) }
            #expect(list.entry(for: address) == expected, "\(address) in \(ranges)")
            #expect(list.contains(address) == (expected != nil))
        }
    }

    @Test func `a hundred thousand networks are cut and searched in no time`() throws {
        let ranges = try (0..<100_000).map { index in
            try AddressRange(parsing: "\(IPAddress(ipv4: UInt32(index) << 8))/24")
        }
        let list = Allowlist(ranges.reversed())
        #expect(list.entry(for: IPAddress(ipv4: 0x0001_86FF)) == 100_000 - 0x186 - 1)
        #expect(list.entry(for: IPAddress(ipv4: 0x0186_9FFF)) == 0)
        #expect(list.entry(for: IPAddress(ipv4: 0x0186_A000)) == nil)
    }

    /// Few distinct bits, so that ranges lie in each other, touch, and surround the IPv4 block.
    private func randomRange(_ random: inout SplitMix) throws -> AddressRange {
        let isIPv4 = Bool.random(using: &random)
        let bits = isIPv4 ? 32 : 128
        let length =
            [0, 1, 2, 3, bits - 48, bits - 32, bits - 3, bits - 1, bits]
            .filter { $0 >= 0 }.randomElement(using: &random) ?? 0
        var value = UInt128.random(in: 0...7, using: &random)
        value |= UInt128.random(in: 0...7, using: &random) << UInt128(bits - 3)
        if !isIPv4, Bool.random(using: &random) { value |= 0xFFFF_0000_0000 }
        let mask: UInt128 = length == 0 ? 0 : ~0 << UInt128(bits - length)
        let first = isIPv4 ? IPAddress(ipv4: UInt32(value & mask)) : address(value & mask)
        // What lies in the v4-mapped block is written, and its length counted, as IPv4.
        let isMapped = !isIPv4 && first.isIPv4
        return try AddressRange(parsing: "\(first)/\(isMapped ? length - 96 : length)")
    }
}

/// A small generator with a seed, so that a failure can be seen again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
