import Foundation
import Testing

/// A gate that may have no more descriptors, or no more memory.
@Suite(.timeLimit(.minutes(10))) struct ExhaustionTests {
    /// Lets the gate have so many more descriptors than it has, and no more. The limit is of their numbers,
    /// of which the lowest free one is always taken.
    private func leave(_ count: Int, to gate: Gate) throws {
        let taken = Vitals(of: gate.program).descriptorNumbers
        let free = (0...).lazy.filter { !taken.contains($0) }.prefix(count + 1)
        try set("--nofile=\(Array(free)[count]):", of: gate)
    }

    private func set(_ limit: String, of gate: Gate) throws {
        let done = try run("/usr/bin/prlimit", ["--pid", "\(gate.program.processID)", limit])
        #expect(done.status == 0, "\(done.errors)")
    }

    @Test func `without descriptors those who are in are served, and the gate does not spin`()
        throws
    {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, users: AccessTests.users("prom", "late"))
        let vitals = Vitals(of: gate.program)
        let client = try gate.connect()
        #expect(try client.send("POST", "/metrics/job/x", body: "m 1\n").status == 200)
        let descriptors = vitals.descriptors
        try leave(3, to: gate)
        var outside = try (0..<20).map { _ in try BlockingSocket(port: gate.port) }
        #expect(gate.log(holding: "nobody is let in for a moment") != nil)
        #expect(gate.program.output.contains("Too many open files"))

        let before = vitals.processorSeconds()
        sleep(3)
        #expect(vitals.processorSeconds() - before < 0.6)
        let lines = gate.program.output.matches(of: /nobody is let in/).count
        #expect(lines <= 2, "a want that lasts is told now and then, not \(lines) times")
        for turn in 2..<20 {
            #expect(try client.send("POST", "/metrics/job/x", body: "m \(turn)\n").status == 200)
        }
        // The threads that verify a password need no descriptor.
        let late = try client.send("POST", "/metrics/job/x", body: "m 1\n", login: "late:secret")
        #expect(late.status == 200)

        outside.removeAll()
        #expect(try gate.send("POST", "/metrics/job/x", body: "m 1\n").status == 200)
        #expect(vitals.comesDown(to: descriptors + 1))
    }

    @Test func `a reload that may open nothing is refused, and the next one is done`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let client = try gate.connect()
        #expect(try client.send("POST", "/metrics/job/x", body: "m 1\n").status == 200)
        try leave(0, to: gate)
        gate.program.signal(SIGHUP)
        #expect(gate.log(holding: "reload refused") != nil)
        #expect(gate.program.output.contains("cannot be opened: too many files are open"))
        #expect(try client.send("POST", "/metrics/job/x", body: "m 1\n").status == 200)
        try leave(100, to: gate)
        #expect(gate.reload(expecting: "users=1"))
    }

    @Test func `a push that cannot get a connection is told so, and the next one gets it`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let client = try gate.connect()
        #expect(try client.send("GET", "/-/healthy", login: nil).status == 200)
        usleep(500_000)  // The first look at the Pushgateway is over.
        try leave(0, to: gate)
        let answer = try client.send("POST", "/metrics/job/x", body: "m 1\n")
        #expect(answer.status == 503 && answer.fields["retry-after"] != nil, "\(answer)")
        #expect(gate.log(holding: "error=\"Too many open files\"") != nil)
        #expect(gate.log(holding: "reason=upstream_unreachable") != nil)
        #expect(try pushgateway.groups().isEmpty)
        try leave(100, to: gate)
        #expect(try client.send("POST", "/metrics/job/x", body: "m 1\n").status == 200)
    }

    @Test func `with 64 descriptors from the start fewer are let in, and all are served`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(
            upstream: pushgateway.port, launcher: ["/usr/bin/prlimit", "--nofile=64:64"])
        #expect(gate.log(holding: "lowered_to=16") != nil)
        let clients = try (0..<16).map { _ in try gate.connect() }
        for client in clients {
            #expect(try client.send("POST", "/metrics/job/x", body: "m 1\n").status == 200)
        }
        let outside = try BlockingSocket(port: gate.port)
        #expect(gate.log(holding: "reason=\"connections_max reached\"") != nil)
        _ = outside
    }

    @Test(arguments: [4, 8, 11, 14, 17, 20, 24])
    func `with too few descriptors it serves, or ends with a sentence`(descriptors: Int) throws {
        let gate = try? Gate(
            upstream: try freePort(),
            launcher: ["/usr/bin/prlimit", "--nofile=\(descriptors):\(descriptors)"])
        // It ended before it listened, and said so: `Gate` looks for the one or the other.
        guard let gate else { return }
        let ready = gate.program.waitForOutput { $0.contains("msg=ready") ? $0 : nil }
        guard ready == nil else { return }
        #expect(gate.program.exitStatus() == 71, "\(gate.program.output)")
        #expect(gate.program.output.contains("Too many open files"))
    }

    @Test
    func `when memory runs out pushes are refused or the gate ends, and nothing false is stored`()
        throws
    {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        var pushes = Pushes(to: gate, named: "memory")
        pushes.push()
        #expect(pushes.areAllAccepted)
        try set("--as=\(Vitals(of: gate.program).addressSpaceBytes + 2 << 20)", of: gate)
        // Each waits for its last bytes, so that all are held at once.
        let body = String(
            repeating: "m{l=\"\(String(repeating: "x", count: 900))\"} 1\n", count: 3000)
        let clients = (0..<12).compactMap { number -> TestClient? in
            guard let client = try? gate.connect() else { return nil }
            let path = "/metrics/job/half\(number)"
            let length = "Content-Length: \(body.utf8.count + 1)"
            let head = TestClient.request("PUT", path, fields: [length])
            try? client.send(Array((head + body).utf8), within: 2)
            return client
        }
        for number in 0..<10 where gate.program.isRunning {
            pushes.push(onNewConnection: number % 2 == 0)
        }
        #expect(pushes.hung.isEmpty, "\(pushes.summary)")
        #expect(try pushes.violations(in: pushgateway).isEmpty)
        #expect(try pushgateway.samples(of: "m").allSatisfy { !$0.contains("half") })
        _ = clients
        let end =
            gate.program.isRunning ? "it goes on" : "it ended: \(gate.program.output.suffix(300))"
        print("memory: \(pushes.summary); \(end)")
    }
}
