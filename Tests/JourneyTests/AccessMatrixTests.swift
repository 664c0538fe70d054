import Foundation
import Testing

/// Every user, doing everything, to every group, in every form of its path: the gate's word against
/// the rules as a person reads them.
@Suite struct AccessMatrixTests {
    /// What a user may do, said in another way than the configuration says it.
    struct User: Sendable {
        let name: String
        var password = "secret"
        var methods: Set = ["POST", "PUT"]
        var mayUse: @Sendable (Labels) -> Bool = { _ in true }
        var isKnown: Bool { password == "secret" }
    }

    static let settings = """
        auth:
          users_file: htpasswd
          users:
            prom:
              groups: [{job: "xserver-*"}, {job: db, instance: "replica-*"}]
            ops: {methods: [POST, PUT, DELETE]}
            poster: {methods: [POST], groups: [{job: "*"}]}
            cleaner: {methods: [DELETE]}
            owner: {methods: [POST, PUT, DELETE], groups: [{job: db}]}
            starred: {groups: [{job: "*", instance: "*-1"}]}
            nothing: {groups: []}
            far: {allow: [127.0.0.9, "::1"], methods: [POST, PUT, DELETE]}
            near: {allow: [127.0.0.0/24], groups: [{job: other}]}
        limits: {failed_logins_per_minute_max: {user: 1000000, address: 1000000}}
        """

    static let users: [User] = [
        User(
            name: "prom",
            mayUse: { labels in
                let (job, instance) = (labels["job"] ?? "", labels["instance"] ?? "")
                return job.hasPrefix("xserver-") || job == "db" && instance.hasPrefix("replica-")
            }),
        User(name: "ops", methods: ["POST", "PUT", "DELETE"]),
        User(name: "poster", methods: ["POST"]),
        User(name: "cleaner", methods: ["DELETE"]),
        User(name: "owner", methods: ["POST", "PUT", "DELETE"], mayUse: { $0["job"] == "db" }),
        User(name: "starred", mayUse: { ($0["instance"] ?? "").hasSuffix("-1") }),
        User(name: "nothing", mayUse: { _ in false }),
        User(name: "far", methods: []),
        User(name: "near", mayUse: { $0["job"] == "other" }),
        User(name: "stranger", methods: []),
        User(name: "ops", password: "wrong", methods: []),
        User(name: "nobody", password: "wrong", methods: []),
    ]

    static let groups: [Labels] = [
        ["job": "xserver-bot"], ["job": "xserver-"], ["job": "xserver"],
        ["job": "Xserver-bot"], ["job": "a/xserver-bot"], ["job": "other"], ["job": "db"],
        ["job": "db", "instance": "replica-1"], ["job": "db", "instance": "primary"],
        ["job": "other", "instance": "replica-1", "l": "é/x"],
    ]

    /// How a path is written. Each form of it means the same group.
    enum Form: CaseIterable {
        case plain, encoded, base64, padded, backwards, emptyLabel, trailingSlash

        func path(of group: Labels) -> String {
            var names = group.keys.filter { $0 != "job" }.sorted()
            if self == .backwards { names.reverse() }
            var path = "/metrics/job" + value(group["job"] ?? "")
            if self == .emptyLabel { path += "/zone@base64/=" }
            for name in names { path += "/\(name)\(value(group[name] ?? ""))" }
            // Only behind the job is a slash at the end let through.
            return self == .trailingSlash && names.isEmpty ? path + "/" : path
        }

