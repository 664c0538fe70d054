import Reactor
import Testing

@Suite struct ErrandTests {
    @Test func `a program gets its input and gives both its outputs`() {
        let report = Errand(
            "sh", ["-c", "cat; echo bad >&2; exit 3"], input: Array("good\n".utf8),
            timeout: .seconds(10)
        ).run()
        #expect(report.end == .ended(.exited(3)))
        #expect(report.output == Array("good\n".utf8) && report.errors == Array("bad\n".utf8))
    }

    @Test func `one that takes too long is killed, with all that it started`() throws {
        let began = Instant.now()
        let report = Errand(
            "sh", ["-c", "sleep 61 & sleep 62 & wait"], timeout: .milliseconds(300)
        )
        .run()
        #expect(report.end == .overdue)
        #expect(Instant.now().nanoseconds(since: began) < 5_000_000_000)
        let left = Errand(
            "sh", ["-c", "ps -o args= -e | grep -c '^sleep 6[12]$'"], timeout: .seconds(5)
        )
        .run()
        #expect(String(decoding: left.output, as: UTF8.self) == "0\n")
    }

    @Test func `one that writes without end is killed`() {
        let report = Errand("yes", timeout: .seconds(10), outputBytesMax: 1000).run()
        #expect(report.end == .wroteTooMuch && report.output.count == 1000)
    }

    @Test func `what one leaves running holds nobody up`() {
        let began = Instant.now()
        let report = Errand("sh", ["-c", "sleep 5 & echo done"], timeout: .seconds(10)).run()
        #expect(report.isSuccess && report.output == Array("done\n".utf8))
        #expect(Instant.now().nanoseconds(since: began) < 4_000_000_000)
    }

    @Test func `one that reads nothing does not stop who tells it something`() {
        let input = [UInt8](repeating: 0x61, count: 1 << 20)
        let report = Errand("true", input: input, timeout: .seconds(10)).run()
        #expect(report.isSuccess)
    }

    @Test func `one that there is not says so`() {
        for program in ["/no/such/program", "no-such-program", "/etc/hostname", ""] {
            guard case .notStarted = Errand(program, timeout: .seconds(5)).run().end else {
                Issue.record("\(program) was started")
                continue
            }
        }
    }

    @Test func `many go on at once, and each has its own report`() {
        let began = Instant.now()
        let reports = Errand.run(
            (0..<20).map { Errand("sh", ["-c", "sleep 0.5; echo \($0)"], timeout: .seconds(20)) })
        #expect(
            reports.map { String(decoding: $0.output, as: UTF8.self) } == (0..<20).map { "\($0)\n" }
        )
        #expect(Instant.now().nanoseconds(since: began) < 8_000_000_000)
    }
}
