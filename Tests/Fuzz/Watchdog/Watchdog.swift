import Bytes
import Configuration
import Fuzzing
import Operations
import Reactor

/// What the watchdog reads and somebody else may have written: a request, its state, its plan.
@main
struct WatchdogFuzzer {
    private static let token = Array("a-kick-token-of-the-fuzzer".utf8)
    private static let redaction = Redaction(secrets: [token])
    private static let actions: [KickAction] = [.check, .restart(unit: "kanmon.service")]
    private static let now = 1_800_000_000_000

    static func main() { fuzz(check) }

    private static func check(_ input: Span<UInt8>) {
        let bytes = input.copy
        checkRedaction(of: bytes)
        checkRequest(bytes)
        checkState(bytes)
        checkPlan(bytes)
    }

    private static func checkRedaction(of bytes: [UInt8]) {
        let middle = bytes.count / 2
        let text = bytes[..<middle] + token + bytes[middle...] + token
        promise(!contains(redaction.redacted(Array(text)), token), "a secret is nowhere")
    }

    // MARK: Requests

    private static func checkRequest(_ bytes: [UInt8]) {
        let request = KickRequest.read(bytes)
        let isProven = request.token == token
        let isRecent = (now - 600_000...now + 600_000).contains(request.at)
        let asked = actions.first { $0.description == request.action }
        let verdict = request.verdict(token: token, allowed: actions, at: now)
        switch verdict {
        case .accepted(let action):
            promise(isProven && isRecent && action == asked, "it may be asked for")
        case .refused(let reason):
            promise(!isProven || !isRecent || asked == nil, "what may be asked for is done")
            promise(isProven || reason == "wrong token", "who has no token learns nothing")
        }
        promise(
            request.verdict(token: nil, allowed: actions, at: now) == .refused("wrong token"),
            "without a token there is nothing")
        let members = [("ACTION", request.action), ("SOURCE", request.source)]
        let line = EventLog.line(of: members, redaction)
        promise(!contains(Array(line.utf8), token), "a secret is nowhere")
        promise(line.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "a line is one line")
        guard !request.action.isEmpty else { return }
        promise(KickRequest.read(Array(request.text.utf8)) == request, "and it is read as written")
    }

    // MARK: The state

    private static func checkState(_ bytes: [UInt8]) {
        let (found, problems) = WatchState.read(bytes)
        check(problems, isUsed: found != nil)
        guard var state = found else { return }
        promise(WatchState.read(Array(state.text.utf8)).value == state, "it is read as written")
        for outbox in state.outboxes.values {
            promise(outbox.messages.count <= 20, "messages are bounded")
        }
        state.forget(at: now, within: .seconds(600), coolDown: .seconds(1800))
        for times in state.repairs.values {
            promise(
                times.allSatisfy { (now - 600_000...now + 1000).contains($0) },
                "old repairs are forgotten")
        }
        for (name, incident) in state.incidents { check(incident, named: name, in: state) }
        var notices = Notices(host: "host", coolDown: .seconds(1800), redaction)
        for name in state.notices.keys {
            let subject = String(name.prefix { $0 != "/" })
            _ = notices.add(.failing, of: subject, "is not well", at: now, in: &state)
            _ = notices.end(.held, of: subject, "is well", in: &state)
        }
        notices.post(
            to: [.discord(webhook: "https://discord.example/x")], at: now, in: &state)
        promise(state.outboxes["discord"]?.messages.count ?? 0 <= 20, "messages are bounded")
        promise(
            WatchState.read(Array(state.text.utf8)).value == state, "and so is what became of it")
    }

    private static func check(_ incident: Incident, named name: String, in state: WatchState) {
        guard let check = plan.checks.first else { return promise(false, "the plan has a check") }
        let decision = incident.decision(
            for: check, failing: [name], done: state.repairs, at: now, plan.bounds)
        guard case .repair(let step) = decision else { return }
        promise(!incident.isHeld, "what is held is not repaired")
        let times = state.repairs[step.description, default: []]
        promise(times.count < plan.bounds.restartsMax, "nothing is repaired too often")
    }

    private static let plan: Plan = {
        let text = """
            {state_dir: a, log_file: b, may_restart: {kanmon.service: gate},
            checks: {gate: {unit: kanmon.service, repair: restart kanmon.service, hold_after: 5}}}
            """
        guard let plan = Plan.read(Array(text.utf8), named: "watch.yml").value else {
            fatalError("the plan of the fuzzer is good")
        }
        return plan
    }()

    // MARK: The plan

    private static func checkPlan(_ bytes: [UInt8]) {
        let (plan, problems) = Plan.read(bytes, named: "watch.yml")
        check(problems, isUsed: plan != nil)
        guard let plan else { return }
        promise((1...64).contains(plan.checks.count), "something is watched")
        for check in plan.checks {
            promise(isHarmless(check.name, bytesMax: 60), "a name fits into a file's")
            for case .restart(let unit) in check.steps {
                promise(KickAction("restart:\(unit)") != nil, "only a unit is restarted")
            }
        }
        for case .restart(let unit) in plan.kick?.actions ?? [] {
            promise(!unit.hasPrefix("-"), "nothing is an option")
        }
        promise(Plan.read(bytes, named: "watch.yml").problems == problems, "twice is the same")
    }

    private static func check(_ problems: [Problem], isUsed: Bool) {
        let hasError = problems.contains { $0.severity == .error }
        promise(isUsed != hasError, "there is one or an error")
        promise(problems.count <= 101, "problems are bounded")
        let places = problems.map(\.position)
        promise(places == places.sorted(), "problems are in the order of the file")
        for problem in problems {
            promise(isHarmless(problem.message, bytesMax: 1000), problem.message)
        }
    }

    private static func contains(_ text: [UInt8], _ part: [UInt8]) -> Bool {
        text.indices.contains { text[$0] == part[0] && text[$0...].starts(with: part) }
    }
}
