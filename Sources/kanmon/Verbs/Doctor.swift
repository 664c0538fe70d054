import Admission
import ArgumentParser
import Bytes
import Configuration
import Console
import Gateway
import HTTP
import Reactor
import TLS

struct Doctor: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Walks the whole way of a metric, hop by hop, and names the first broken one.",
        discussion: """
            Example: kanmon doctor --config /etc/kanmon/kanmon.yml --user prom \
            --password-file /etc/kanmon/pusher-password --prometheus http://127.0.0.1:9090

            Pushes one sample to a group of its own, looks for it in the Pushgateway and in Prometheus, and \
            deletes it, whatever happened on the way. Where the user may push to some groups only, name one \
            with --group: the label kanmon_doctor keeps the sample apart from what is there. Ends with 1 when \
            a hop is broken, and with 78 when the configuration is bad.
            """)

    @Option(help: "The configuration file.")
    var config: String

    @Option(help: "Who pushes.")
    var user: String

    @Option(
        help: ArgumentHelp(
            "The file with the password in its first line; - asks for it, or reads standard input.",
            valueName: "file"))
    var passwordFile: String

    @Option(
        help: ArgumentHelp(
            "Where clients reach the gate, such as https://push.example:9443 (default: where it "
                + "listens, from this machine).", valueName: "url"))
    var url: String?

    @Option(
        help: ArgumentHelp(
            "The name or address that the certificate has to be for (default: the one in --url).",
            valueName: "name"))
    var host: String?

    @Option(
        help: ArgumentHelp(
            "A certificate to show to a gate that demands one (tls.client_ca_file).",
            valueName: "file"))
    var cert: String?

    @Option(help: ArgumentHelp("The key of that certificate.", valueName: "file"))
    var key: String?

    @Option(
        help: ArgumentHelp(
            "The labels of the group to push to, a job among them.", valueName: "labels"))
    var group = "job=kanmon-doctor"

    @Option(
        help: ArgumentHelp(
            "Ask this Prometheus too, such as http://127.0.0.1:9090.", valueName: "url"))
    var prometheus: String?

    @Option(
        help: ArgumentHelp(
            "How long Prometheus may take to have the sample, at most.", valueName: "duration"))
    var wait = "90s"

    @Option(help: ArgumentHelp("Ask Prometheus for this job as well.", valueName: "name"))
    var job: String?

    @Option(help: ArgumentHelp("Ask Prometheus for this metric as well.", valueName: "name"))
    var metric: String?

    private static let fileBytesMax = 1 << 20

    func validate() throws {
        if let url, GateAddress(url: url) == nil {
            throw ValidationError("--url is https://HOST or https://HOST:PORT.")
        }
        if let prometheus, ![.http, .https].contains(UpstreamURL(prometheus)?.scheme) {
            throw ValidationError("--prometheus is a URL such as http://127.0.0.1:9090.")
        }
        guard Duration(prometheus: wait) != nil else {
            throw ValidationError("--wait is a duration such as 90s.")
        }
        guard prometheus != nil || job == nil && metric == nil else {
            throw ValidationError(
                "--job and --metric are asked of a Prometheus: give --prometheus.")
        }
        guard
            metric?.utf8.allSatisfy({ $0.isLetter || $0.isDigit || "_:".utf8.contains($0) })
                ?? true,
            metric.map({ !$0.isEmpty && $0.utf8.first?.isDigit == false }) ?? true
        else { throw ValidationError("--metric is the name of a metric.") }
        guard (cert == nil) == (key == nil) else {
            throw ValidationError("--cert and --key go together.")
        }
        do throws(Probe.BadGroup) {
            _ = try Probe(group: group)
        } catch {
            throw ValidationError("--group: \(error.sentence).")
        }
    }

    func run() throws {
        Library.prepare()
        let (snapshot, problems) = Snapshot.load(config)
        guard let snapshot else {
            Console.report(problems, consequence: "A gate with this would not start.")
            throw ExitCode.badConfiguration
        }
        let plan = try plan(for: snapshot)
        var walk = Walk(by: plan, try Vigil())
        guard walk.walk() else { throw ExitCode.negative }
        Console.say("every hop is well")
    }

    private func plan(for snapshot: Snapshot) throws -> WalkPlan {
        guard
            let gate = url.flatMap({ GateAddress(url: $0) }) ?? GateAddress(snapshot.configuration)
        else { throw refusal("the system chooses the port that the gate listens on; give --url") }
        let (user, password) = (Array(user.utf8), try password())
        let authorization = BasicCredentials.fieldValue(user: user, password: password)
        guard let authorization else {
            throw refusal(
                "a user and a password are not empty and hold no control characters, and a user "
                    + "holds no colon")
        }
        return WalkPlan(
            snapshot: snapshot, gate: gate, certificateName: host ?? gate.certificateName,
            identity: try identity(), user: self.user, password: password,
            authorization: authorization, probe: try Probe(group: group),
            prometheus: try prometheusPlan())
    }

    private func prometheusPlan() throws -> WalkPlan.PrometheusPlan? {
        guard let url = prometheus.flatMap({ UpstreamURL($0) }) else { return nil }
        return WalkPlan.PrometheusPlan(
            reader: try PrometheusReader(url), wait: Duration(prometheus: wait) ?? .zero, job: job,
            metric: metric)
    }

    // MARK: Files

    private func password() throws -> [UInt8] {
        guard passwordFile != "-" else { return try Terminal.password(confirmed: false) }
        let bytes = try contents(of: passwordFile)
        return Array(bytes.prefix { $0 != UInt8(ascii: "\n") })
    }

    private func identity() throws -> Identity? {
        guard let cert, let key else { return nil }
        return Identity(certificates: try contents(of: cert), key: try contents(of: key))
    }

    private func contents(of path: String) throws -> [UInt8] {
        do throws(FileFault) {
            return try RegularFile.contents(of: path, bytesMax: Doctor.fileBytesMax)
        } catch {
            throw refusal("\(path) \(error.text)")
        }
    }

    private func refusal(_ text: String) -> ExitCode {
        Console.complain("kanmon: \(text)")
        return .negative
    }
}
