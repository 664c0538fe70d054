import Configuration
import Gateway

/// Behind the gate: whether the sample is in the Pushgateway, for Prometheus to scrape.
extension Walk {
    private var configuration: Configuration { plan.snapshot.configuration }

    mutating func findInPushgateway() throws(WalkEnd) {
        var search = ProbeSearch(for: plan.probe)
        let place = configuration.place(of: configuration.upstream.url)
        if let failed = store.scrapeFailure({ search.look(through: $0) }) {
            throw storeBroken(
                "\(store.url)", failed,
                remedy: "the gate has just stored the sample, so a Pushgateway is there: is it "
                    + "upstream.url\(place), and can it be reached from this machine?")
        }
        guard search.isFound else {
            throw .broken(
                .pushgateway, "\(store.url) does not show the sample that the gate has stored",
                remedy: "the gate has stored it in another one: it runs with an older "
                    + "configuration than this (reload it), or upstream.url\(place) is a name of "
                    + "several")
        }
        report.pass(.pushgateway, "\(store.url) shows it")
    }

    /// What `finding` says, and what the Pushgateway itself says when it is scraped from here: the group
    /// to blame, and the command that mends it, where there is one.
    func storeBroken(
        _ finding: String, _ failed: StoreReader.FailedScrape?, remedy: String
    ) -> WalkEnd {
        let culprits = failed.map { store.culprits(of: $0) } ?? []
        let reason = failed.map { "; scraped from here: \($0.reason)" } ?? ""
        let blamed = culprits.map { "; {\($0.group)}: \($0.reason)" }.joined()
        return .broken(
            .pushgateway, finding + reason + blamed, remedy: culprits.first?.repair ?? remedy)
    }
}
