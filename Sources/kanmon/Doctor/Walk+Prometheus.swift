import Configuration
import Console
import Gateway
import Reactor

/// The last hop: whether Prometheus has the sample, and under the labels that alerts ask for.
extension Walk {
    /// How often Prometheus is asked.
    private static let pause = Interval.milliseconds(500)
    /// How much later than its interval a scrape may come, and what a Prometheus takes to know its
    /// targets after a start.
    private static let margin = Duration.seconds(10)
    /// How far its clock may be from ours before that is worth a word, in seconds.
    private static let skewMax = 5.0

    mutating func askPrometheus() throws(WalkEnd) {
        guard let asked = plan.prometheus else {
            return report.skip(.prometheus, "not asked: --prometheus names none")
        }
        let prometheus = asked.reader
        let began = Instant.now()
        guard let series = try awaitSample(in: prometheus, asked, since: began) else {
            throw missing(
                try answer { () throws(PrometheusReader.Failure) in
                    try prometheus.targets()
                })
        }
        try judge(series, after: Instant.now().nanoseconds(since: began) / 1_000_000_000)
        if asked.isAboutOthers { try lookAtOthers(asked, in: prometheus) }
    }

    /// The series of the sample; nil when it did not come in time.
    private func awaitSample(
        in prometheus: PrometheusReader, _ asked: WalkPlan.PrometheusPlan, since began: Instant
    ) throws(WalkEnd) -> PrometheusReader.Series? {
        let query = "\(Probe.metric){\(Probe.label)=\(Console.quoted(plan.probe.token))}"
        while true {
            let (series, targets) = try answer { () throws(PrometheusReader.Failure) in
                (try prometheus.query(query), try prometheus.targets())
            }
            if let first = series.first { return first }
            let known = targets.of(plan.upstream)
            let interval = (known.all.isEmpty ? targets : known).longestInterval
            let patience = Interval(min(asked.wait, interval + Walk.margin))
            guard Instant.now() < began + patience else { return nil }
            guard vigil.pause(Walk.pause) else { throw .interrupted }
        }
    }

    /// What Prometheus answers to a question; the hop is broken when it does not.
    private func answer<Answer>(
        to question: () throws(PrometheusReader.Failure) -> Answer
    ) throws(WalkEnd) -> Answer {
        do throws(PrometheusReader.Failure) {
            return try question()
        } catch {
            let url = plan.prometheus.map { $0.reader.url.description } ?? ""
            throw .broken(
                .prometheus, "\(url) does not tell: \(error.sentence)",
                remedy: "is Prometheus running, and is that its address, with the path of its "
                    + "--web.external-url?")
        }
    }

    // MARK: The sample

    private mutating func judge(
        _ series: PrometheusReader.Series, after seconds: UInt64
    ) throws(WalkEnd) {
        guard series.labels["exported_job"] == nil else { throw renamed(series.labels) }
        let finding = "has it \(seconds) s after the Pushgateway, as \(series.description)"
        let skew = series.time - Double(WallClock.now().milliseconds) / 1000
        guard skew.magnitude <= Walk.skewMax else {
            return report.warn(
                of: .prometheus,
                "\(finding); its clock is \(shown(skew.magnitude)) "
                    + "\(skew > 0 ? "ahead of" : "behind") this machine's (timedatectl)")
        }
        report.pass(.prometheus, finding)
    }

    private func renamed(_ labels: [String: String]) -> WalkEnd {
        let job = labels["job"] ?? ""
        let own = labels["exported_job"] ?? ""
        return .broken(
            .prometheus,
            "has it under job=\"\(job)\", with its own job as exported_job=\"\(own)\"",
            remedy: "honor_labels: true is missing in the scrape configuration of \"\(job)\"; "
                + "without it no rule or panel that asks for job=\"\(own)\" finds anything. Add it "
                + "and reload Prometheus")
    }

    /// What of its targets explains that the sample did not come.
    private func missing(_ targets: ScrapeTargets) -> WalkEnd {
        let known = targets.of(plan.upstream).all
        let authority = plan.upstream.authority
        guard let first = known.first else {
            return .broken(
                .prometheus,
                "does not scrape the Pushgateway: none of its \(targets.all.count) targets is "
                    + "\(authority)",
                remedy: "add to scrape_configs of prometheus.yml, and reload it: {job_name: "
                    + "pushgateway, honor_labels: true, static_configs: [{targets: "
                    + "[\"\(authority)\"]}]}")
        }
        if let down = known.first(where: { $0.health == "down" }),
            !known.contains(where: { $0.health == "up" })
        {
            return .broken(
                .prometheus, "its target \(down.url) is down: \(down.lastError)",
                remedy: "can the machine of Prometheus reach that address, and is it the "
                    + "Pushgateway's (\(authority))?")
        }
        return .broken(
            .prometheus,
            "has not the sample, though it scrapes \(first.url) every "
                + "\(first.interval.prometheusText)",
            remedy: first.health == "unknown"
                ? "it has not been scraped yet: ask again, with a longer --wait"
                : "is \(first.url) this Pushgateway (\(authority))? Do metric_relabel_configs or "
                    + "a sample_limit drop samples there, or is --wait shorter than the interval?")
    }

    // MARK: Other jobs

    /// Whether what somebody else pushes is there, and how old it is.
    private mutating func lookAtOthers(
        _ asked: WalkPlan.PrometheusPlan, in prometheus: PrometheusReader
    ) throws(WalkEnd) {
        let metric = asked.metric ?? "push_time_seconds"
        let selector = asked.job.map { "{job=\(Console.quoted($0))}" } ?? ""
        let (ages, pushed) = try answer { () throws(PrometheusReader.Failure) in
            (
                try prometheus.query("time() - timestamp(\(metric)\(selector))"),
                try prometheus.query("time() - push_time_seconds\(selector)")
            )
        }
        guard let youngest = ages.map(\.value).min() else {
            throw .broken(
                .job, "Prometheus has no \(metric)\(selector)",
                remedy: "is it pushed at all? kanmon status names groups that are empty, and the "
                    + "gate's log names each push and its group")
        }
        var finding = "\(metric)\(selector): \(ages.count) series, scraped \(shown(youngest)) ago"
        if asked.job != nil, let push = pushed.map(\.value).min() {
            finding += ", pushed \(shown(push)) ago"
        }
        report.pass(.job, finding)
    }

    /// An age or a distance, in seconds, as a person reads it.
    private func shown(_ seconds: Double) -> String {
        // A metric's value may be anything, and no push is a century old.
        guard seconds.magnitude < 3e9 else { return "an unknown time" }
        return Duration.seconds(Int(max(seconds, 0))).prometheusText
    }
}
