import Bytes
package import Configuration
import Reactor

extension Plan {
    package static func load(path: String) -> SettingsFile.Reading<Plan> {
        SettingsFile.load(path: path) { Plan($0, $1) }
    }

    package static func read(_ bytes: [UInt8], named file: String) -> SettingsFile.Reading<Plan> {
        SettingsFile.read(bytes, named: file) { Plan($0, $1) }
    }

    /// Asks for every key, in the order of the sample. Nil when a required one is not there.
    private init?(_ top: Section, _ complaints: Complaints) {
        file = complaints.file
        units = top.choice("units", default: .system)
        let state = top.path("state_dir", besides: file, requiredAs: "/var/lib/kanmon-watch")
        let log = top.path("log_file", besides: file, requiredAs: "/var/log/kanmon-watch/watch.log")
        let script = top.path("push_script", besides: file)
        pushScript = script?.value ?? "/usr/lib/kanmon/prometheus-push.sh"
        bounds = Bounds(top.section("limits"))
        let rules = RestartRules(top.section("may_restart"))
        top.require("checks", "{gate: {unit: kanmon.service}}")
        let section = top.section("checks")
        checks = Check.read(section, isGiven: top.holds("checks"), rules, besides: file)
        rules.complainAboutStrangers(among: section.names().map(\.value))
        notify = Notify(top.section("notify"), besides: file)
        kick = Kick(top.section("kick"), isGiven: top.holds("kick"), rules, besides: file)
        snapshot = SnapshotPlan(top.section("snapshot"), complaints, besides: state?.value)
        guard let state, let log else { return nil }
        (stateFolder, logFile) = (state.value, log.value)
    }
}

/// Which unit may be restarted, and which checks may do it: `may_restart`.
struct RestartRules {
    private let section: Section
    /// The checks, by unit.
    private let checks: [(unit: Located<String>, checks: [Located<String>])]

    init(_ section: Section) {
        self.section = section
        checks = section.names().compactMap { unit in
            guard unit.value.isUnitName else {
                section.complain(aboutName: unit, "is no unit; an example is kanmon.service")
                return nil
            }
            return (unit, section.words(unit.value))
        }
    }

    func allows(_ check: String, toRestart unit: String) -> Bool {
        checks.contains { rule in
            rule.unit.value == unit && rule.checks.contains { $0.value == check }
        }
    }

    func names(_ unit: String) -> Bool { checks.contains { $0.unit.value == unit } }

    func complainAboutStrangers(among known: [String]) {
        for rule in checks {
            for check in rule.checks where !known.contains(check.value) {
                section.complain(
                    aboutName: rule.unit, "names a check that there is not: \(check.value)")
            }
        }
    }
}

extension Check {
    static let countMax = 64

    /// An entry for each name, in the order of the file.
    fileprivate static func read(
        _ section: Section, isGiven: Bool, _ rules: RestartRules, besides file: String
    ) -> [Check] {
        // What stands under a name is asked for once, so that it is known.
        _ = Check(Located("", at: .none), section.sectionOfAnyName(), [], rules, besides: file)
        let names = section.names()
        if names.isEmpty, isGiven {
            section.complainWhenReadable("has no check; nothing would be watched")
        }
        guard names.count <= countMax else {
            section.complain(aboutName: names[countMax], "is one check too many; 64 are possible")
            return []
        }
        var checks: [Check] = []
        for name in names {
            guard name.value.isPlainName else {
                section.complain(
                    aboutName: name, "is no name: up to 60 letters, digits, - and _ are possible")
                continue
            }
            let before = checks.map(\.name)
            if let check = Check(name, section.section(name.value), before, rules, besides: file) {
                checks.append(check)
            }
        }
        return checks
    }

    private init?(
        _ name: Located<String>, _ section: Section, _ earlier: [String], _ rules: RestartRules,
        besides file: String
    ) {
        self.name = name.value
        let targets = Target.all(section, besides: file)
        expectation = Expectation(section)
        timeout = Interval(
            section.value(
                "timeout", .time, default: .seconds(section.holds("push") ? 15 : 5),
                in: .milliseconds(100)...Duration.seconds(20)))
        after = section.read(listOf: "after") { scalar throws(ScalarFault) in
            guard earlier.contains(scalar.text) else {
                throw ScalarFault("is no check that stands above this one")
            }
            return scalar.text
        }.map(\.value)
        steps = section.read(listOf: "repair") { scalar throws(ScalarFault) in
            let step = try Step(scalar.text)
            if case .restart(let unit) = step, !rules.allows(name.value, toRestart: unit) {
                throw ScalarFault(
                    "is not allowed: may_restart does not name this check for that unit")
            }
            return step
        }.map(\.value)
        holdAfter = section.value("hold_after", .count, in: 1...100)
        let own = steps.compactMap(\.unit) + targets.compactMap(\.unit)
        let asked = section.units("journal")
        journal = asked.isEmpty ? Array(Set(own)).sorted() : asked
        guard let target = targets.first, targets.count == 1 else {
            if targets.count != 1, !Target.keys.contains(where: section.isFaulty) {
                section.complainWhenReadable(
                    "needs exactly one of \(Target.keys.joined(separator: ", ")) to look at")
            }
            return nil
        }
        self.target = target
    }
}