        private func value(_ text: String) -> String {
            let base64 = Data(text.utf8).base64EncodedString()
                .replacing("+", with: "-").replacing("/", with: "_")
            switch self {
            case .padded: return "@base64/" + base64
            case .base64: return "@base64/" + base64.replacing("=", with: "")
            case _ where text.contains("/"): return "@base64/" + base64
            case .encoded:
                return "/" + text.utf8.map { "%" + String(format: "%02X", $0) }.joined()
            default:
                let plain = text.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed)
                return "/" + (plain ?? "")
            }
        }
    }

    /// What is asked for. An empty PUT is a deletion, however its emptiness is written.
    struct Act: Sendable {
        let method: String
        var bytes: [UInt8] = []
        var fields: [String] = []
        /// What the user needs the right to.
        var needs: Set<String>
        /// What it gets from whoever may.
        let status: Int

        init(
            _ method: String, _ body: String, needs: Set<String>? = nil, _ status: Int
        ) {
            (self.method, bytes, self.status) = (method, Array(body.utf8), status)
            self.needs = needs ?? [method]
        }

        func encoded(_ bytes: [UInt8], _ field: String) -> Act {
            var act = self
            (act.bytes, act.fields) = (bytes, [field])
            return act
        }
    }

    private static let emptyPut = Act("PUT", "", needs: ["PUT", "DELETE"], 200)
    static let acts: [Act] = [
        Act("POST", "m 1\n", 200),
        Act("PUT", "m 1\n", 200),
        Act("DELETE", "", 202),
        emptyPut,
        Act("PUT", "# TYPE m gauge\n\n", needs: ["PUT", "DELETE"], 200),
        emptyPut.encoded(Bodies.gzip([]), Bodies.gzipField),
        emptyPut.encoded([], Bodies.protobufField),
        Act("POST", "", 400),
        // A body that speaks of another group
        Act("POST", "m{job=\"no such job\"} 1\n", 400),
        // One of no value says nothing.
        Act("PUT", "m{job=\"\"} 1\n", 200),
    ]

    /// The group's own labels, said again in the body: each by itself, and all.
    private static func ownLabels(of group: Labels) -> [Act] {
        let sorted = group.sorted { $0.key < $1.key }.map { "\($0.key)=\"\($0.value)\"" }
        return Set(sorted + [sorted.joined(separator: ",")]).sorted().map { labels in
            Act("POST", "m{\(labels)} 1\n", 200)
        }
    }

    /// The labels of another group, each in its turn.
    private static func strangeLabels(of group: Labels) -> [Act] {
        group.keys.sorted().map { name in
            Act("POST", "m 1\nn{\(name)=\"\(group[name] ?? "")x\"} 1\n", 400)
        }
    }

    @Test func `everybody does what he may in every form, and nobody more`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, settings: Self.settings,
            users: Set(Self.users.map(\.name)).subtracting(["nobody"]).sorted()
                .map { AccessTests.users($0) }.joined())
        var tally = Tally()
        for user in Self.users {
            let client = try gate.connect()
            for group in Self.groups {
                for form in Form.allCases {
                    for act in form == .plain ? Self.allActs(on: group) : Self.acts {
                        let answer = try Self.send(
                            act, form.path(of: group), as: user,
                            on: act.closes ? gate.connect() : client)
                        let status = Self.status(user, act, group)
                        #expect(
                            answer.status == status, "\(user.name) \(form) \(act): \(answer)")
                        tally.count(status, group)
                    }
                }
            }
        }
        #expect(try pushgateway.pushRequests() == tally.reached)
        #expect(
            tally.asked > 8_000 && tally.reached > 1_000 && tally.refused > 5_000, "\(tally)")
        usleep(200_000)  // Deletions are queued.
        #expect(try pushgateway.groups() == tally.groups)
        #expect(try pushgateway.get("/metrics").status == 200)
    }

    /// What ought to have become of it all.
    private struct Tally {
        var (asked, reached, refused) = (0, 0, 0)
        var groups: Set<Labels> = []

        mutating func count(_ status: Int, _ group: Labels) {
            asked += 1
            if status == 403 { refused += 1 }
            guard status < 300 else { return }
            reached += 1
            if status == 202 { groups.remove(group) } else { groups.insert(group) }
        }
    }

    private static func allActs(on group: Labels) -> [Act] {
        acts + [Act("DELETE", "m 1\n", 400)] + ownLabels(of: group) + strangeLabels(of: group)
    }

    private static func send(
        _ act: Act, _ path: String, as user: User, on client: TestClient
    ) throws -> Answer {
        try client.send(
            TestClient.request(
                act.method, path, bytes: act.bytes, login: "\(user.name):\(user.password)",
                fields: act.fields))
        return try client.answer()
    }

    /// What the rules, as a person reads them, make of it.
    private static func status(_ user: User, _ act: Act, _ group: Labels) -> Int {
        guard user.isKnown else { return 401 }
        guard user.methods.contains(act.method), user.mayUse(group) else { return 403 }
        guard act.needs.isSubset(of: user.methods) else { return 403 }
        return act.status
    }
}

extension AccessMatrixTests.Act {
    /// After it nobody knows where the next request begins.
    fileprivate var closes: Bool { method == "DELETE" && !bytes.isEmpty }
}
