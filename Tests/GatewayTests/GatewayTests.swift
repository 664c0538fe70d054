import Bytes
import HTTP
import Reactor
import Testing

@testable import Gateway

@Suite struct RouteTests {
    @Test(arguments: ["/metrics/job/a", "/metrics/job@base64/YQ", "/metrics/job/"])
    func `a push path takes the methods of a push, and no other`(path: String) {
        let bytes = Array(path.utf8)
        for method in [Method.put, .post, .delete] { #expect(Route(method, bytes.span) == .push) }
        for method in [Method.get, .head, .options, .patch, .connect, .trace, .other] {
            #expect(Route(method, bytes.span) == .methodNotAllowed(allow: "DELETE, POST, PUT"))
        }
    }

    @Test(arguments: [
        "/", "", "*", "/metrics", "/metrics/", "/metrics/job", "/metrics/jobs/a",
        "/metrics/job@base32/a",
        "/-/quit", "/debug/pprof/", "/status", "/healthz/", "/HEALTHZ",
    ])
    func `everything else is not found, whatever the method`(path: String) {
        let bytes = Array(path.utf8)
        for method in [Method.get, .put, .post, .delete] {
            #expect(Route(method, bytes.span) == .notFound)
        }
    }
}

@Suite struct TableTests {
    private final class Member {}

    @Test func `a late ticket finds nobody, also when the slot is used again`() {
        var table = Table<Member>(of: .client)
        let first = table.reserve()
        table.insert(Member(), at: first)
        #expect(table[first] != nil)
        table.remove(first)
        #expect(table[first] == nil)
        let second = table.reserve()
        let member = Member()
        table.insert(member, at: second)
        #expect(second.slot == first.slot)
        #expect(table[first] == nil)
        #expect(table[second] === member)
        table.remove(first)
        #expect(table[second] === member)
        #expect(table.count == 1)
    }

    @Test func `a ticket of another kind finds nobody`() {
        var clients = Table<Member>(of: .client)
        let ticket = clients.reserve()
        clients.insert(Member(), at: ticket)
        let upstream = Ticket(
            kind: Party.upstream.rawValue, slot: ticket.slot, generation: ticket.generation)
        #expect(clients[upstream] == nil)
    }
}

@Suite struct BudgetsTests {
    private let budgets = Budgets()
    private let one = NetworkShare()
    private let other = NetworkShare()

    @Test func `a single body may have what there is, and not one byte more`() {
        #expect(budgets.reserve(bytes: 60, atop: 0, of: one, max: 100))
        #expect(!budgets.reserve(bytes: 41, atop: 60, of: one, max: 100))
        #expect(budgets.reserve(bytes: 40, atop: 60, of: one, max: 100))
        #expect(!budgets.reserve(bytes: 1, atop: 0, of: other, max: 100))
        budgets.release(bytes: 60, of: one)
        #expect(budgets.reserve(bytes: 60, atop: 0, of: other, max: 100))
        #expect(!budgets.reserve(bytes: .max, atop: 0, of: other, max: 100))
    }

    @Test func `several bodies of a network may have as much as they leave to others`() {
        let taken = (0..<100).prefix { _ in
            budgets.reserve(bytes: 1, atop: 0, of: one, max: 100)
        }
        #expect(taken.count == 50)
        let takenOfRest = (0..<100).prefix { _ in
            budgets.reserve(bytes: 1, atop: 0, of: other, max: 100)
        }
        #expect(takenOfRest.count == 25)
        #expect(budgets.reserve(bytes: 25, atop: 0, of: NetworkShare(), max: 100))
    }

    @Test func `connections count by IPv4 address and by IPv6 network`() throws {
        let addresses = try [
            "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1",
        ]
        .map { try #require(IPAddress($0)) }
        #expect(addresses.map { budgets.open(from: $0).connections } == [1, 1, 1, 2, 1])
        #expect(budgets.connectionCount == 5)
        budgets.close(from: addresses[2])
        #expect(budgets.open(from: addresses[3]).connections == 2)
    }
}

@Suite struct RefusedAddressesTests {
    private let start = Instant(nanoseconds: 1_000_000_000)