extension Check.Target {
    static let keys = ["unit", "port", "http", "command", "push"]

    /// Each that is given. One is right.
    fileprivate static func all(_ section: Section, besides file: String) -> [Check.Target] {
        let unit = section.read("unit") { scalar throws(ScalarFault) in
            Check.Target.unit(try unitName(scalar.text))
        }
        let port = section.read("port") { scalar throws(ScalarFault) in
            Check.Target.port(try ListenAddress(scalar.text))
        }
        let method = section.read("method") { scalar throws(ScalarFault) in
            guard ["GET", "HEAD", "POST", "OPTIONS"].contains(scalar.text) else {
                throw ScalarFault("is none of GET, HEAD, POST, OPTIONS")
            }
            return scalar.text
        }
        let authority = section.path("ca_file", besides: file)
        let http = section.url("http").map {
            Check.Target.http(url: $0, method: method ?? "GET", authorityFile: authority?.value)
        }
        let words = section.words("command").map(\.value)
        let command = words.isEmpty ? nil : Check.Target.command(words)
        let push = section.path("push", besides: file).map { Check.Target.push(settings: $0.value) }
        return [unit, port, http, command, push].compactMap(\.self)
    }

    fileprivate var unit: String? {
        guard case .unit(let unit) = self else { return nil }
        return unit
    }
}

extension Check.Expectation {
    fileprivate init(_ section: Section) {
        let given = section.read(listOf: "status") { scalar throws(ScalarFault) in
            guard let status = Int(scalar.text), (100...599).contains(status) else {
                throw ScalarFault("is no status of HTTP; examples are 200 and 405")
            }
            return status
        }
        if !given.isEmpty { statuses = given.map(\.value) }
        contains = section.text("contains")
        equals = section.text("equals")
    }
}

extension Check.Step {
    init(_ text: String) throws(ScalarFault) {
        let words = text.split(separator: " ").map(String.init)
        switch words.first {
        case "restart" where words.count == 2: self = .restart(unit: try unitName(words[1]))
        case "run" where words.count > 1: self = .run(Array(words.dropFirst()))
        default:
            throw ScalarFault(
                "is no repair; examples are restart kanmon.service, run /usr/local/bin/mend")
        }
    }

    var unit: String? {
        guard case .restart(let unit) = self else { return nil }
        return unit
    }
}

extension Plan.Bounds {
    fileprivate init(_ section: Section) {
        let pauses = section.read(listOf: "pauses") { scalar throws(ScalarFault) in
            let pause = try Quantity.time.read(scalar)
            guard pause <= .seconds(600) else { throw ScalarFault("is longer than 10m") }
            return Interval(pause)
        }
        if !pauses.isEmpty { self.pauses = pauses.map(\.value) }
        let time = { (key: String, standard: Duration, bounds: ClosedRange<Duration>) in
            Interval(section.value(key, .time, default: standard, in: bounds))
        }
        grace = time("grace", .seconds(10), .zero...Duration.seconds(60))
        restartsMax = section.value("restarts_max", .count, default: 3, in: 0...20)
        restartsWithin = time(
            "restarts_within", .seconds(600), .seconds(1)...Duration.seconds(86_400))
        run = time("run", .seconds(56), .seconds(1)...Duration.seconds(600))
    }
}

extension Plan.Notify {
    fileprivate init(_ section: Section, besides file: String) {
        host = section.text("host")
        coolDown = Interval(
            section.value(
                "cool_down", .time, default: .seconds(1800), in: .zero...Duration.seconds(604_800)))
        let discord = section.section("discord")
        let webhook = discord.path(
            "webhook_file", besides: file,
            requiredAs: section.holds("discord") ? "/etc/kanmon-watch/discord-webhook" : nil)
        self.discord = webhook.map { Discord(webhookFile: $0) }
        let line = section.section("line")
        let isGiven = section.holds("line")
        let token = line.path(
            "token_file", besides: file, requiredAs: isGiven ? "/etc/kanmon-watch/line-token" : nil)
        if isGiven { line.require("to", "U0123456789abcdef0123456789abcdef") }
        let to = line.text("to")
        let url = line.url("url") ?? "https://api.line.me/v2/bot/message/push"
        if !url.keepsSecrets {
            line.complain("would send the token in the clear; url has to be https")
        }
        if let token, let to {
            self.line = Line(tokenFile: token, to: to, url: url)
        } else {
            self.line = nil
        }
    }
}

