import Reactor
import Testing

@testable import Operations

/// What is done about a check that fails, by its history.
@Suite struct DecisionTests {
    static let restart = Check.Step.restart(unit: "a.service")
    let bounds = Plan.Bounds()
    let now = 1_000_000_000

    private func check(
        after: [String] = [], steps: [Check.Step] = [restart], holdAfter: Int? = nil
    ) -> Check {
        Check(
            name: "a", target: .unit("a.service"), expectation: Check.Expectation(),
            timeout: .seconds(5), after: after, steps: steps, holdAfter: holdAfter, journal: [])
    }

    private func decide(
        _ check: Check, repairs: Int = 0, secondsAgo: Int = 0, failures: Int = 1,
        isHeld: Bool = false, done: [Int] = [], failing: Set<String> = ["a"]
    ) -> Decision {
        var incident = Incident(since: now, reason: "")
        incident.repairs = repairs
        incident.repairedAt = now - secondsAgo * 1000
        incident.failures = failures
        incident.isHeld = isHeld
        let times = done.map { now - $0 * 1000 }
        return incident.decision(
            for: check, failing: failing, done: ["restart a.service": times], at: now, bounds)
    }

    @Test func `the first repair comes at once, the second after 10 s, the third after 30 s`() {
        #expect(decide(check()) == .repair(Self.restart))
        #expect(
            decide(check(), repairs: 1, secondsAgo: 9, done: [9]) == .wait(until: now + 1000))
        #expect(decide(check(), repairs: 1, secondsAgo: 10, done: [10]) == .repair(Self.restart))
        #expect(
            decide(check(), repairs: 2, secondsAgo: 10, done: [20, 10])
                == .wait(until: now + 20_000))
        #expect(
            decide(check(), repairs: 2, secondsAgo: 30, done: [40, 30]) == .repair(Self.restart))
    }

    @Test func `the fourth is held back, once the third has had time to show`() {
        #expect(
            decide(check(), repairs: 3, secondsAgo: 4, done: [44, 34, 4])
                == .wait(until: now + 6000))
        guard
            case .hold(.tooMany) = decide(check(), repairs: 3, secondsAgo: 10, done: [50, 40, 10])
        else {
            Issue.record("it is not held back")
            return
        }
    }

    @Test func `a new failure does not make the limit new`() {
        guard case .hold(.tooMany) = decide(check(), done: [500, 400, 300]) else {
            Issue.record("it is not held back")
            return
        }
        #expect(decide(check(), done: [400, 300]) == .repair(Self.restart))
    }

    @Test func `after so many failures as it says it is held, and stays so`() {
        let check = check(holdAfter: 3)
        #expect(decide(check, failures: 2) == .repair(Self.restart))
        #expect(decide(check, failures: 3) == .hold(.failures(3)))
        #expect(decide(check, failures: 1, isHeld: true) == .hold(.failures(3)))
    }

    @Test func `what comes after something that fails is left alone`() {
        let check = check(after: ["b", "c"])
        #expect(decide(check, failing: ["a"]) == .repair(Self.restart))
        guard case .onlyTell(let why) = decide(check, failing: ["a", "c"]) else {
            Issue.record("it is not left alone")
            return
        }
        #expect(why.contains("c"))
    }

    @Test func `each step has its turn, and the last one has all that follow`() {
        let steps = [Self.restart, .run(["/x"]), .run(["/y"])]
        let check = check(steps: steps)
        for (repairs, step) in [(0, steps[0]), (1, steps[1]), (2, steps[2]), (7, steps[2])] {
            #expect(decide(check, repairs: repairs, secondsAgo: 60) == .repair(step))
        }
    }

    @Test func `without a step there is nothing to do`() {
        guard case .onlyTell = decide(check(steps: [])) else {
            Issue.record("something is done")
            return
        }
    }
}
