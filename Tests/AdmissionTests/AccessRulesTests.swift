import Admission
import Bytes
import Testing

/// Lines stand for themselves: a rule of the fixture is known by its line.
private func line(_ line: Int) -> AccessRules.Place { AccessRules.Place(line: line, column: 1) }

private func pattern(_ labels: [(String, String)], _ number: Int) -> (
    pattern: GroupPattern, place: AccessRules.Place
) {
    (GroupPattern(labels.map { (Array($0.0.utf8), Array($0.1.utf8)) }), line(number))
}

private func decide(
    _ rules: AccessRules, _ user: String, _ method: AccessRules.Method, _ path: String,
    from address: IPAddress = IPAddress(ipv4: 0x7F00_0001)
) throws -> AccessRules.Decision {
    var key = GroupingKey()
    try key.decode(Array(path.utf8).span, labelsMax: 16)
    return rules.decide(Array(user.utf8).span, method, key, from: address)
}

@Suite struct AccessRulesTests {
    /// ```
    ///  1  users:
    /// 10    prom:    {groups: [{job: xserver-bot}]}                              patterns at 11
    /// 20    backup:  {groups: [{job: backup-*, instance: *}, {job: dr, site: tokyo}]}  21, 22
    ///                methods: [POST]                                             23
    ///                allow: [203.0.113.0/24, 2001:db8::/32]                      24, 25
    /// 30    janitor: {methods: [DELETE]}                                         31
    /// 40    shut:    {groups: []}                                                41
    /// 50    Prom:    {}
    /// ```
    static let rules = AccessRules(entries, place: line(1))

    static let entries = [
        AccessRules.Entry(
            user: Array("prom".utf8), place: line(10),
            groups: ([pattern([("job", "xserver-bot")], 11)], line(11))),
        AccessRules.Entry(
            user: Array("backup".utf8), place: line(20), methods: ([.post], line(23)),
            addresses: [
                (range("203.0.113.0/24"), line(24)), (range("2001:db8::/32"), line(25)),
            ],
            groups: (
                [
                    pattern([("job", "backup-*"), ("instance", "*")], 21),
                    pattern([("job", "dr"), ("site", "tokyo")], 22),
                ], line(21)
            )),
        AccessRules.Entry(
            user: Array("janitor".utf8), place: line(30), methods: ([.delete], line(31))),
        AccessRules.Entry(
            user: Array("shut".utf8), place: line(40), groups: ([], line(41))),
        AccessRules.Entry(user: Array("Prom".utf8), place: line(50)),
    ]

    static func range(_ text: String) -> AddressRange {
        guard let range = try? AddressRange(parsing: text) else { preconditionFailure(text) }
        return range
    }

    /// A group, and every form its path can have.
    struct Group: Sendable {
        let name: String
        let paths: [String]
        /// The users whose patterns speak of it.
        let owners: Set<String>
    }

