import Admission
import Bytes
import Testing

@Suite struct FailedLoginsTests {
    private let second: UInt64 = 1_000_000_000
    private let here = IPAddress(ipv4: 0xC000_0207)
    private let elsewhere = IPAddress(ipv4: 0xC000_0208)

    @Test(arguments: [1, 2, 3, 7, 10, 59, 60])
    func `as many failures as the limit says are let pass`(limit: Int) {
        var logins = FailedLogins(limits: .init(perUser: limit, perAddress: 1000))
        for _ in 0..<limit {
            let isOver = logins.isOverLimit(here, userHash: 1, now: second)
            #expect(!isOver)
            logins.record(here, userHash: 1, now: second)
        }
        let isOver = logins.isOverLimit(here, userHash: 1, now: second)
        #expect(isOver)
    }

    @Test func `a burnt count of one address touches neither another address nor another user`() {
        var logins = FailedLogins(limits: .init())
        for _ in 0..<30 { logins.record(elsewhere, userHash: 1, now: 0) }
        let answers = [
            logins.isOverLimit(elsewhere, userHash: 1, now: 0),
            logins.isOverLimit(here, userHash: 1, now: 0),
            logins.isOverLimit(elsewhere, userHash: 2, now: 0),
        ]
        #expect(answers == [true, false, false])
    }

    @Test func `one password tried with many users meets the limit of the address`() {
        var logins = FailedLogins(limits: .init())
        for user in 0..<60 {
            let isOver = logins.isOverLimit(here, userHash: UInt64(user), now: 0)
            #expect(!isOver)
            logins.record(here, userHash: UInt64(user), now: 0)
        }
        let isOver = logins.isOverLimit(here, userHash: 1000, now: 0)
        let isOverElsewhere = logins.isOverLimit(elsewhere, userHash: 1000, now: 0)
        #expect(isOver && !isOverElsewhere)
    }

    @Test func `a count leaks: one more try every six seconds, all of them after a minute`() {
        var logins = FailedLogins(limits: .init())
        for _ in 0..<10 { logins.record(here, userHash: 1, now: 0) }
        let answers = [5, 6, 7].map { logins.isOverLimit(here, userHash: 1, now: $0 * second) }
        #expect(answers == [true, false, false])
        logins.record(here, userHash: 1, now: 6 * second)
        let again = [7, 11, 12].map { logins.isOverLimit(here, userHash: 1, now: $0 * second) }
        #expect(again == [true, true, false])
        for _ in 0..<9 { logins.record(here, userHash: 1, now: 66 * second) }
        let isOver = logins.isOverLimit(here, userHash: 1, now: 66 * second)
        #expect(!isOver)
    }

    @Test func `failing on and on costs no more than a minute`() {
        var logins = FailedLogins(limits: .init())
        for _ in 0..<100_000 { logins.record(here, userHash: 1, now: second) }
        let answers = [1, 7, 61].map { logins.isOverLimit(here, userHash: 1, now: $0 * second) }
        #expect(answers == [true, false, false])
    }

    @Test func `IPv6 is counted by slash 64`() throws {
        var logins = FailedLogins(limits: .init())
        let neighbours = try ["2001:db8:0:1::1", "2001:db8:0:1:ffff::", "2001:db8:0:2::1"]
            .map { try #require(IPAddress($0)) }
        for _ in 0..<10 { logins.record(neighbours[0], userHash: 1, now: 0) }
        let answers = neighbours.map { logins.isOverLimit($0, userHash: 1, now: 0) }
        #expect(answers == [true, true, false])
    }

    @Test func `a flood of addresses neither grows the tables nor frees who fails most`() {
        var logins = FailedLogins(limits: .init(), capacity: 1024)
        for _ in 0..<10 { logins.record(here, userHash: 1, now: 0) }
        for stranger in 0..<100_000 {
            logins.record(IPAddress(ipv4: UInt32(stranger)), userHash: 1, now: 0)
        }
        let isOver = logins.isOverLimit(here, userHash: 1, now: 0)
        #expect(isOver)
    }

    @Test func `the oldest counts make room for new ones`() {
        var logins = FailedLogins(limits: .init(perUser: 1, perAddress: 1), capacity: 8)
        for stranger in 0..<8 {
            logins.record(IPAddress(ipv4: UInt32(stranger)), userHash: 1, now: UInt64(stranger))
        }
        logins.record(here, userHash: 1, now: 9)
        let answers = (0..<8).map {
            logins.isOverLimit(IPAddress(ipv4: UInt32($0)), userHash: 1, now: 9)
        }
        let isNewest = logins.isOverLimit(here, userHash: 1, now: 9)
        #expect(answers == [false, true, true, true, true, true, true, true])
        #expect(isNewest)
    }

    @Test func `limits below one count as one, and a clock at its end does not overflow`() {
        var logins = FailedLogins(limits: .init(perUser: 0, perAddress: -5))
        let atFirst = logins.isOverLimit(here, userHash: 1, now: .max)
        logins.record(here, userHash: 1, now: .max - 1)
        let isOver = logins.isOverLimit(here, userHash: 1, now: 0)
        #expect(!atFirst && isOver)
    }

    @Test func `a user has one hash in a process, and not the same in the next gate`() {
        let first = FailedLogins(limits: .init())
        let second = FailedLogins(limits: .init())
        let (user, other) = (Array("prom".utf8), Array("prom2".utf8))
        let hashes = [
            first.userHash(user.span), first.userHash(user.span), first.userHash(other.span),
            second.userHash(user.span),
        ]
        #expect(hashes[0] == hashes[1])
        #expect(hashes[0] != hashes[2] && hashes[0] != hashes[3])
    }
}
