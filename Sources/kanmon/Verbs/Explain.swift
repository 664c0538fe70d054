import ArgumentParser
import Bytes
import Console
import Gateway
import TLS

struct Explain: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Says step by step what the gate would decide about a push, and by which line.",
        discussion: """
            Example: kanmon explain --config kanmon.yml --user prom --from 203.0.113.7 POST /metrics/job/backup

            Nothing is sent and no password is asked for. Each step is "ok", "no", or "--" where the body or \
            other pushes decide; behind it stand the lines that decide. Ends with 0 when the push would be let \
            in, with 1 when it would be refused, with 78 when the configuration is bad and with 66 when it \
            cannot be read.
            """)

    @Option(help: "The configuration file.")
    var config: String

    @Option(help: "Who pushes.")
    var user: String

    @Option(
        name: .customLong("from"),
        help: ArgumentHelp("Where the client connects from.", valueName: "address"))
    var address: String

    @Argument(help: "The method: POST, PUT or DELETE.")
    var method: String

    @Argument(help: "The path, as it stands in the request; a whole URL is good too.")
    var path: String

    /// Far more than a configuration may have, which is what is told when it has.
    private static let configurationBytesMax = 16 << 20

    func validate() throws {
        guard IPAddress(address) != nil else {
            throw ValidationError("--from is an address such as 203.0.113.7 or 2001:db8::7.")
        }
        guard (method + path).utf8.allSatisfy({ !$0.isControl }) else {
            throw ValidationError("METHOD and PATH hold no control characters.")
        }
    }

    func run() throws {
        guard let address = IPAddress(address) else { return }
        Library.prepare()
        let snapshot = try load()
        let push = Explanation.Push(user: user, from: address, method: method, target: target)
        let explanation = Explanation(of: push, by: snapshot)
        let width = explanation.steps.map { $0.name.utf8CodeUnitCount }.max() ?? 0
        for step in explanation.steps { Console.say(line(step, nameWidth: width)) }
        guard let refusal = explanation.refusal else { return Console.say("allowed") }
        Console.say("refused: \(refusal)")
        throw ExitCode.negative
    }

    private func load() throws -> Snapshot {
        do throws(FileFault) {
            _ = try RegularFile.contents(of: config, bytesMax: Explain.configurationBytesMax)
        } catch {
            Console.complain("\(config) \(error.text)")
            throw ExitCode.noInput
        }
        let (snapshot, problems) = Snapshot.load(config)
        guard let snapshot else {
            Console.report(problems, consequence: "A gate with this would not start.")
            throw ExitCode.badConfiguration
        }
        return snapshot
    }

    /// What a client would put into the request line for a URL (RFC 9112 section 3.2.1).
    private var target: String {
        guard path.hasPrefix("https://") || path.hasPrefix("http://"),
            let colon = path.firstIndex(of: ":")
        else { return path }
        let rest = path[colon...].dropFirst(3)
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let target = rest[authority.endIndex...]
        return target.hasPrefix("/") ? String(target) : "/\(target)"
    }

    private func line(_ step: Explanation.Step, nameWidth: Int) -> String {
        let mark =
            switch step.mark {
            case .passes: "ok"
            case .refuses: "no"
            case .depends: "--"
            }
        let padding = String(repeating: " ", count: nameWidth - step.name.utf8CodeUnitCount)
        let places = step.places.isEmpty ? "" : " (\(step.places.joined(separator: ", ")))"
        return "\(mark)  \(step.name)\(padding)  \(step.text)\(places)"
    }
}
