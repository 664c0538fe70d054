import ArgumentParser
import Console

@main
struct KanmonOps: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kanmon-ops",
        abstract: "Watches over Kanmon and what stands around it, at night too.",
        discussion: """
            It has the rights that the gate must not have: it may restart units, read journals and tell \
            people. So it is a program of its own, which nobody on the network can reach.

            To begin: kanmon-ops check --config watch.yml && kanmon-ops watch --config watch.yml --once
            """,
        version: "kanmon-ops \(Release.number) (revision \(Release.revision))",
        subcommands: [Watch.self, Kick.self, TakeSnapshot.self, CheckPlan.self])

    static func main() {
        Console.occupyDescriptors()
        main(nil)
    }
}