extension Plan.Kick {
    fileprivate init?(
        _ section: Section, isGiven: Bool, _ rules: RestartRules, besides file: String
    ) {
        func path(_ key: String, _ example: String) -> Located<String>? {
            section.path(key, besides: file, requiredAs: isGiven ? example : nil)
        }
        let request = path("request_file", "/var/lib/kanmon-watch/kick/request")
        let token = path("token_file", "/etc/kanmon-watch/kick-token")
        let audit = path("audit_file", "/var/log/kanmon-watch/kick.log")
        if isGiven { section.require("actions", "[check, restart:kanmon.service]") }
        actions = section.read(listOf: "actions") { scalar throws(ScalarFault) in
            guard let action = KickAction(scalar.text) else {
                throw ScalarFault("is none of check, resume, snapshot, restart:UNIT")
            }
            if case .restart(let unit) = action, !rules.names(unit) {
                throw ScalarFault("is not allowed: may_restart does not name that unit")
            }
            return action
        }.map(\.value)
        guard let request, let token, let audit else { return nil }
        (requestFile, tokenFile, auditFile) = (request.value, token, audit.value)
    }
}

extension Plan.SnapshotPlan {
    /// What is asked of Prometheus unless the file says something else.
    static let usualQueries = [
        "up", "ALERTS", "push_time_seconds", "push_failure_time_seconds", "kanmon_up",
        "rate(kanmon_refusals_total[5m])", "time() - push_time_seconds",
    ]

    fileprivate init(_ section: Section, _ complaints: Complaints, besides state: String?) {
        let file = complaints.file
        /// More than that many would make an archive that nobody sends.
        func few<Value>(_ key: String, _ values: [Value]) -> [Value] {
            if values.count > 40 { section.complain("has over 40 values for \(key)") }
            return values
        }
        func paths(_ key: String) -> [Located<String>] {
            few(
                key,
                section.read(listOf: key) { scalar throws(ScalarFault) in
                    try FileLocation.path(of: scalar.text, besides: file)
                })
        }
        folder = section.path("folder", besides: file)?.value ?? "\(state ?? "")/snapshots"
        retain = section.value("retain", .count, default: 10, in: 1...1000)
        configuration = paths("configuration").map(\.value)
        users = paths("users").map(\.value)
        logs = paths("logs").map(\.value)
        units = few("units", section.units("units"))
        metrics = section.url("metrics")
        pushgateway = section.url("pushgateway")
        prometheus = section.url("prometheus")
        let asked = few("queries", section.words("queries").map(\.value))
        queries = asked.isEmpty ? Plan.SnapshotPlan.usualQueries : asked
        secrets = paths("secrets")
    }
}

extension Section {
    /// A text that is not empty and has no control character.
    fileprivate func text(_ key: String) -> String? {
        read(key) { scalar throws(ScalarFault) in try word(scalar.text) }
    }

    /// A list of such texts.
    fileprivate func words(_ key: String) -> [Located<String>] {
        read(listOf: key) { scalar throws(ScalarFault) in try word(scalar.text) }
    }

    fileprivate func units(_ key: String) -> [String] {
        read(listOf: key) { scalar throws(ScalarFault) in try unitName(scalar.text) }.map(\.value)
    }

    /// A URL that curl is given as it stands. No login in it: this file is no place for one.
    fileprivate func url(_ key: String) -> String? {
        read(key, showing: UpstreamURL.withoutLogin) { scalar throws(ScalarFault) in
            let url = try word(scalar.text)
            let scheme = ["http://", "https://"].first { url.hasPrefix($0) }
            guard let scheme, url.utf8.count > scheme.utf8.count, url.utf8.count <= 2048,
                url.utf8.allSatisfy({ $0 > 0x20 && $0 != UInt8(ascii: "\"") })
            else { throw ScalarFault("is no URL with http:// or https://") }
            let authority = url.dropFirst(scheme.count).prefix { $0 != "/" && $0 != "?" }
            guard !authority.contains("@") else {
                throw ScalarFault("holds a login, which it must not")
            }
            return url
        }
    }
}

private func word(_ text: String) throws(ScalarFault) -> String {
    guard !text.isEmpty else { throw ScalarFault("is empty") }
    guard text.utf8.allSatisfy({ !$0.isControl }) else {
        throw ScalarFault("holds a control character")
    }
    return text
}

private func unitName(_ text: String) throws(ScalarFault) -> String {
    guard text.isUnitName else { throw ScalarFault("is no unit; an example is kanmon.service") }
    return text
}

extension StringProtocol {
    /// systemd.unit(5), with the suffix, and nothing that could be an option.
    var isUnitName: Bool {
        guard (3...255).contains(utf8.count), let first = utf8.first, let dot = lastIndex(of: "."),
            first.isLetter || first.isDigit || first == UInt8(ascii: "_")
        else { return false }
        let types = ["service", "socket", "timer", "path", "target", "mount"]
        return types.contains(String(self[index(after: dot)...]))
            && utf8.allSatisfy { $0.isLetter || $0.isDigit || ":_.@\\-".utf8.contains($0) }
    }

    /// What can be part of a file's name and of a line of the log.
    var isPlainName: Bool {
        (1...60).contains(utf8.count)
            && utf8.allSatisfy { $0.isLetter || $0.isDigit || "-_".utf8.contains($0) }
    }
}
