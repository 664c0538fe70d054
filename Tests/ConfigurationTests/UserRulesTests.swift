import Configuration
import Testing

@Suite struct UserRulesTests {
    static func users(_ text: String) -> Configuration.Reading {
        read(file().replacing("htpasswd}", with: "htpasswd, users: \(text)}"))
    }

    static func rules(_ text: String) throws -> [UserRules] {
        let (configuration, problems) = users(text)
        #expect(problems == [])
        return try #require(configuration?.auth.users?.value)
    }

    @Test func `what is written under a user is what is read, each rule with its place`() throws {
        let bytes = try CorpusTests.bytes("users.good.yml")
        let configuration = try #require(Configuration.read(bytes, named: "x").configuration)
        #expect(configuration.labelConflicts == .overwrite)
        #expect(configuration.upstream.takesUTF8Names)
        let users = try #require(configuration.auth.users)
        #expect(users.position == Position(line: 5, column: 3))
        #expect(users.value.map(\.name.value) == ["prom", "*", "José", "null"])
        #expect(users.value.map(\.name.line) == [6, 15, 16, 17])

        let prom = users.value[0]
        let groups = try #require(prom.groups)
        #expect(groups.position == Position(line: 7, column: 15))
        #expect(groups.value.map(\.column) == [16, 36])
        #expect(
            groups.value.map(\.value) == [
                .init(labels: [("job", "xserver-bot")]),
                .init(labels: [("job", "backup-*"), ("instance", "*")]),
            ])
        #expect(prom.methods == Located([.delete], at: Position(line: 8, column: 16)))
        #expect(prom.allow?.map(\.value) == ["203.0.113.7", "2001:db8::/32"])
        #expect(prom.allow?.map(\.column) == [15, 28])
        #expect(prom.quotas.pushesPerMinute == Located(6, at: Position(line: 11, column: 28)))
        #expect(prom.quotas.bytesPerMinute == Located(1 << 20, at: Position(line: 12, column: 27)))
        #expect(prom.quotas.groupsMax?.value == 100_000)
        #expect(prom.quotas.seriesMax?.line == 14)
        let last = try #require(users.value[3].groups?.value.first)
        #expect(last.value == .init(labels: [("job", "5"), ("_x", "true")]))
    }

    @Test func `no groups key is every group and an empty list is none`() throws {
        let rules = try Self.rules("{a: {}, b: {groups: []}}")
        #expect(rules[0].groups == nil)
        #expect(rules[1].groups?.value == [])
        #expect(rules[0].allow == nil)
        #expect(rules[0].methods == Located([.post, .put], at: .none))
        #expect(rules[0].quotas.pushesPerMinute == nil && rules[0].quotas.seriesMax == nil)
    }

    @Test(arguments: [
        ("[POST]", [PushMethod.post]), ("DELETE", [.delete]), ("[DELETE, PUT]", [.delete, .put]),
        ("[POST, PUT, DELETE]", [.post, .put, .delete]),
    ])
    func `methods are one or a list`(text: String, methods: [PushMethod]) throws {
        #expect(try Self.rules("{a: {methods: \(text)}}")[0].methods.value == methods)
    }

    @Test(arguments: [
        "pushes_per_minute: 0", "pushes_per_minute: 1000001", "pushes_per_minute: 1KiB",
        "pushes_per_minute: 1.5", "bytes_per_minute: 0", "bytes_per_minute: 65GiB",
        "bytes_per_minute: 10s", "groups_max: 0", "groups_max: 100001", "groups_max: -1",
        "series_max: 0", "series_max: 10000001", "groups_max: \"5\"", "groups_max: [5]",
    ])
    func `a quota out of its bounds or of another kind is refused`(row: String) throws {
        let (configuration, problems) = Self.users("{a: {limits: {\(row)}}}")
        #expect(configuration == nil && problems.count == 1)
        let key = try #require(row.split(separator: ":").first)
        #expect(problems.first?.message.hasPrefix("auth.users.a.limits.\(key)") == true)
    }

    @Test func `a quota of series above everyone's is a warning, unless that one is refused`() {
        let one = Self.users("{a: {limits: {series_max: 50001}}}")
        #expect(one.configuration != nil)
        #expect(one.problems.map(\.severity) == [.warning])
        #expect(
            one.problems.first?.message
                == "auth.users: series_max of \"a\" (50001) is larger than limits.series_max "
                + "(50000); it will never be reached")
        #expect(Self.users("{a: {limits: {series_max: 50000}}}").problems == [])
        let text = file("limits: {series_max: many}").replacing(
            "htpasswd}", with: "htpasswd, users: {a: {limits: {series_max: 50001}}}}")
        #expect(read(text).problems.map(\.severity) == [.error])
    }

    @Test func `a pattern, a name and a list have their longest length`() {
        let pattern = { String(repeating: "p", count: $0) }
        #expect(Self.users("{a: {groups: [{job: \(pattern(1024))}]}}").configuration != nil)
        #expect(Self.users("{a: {groups: [{job: \(pattern(1025))}]}}").configuration == nil)
        let labels = { (count: Int) in (1...count).map { "l\($0): v" }.joined(separator: ", ") }
        #expect(Self.users("{a: {groups: [{\(labels(65))}]}}").configuration != nil)
        #expect(Self.users("{a: {groups: [{\(labels(66))}]}}").problems.count == 1)
        let groups = { Array(repeating: "{job: a}", count: $0).joined(separator: ", ") }
        #expect(Self.users("{a: {groups: [\(groups(1000))]}}").configuration != nil)
        #expect(Self.users("{a: {groups: [\(groups(1001))]}}").problems.count == 1)
        #expect(Self.users("{\"\(pattern(512))\": {}}").configuration != nil)
        #expect(Self.users("{\"\(pattern(513))\": {}}").problems.count == 1)
    }

    @Test(.timeLimit(.minutes(10))) func `many users are read in a moment`() throws {
        let names = (0..<20_000).map { "u\($0): {x: 1}" }.joined(separator: ", ")
        let (configuration, problems) = Self.users("{\(names)}")
        #expect(configuration == nil && problems.count == 101)
        #expect(problems.prefix(100).allSatisfy { $0.message.contains("; known here: groups") })
        let good = (0..<20_000).map { "u\($0): {}" }.joined(separator: ", ")
        #expect(try Self.rules("{\(good)}").count == 20_000)
    }

    @Test func `the keys of a user are known although no user is`() {
        let keys = Configuration.keys.filter { $0.hasPrefix("auth.users.") }
        #expect(
            keys == [
                "auth.users.NAME.groups", "auth.users.NAME.methods", "auth.users.NAME.allow",
                "auth.users.NAME.limits", "auth.users.NAME.limits.pushes_per_minute",
                "auth.users.NAME.limits.bytes_per_minute", "auth.users.NAME.limits.groups_max",
                "auth.users.NAME.limits.series_max",
            ])
        #expect(
            read(file("methods: [PUT]")).problems.map(\.message) == [
                "unknown key \"methods\"; it belongs in \"auth.users.NAME\""
            ])
    }

    @Test func `a hostile name neither forges a line nor fills the screen`() {
        let name = String(repeating: "n", count: 500)
        let long = Self.users("{\"\(name)\": {methods: GET}}").problems
        #expect(long.count == 1 && long.allSatisfy { $0.message.count < 150 })
        let hidden = Self.users("{\"a\\u202Eb\": {methods: GET}}").problems
        #expect(
            hidden.map(\.message) == [
                "auth.users.\"a\\u{202E}b\".methods: \"GET\" is none of POST, PUT, DELETE"
            ])
    }
}
