import Admission
import Bytes
import Dispatch
import Synchronization
import Testing

@Suite struct QuotasTests {
    private static let second: UInt64 = 1_000_000_000
    private static let place = AccessRules.Place(line: 7, column: 3)

    private static func limit(_ value: Int?) -> Quotas.Limit? {
        value.map { Quotas.Limit($0, at: place) }
    }

    private static func holder(
        _ user: String = "prom", pushes: Int? = nil, bytes: Int? = nil, groups: Int? = nil
    ) -> Quotas.Holder {
        Quotas.Holder(
            user: Array(user.utf8),
            limits: Quotas.Limits(
                pushesPerMinute: limit(pushes), bytesPerMinute: limit(bytes),
                groupsMax: limit(groups)))
    }

    /// A verdict in a word: `ok`, or what is exceeded and for how long.
    private static func word(_ verdict: Quotas.Verdict) -> String {
        switch verdict {
        case .granted: "ok"
        case .exceeded(let kind, let seconds, let place):
            "\(kind) \(seconds.map(String.init) ?? "-")\(place == Self.place ? "" : " elsewhere")"
        }
    }

    private static func check(
        _ quotas: Quotas, _ user: String = "prom", _ job: String = "a",
        for purpose: Quotas.Purpose = .store, bytes: Int = 100, at now: UInt64 = 0
    ) -> Quotas.Verdict {
        var key = GroupingKey()
        do throws(GroupingKeyError) {
            try key.decode(Array("/metrics/job/\(job)".utf8).span, labelsMax: 16)
        } catch {
            Issue.record("\(job): \(error.sentence)")
        }
        return quotas.check(Array(user.utf8).span, key, for: purpose, bytes: bytes, at: now)
    }

    /// Pushes and settles at once.
    private static func push(
        _ quotas: Quotas, _ user: String = "prom", _ job: String = "a",
        for purpose: Quotas.Purpose = .store, bytes: Int = 100, at now: UInt64 = 0,
        as outcome: Quotas.Outcome = .stored
    ) -> String {
        let verdict = check(quotas, user, job, for: purpose, bytes: bytes, at: now)
        if case .granted(let charge) = verdict { quotas.settle(charge, as: outcome, at: now) }
        return word(verdict)
    }

    private static func count(_ quotas: Quotas, _ user: String = "prom") -> Int {
        quotas.groupCount(of: Array(user.utf8).span)
    }

    // MARK: Pushes and bytes