    static let groups = [
        Group(
            name: "xserver-bot",
            paths: [
                "/metrics/job/xserver-bot", "/metrics/job/xserver-bot/",
                "/metrics/job/%78server%2Dbot", "/metrics/job/\(percentEncoded("xserver-bot"))",
                "/metrics/job@base64/eHNlcnZlci1ib3Q", "/metrics/job@base64/eHNlcnZlci1ib3Q=",
                "/metrics/job@base64/eHNlcnZlci1ib3Q%3D", "/metrics/job@base64/%65HNlcnZlci1ib3Q",
                "/metrics/job@base64/eHNlcnZlci1ib3Q/", "/metrics/job/xserver-bot/l@base64/=",
                "/metrics/job/xserver-bot/instance/backup-1",
                "/metrics/job/xserver-bot/z/1/a/2", "/metrics/job/xserver-bot/a/2/z/1",
            ], owners: ["prom", "janitor", "Prom"]),
        Group(
            name: "backup with an instance",
            paths: [
                "/metrics/job/backup-db/instance/h1", "/metrics/job/backup-db/x/1/instance/h1",
                "/metrics/job/backup-db/instance/h1/x/1", "/metrics/job/%62ackup-db/instance/h1",
                "/metrics/job/backup-db/%69nstance/h1", "/metrics/job/backup-/instance/h1",
                "/metrics/job@base64/YmFja3VwLWRi/instance/h1",
                "/metrics/job/backup-db/instance@base64/aDE",
                "/metrics/job/backup-db/instance@base64/aDE=",
                "/metrics/job/backup-db/instance@base64/aDE%3d",
                "/metrics/job@base64/YmFja3VwLWRi/x@base64/MQ==/instance@base64/aDE=",
            ], owners: ["backup", "janitor", "Prom"]),
        Group(
            name: "backup without an instance",
            paths: [
                "/metrics/job/backup-db", "/metrics/job/backup-db/",
                "/metrics/job/backup-db/instance@base64/=",
                "/metrics/job/backup-db/instance@base64/%3D", "/metrics/job/backup-db/Instance/h1",
                "/metrics/job/backup-db/instanc/h1", "/metrics/job/backup/instance/h1",
                "/metrics/job/Backup-db/instance/h1", "/metrics/job/a/job_/backup-db/instance/h1",
                "/metrics/job@base64/YmFja3VwLWRi",
            ], owners: ["janitor", "Prom"]),
        Group(
            name: "dr in tokyo",
            paths: [
                "/metrics/job/dr/site/tokyo", "/metrics/job/dr/site@base64/dG9reW8",
                "/metrics/job/dr/site/%74okyo", "/metrics/job@base64/ZHI=/site/tokyo",
                "/metrics/job/dr/a/b/site/tokyo",
            ], owners: ["backup", "janitor", "Prom"]),
        Group(
            name: "near misses",
            paths: [
                "/metrics/job/dr/site/osaka", "/metrics/job/dr", "/metrics/job/tokyo/site/dr",
                "/metrics/job/xserver-bot2", "/metrics/job/xserver-bo", "/metrics/job/Xserver-bot",
                "/metrics/job/xserver-bot%20", "/metrics/job/%20xserver-bot",
                "/metrics/job/eHNlcnZlci1ib3Q", "/metrics/job/xserver%252Dbot",
                "/metrics/job@base64/eHNlcnZlci1ib3QK".replacing("QK", with: "Qg"),
                "/metrics/job/x/job_/xserver-bot", "/metrics/job/x/exported_job/xserver-bot",
                "/metrics/job@base64/eHNlcnZlci1ib3QvYQ", "/metrics/job/xserver-bot%2C",
                "/metrics/job/xserver%E2%80%90bot",
            ], owners: ["janitor", "Prom"]),
    ]

    static let methods: [String: Set<AccessRules.Method>] = [
        "prom": [.post, .put], "backup": [.post], "janitor": [.delete], "shut": [.post, .put],
        "Prom": [.post, .put],
    ]

    static let addresses: [(text: String, isBackups: Bool)] = [
        ("203.0.113.0", true), ("203.0.113.255", true), ("203.0.112.255", false),
        ("203.0.114.0", false), ("127.0.0.1", false), ("2001:db8::1", true),
        ("2001:db9::", false), ("::ffff:203.0.113.7", true), ("::203.0.113.7", false),
    ]

