import Foundation
import Synchronization
import Testing

/// Thousands of made-up requests, over several connections at once, through one gate to one real
/// Pushgateway that has to stand it. What was accepted is what is there, and nothing else.
@Suite(.timeLimit(.minutes(60))) struct HostileTests {
    private static let environment = ProcessInfo.processInfo.environment
    static let requests = environment["KANMON_HOSTILE_REQUESTS"].flatMap { Int($0) } ?? 2_000
    static let seed = environment["KANMON_HOSTILE_SEED"].flatMap { UInt64($0) } ?? 1
    static let connections = 8

    static let settings = """
        auth:
          users_file: htpasswd
          users:
            prom: {groups: [{job: "c*"}]}
            ops: {methods: [POST, PUT, DELETE]}
            far: {allow: [127.0.0.9]}
        log: {level: info, format: json}
        limits:
          connections_per_address_max: 1000
          failed_logins_per_minute_max: {user: 1000000, address: 1000000}
        """

    /// Why a Pushgateway may refuse what the gate let through: what it says in each case. Each leaves an
    /// empty group where there was none, which the log tells.
    static let excuses = [
        // The name of a family is that of a part of another group's; listings do not tell in time.
        "collides with previously collected",
        // Two groups that overlap, as {job} and {job, instance}, have one series.
        "was collected before with the same name and label values",
        // Two pushes at once give a family two types, or the confirmation did not come in time.
        "is not a ", "should be a ", "but should have",
    ]

    /// What the parser of Pushgateway 1.5.1 does not know and that of 1.11 does: gauge histograms, names
    /// in quotes, and quotes escaped in a HELP. It leaves nothing.
    static let novelties = [
        "unknown metric type \"gaugehistogram\"", "invalid metric name", "invalid label name",
        "invalid escape sequence '\\\"'", "expected float as value, got \"\\\"",
    ]

    /// Reasons that would mean that the gate or the Pushgateway was in trouble.
    static let troubles: Set = [
        "upstream_unreachable", "upstream_busy", "upstream_too_late", "upstream_unclear",
        "memory_short", "login_queue_full", "logins_too_many", "draining", "not_ready",
    ]

    @Test func `hostile requests harm neither the Pushgateway nor the gate`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, settings: Self.settings,
            users: AccessTests.users("prom", "ops", "far", "stranger"))
        let attack = Attack(gate, pushgateway)

        attack.run(requests: Self.requests / 4, seed: Self.seed)
        let before = Footprint(of: gate.program)
        attack.run(requests: Self.requests - Self.requests / 4, seed: ~Self.seed)
        let after = Footprint(of: gate.program)

        let answer = try gate.send("POST", "/metrics/job/c-good", body: "m 1\n")
        #expect(answer.status == 200, "\(answer)")
        #expect(gate.program.isRunning && pushgateway.program.isRunning)
        #expect(try pushgateway.get("/metrics").status == 200)
        // What the allocator keeps between two looks differs by a few megabytes.
        #expect(after.memoryKiB < before.memoryKiB + 16 << 10, "\(before) \(after)")
        #expect(after.descriptors <= before.descriptors + Self.connections, "\(before) \(after)")

        let id = try #require(answer.fields["x-request-id"])
        let log = try #require(gate.log(holding: id))
        let account = Account(log, attack.accepted)
        print("hostile: seed \(Self.seed), \(attack.summary), \(before) to \(after)")
        for line in account.summary { print("hostile: \(line)") }
        let violations = attack.violations + account.violations
        #expect(violations.isEmpty, "\(violations.prefix(20).joined(separator: "\n"))")
        let groups = try pushgateway.groups()
        #expect(account.groups.isSubset(of: groups), "\(account.groups.subtracting(groups))")
        let unexplained = groups.subtracting(account.groups).subtracting(account.mayBe)
        #expect(unexplained.isEmpty, "\(unexplained)")
        #expect(account.count(status: 200) > Self.requests / 20)
        #expect(account.count(status: 202) > Self.requests / 100)
        #expect(account.count(status: 400) > Self.requests / 5)
    }
}

/// What a program holds.
private struct Footprint: CustomStringConvertible {
    let memoryKiB: Int
    let descriptors: Int
    var description: String { "\(memoryKiB) KiB and \(descriptors) descriptors" }

    init(of program: RunningProgram) {
        usleep(500_000)  // Connections that ended are buried in the next turn.
        let folder = "/proc/\(program.processID)"
        let status = (try? String(contentsOfFile: folder + "/status", encoding: .utf8)) ?? ""
        memoryKiB = status.firstMatch(of: /VmRSS:\s+(\d+)/).flatMap { Int($0.1) } ?? 0
        descriptors =
            (try? FileManager.default.contentsOfDirectory(atPath: folder + "/fd"))?
            .count ?? 0
    }
}

/// Sends the requests and looks at each answer.
private final class Attack: Sendable {
    private let gate: Gate
    private let pushgateway: Pushgateway
    private let state = Mutex(State())

    private struct State {
        var violations: [String] = []
        /// The group that each accepted request was for, by the request's name.
        var accepted: [String: Labels] = [:]
        var (answered, cut, scrapes) = (0, 0, 0)
    }

    init(_ gate: Gate, _ pushgateway: Pushgateway) {
        (self.gate, self.pushgateway) = (gate, pushgateway)
    }

