import Bytes
import Reactor
import Synchronization
import Testing

@Suite struct PollerTests {
    @Test func `a listener is told of a connection, and an accepted socket of its bytes`() throws {
        let loopback = try #require(IPAddress("127.0.0.1"))
        let listener = try Socket.listen(
            on: SocketAddress(address: loopback, port: 0), family: .ipv4)
        let poller = try Poller()
        let ticket = Ticket(kind: 1, slot: 5, generation: 9)
        try poller.add(listener, for: .reading, ticket: ticket)
        let client = try Socket.connect(to: try Socket.localAddress(of: listener))
        #expect(poller.wait(until: .now() + .seconds(5), from: .now()) == 1)
        #expect(poller[0].ticket == ticket)
        #expect(poller[0].isReadable && !poller[0].isGone)

        guard let accepted = try Socket.accept(on: listener) else {
            Issue.record("nobody is there")
            return
        }
        #expect(accepted.peer.address == loopback)
        let socket = accepted.takeSocket()
        #expect(try client.write(Array("hello".utf8).span) == .moved(5))
        try poller.add(socket, for: .reading, ticket: Ticket(kind: 2, slot: 0, generation: 0))
        _ = poller.wait(until: .now() + .seconds(5), from: .now())
        var received = ByteBuffer()
        let step = try received.append(upTo: 100) { (output) throws(Errno) in
            try socket.read(into: &output)
        }
        #expect(step == .moved(5))
        #expect(String(decoding: received.span) == "hello")
    }

    @Test func `waiting ends at the deadline, not before`() throws {
        let poller = try Poller()
        let deadline = Instant.now() + .milliseconds(30)
        #expect(poller.wait(until: deadline, from: .now()) == 0)
        #expect(Instant.now() >= deadline)
    }

    @Test func `a port that is held names its holder`() throws {
        let loopback = try #require(IPAddress("127.0.0.1"))
        let listener = try Socket.listen(
            on: SocketAddress(address: loopback, port: 0), family: .ipv4)
        let port = try Socket.localAddress(of: listener).port
        #expect(PortHolder(ofPort: port) != nil)
        do throws(Errno) {
            _ = try Socket.listen(on: SocketAddress(address: loopback, port: port), family: .ipv4)
            Issue.record("bound twice")
        } catch {
            #expect(error == .addressInUse)
        }
    }
}

@Suite struct MailboxTests {
    @Test func `letters come in order, wake the owner, and beyond the bound are not taken`() throws
    {
        let mailbox = try Mailbox<Int>(lettersMax: 3)
        let poller = try Poller()
        try mailbox.watch(by: poller, ticket: Ticket(kind: 4, slot: 0, generation: 0))
        #expect(poller.wait(until: .now(), from: .now()) == 0)
        #expect([1, 2, 3, 4].map { mailbox.post($0) } == [true, true, true, false])
        #expect(poller.wait(until: .now() + .seconds(5), from: .now()) == 1)
        #expect(mailbox.collect() == [1, 2, 3])
        #expect(poller.wait(until: .now(), from: .now()) == 0)
        #expect(mailbox.post(5))
        #expect(poller.wait(until: .now() + .seconds(5), from: .now()) == 1)
        #expect(mailbox.collect() == [5])
    }

    @Test func `nothing is lost between many threads and one owner`() throws {
        let mailbox = try Mailbox<Int>(lettersMax: 1_000_000)
        let poller = try Poller()
        try mailbox.watch(by: poller, ticket: Ticket(kind: 4, slot: 0, generation: 0))
        for thread in 0..<4 {
            try Thread.start(name: "poster") {
                for number in 0..<5000 { mailbox.post(thread * 5000 + number) }
            }
        }
        var seen = Set<Int>()
        let end = Instant.now() + .seconds(20)
        while seen.count < 20_000, Instant.now() < end {
            if poller.wait(until: end, from: .now()) > 0 { seen.formUnion(mailbox.collect()) }
        }
        #expect(seen.count == 20_000)
    }
}

@Suite struct TicketTests {
    @Test func `a ticket keeps what it is made of`() {
        let ticket = Ticket(kind: 255, slot: Ticket.slotsMax - 1, generation: .max)
        #expect(ticket.kind == 255)
        #expect(ticket.slot == Ticket.slotsMax - 1)
        #expect(ticket.generation == .max)
        #expect(Ticket(bits: ticket.bits) == ticket)
    }
}

@Suite struct NameLookupTests {
    @Test func `a name of this machine is found, one that cannot exist is not`() throws {
        let found = try NameLookup.addresses(of: "localhost").get()
        #expect(!found.isEmpty)
        #expect(found.allSatisfy { $0.isLoopback })
        #expect(throws: NameLookup.Failure.self) {
            try NameLookup.addresses(of: "no.such.invalid").get()
        }
    }
}
