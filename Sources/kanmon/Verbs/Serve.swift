import ArgumentParser
import Configuration
import Console
import Gateway
import Reactor
import TLS

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the gate in the foreground.",
        discussion: """
            Example: kanmon serve --config /etc/kanmon/kanmon.yml

            SIGHUP reads the configuration anew. SIGUSR2 starts the program anew under the same listening \
            sockets and hands over to it, if it can serve. SIGTERM or SIGINT drains; sent again, ends at once.

            Ends with 0 after a clean drain, with 78 when the configuration is bad or does not fit the \
            sockets that were passed, with 69 when a socket cannot be bound and with 71 when the system \
            refuses what is needed.
            """)

    @Option(help: "The configuration file.")
    var config: String

    func run() throws {
        do {
            try serve()
        } catch let error as Errno {
            Console.complain("kanmon: the system refuses what the gate needs: \(error)")
            throw ExitCode.systemError
        }
    }

    private func serve() throws {
        Machine.forbidCoreDumps()
        Machine.keepFreedMemory()
        // A wish that comes while the configuration is read is followed afterwards.
        let signals = try Server.takeSignals()
        Library.prepare()
        let (snapshot, problems) = Snapshot.load(config)
        Console.report(
            problems,
            consequence: snapshot == nil ? "Nothing was started." : "Starting all the same.")
        guard let snapshot else { throw ExitCode.badConfiguration }
        let log = try Log(snapshot.configuration.log)
        log.write(.info, "starting kanmon") { line in
            line.add("version", Release.number)
            line.add("revision", Release.revision)
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
            try Server.run(Version.ofProgram, snapshot, log: log, signals: signals)
        } catch {
            log.writePending()
            switch error {
            case .cannotListen(let problem):
                Console.complain(problem.description)
                throw ExitCode.unavailable
            case .cannotUse(let problem):
                Console.complain(problem.description)
                throw ExitCode.badConfiguration
            case .systemRefused(let error): throw error
            }
        }
    }
}
