import ArgumentParser
import Console
import TLS

@main
struct Kanmon: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kanmon",
        abstract: "A hardened ingest gate in front of a Prometheus Pushgateway.",
        discussion: """
            Kanmon terminates TLS, closes the door to addresses that are not listed, checks bcrypt \
            passwords, proves that each push is complete and valid, and only then forwards it.

            To begin: kanmon check --config kanmon.yml && kanmon serve --config kanmon.yml
            """,
        version: Version.text,
        subcommands: [
            Serve.self, Check.self, Lint.self, Passwd.self, Cert.self, Explain.self,
            Status.self, Health.self, Doctor.self,
        ])

    static func main() {
        Console.occupyDescriptors()
        main(nil)
    }
}
