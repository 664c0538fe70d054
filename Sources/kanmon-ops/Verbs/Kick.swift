import ArgumentParser
import Bytes
import Console
import Operations
import Reactor

struct Kick: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Asks the watchdog for something that its configuration allows.",
        discussion: """
            Example: kanmon-ops kick restart:kanmon.service --source alice --token-file kick-token \
            --config /etc/kanmon-watch/watch.yml

            The next run does it, or refuses; either way it writes that down. Ends with 75 when a request \
            waits already.
            """)

    @Argument(help: "check, resume, snapshot or restart:UNIT.")
    var action: String

    @Option(help: "Who asks, for the record.")
    var source: String

    @Option(help: "The configuration file.")
    var config: String

    @Option(help: "The file whose first line is the token; without it, standard input.")
    var tokenFile: String?

    func validate() throws {
        guard (1...80).contains(source.utf8.count),
            source.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw ValidationError("--source is 1 to 80 characters without blanks.") }
        guard KickAction(action) != nil else {
            throw ValidationError("The action is none of check, resume, snapshot, restart:UNIT.")
        }
    }

    func run() throws {
        let plan = try PlanFile.load(config)
        guard let kick = plan.kick else {
            Console.complain("\(config): there is no section kick, so nothing can be asked for")
            throw ExitCode.badConfiguration
        }
        let request = KickRequest(
            action: action, source: source, token: try plausibleToken(),
            at: Int(WallClock.now().milliseconds))
        do throws(KickRequest.Failure) {
            try request.leave(at: kick.requestFile)
        } catch {
            switch error {
            case .pending:
                Console.complain("\(kick.requestFile): a request waits there already")
                throw ExitCode.goesOnElsewhere
            case .system(let reason):
                Console.complain("\(kick.requestFile): \(reason)")
                throw ExitCode.negative
            }
        }
        Console.say("\(action): left for the next run")
    }

    /// A line whose end may be that of Windows. What is too short is none, which is better said now than
    /// by a refusal that nobody looks for.
    private func plausibleToken() throws -> [UInt8] {
        let token = Array(try firstLine().prefix { $0 != 0x0D })
        guard token.count >= KickRequest.tokenBytesMin else {
            Console.complain(
                "kanmon-ops: the token has less than \(KickRequest.tokenBytesMin) characters")
            throw ExitCode.noInput
        }
        return token
    }

    private func firstLine() throws -> [UInt8] {
        guard let tokenFile else { return try Terminal.password(confirmed: false) }
        do throws(FileFault) {
            return Array(
                try RegularFile.contents(of: tokenFile, bytesMax: 4096).prefix { $0 != 0x0A })
        } catch {
            Console.complain("\(tokenFile) \(error.text)")
            throw ExitCode.noInput
        }
    }
}
