import ArgumentParser
import Configuration
import Console
import Gateway
import TLS

struct Health: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Asks the running gate whether it is alive, for a container's health check.",
        discussion: """
            Example: kanmon health --config /etc/kanmon/kanmon.yml

            Asks the admin listener for /-/healthy, or where there is none the gate's own door by TLS on \
            this machine, and prints one line. Ends with 0 when the gate is alive, otherwise with 1.
            """)

    @Option(help: "The configuration file.")
    var config: String

    func run() throws {
        Library.prepare()
        do throws(GateInquiry.Failure) {
            let inquiry = try GateInquiry(forHealthBy: config)
            let page = try inquiry.page("/-/healthy")
            let line = page.text.split(separator: "\n").first.map(String.init) ?? ""
            guard page.status == 200 else {
                throw GateInquiry.Failure(
                    sentence: "the gate at \(inquiry.place) is not well: \(page.status) \(line)")
            }
            Console.say("the gate at \(inquiry.place) is alive")
        } catch {
            Console.complain(error.sentence)
            throw ExitCode.negative
        }
    }
}

extension GateInquiry {
    /// The nearest way to a gate that serves by the configuration at `path`. Only for its door more is
    /// read than the configuration itself: a check comes every few seconds.
    fileprivate init(forHealthBy path: String) throws(Failure) {
        guard let configuration = Configuration.load(path: path).configuration else {
            throw Failure(
                sentence: "\(path) is no good configuration; see: kanmon check --config \(path)")
        }
        if let inquiry = GateInquiry(atAdminOf: configuration) {
            self = inquiry
            return
        }
        guard configuration.tls.clientAuthorityFile == nil else {
            throw Failure(
                sentence:
                    "the gate wants a certificate of its clients (tls.client_ca_file), so it can "
                    + "only be asked at an admin listener; to have one: admin: {listen: 127.0.0.1:9444}"
            )
        }
        guard let snapshot = Snapshot.load(path).snapshot else {
            throw Failure(
                sentence: "what \(path) names cannot be read; see: kanmon check --config \(path)")
        }
        guard let inquiry = GateInquiry(atDoorOf: snapshot) else {
            throw Failure(sentence: "the system chose the gate's port, so nobody can know it")
        }
        self = inquiry
    }
}
