import ArgumentParser
import Configuration
import Gateway
import Reactor
import TLS

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the gate in the foreground.",
        discussion: """
            Example: kanmon serve --config /etc/kanmon/kanmon.yml

            Ends with 0 after SIGTERM or SIGINT and a clean drain, with 78 when the configuration is bad \
            and with 69 when a socket cannot be bound.
            """)

    @Option(help: "The configuration file.")
    var config: String

    func run() throws {
        Library.prepare()
        let (snapshot, problems) = Snapshot.load(config)
        Console.report(
            problems,
            consequence: snapshot == nil ? "Nothing was started." : "Starting all the same.")
        guard let snapshot else { throw ExitCode.badConfiguration }
        let signals = try Server.takeSignals()
        let log = try startLog(snapshot.configuration)
        log.write(.info, "starting kanmon") { line in
            line.add("version", Version.number)
            line.add("revision", Version.revision)
            line.add("environment", snapshot.configuration.environment.rawValue)
            line.add("users", snapshot.userCount)
            line.add("certificate", snapshot.certificate.fingerprint)
            line.add("upstream", snapshot.configuration.upstream.url.value.description)
        }
        if snapshot.configuration.labelConflicts == .overwrite {
            log.write(
                .warn,
                "label_conflicts is overwrite: labels that contradict the path are replaced, not refused"
            )
        }
        do throws(Server.StartError) {
            try Server.run(snapshot, log: log, signals: signals)
        } catch {
            log.writePending()
            switch error {
            case .cannotListen(let problem):
                Console.complain(problem.description)
                throw ExitCode.unavailable
            case .systemRefused(let reason):
                Console.complain("kanmon: the system refuses what the gate needs: \(reason)")
                throw ExitCode.systemError
            }
        }
    }

    private func startLog(_ configuration: Configuration) throws -> Log {
        let level: Log.Level =
            switch configuration.log.level {
            case .debug: .debug
            case .info: .info
            case .warn: .warn
            case .error: .error
            }
        let format: Log.Format = configuration.log.format == .json ? .json : .logfmt
        return try Log(level: level, format: format)
    }
}