    @Test(arguments: groups)
    func `whatever form the path has, the table of users, methods and addresses decides`(
        group: Group
    ) throws {
        for path in group.paths {
            for (user, given) in Self.methods {
                for method in AccessRules.Method.allCases {
                    for (text, isBackups) in Self.addresses {
                        let address = try #require(IPAddress(text))
                        let refusal: AccessRefusal? =
                            user == "backup" && !isBackups
                            ? .addressNotListed
                            : !given.contains(method)
                                ? (method == .delete ? .deleteNotGiven : .methodNotGiven)
                                : group.owners.contains(user) ? nil : .groupNotGiven
                        let decision = try decide(Self.rules, user, method, path, from: address)
                        #expect(
                            decision.refusal == refusal, "\(user) \(method) \(path) from \(text)")
                        #expect(decision.isAllowed == (refusal == nil))
                    }
                }
            }
        }
    }

    @Test(arguments: [
        "stranger", "", "*", "pro", "prom2", "PROM", "prom ", "prom\u{0}", "backup:", "zz", "A",
        "pro\u{308}m",
    ])
    func `a user without an entry may do nothing`(user: String) throws {
        for method in AccessRules.Method.allCases {
            for path in Self.groups.flatMap(\.paths) {
                let decision = try decide(Self.rules, user, method, path)
                #expect(decision.question == .entry && decision.refusal == .noEntry)
                #expect(decision.place == line(1))
            }
        }
        let deletion = Self.rules.mayDelete(Array(user.utf8).span)
        #expect(deletion.refusal == .noEntry)
    }

    @Test func `without rules every user may do everything`() throws {
        let decision = try decide(AccessRules(), "anyone", .delete, "/metrics/job/x")
        #expect(decision.isAllowed && decision.place == nil)
        #expect(AccessRules().mayDelete(Array("anyone".utf8).span).isAllowed)
    }

    @Test func `rules without an entry let nobody do anything`() throws {
        let decision = try decide(AccessRules([], place: line(1)), "prom", .put, "/metrics/job/x")
        #expect(decision.refusal == .noEntry)
    }

    @Test func `the entry for everyone is for those who have none of their own`() throws {
        let everyone = AccessRules.Entry(
            user: Array("*".utf8), place: line(60), methods: ([.put, .delete], line(61)),
            groups: ([pattern([("job", "shared")], 62)], line(62)))
        let rules = AccessRules(Self.entries, everyone: everyone, place: line(1))
        let shared = "/metrics/job/shared"
        for user in ["stranger", "", "zz", "*"] {
            #expect(try decide(rules, user, .put, shared).place == line(62))
            #expect(try decide(rules, user, .post, shared).refusal == .methodNotGiven)
            #expect(try decide(rules, user, .put, "/metrics/job/x").refusal == .groupNotGiven)
            #expect(rules.mayDelete(Array(user.utf8).span).isAllowed)
        }
        // Nothing of it is added to what a user has.
        #expect(try decide(rules, "prom", .put, shared).refusal == .groupNotGiven)
        #expect(try decide(rules, "prom", .delete, shared).refusal == .deleteNotGiven)
        #expect(try decide(rules, "shut", .put, shared).refusal == .groupNotGiven)
        #expect(rules.mayDelete(Array("prom".utf8).span).refusal == .deleteNotGiven)
    }

    @Test(arguments: [
        ("prom", false), ("backup", false), ("janitor", true), ("shut", false), ("Prom", false),
    ])
    func `an empty body needs the right to delete`(user: String, isGiven: Bool) {
        let decision = Self.rules.mayDelete(Array(user.utf8).span)
        #expect(decision.isAllowed == isGiven)
        #expect(decision.question == .method)
        #expect(decision.refusal == (isGiven ? nil : .deleteNotGiven))
    }

    @Test(
        arguments: [
            ("prom", .put, "203.0.113.7", "/metrics/job/xserver-bot", [10, 10, 10, 11], nil),
            ("prom", .put, "203.0.113.7", "/metrics/job/x", [10, 10, 10, 11], .groupNotGiven),
            ("prom", .delete, "203.0.113.7", "/metrics/job/x", [10, 10, 10], .deleteNotGiven),
            ("backup", .post, "203.0.113.7", "/metrics/job/dr/site/tokyo", [20, 24, 23, 22], nil),
            (
                "backup", .post, "2001:db8::1", "/metrics/job/backup-/instance/h",
                [20, 25, 23, 21], nil
            ),
            ("backup", .put, "2001:db8::1", "/metrics/job/x", [20, 25, 23], .methodNotGiven),
            ("backup", .put, "192.0.2.1", "/metrics/job/x", [20, 24], .addressNotListed),
            ("shut", .put, "192.0.2.1", "/metrics/job/x", [40, 40, 40, 41], .groupNotGiven),
            ("janitor", .delete, "192.0.2.1", "/metrics/job/x", [30, 30, 31, 30], nil),
            ("nobody", .put, "192.0.2.1", "/metrics/job/x", [1], .noEntry),
        ] as [(String, AccessRules.Method, String, String, [Int], AccessRefusal?)])
    func `each step names the line that decided it`(
        user: String, method: AccessRules.Method, from: String, path: String, lines: [Int],
        refusal: AccessRefusal?
    ) throws {
        let address = try #require(IPAddress(from))
        var key = GroupingKey()
        try key.decode(Array(path.utf8).span, labelsMax: 16)
        let name = Array(user.utf8)
        let steps = Self.rules.steps(name.span, method, key, from: address)
        #expect(steps.map { $0.place?.line } == lines)
        #expect(steps.map(\.question) == Array(AccessRules.Question.allCases.prefix(lines.count)))
        #expect(steps.dropLast().allSatisfy { $0.isAllowed })
        #expect(steps.last?.refusal == refusal)
        let decision = Self.rules.decide(name.span, method, key, from: address)
        #expect(decision == steps.last)
    }

    @Test func `of two entries for one user the first counts`() throws {
        let rules = AccessRules(
            [
                AccessRules.Entry(user: [0x61], place: line(2), methods: ([], line(2))),
                AccessRules.Entry(user: [0x61], place: line(3)),
            ], place: line(1))
        #expect(try decide(rules, "a", .put, "/metrics/job/x").refusal == .methodNotGiven)
    }

    @Test func `an empty list of addresses admits nobody`() throws {
        let entry = AccessRules.Entry(user: [0x61], place: line(2), addresses: [])
        let rules = AccessRules([entry], place: line(1))
        let decision = try decide(rules, "a", .put, "/metrics/job/x")
        #expect(decision.refusal == .addressNotListed && decision.place == line(2))
    }

    @Test func `among many users each finds his own entry`() throws {
        let names = (0..<1000).map { "user\($0)" }.shuffled()
        let entries = names.enumerated().map { index, name in
            AccessRules.Entry(user: Array(name.utf8), place: line(index + 2))
        }
        let rules = AccessRules(entries, place: line(1))
        for (index, name) in names.enumerated() {
            let entry = rules.entry(of: Array(name.utf8).span)
            #expect(entry?.place == line(index + 2))
            #expect(rules.entry(of: Array("\(name)x".utf8).span) == nil)
        }
    }

    @Test func `who is only in the rules or only in the users file is told`() {
        let hash = String(repeating: ".", count: 53)
        let text = ["prom", "backup", "new", "other"].map { "\($0):$2y$10$\(hash)\n" }.joined()
        let (file, problems) = UserFile.parse(Array(text.utf8).span)
        #expect(problems.isEmpty)
        #expect(
            file.names.map { String(decoding: $0, as: UTF8.self) } == [
                "backup", "new", "other", "prom",
            ])
        let strangers = Self.rules.strangers(in: file)
        #expect(strangers.withoutPassword == [line(30), line(40), line(50)])
        #expect(
            strangers.withoutEntry.map { String(decoding: $0, as: UTF8.self) } == ["new", "other"])
        let everyone = AccessRules.Entry(user: Array("*".utf8), place: line(60))
        let open = AccessRules(Self.entries, everyone: everyone, place: line(1))
        #expect(open.strangers(in: file).withoutEntry == [])
        #expect(AccessRules().strangers(in: file).withoutEntry == [])
    }

    @Test func `every refusal says something of its own`() {
        let sentences = AccessRefusal.allCases.map { "\($0.sentence)" }
        #expect(Set(sentences).count == sentences.count)
        #expect(sentences.allSatisfy { $0.count > 20 })
    }
}