    @Test(arguments: [1, 2, 3, 7, 10, 59, 60, 61, 1000, 99_991])
    func `as many pushes as the limit says pass at once, and not one more`(limit: Int) {
        let quotas = Quotas([Self.holder(pushes: limit)])
        for _ in 0..<limit { #expect(Self.push(quotas) == "ok") }
        let wait = limit >= 60 ? 1 : (60 + limit - 1) / limit
        #expect(Self.push(quotas) == "pushes \(wait)")
    }

    @Test(arguments: [1, 2, 3, 7, 10, 59, 60, 1000])
    func `after Retry-After the push passes, and a second earlier it does not`(limit: Int) throws {
        let quotas = Quotas([Self.holder(pushes: limit)])
        for _ in 0..<limit { _ = Self.push(quotas, at: 5) }
        guard case .exceeded(_, let seconds?, _) = Self.check(quotas, at: 5) else {
            Issue.record("it passed")
            return
        }
        let then = 5 + UInt64(seconds) * Self.second
        if seconds > 1 { #expect(Self.push(quotas, at: then - Self.second) != "ok") }
        #expect(Self.push(quotas, at: then) == "ok")
    }

    @Test func `a minute's use drains evenly`() {
        let quotas = Quotas([Self.holder(pushes: 6)])
        for _ in 0..<6 { _ = Self.push(quotas) }
        #expect(Self.push(quotas, at: 10 * Self.second - 1) == "pushes 1")
        #expect(Self.push(quotas, at: 10 * Self.second) == "ok")
        #expect(Self.push(quotas, at: 10 * Self.second) == "pushes 10")
        #expect(Self.push(quotas, at: 19 * Self.second) == "pushes 1")
        for _ in 0..<6 { #expect(Self.push(quotas, at: 80 * Self.second) == "ok") }
        #expect(Self.push(quotas, at: 80 * Self.second) == "pushes 10")
    }

    @Test func `bytes are counted by their number`() {
        let quotas = Quotas([Self.holder(bytes: 1000)])
        #expect(Self.push(quotas, bytes: 600) == "ok")
        #expect(Self.push(quotas, bytes: 401) == "bytes 1")
        #expect(Self.push(quotas, bytes: 400) == "ok")
        #expect(Self.push(quotas, bytes: 0) == "ok")
        #expect(Self.push(quotas, bytes: 1) == "bytes 1")
        #expect(Self.push(quotas, bytes: 500) == "bytes 30")
        #expect(Self.push(quotas, bytes: 500, at: 30 * Self.second - 1) == "bytes 1")
        #expect(Self.push(quotas, bytes: 500, at: 30 * Self.second) == "ok")
        #expect(Self.push(quotas, bytes: 1000, at: 90 * Self.second) == "ok")
    }

    @Test(arguments: [1, 1000, 64 << 30])
    func `waiting does not help a push that is larger than a minute`(limit: Int) {
        let quotas = Quotas([Self.holder(bytes: limit)])
        #expect(Self.push(quotas, bytes: limit + 1) == "bytes -")
        #expect(Self.push(quotas, bytes: .max) == "bytes -")
        #expect(Self.push(quotas, bytes: limit) == "ok")
        #expect(Self.push(quotas, bytes: limit) == "bytes 60")
    }

    @Test func `what is refused is charged nothing`() {
        let quotas = Quotas([Self.holder(pushes: 2, bytes: 1000, groups: 1)])
        #expect(Self.push(quotas, bytes: 1000) == "ok")
        for _ in 0..<10 { #expect(Self.push(quotas, bytes: 500) == "bytes 30") }
        for _ in 0..<10 { #expect(Self.push(quotas, "prom", "b", bytes: 0) == "groups -") }
        #expect(Self.push(quotas, bytes: 0) == "ok")
        #expect(Self.push(quotas, bytes: 0) == "pushes 30")
    }

    @Test func `users do not use up each other's quotas, nor does who has none`() {
        let quotas = Quotas([Self.holder(pushes: 1), Self.holder("other", pushes: 1)])
        #expect(Self.push(quotas) == "ok" && Self.push(quotas) == "pushes 60")
        #expect(Self.push(quotas, "other") == "ok")
        for _ in 0..<100 { #expect(Self.push(quotas, "free") == "ok") }
        for _ in 0..<100 { #expect(Self.push(Quotas(), "prom") == "ok") }
    }

    // MARK: Giving back

    @Test func `a push that the gate refused later is given back`() {
        let quotas = Quotas([Self.holder(pushes: 1, bytes: 100, groups: 1)])
        for _ in 0..<100 { #expect(Self.push(quotas, as: .refused) == "ok") }
        #expect(Self.count(quotas) == 0)
        #expect(Self.push(quotas, "prom", "b") == "ok")
        #expect(Self.push(quotas, "prom", "b") == "pushes 60")
    }

    @Test func `while a push is under way it counts`() {
        let quotas = Quotas([Self.holder(pushes: 1, groups: 1)])
        guard case .granted(let charge) = Self.check(quotas) else {
            Issue.record("refused")
            return
        }
        #expect(Self.push(quotas) == "pushes 60")
        #expect(Self.count(quotas) == 1)
        quotas.settle(charge, as: .refused, at: 0)
        #expect(Self.count(quotas) == 0)
        #expect(Self.push(quotas) == "ok")
    }

    @Test func `what has drained before it is given back earns no credit`() {
        let quotas = Quotas([Self.holder(pushes: 6)])
        guard case .granted(let charge) = Self.check(quotas, at: 0) else {
            Issue.record("refused")
            return
        }
        // It drained by 10 s; six more fill the minute whatever becomes of the first.
        for _ in 0..<6 { #expect(Self.push(quotas, at: 20 * Self.second) == "ok") }
        quotas.settle(charge, as: .refused, at: 20 * Self.second)
        #expect(Self.push(quotas, at: 20 * Self.second) == "pushes 10")
    }

    @Test func `settling twice by mistake frees no more than was taken`() {
        let quotas = Quotas([Self.holder(groups: 2)])
        guard case .granted(let first) = Self.check(quotas, "prom", "a"),
            case .granted(let second) = Self.check(quotas, "prom", "b")
        else {
            Issue.record("refused")
            return
        }
        for _ in 0..<3 { quotas.settle(first, as: .refused, at: 0) }
        #expect(Self.count(quotas) == 1)
        quotas.settle(second, as: .stored, at: 0)
        #expect(Self.count(quotas) == 1)
    }

    @Test func `a clock at its ends does not overflow`() {
        let quotas = Quotas([Self.holder(pushes: 1, bytes: 100, groups: 1)])
        #expect(Self.push(quotas, at: .max) == "ok")
        #expect(Self.push(quotas, at: .max, as: .refused) == "ok")
        #expect(Self.push(quotas, at: 0) == "pushes 60")
        let early = Quotas([Self.holder(pushes: 1)])
        #expect(Self.push(early, at: 0, as: .refused) == "ok")
        #expect(Self.push(early, bytes: .min, at: 0) == "ok")
    }

    // MARK: Groups

    @Test func `distinct groups are counted, not pushes`() {
        let quotas = Quotas([Self.holder(groups: 3)])
        for job in ["a", "b", "c", "a", "b", "c"] {
            #expect(Self.push(quotas, "prom", job) == "ok")
        }
        #expect(Self.push(quotas, "prom", "d") == "groups -")
        #expect(Self.push(quotas, "prom", "a") == "ok")
        #expect(Self.count(quotas) == 3)
    }

    @Test(arguments: [
        ["a/l/1/k/2", "a/k/2/l/1", "%61/l/1/k/2", "a/l@base64/MQ/k@base64/Mg=="],
        ["a", "a/", "%61", "a/l@base64/="],
    ])
    func `the same group in another form is the same`(forms: [String]) {
        let quotas = Quotas([Self.holder(groups: 1)])
        for form in forms { #expect(Self.push(quotas, "prom", form) == "ok") }
        #expect(Self.count(quotas) == 1)
    }

    @Test(arguments: [
        ("a/b/c", "a/c/b"), ("a/bc/d", "a/b/cd"), ("ab/c/d", "a/bc/d"), ("a/l/b", "a/l_/b"),
        ("a", "a%20"), ("aaaaaaaa", "aaaaaaaaa"), ("aaaaaaaaa", "aaaaaaaab"), ("a/l/1", "a"),
        ("aaaaaaaa/l/1", "aaaaaaab/l/1"), ("a/k/1/l/2", "a/k/12/l/2"), ("A", "a"),
        ("aaaaaaaabbbbbbbbcccccccc", "aaaaaaaa/bbbbbbbb/cccccccc"),
    ])
    func `two groups that look alike are two`(first: String, second: String) {
        let quotas = Quotas([Self.holder(groups: 1)])
        #expect(Self.push(quotas, "prom", first) == "ok")
        #expect(Self.push(quotas, "prom", second) == "groups -")
    }

    @Test func `a deleted group makes room, whoever deleted it`() {
        let quotas = Quotas([Self.holder(groups: 1), Self.holder("other", groups: 1)])
        #expect(Self.push(quotas, "prom", "a") == "ok")
        #expect(Self.push(quotas, "other", "a") == "ok")
        #expect(Self.push(quotas, "prom", "b") == "groups -")
        #expect(Self.push(quotas, "janitor", "a", for: .delete, as: .deleted) == "ok")
        #expect(Self.count(quotas) == 0 && Self.count(quotas, "other") == 0)
        #expect(Self.push(quotas, "prom", "b") == "ok")
        #expect(Self.push(quotas, "prom", "b", for: .delete, as: .deleted) == "ok")
        #expect(Self.push(quotas, "prom", "c") == "ok")
    }

    @Test func `a deletion makes no group and is refused for none`() {
        let quotas = Quotas([Self.holder(groups: 1)])
        #expect(Self.push(quotas, "prom", "a") == "ok")
        #expect(Self.push(quotas, "prom", "b", for: .delete, as: .deleted) == "ok")
        #expect(Self.push(quotas, "prom", "b", for: .delete, as: .refused) == "ok")
        #expect(Self.count(quotas) == 1)
    }

    @Test func `a deletion that was refused leaves the group`() {
        let quotas = Quotas([Self.holder(groups: 1)])
        #expect(Self.push(quotas, "prom", "a") == "ok")
        #expect(Self.push(quotas, "prom", "a", for: .delete, as: .refused) == "ok")
        #expect(Self.push(quotas, "prom", "b") == "groups -")
    }

    @Test func `an empty PUT, found out late, deletes the group it had reserved`() {
        let quotas = Quotas([Self.holder(groups: 1)])
        #expect(Self.push(quotas, "prom", "a", as: .deleted) == "ok")
        #expect(Self.count(quotas) == 0)
    }

    @Test func `a refused push takes no group away from one that was stored`() {
        let quotas = Quotas([Self.holder(groups: 1)])
        guard case .granted(let first) = Self.check(quotas),
            case .granted(let second) = Self.check(quotas)
        else {
            Issue.record("refused")
            return
        }
        quotas.settle(first, as: .stored, at: 1)
        quotas.settle(second, as: .refused, at: 2)
        #expect(Self.count(quotas) == 1)
        #expect(Self.push(quotas, as: .refused) == "ok")
        #expect(Self.count(quotas) == 1)
    }

    @Test func `a new group counts until the last push to it was refused`() {
        let quotas = Quotas([Self.holder(groups: 1)])
        guard case .granted(let first) = Self.check(quotas),
            case .granted(let second) = Self.check(quotas)
        else {
            Issue.record("refused")
            return
        }
        quotas.settle(first, as: .refused, at: 0)
        #expect(Self.push(quotas, "prom", "b") == "groups -")
        quotas.settle(second, as: .refused, at: 0)
        #expect(Self.push(quotas, "prom", "b") == "ok")
    }

    @Test func `a push under way keeps its place when the group is deleted beside it`() {
        let quotas = Quotas([Self.holder(groups: 1)])
        guard case .granted(let charge) = Self.check(quotas) else {
            Issue.record("refused")
            return
        }
        #expect(Self.push(quotas, "prom", "a", for: .delete, as: .deleted) == "ok")
        #expect(Self.push(quotas, "prom", "b") == "groups -")
        quotas.settle(charge, as: .stored, at: 1)
        #expect(Self.count(quotas) == 1)
    }

    // MARK: What the Pushgateway shows

    private static func entry(_ user: String, _ job: String?) -> AccessRules.Entry {
        let pattern = job.map { GroupPattern([(Array("job".utf8), Array($0.utf8))]) }
        return AccessRules.Entry(
            user: Array(user.utf8), place: place,
            groups: pattern.map { ([($0, place)], place) },
            limits: Quotas.Limits(groupsMax: limit(2)))
    }

    private static func learn(
        _ quotas: Quotas, _ rules: AccessRules, _ jobs: [String], at now: UInt64 = 0
    ) throws {
        var key = GroupingKey()
        for job in jobs {
            try key.decode(Array("/metrics/job/\(job)".utf8).span, labelsMax: 16)
            quotas.learn(key, under: rules, at: now)
        }
    }

    @Test func `a group that was there before counts for the one whose patterns name it`() throws {
        let rules = AccessRules(
            [Self.entry("a", "a-*"), Self.entry("ab", "*-b"), Self.entry("all", nil)],
            place: Self.place)
        let users = ["a", "ab", "all", "noentry"]
        let quotas = Quotas(users.map { Self.holder($0, groups: 2) })
        try Self.learn(quotas, rules, ["a-1", "a-b", "c-1"])
        #expect(users.map { Self.count(quotas, $0) } == [1, 0, 0, 0])
        #expect(Self.push(quotas, "a", "a-2") == "ok")
        #expect(Self.push(quotas, "a", "a-3") == "groups -")
        #expect(Self.push(quotas, "a", "a-1") == "ok")
    }

    @Test func `a group that someone counts is not learned for somebody else`() throws {
        let rules = AccessRules(
            [Self.entry("a", "a-*"), Self.entry("all", nil)], place: Self.place)
        let quotas = Quotas([Self.holder("a", groups: 2), Self.holder("all", groups: 2)])
        #expect(Self.push(quotas, "all", "a-1", at: 1) == "ok")
        try Self.learn(quotas, rules, ["a-1"], at: 5)
        quotas.forget(unseenSince: 5)
        #expect(Self.count(quotas, "all") == 1 && Self.count(quotas, "a") == 0)
    }

    @Test func `what everyone may push is learned for nobody`() throws {
        let everyone = Self.entry("*", "a-*")
        let rules = AccessRules([Self.entry("a", "a-*")], everyone: everyone, place: Self.place)
        let quotas = Quotas([Self.holder("a", groups: 2), Self.holder("other", groups: 2)])
        try Self.learn(quotas, rules, ["a-1"])
        #expect(Self.count(quotas, "a") == 0 && Self.count(quotas, "other") == 0)
        try Self.learn(quotas, AccessRules(), ["a-1"])
        #expect(Self.count(quotas, "a") == 0)
    }

    @Test func `more may be there than is allowed, and then nothing is added`() throws {
        let rules = AccessRules([Self.entry("a", "*")], place: Self.place)
        let quotas = Quotas([Self.holder("a", groups: 2)])
        try Self.learn(quotas, rules, (0..<10).map { "j\($0)" })
        #expect(Self.count(quotas, "a") == 10)
        #expect(Self.push(quotas, "a", "new") == "groups -")
        #expect(Self.push(quotas, "a", "j9") == "ok")
    }

    @Test func `what the Pushgateway no longer shows is forgotten, and nothing else is`() throws {
        let rules = AccessRules([Self.entry("a", "*")], place: Self.place)
        let quotas = Quotas([Self.holder("a", groups: 5)])
        _ = Self.push(quotas, "a", "gone", at: 10)
        _ = Self.push(quotas, "a", "kept", at: 10)
        guard case .granted(let pending) = Self.check(quotas, "a", "pending", at: 10) else {
            Issue.record("refused")
            return
        }
        // Asked at 20; while it answered, a group was stored that it may not have shown.
        _ = Self.push(quotas, "a", "fresh", at: 25)
        try Self.learn(quotas, rules, ["kept"], at: 30)
        quotas.forget(unseenSince: 20)
        #expect(Self.count(quotas, "a") == 3)
        quotas.settle(pending, as: .refused, at: 40)
        #expect(Self.count(quotas, "a") == 2)
        quotas.forget(unseenSince: .max)
        #expect(Self.count(quotas, "a") == 0)
    }

    // MARK: Reload, bounds, threads

    @Test func `a reload keeps what remaining users have used`() {
        let before = Quotas([Self.holder(pushes: 2, groups: 1), Self.holder("gone", pushes: 1)])
        _ = Self.push(before)
        _ = Self.push(before, "gone")
        guard case .granted(let underway) = Self.check(before) else {
            Issue.record("refused")
            return
        }
        let after = Quotas(
            [Self.holder("new", pushes: 1), Self.holder(pushes: 2, groups: 1)], keeping: before)
        #expect(Self.push(after) == "pushes 30")
        #expect(Self.push(after, "gone") == "ok")
        #expect(Self.push(after, "new") == "ok")
        #expect(Self.push(after, "prom", "b", at: 60 * Self.second) == "groups -")
        // A push that began under the old configuration is settled in the same account.
        after.settle(underway, as: .refused, at: 0)
        #expect(Self.push(after) == "ok")
        #expect(Self.push(before) == "pushes 30")
    }

    @Test func `a changed limit takes the used share along`() {
        let before = Quotas([Self.holder(pushes: 2)])
        for _ in 0..<2 { _ = Self.push(before) }
        let after = Quotas([Self.holder(pushes: 60)], keeping: before)
        #expect(Self.push(after) == "pushes 1")
        #expect(Self.push(after, at: Self.second) == "ok")
        let unlimited = Quotas([Self.holder(bytes: 1000)], keeping: after)
        #expect(Self.push(unlimited) == "ok")
    }

    @Test func `a limit is at least one, and of two holders with one name the first counts`() {
        #expect(Quotas.Limit(0, at: Self.place).value == 1)
        let quotas = Quotas([Self.holder(pushes: 1), Self.holder(pushes: 5)])
        #expect(Self.push(quotas) == "ok" && Self.push(quotas) == "pushes 60")
    }

    @Test func `accounts are made for users of the file who have a quota`() {
        let hash = String(repeating: ".", count: 53)
        let text = ["b", "a", "c", "d"].map { "\($0):$2y$10$\(hash)\n" }.joined()
        let (file, _) = UserFile.parse(Array(text.utf8).span)
        let limits = Quotas.Limits(pushesPerMinute: Self.limit(3))
        let series = Quotas.Limits(seriesMax: Self.limit(3))
        func entry(_ user: String, _ limits: Quotas.Limits) -> AccessRules.Entry {
            AccessRules.Entry(user: Array(user.utf8), place: Self.place, limits: limits)
        }
        let entries = [entry("a", .init()), entry("b", limits), entry("c", series)]
        let own = AccessRules(entries, place: Self.place).accountHolders(in: file)
        #expect(own.map { String(decoding: $0.user, as: UTF8.self) } == ["b"])
        let everyone = AccessRules(entries, everyone: entry("*", limits), place: Self.place)
        let all = everyone.accountHolders(in: file)
        #expect(all.map { String(decoding: $0.user, as: UTF8.self) } == ["b", "d"])
        #expect(AccessRules().accountHolders(in: file).isEmpty)
    }

    @Test(.timeLimit(.minutes(10)))
    func `many threads together get no more than the limit`() {
        let quotas = Quotas([Self.holder(pushes: 1000, bytes: 90_000, groups: 8)])
        let granted = Atomic(0)
        let users = Array("prom".utf8)
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            var key = GroupingKey()
            for round in 0..<500 {
                let path = "/metrics/job/\((thread + round) % 16)"
                try? key.decode(Array(path.utf8).span, labelsMax: 1)
                let verdict = quotas.check(users.span, key, for: .store, bytes: 100, at: 0)
                guard case .granted(let charge) = verdict else { continue }
                let isKept = round % 3 != 0
                quotas.settle(charge, as: isKept ? .stored : .refused, at: 0)
                if isKept { granted.add(1, ordering: .relaxed) }
            }
        }
        #expect(granted.load(ordering: .relaxed) == 900)
        #expect(Self.count(quotas) == 8)
    }
}
