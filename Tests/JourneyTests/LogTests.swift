import Foundation
import Testing

/// The operational log: its form, and readers that are not there, do not read, or have no room.
@Suite struct LogTests {
    @Test func `a push has its line, as logfmt and as JSON`() throws {
        let pushgateway = try Pushgateway()
        let plain = try Gate(upstream: pushgateway.port, settings: "log: {level: info}")
        #expect(try plain.send("PUT", "/metrics/job/bot/a/b", body: "a 1\n").status == 200)
        let line = plain.log(holding: "push accepted")?.split(separator: "\n").first {
            $0.contains("push accepted")
        }
        let wanted =
            /ts=\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z level=info msg="push accepted" id=\w{10} user=prom from=127\.0\.0\.1 group="job=bot,a=b" samples=1 bytes=4 status=200 ms=\d+\.\d/
        #expect(try wanted.wholeMatch(in: String(line ?? "")) != nil, "\(line ?? "")")

        let json = try Gate(
            upstream: pushgateway.port, settings: "log: {level: info, format: json}")
        #expect(try json.send("PUT", "/metrics/job/bot/a/b", body: "a 1\n").status == 200)
        #expect(try json.send("PUT", "/metrics/job/bot", body: "a x\n").status == 400)
        let log = try #require(json.log(holding: "request refused"))
        let object = try #require(
            try Self.objects(log).first { $0["msg"] as? String == "push accepted" })
        #expect(
            Set(object.keys) == [
                "ts", "level", "msg", "id", "user", "from", "group", "samples", "bytes", "status",
                "ms",
            ])
        #expect(object["group"] as? String == "job=bot,a=b" && object["status"] as? Int == 200)
        #expect(object["samples"] as? Int == 1 && (object["ms"] as? Double) != nil)
    }

    @Test func `one event is one line, whatever stands in it`() throws {
        let gate = try Gate(
            upstream: try freePort(),
            settings: """
                log: {level: info, format: json}
                audit: {file: audit.jsonl}
                limits: {head_bytes_max: 256KiB, target_bytes_max: 128KiB}
                """)
        // What would end a line, open a field, steer a terminal; long; and names that are no text.
        let values = [
            "%22,%22a%22:%22", "%E2%80%A8%E2%80%A9", "a%5C",
            String(repeating: "x", count: 65_536), "%F0%9F%94%A5",
        ]
        for value in values {
            #expect(try gate.send("POST", "/metrics/job/x/l/\(value)", body: "a 1\n").status == 503)
        }
        for login in ["a\r\nlevel=info\u{1B}[31m\u{0}:x", "\u{FFFD}\"=:x"] {
            #expect(try gate.push(login: login) == 401)
        }
        #expect(gate.stop() == 0)
        let objects = try Self.objects(gate.program.output)
        #expect(objects.count { $0["msg"] as? String == "request refused" } == values.count + 2)
        #expect(gate.program.output.utf8.allSatisfy { $0 == 0x0A || $0 >= 0x20 && $0 != 0x7F })
        let records = try gate.trail.records().filter { $0.count == nil }
        // The trail leaves nothing out.
        #expect(records.map { $0.group?["l"] } == values.map { $0.removingPercentEncoding })
    }

    private static func objects(_ log: String) throws -> [[String: Any]] {
        try log.split(separator: "\n").filter { $0.hasPrefix("{") }.map { line in
            try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)"
            )
        }
    }

    // MARK: Who reads it

    /// A gate whose stderr is what a shell makes of `redirection`; `$2` in it is `argument`.
    private final class RedirectedGate: Sendable {
        let program: RunningProgram
        let port: UInt16
        let folder = TemporaryFolder()

        init(upstream: UInt16, _ redirection: String, _ argument: String = "") throws {
            port = try freePort()
            try CertificateKey.ecdsa.writeCertificate(to: folder)
            folder.write("htpasswd", Gate.users)
            folder.write(
                "kanmon.yml",
                """
                listen: "127.0.0.1:\(port)"
                allow: [127.0.0.1]
                workers: 1
                tls: {cert_file: tls.crt, key_file: tls.key}
                auth: {users_file: htpasswd}
                upstream: {url: "http://127.0.0.1:\(upstream)"}
                """)
            program = try RunningProgram(
                "/bin/sh",
                [
                    "-c", "exec \"$0\" serve --config \"$1\" \(redirection)", Programs.kanmon,
                    folder.path + "/kanmon.yml", argument,
                ])
            let end = Date().addingTimeInterval(20)
            while (try? BlockingSocket(port: port)) == nil, Date() < end { usleep(20_000) }
        }

        deinit { program.signal(SIGKILL) }

        func connect() throws -> TestClient {
            try TestClient(port: port, certificate: folder.read("tls.crt"))
        }
    }

    /// Requests whose lines in the log are thousands of bytes long.
    private func talk(_ gate: RedirectedGate, times: Int) throws {
        let client = try gate.connect()
        let label = String(repeating: "x", count: 3500)
        for _ in 0..<times {
            let answer = try client.send("POST", "/metrics/job/x/l/\(label)", body: "a b\n")
            #expect(answer.status == 400)
        }
    }

    @Test(arguments: ["2>&-", "<&- >&- 2>&-", "2>/dev/full"])
    func `without anybody to tell the gate goes on, and no socket takes the place`(
        redirection: String
    ) throws {
        let pushgateway = try Pushgateway()
        let gate = try RedirectedGate(upstream: pushgateway.port, redirection)
        let client = try gate.connect()
        for _ in 0..<20 {
            #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        }
        for descriptor in 0...2 {
            let target = try FileManager.default.destinationOfSymbolicLink(
                atPath: "/proc/\(gate.program.processID)/fd/\(descriptor)")
            #expect(target.hasPrefix("/dev/") || target.hasPrefix("pipe:"), "\(target)")
        }
        gate.program.signal(SIGTERM)
        #expect(gate.program.exitStatus(within: 10) == 0)
    }

    @Test func `a reader that has gone ends nothing`() throws {
        let folder = TemporaryFolder()
        let fifo = folder.path + "/log"
        #expect(unsafe mkfifo(fifo, 0o600) == 0)
        let reader = unsafe open(fifo, O_RDONLY | O_NONBLOCK)
        let pushgateway = try Pushgateway()
        let gate = try RedirectedGate(upstream: pushgateway.port, "2>\"$2\"", fifo)
        close(reader)
        let client = try gate.connect()
        for _ in 0..<20 {
            #expect(try client.send("POST", "/metrics/job/x", body: "a 1\n").status == 200)
        }
        gate.program.signal(SIGTERM)
        #expect(gate.program.exitStatus(within: 10) == 0)
    }

    @Test func `a reader that hangs costs lines, which are counted, and no push`() throws {
        let folder = TemporaryFolder()
        let fifo = folder.path + "/log"
        #expect(unsafe mkfifo(fifo, 0o600) == 0)
        let reader = unsafe open(fifo, O_RDONLY | O_NONBLOCK)
        let pushgateway = try Pushgateway()
        let gate = try RedirectedGate(upstream: pushgateway.port, "2>\"$2\"", fifo)
        // More than the pipe and what may wait.
        try talk(gate, times: 500)
        _ = fcntl(reader, F_SETFL, 0)
        let handle = FileHandle(fileDescriptor: reader, closeOnDealloc: true)
        let collected = Collected()
        Thread.detachNewThread {
            while case let data = handle.next, !data.isEmpty { collected.add(data) }
        }
        #expect(collected.wait { $0.contains("log lines dropped") })
        gate.program.signal(SIGTERM)
        #expect(gate.program.exitStatus(within: 10) == 0)
        #expect(collected.wait { $0.contains("drained, going down") })
        let text = collected.text
        let dropped = text.matches(of: /msg="log lines dropped" count=(\d+)/)
            .compactMap { Int($0.1) }.reduce(0, +)
        #expect(dropped + text.matches(of: /request refused/).count == 500)
    }

    @Test func `at the end a reader that hangs is not waited for`() throws {
        let folder = TemporaryFolder()
        let fifo = folder.path + "/log"
        #expect(unsafe mkfifo(fifo, 0o600) == 0)
        let reader = unsafe open(fifo, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let gate = try RedirectedGate(upstream: try freePort(), "2>\"$2\"", fifo)
        try talk(gate, times: 100)
        gate.program.signal(SIGTERM)
        #expect(gate.program.exitStatus(within: 10) == 0)
    }

    @Test(.enabled(if: TinyDisk.isPossible, "only root can make a small file system"))
    func `a full disk behind it costs lines, which are counted, and no push`() throws {
        let disk = try TinyDisk(kilobytes: 64)
        let file = disk.path + "/log"
        let pushgateway = try Pushgateway()
        let gate = try RedirectedGate(upstream: pushgateway.port, "2>\"$2\"", file)
        try talk(gate, times: 60)
        try disk.grow(toKilobytes: 1024)
        try talk(gate, times: 1)
        gate.program.signal(SIGTERM)
        #expect(gate.program.exitStatus(within: 10) == 0)
        // What was said before there was a log has no time.
        let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
            .drop { !$0.hasPrefix("ts=") }
        let dropped = lines.compactMap { line in
            line.firstMatch(of: /msg="log lines dropped" count=(\d+)/).flatMap { Int($0.1) }
        }
        // The line that was cut is dropped; its beginning stays.
        let whole = lines.count { $0.contains("request refused") && $0.contains(" ms=") }
        let droppedCount = dropped.reduce(0, +)
        #expect(whole > 5 && droppedCount > 5 && droppedCount + whole == 61)
        #expect(lines.allSatisfy { $0.hasPrefix("ts=") })
    }
}

/// What a thread has read so far.
private final class Collected: @unchecked Sendable {
    private let lock = NSLock()
    private var bytes: [UInt8] = []

    func add(_ data: Data) { lock.withLock { bytes += data } }
    var text: String { lock.withLock { String(decoding: bytes, as: UTF8.self) } }

    func wait(within seconds: Double = 10, _ condition: (String) -> Bool) -> Bool {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            if condition(text) { return true }
            usleep(10_000)
        }
        return false
    }
}
