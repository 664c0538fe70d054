import Admission
import Bytes
import Testing

@Suite struct LoginQueueTests {
    private let here = IPAddress(ipv4: 0xC000_0207)
    private let elsewhere = IPAddress(ipv4: 0xC000_0208)

    /// Appends one credential after another, each written as where it comes from, of whom, and which.
    private func receive(
        _ tries: [(from: IPAddress, user: UInt64, credential: UInt64)], countMax: Int,
        _ queue: inout LoginQueue
    ) -> [LoginQueue.Reception] {
        tries.map {
            queue.append(
                credential($0.credential), of: $0.user, from: $0.from, countMax: countMax)
        }
    }

    private func credential(_ number: UInt64) -> Digest { Digest(number, 0, 0, 0) }

    private func order(of queue: inout LoginQueue) -> [UInt64] {
        var order: [UInt64] = []
        while let next = queue.removeFirst() { order.append(next.words.0) }
        return order
    }

    @Test func `addresses take turns, whoever came first and however many each has`() {
        var queue = LoginQueue()
        _ = receive(
            [(here, 1, 1), (here, 1, 2), (here, 1, 3), (elsewhere, 1, 4), (elsewhere, 1, 5)],
            countMax: 9, &queue)
        #expect(queue.count == 5)
        #expect(order(of: &queue) == [1, 4, 2, 5, 3])
        #expect(queue.count == 0)
    }

    @Test func `users of one address take turns, and one user's tries keep their order`() {
        var queue = LoginQueue()
        _ = receive(
            [(here, 1, 1), (here, 1, 2), (here, 1, 3), (here, 2, 4), (here, 2, 5), (here, 3, 6)],
            countMax: 9, &queue)
        #expect(order(of: &queue) == [1, 4, 6, 2, 5, 3])
    }

    @Test func `whoever comes later does not overtake those of his own`() {
        var queue = LoginQueue()
        _ = receive([(here, 1, 1), (here, 1, 2), (here, 1, 3)], countMax: 9, &queue)
        #expect(queue.removeFirst() == credential(1))
        #expect(queue.removeFirst() == credential(2))
        _ = receive([(here, 1, 4), (here, 2, 5)], countMax: 9, &queue)
        #expect(order(of: &queue) == [3, 5, 4])
    }

    @Test func `a full queue gives the last place of whoever has most to an address with fewer`() {
        var queue = LoginQueue()
        _ = receive([(here, 1, 1), (here, 1, 2), (here, 1, 3)], countMax: 3, &queue)
        let answers = receive(
            [(elsewhere, 1, 4), (elsewhere, 1, 5), (here, 1, 6)], countMax: 3, &queue)
        #expect(answers == [.queuedInPlaceOf(credential(3)), .full, .full])
        #expect(order(of: &queue) == [1, 4, 2])
    }

    @Test func `a full queue gives the last place of a user to another of the same address`() {
        var queue = LoginQueue()
        _ = receive([(here, 1, 1), (here, 1, 2), (here, 1, 3)], countMax: 3, &queue)
        let answers = receive([(here, 1, 4), (here, 2, 5), (here, 2, 6)], countMax: 3, &queue)
        #expect(answers == [.full, .queuedInPlaceOf(credential(3)), .full])
        #expect(order(of: &queue) == [1, 5, 2])
    }

    @Test func `where each address has one nobody gives way`() {
        var queue = LoginQueue()
        for address in 0..<100 {
            _ = receive(
                [(IPAddress(ipv4: UInt32(address)), 1, UInt64(address))], countMax: 100, &queue)
        }
        #expect(receive([(here, 1, 1000)], countMax: 100, &queue) == [.full])
        #expect(queue.count == 100)
    }

    @Test func `who has gone takes up no room, and nobody waits for his turn`() {
        var queue = LoginQueue()
        _ = receive([(here, 1, 1), (elsewhere, 1, 2)], countMax: 2, &queue)
        queue.remove(credential(1), of: here)
        queue.remove(credential(1), of: here)
        queue.remove(credential(2), of: here)
        #expect(queue.count == 1)
        #expect(receive([(here, 1, 3)], countMax: 2, &queue) == [.queued])
        #expect(order(of: &queue) == [2, 3])
    }

    @Test func `whatever comes and goes, nobody is lost, doubled or let in over the limit`() {
        var random = SplitMix(state: 7)
        for countMax in [1, 2, 5, 16] {
            var queue = LoginQueue()
            var waiting: [UInt64: IPAddress] = [:]
            for number in UInt64(0)..<5000 {
                let address = IPAddress(ipv4: UInt32(random.next() % 5))
                switch random.next() % 4 {
                case 0:
                    let first = queue.removeFirst()
                    #expect((first == nil) == waiting.isEmpty)
                    if let first { #expect(waiting.removeValue(forKey: first.words.0) != nil) }
                case 1:
                    if let (gone, address) = waiting.first {
                        queue.remove(credential(gone), of: address)
                        waiting[gone] = nil
                    }
                default:
                    let user = UInt64(random.next() % 3)
                    switch queue.append(
                        credential(number), of: user, from: address, countMax: countMax)
                    {
                    case .queued: waiting[number] = address
                    case .queuedInPlaceOf(let other):
                        #expect(waiting.removeValue(forKey: other.words.0) != nil)
                        waiting[number] = address
                    case .full: #expect(waiting.count == countMax)
                    }
                }
                #expect(queue.count == waiting.count && queue.count <= countMax)
            }
        }
    }
}
