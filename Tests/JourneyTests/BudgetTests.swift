import Foundation
import Testing

/// What a push on a kept connection may cost. Nothing here depends on how fast the machine is.
@Suite(
    .enabled(if: Programs.pushgateway != nil, "prometheus-pushgateway is not installed"),
    .timeLimit(.minutes(10)))
struct BudgetTests {
    private static let pushes = 400
    /// As gates are run, with a line for each push.
    private static let log = "log: {level: info}"

    /// The push is read and written on, its answer is read and written on, and each side is waited for once.
    /// Of the two turns one in 32 is measured, by two readings of the thread's clock.
    private static let callsMax: [String: Double] = [
        "epoll_wait": 2, "recvfrom": 2, "sendto": 2,
        "clock_gettime": 2 * 2 / 32,
    ]

    @Test(.enabled(if: Strace.isUsable, "strace is not usable here"))
    func `a push takes six system calls`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port, settings: BudgetTests.log)
        let client = try gate.connect()
        try push(20, by: client)
        let calls = try Strace.counting(callsOf: gate.program) {
            try push(BudgetTests.pushes, by: client)
        }
        // What other threads tell the loop meanwhile is a few calls in ten seconds.
        for (name, count) in calls {
            let each = Double(count) / Double(BudgetTests.pushes)
            #expect(each <= BudgetTests.callsMax[name, default: 0] + 0.1, "\(name)")
        }
        let sent = calls["sendto", default: 0]
        #expect(sent >= 2 * BudgetTests.pushes, "nothing was counted: \(calls)")
    }

    /// OpenSSL asks for six: it packs the head of each record in memory of its own, and gives the buffers
    /// of an idle connection back. A build without optimisation has some fifteen of its own.
    @Test(.enabled(if: AllocationCounter.compiler != nil, "no C compiler is installed"))
    func `a push allocates nothing but what OpenSSL does`() throws {
        let allocationsMax = Programs.kanmon.contains("/release/") ? 6.1 : 25
        let pushgateway = try Pushgateway()
        let counter = try AllocationCounter()
        let gate = try Gate(
            upstream: pushgateway.port, settings: BudgetTests.log,
            environment: counter.environment)
        let client = try gate.connect()
        try push(BudgetTests.pushes, by: client)
        // The quietest round is the one in which no other thread had anything to do.
        let rounds = try (0..<5).map { _ in
            let before = counter.count
            try push(BudgetTests.pushes, by: client)
            return Double(counter.count - before) / Double(BudgetTests.pushes)
        }
        #expect(counter.count > 0, "nothing was counted")
        #expect(rounds.min().map { $0 <= allocationsMax } == true, "\(rounds)")
    }

    private func push(_ count: Int, by client: TestClient) throws {
        for _ in 0..<count {
            let answer = try client.send("POST", "/metrics/job/budget", body: BudgetTests.body)
            try #require(answer.status == 200, "\(answer)")
        }
    }

    /// What a cron job sends.
    private static let body = (0..<10).map { number in
        "# TYPE budget_\(number) gauge\nbudget_\(number){site=\"here\"} \(number).25\n"
    }.joined()
}

/// Counts what a program asks the C library for, from outside.
private struct AllocationCounter {
    static let compiler = ["/usr/bin/cc", "/usr/bin/clang"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    private let folder = TemporaryFolder()

    init() throws {
        let source = Programs.packageRoot + "/Tests/Benchmarks/Exposition/CAllocations"
        let built = try run(
            AllocationCounter.compiler ?? "cc",
            [
                "-O2", "-shared", "-fPIC", "-I", source + "/include", "-o",
                folder.path + "/allocations.so",
                source + "/allocations.c",
            ])
        try #require(built.status == 0, "\(built.errors)")
        folder.write("count", String(repeating: "\0", count: 8))
    }

    var environment: [String: String] {
        [
            "LD_PRELOAD": folder.path + "/allocations.so",
            "ALLOCATIONS_FILE": folder.path + "/count",
        ]
    }

    var count: UInt64 {
        folder.read("count").reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
