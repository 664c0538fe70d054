import Foundation

/// A real Prometheus of the test's own, on a free port, that scrapes every second.
final class Prometheus: Sendable {
    let port: UInt16
    let program: RunningProgram
    private let folder = TemporaryFolder()

    /// - Parameters:
    ///   - target: the port that its job `pushgateway` scrapes; nil when it has no such job.
    ///   - settings: further lines of that job's configuration.
    init(scraping target: UInt16?, settings: String = "honor_labels: true") throws {
        guard let path = Programs.prometheus else {
            throw RunningProgram.CannotStart(
                description: "prometheus is not installed; make test installs it")
        }
        port = try freePort()
        var jobs = " []"
        if let target {
            jobs = """

                  - job_name: pushgateway
                    static_configs: [{targets: ["127.0.0.1:\(target)"]}]
                    \(settings)
                """
        }
        let configuration = folder.write(
            "prometheus.yml",
            "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\(jobs)\n")
        program = try RunningProgram(
            path,
            [
                "--config.file=\(configuration)", "--storage.tsdb.path=\(folder.path)/data",
                "--web.listen-address=127.0.0.1:\(port)", "--log.level=warn",
            ])
        let end = Date().addingTimeInterval(30)
        while try !isReady() {
            guard Date() < end, program.isRunning else {
                throw RunningProgram.CannotStart(description: "no Prometheus: \(program.output)")
            }
            usleep(50_000)
        }
    }

    deinit { program.signal(SIGKILL) }

    var url: String { "http://127.0.0.1:\(port)" }

    private func isReady() throws -> Bool {
        guard let socket = try? BlockingSocket(port: port, within: 5) else { return false }
        try socket.send(Array("GET /-/ready HTTP/1.0\r\n\r\n".utf8))
        return String(decoding: socket.receiveAll(), as: UTF8.self).hasPrefix("HTTP/1.0 200")
    }
}
