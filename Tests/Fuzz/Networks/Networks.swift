import Admission
import Bytes
import Fuzzing
import Glibc

/// Lists of networks, one a line: each beside the C library's reading of its address, and all of
/// them beside a search from the first to the last.
@main
struct NetworksFuzzer {
    static func main() { fuzz(check) }

    private static func check(_ input: Span<UInt8>) {
        let text = String(decoding: input)
        let ranges = text.split(separator: "\n").prefix(16).compactMap(read)
        let list = Allowlist(Array(ranges))
        let probes = ranges.flatMap(edges) + mapped.flatMap(neighbours)
        for address in probes {
            let first = ranges.firstIndex { $0.contains(address) }
            promise(list.entry(for: address) == first, "\(address) is let in by \(first ?? -1)")
            promise(list.contains(address) == (first != nil), "\(address) is let in or not")
        }
        guard let last = ranges.last else { return }
        let others = Allowlist(Array(ranges.dropLast()))
        let inside = probes.filter(last.contains)
        promise(list.covers(last), "\(last) is covered by itself")
        promise(
            others.covers(last) == inside.allSatisfy(others.contains),
            "\(last) is covered when all its addresses are")
    }

    private static func read(_ line: Substring) -> AddressRange? {
        let parts = line.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let known = address(String(parts[0]))
        promise(IPAddress(parts[0]) == known, "\(parts[0]) is read as the C library does")
        do {
            let range = try AddressRange(parsing: line)
            check(range, known, parts)
            return range
        } catch {
            promise(isHarmless(error.sentence, bytesMax: 300), error.sentence)
            guard case .hostBitsSet(let network, let address) = error else { return nil }
            let remedies = [network, address].compactMap { try? AddressRange(parsing: $0) }
            promise(remedies.count == 2, "both remedies are good")
            promise(remedies[1].first == known, "the second is the address")
            let isMixed = known?.isIPv4 != remedies[0].isIPv4
            promise(isMixed || known.map(remedies[0].contains) == true, "the first holds it")
            return nil
        }
    }

    private static func check(
        _ range: AddressRange, _ known: IPAddress?, _ parts: [Substring]
    ) {
        promise(range.first == known, "a network begins with the address written")
        let offset = parts[0].utf8.contains(UInt8(ascii: ":")) ? 0 : 96
        let length = parts.count == 2 ? Int(parts[1]).map { $0 + offset } : 128
        promise(range.prefixLength == length, "its length is the one written")
        let again = try? AddressRange(parsing: range.description)
        promise(again == range, "\(range) means itself")
        promise(range.contains(range.first), "it holds its first address")
    }

    /// What `inet_pton` makes of it, IPv4 in its mapped form.
    private static func address(_ text: String) -> IPAddress? {
        guard !text.utf8.contains(0) else { return nil }
        var words = (UInt64(0), UInt64(0))
        if unsafe inet_pton(AF_INET6, text, &words) == 1 {
            return IPAddress(high: UInt64(bigEndian: words.0), low: UInt64(bigEndian: words.1))
        }
        var octets: UInt32 = 0
        guard unsafe inet_pton(AF_INET, text, &octets) == 1 else { return nil }
        return IPAddress(ipv4: UInt32(bigEndian: octets))
    }

    // MARK: Addresses where something may change

    private static let mapped = [IPAddress(ipv4: 0), IPAddress(ipv4: .max)]

    private static func edges(_ range: AddressRange) -> [IPAddress] {
        let hostBits: UInt128 =
            range.prefixLength == 0 ? .max : (1 << (128 - range.prefixLength)) - 1
        return neighbours(range.first) + neighbours(address(bits(range.first) | hostBits))
    }

    /// The address, and those before and after it.
    private static func neighbours(_ address: IPAddress) -> [IPAddress] {
        [bits(address) &- 1, bits(address), bits(address) &+ 1].map { self.address($0) }
    }

    private static func bits(_ address: IPAddress) -> UInt128 {
        UInt128(address.high) << 64 | UInt128(address.low)
    }

    private static func address(_ bits: UInt128) -> IPAddress {
        IPAddress(
            high: UInt64(truncatingIfNeeded: bits >> 64), low: UInt64(truncatingIfNeeded: bits))
    }
}