    @Test func `an address is told of at once, then once a minute with its count`() throws {
        var refused = RefusedAddresses()
        let address = try #require(IPAddress("192.0.2.1"))
        #expect(refused.note(address, at: start)?.count == 1)
        for second in 1..<60 { #expect(refused.note(address, at: start + .seconds(second)) == nil) }
        #expect(refused.due == start + .seconds(60))
        #expect(refused.tellAll(at: refused.due) == [.init(address: address, count: 59)])
        // Whoever goes on is told of at the end of each minute only.
        #expect(refused.note(address, at: start + .seconds(61)) == nil)
        #expect(refused.tellAll(at: refused.due) == [.init(address: address, count: 1)])
        // Whoever has stopped is not told of, and is new when he comes again.
        #expect(refused.tellAll(at: refused.due).isEmpty)
        #expect(refused.due == .distantFuture)
        #expect(refused.note(address, at: start + .seconds(600))?.count == 1)
    }

    @Test
    func `a scan of many addresses fills neither the log nor the memory, and all of it is told`() {
        var refused = RefusedAddresses()
        var notices: [RefusedAddresses.Notice] = []
        for number in 0..<100_000 {
            let address = IPAddress(ipv4: UInt32(number % 50_000))
            if let notice = refused.note(address, at: start) { notices.append(notice) }
        }
        notices += refused.tellAll(at: refused.due)
        #expect(notices.count == 60)
        #expect(notices.reduce(0) { $0 + $1.count + $1.others } == 100_000)
    }

    @Test func `who came most often is told of first`() throws {
        var refused = RefusedAddresses()
        for number in 0..<500 {
            for _ in 0...number { _ = refused.note(IPAddress(ipv4: UInt32(number)), at: start) }
        }
        let told = refused.tellAll(at: refused.due)
        #expect(told.first == .init(address: IPAddress(ipv4: 499), count: 500))
        #expect(told.last?.count == 471)
    }
}

@Suite struct ProcessorQuotaTests {
    @Test(arguments: [
        ("max 100000\n", nil), ("100000 100000\n", 1), ("150000 100000\n", 2), ("1000 100000\n", 1),
        ("", nil), ("0 100000", nil), ("-1 100000", nil), ("9223372036854775807 1", Int.max),
    ])
    func `a quota is rounded up to whole processors`(text: String, processors: Int?) {
        #expect(ProcessorQuota.read(text) == processors)
    }
}

@Suite struct EscapingTests {
    @Test(arguments: [
        ("plain", "plain"), ("a\"b\\c", "a\\\"b\\\\c"), ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\u{1B}[31m\u{7F}", "\\u001b[31m\\u007f"), ("\u{9B}x", "\\u009bx"), ("関門", "関門"),
        ("😀", "😀"), ("\u{202E}a\u{2066}", "\\u202ea\\u2066"), ("\u{2028}", "\\u2028"),
        ("\u{200D}", "\u{200D}"),
    ])
    func `nothing that steers a terminal or ends a line is left`(text: String, escaped: String) {
        var buffer = ByteBuffer()
        let bytes = Array(text.utf8)
        buffer.append(escaping: bytes.span, bytesMax: 1000)
        #expect(String(decoding: buffer.span) == escaped)
    }

    @Test(arguments: [
        [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE2, 0x82], [0x80],
    ])
    func `what is not UTF-8 is shown as such`(bytes: [UInt8]) {
        var buffer = ByteBuffer()
        buffer.append(escaping: bytes.span, bytesMax: 1000)
        let text = String(decoding: buffer.span)
        #expect(text.contains("\\ufffd") && text.utf8.allSatisfy { $0 < 0x80 })
    }

    @Test func `what is too long is cut`() {
        var buffer = ByteBuffer()
        let bytes = Array(repeating: UInt8(ascii: "x"), count: 100)
        buffer.append(escaping: bytes.span, bytesMax: 10)
        #expect(String(decoding: buffer.span) == "xxxxxxxxxx...")
    }
}