    var violations: [String] { state.withLock { $0.violations } }
    var accepted: [String: Labels] { state.withLock { $0.accepted } }
    var summary: String {
        state.withLock { "\($0.answered) answered, \($0.cut) cut, \($0.scrapes) scrapes" }
    }

    private func report(_ violation: String) {
        state.withLock { $0.violations.append(violation) }
    }

    /// Sends from all connections at once, and looks meanwhile whether a scrape works.
    func run(requests: Int, seed: UInt64) {
        let threads = DispatchGroup()
        for connection in 0..<HostileTests.connections {
            threads.enter()
            Thread.detachNewThread { [self] in
                send(
                    Hostility(seed: seed, connection: connection),
                    count: requests / HostileTests.connections)
                threads.leave()
            }
        }
        while threads.wait(timeout: .now() + 0.25) == .timedOut {
            let scrape = try? pushgateway.get("/metrics")
            state.withLock { $0.scrapes += 1 }
            guard scrape?.status == 200 else {
                report("a scrape failed: \(scrape?.body.prefix(500) ?? "")")
                continue
            }
        }
    }

    private func send(_ hostility: Hostility, count: Int) {
        var hostility = hostility
        var client: TestClient?
        var left = count
        while left > 0 {
            var batch: [Hostility.Request] = []
            while batch.count < min(left, 6), batch.last?.end ?? .whole == .whole {
                batch.append(hostility.next())
            }
            do {
                let current = try client ?? gate.connect()
                let (count, isKept) = try exchange(batch, on: current)
                left -= count
                client = isKept ? current : nil
            } catch {
                if case TestClient.Failure.tooLate = error { report("no answer in time: \(batch)") }
                left -= batch.count
                client = nil
            }
        }
    }

    /// How many of the requests came to be answered or cut, and whether the connection is good for
    /// more.
    private func exchange(
        _ batch: [Hostility.Request], on client: TestClient
    ) throws -> (count: Int, isKept: Bool) {
        let whole = batch.filter { $0.end == .whole }
        try client.send(whole.flatMap(\.bytes))
        for (index, request) in whole.enumerated() {
            let answer = try client.answer()
            judge(answer, to: request)
            if answer.isLast { return (index + 1, false) }
        }
        guard let last = batch.last, last.end != .whole else { return (batch.count, true) }
        try client.send(last.bytes)
        if last.end == .nothingMore {
            client.finishSending()
            if !client.waitForEnd(within: 8).ended { report("not ended: \(last)") }
        }
        state.withLock { $0.cut += 1 }
        return (batch.count, false)
    }

    private func judge(_ answer: Answer, to request: Hostility.Request) {
        state.withLock { $0.answered += 1 }
        let id = answer.fields["x-request-id"] ?? ""
        if id.isEmpty || answer.body.isEmpty { report("an answer says nothing: \(answer)") }
        guard answer.status < 300 else { return }
        guard let group = request.group else {
            return report("accepted: \(String(decoding: request.bytes, as: UTF8.self))")
        }
        state.withLock { $0.accepted[id] = group }
    }
}

/// What the gate's log says about all of it.
private struct Account {
    /// The groups that accepted pushes made and no accepted deletion took away.
    private(set) var groups: Set<Labels> = []
    /// Those of pushes that the Pushgateway refused, where it may have made an empty group.
    private(set) var mayBe: Set<Labels> = []
    private(set) var violations: [String] = []
    private var counts: [String: Int] = [:]
    /// The names of pushes that it could not read.
    private var unread: Set<String> = []

    init(_ log: String, _ accepted: [String: Labels]) {
        for text in log.split(separator: "\n") {
            guard let line = LogLine(text) else { continue }
            if line.msg == "log lines dropped" { violations.append(String(text)) }
            if let said = line.said { excuse(said, line.id ?? "") }
            guard let status = line.status else { continue }
            counts["\(status) \(line.reason ?? line.msg)", default: 0] += 1
            if HostileTests.troubles.contains(line.reason ?? "") { violations.append(String(text)) }
            take(line, status, accepted[line.id ?? ""], text)
        }
    }

    private mutating func take(
        _ line: LogLine, _ status: Int, _ meant: Labels?, _ text: some StringProtocol
    ) {
        guard let group = line.group else { return }
        if let meant, meant != group { violations.append("not the group \(meant): \(text)") }
        switch status {
        case 200: groups.insert(group)
        case 202: groups.remove(group)
        default:
            let isUnread = unread.contains(line.id ?? "")
            if line.reason == "upstream_refused" && !isUnread { mayBe.insert(group) }
        }
    }

    private mutating func excuse(_ said: String, _ id: String) {
        let isUnread = said.hasPrefix("text format parsing error")
        if isUnread { unread.insert(id) }
        let excuses = isUnread ? HostileTests.novelties : HostileTests.excuses
        let known = excuses.first { said.contains($0) }
        if known == nil { violations.append("the Pushgateway said: \(said)") }
        counts["refused by the Pushgateway: \(known ?? "?")", default: 0] += 1
    }

    func count(status: Int) -> Int {
        counts.filter { $0.key.hasPrefix("\(status) ") }.reduce(0) { $0 + $1.value }
    }

    var summary: [String] {
        counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
    }
}
