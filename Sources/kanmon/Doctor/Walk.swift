import Bytes
import Configuration
import Console
import Gateway
import Reactor
import TLS

/// The way of one sample from a client to Prometheus, hop by hop, up to the first that is broken; and the
/// way back, on which the sample is deleted.
struct Walk: ~Copyable {
    let plan: WalkPlan
    let vigil: Vigil
    let store: StoreReader
    var report = WalkReport()
    /// Where the gate let itself be connected to, and the address that we came from.
    var reached: SocketAddress?
    var origin: IPAddress?
    /// Whether that is an address of Cloudflare's, by which nobody can tell whom the gate sees.
    var isProxied = false
    /// Whether the Pushgateway may hold the sample.
    var isPushed = false

    init(by plan: WalkPlan, _ vigil: Vigil) {
        (self.plan, self.vigil) = (plan, vigil)
        store = StoreReader(plan.snapshot.upstream)
    }

    /// True when every hop is well.
    mutating func walk() -> Bool {
        var isInterrupted = false
        do throws(WalkEnd) {
            try push()
            try findInPushgateway()
            try askPrometheus()
        } catch {
            switch error {
            case .broken(let broken): report.fail(broken)
            case .interrupted: isInterrupted = true
            }
        }
        report.skipRest(
            before: .cleanUp, except: plan.prometheus?.isAboutOthers == true ? [] : [.job])
        cleanUp()
        if isInterrupted { Console.complain("kanmon: interrupted") }
        guard let first = report.first else { return !isInterrupted }
        Console.say("first broken: \(first.hop.rawValue)")
        Console.say("  to mend it: \(Console.printable(first.remedy))")
        return false
    }

    // MARK: The way back

    private mutating func cleanUp() {
        guard isPushed else { return report.skip(.cleanUp, "nothing was made") }
        let refusal = deletionFailureAtGate()
        guard let refusal else { return report.pass(.cleanUp, "deleted through the gate") }
        let failure = store.deletionFailure(ofGroupAt: plan.probe.path.span)
        guard let failure else {
            return report.pass(
                .cleanUp, "deleted at the Pushgateway itself, since \(refusal)")
        }
        report.fail(
            BrokenHop(
                hop: .cleanUp,
                finding: "{\(plan.probe.group)} may be left in the Pushgateway: \(refusal), and "
                    + "there itself: \(failure)",
                remedy: store.deletionCommand(ofGroupAt: plan.probe.path.span)))
    }

    /// Why the gate did not delete it; nil when it did.
    private func deletionFailureAtGate() -> String? {
        guard let reached else { return "the gate was not reached" }
        do throws(GateClient.Failure) {
            var client = try enter(at: reached)
            guard client.certificate?.fingerprint == plan.snapshot.certificate.fingerprint else {
                return "the gate shows another certificate now"
            }
            let answer = try client.ask(
                request("DELETE"), until: .now() + plan.answerTime)
            switch answer.status {
            case 200, 202: return nil
            case 403: return "this user may not delete it through the gate"
            default: return "the gate answers \(answer.status): \(answer.sentence)"
            }
        } catch {
            return "the gate: \(error.sentence)"
        }
    }
}