@Suite struct AllowlistCoverTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.0.0.0/8", true), ("10.0.0.0/8", "10.1.0.0/16", true),
        ("10.0.0.0/8", "10.0.0.1", true), ("10.0.0.0/8", "0.0.0.0/0", false),
        ("10.0.0.0/8", "11.0.0.0/8", false), ("10.0.0.0/8", "10.0.0.0/7", false),
        ("10.0.0.0/9 10.128.0.0/9", "10.0.0.0/8", true),
        ("10.0.0.0/9 10.128.0.0/10", "10.0.0.0/8", false),
        ("10.0.0.0/9 10.129.0.0/16", "10.0.0.0/8", false), ("0.0.0.0/0", "10.0.0.0/8", true),
        ("0.0.0.0/0", "::/0", false), ("::/0", "0.0.0.0/0", false), ("::/0", "::/0", true),
        ("::/1 8000::/1", "::/0", true), ("::/1", "::/0", false),
        ("2001:db8::/32", "2001:db8:1::/48", true), ("", "10.0.0.1", false),
        ("255.255.255.255", "255.255.255.255", true), ("ff00::/8", "ffff::/16", true),
        ("10.0.0.0/8 10.0.0.0/16", "10.0.0.0/8", true),
    ])
    func `a list covers a network when it has all of it`(
        list: String, network: String, isCovered: Bool
    ) throws {
        let ranges = try list.split(separator: " ").map { try AddressRange(parsing: $0) }
        #expect(Allowlist(ranges).covers(try AddressRange(parsing: network)) == isCovered)
    }
}
