import Configuration
import Console
import Gateway

/// What `status` finds out from the gate itself.
struct GateFindings {
    let isWell: Bool
    /// Whether the gate told how it is set up, which is what counts: the files may be newer.
    let tellsOfSetup: Bool
    let lines: [String]
    let members: [Member]

    private static let remedy = "to have one: admin: {listen: 127.0.0.1:9444}, and restart the gate"

    init(of configuration: Configuration, _ snapshot: Snapshot?, asJSON: Bool) {
        do throws(GateInquiry.Failure) {
            if let inquiry = GateInquiry(atAdminOf: configuration) {
                try self.init(asking: inquiry, asJSON: asJSON)
            } else if let snapshot, let inquiry = GateInquiry(atDoorOf: snapshot) {
                try self.init(askingForHealth: inquiry)
            } else {
                self.init(
                    isWell: true, "not asked: it has no admin listener; \(GateFindings.remedy)")
            }
        } catch {
            self.init(isWell: false, "NOT REACHED: \(error.sentence)")
        }
    }

    private init(isWell: Bool, _ sentence: String) {
        self.isWell = isWell
        tellsOfSetup = false
        lines = ["gate             \(sentence)"]
        members = [Member("gate", json: "null"), Member("gate_failure", sentence)]
    }

    private init(asking inquiry: GateInquiry, asJSON: Bool) throws(GateInquiry.Failure) {
        let health = try inquiry.page("/-/healthy")
        let page = try inquiry.page(
            "/-/status", accepting: asJSON ? "application/json" : "text/plain")
        let text = page.text.split(separator: "\n").joined(separator: "\n")
        guard page.status == 200, !asJSON || text.hasPrefix("{") else {
            throw GateInquiry.Failure(
                sentence: "\(inquiry.place) answers with \(page.status): \(text)")
        }
        isWell = health.status == 200
        tellsOfSetup = true
        lines = [text]
        members = [Member("gate", json: text), Member("gate_failure", "")]
    }

    private init(askingForHealth inquiry: GateInquiry) throws(GateInquiry.Failure) {
        let page = try inquiry.page("/-/healthy")
        self.init(
            isWell: page.status == 200,
            (page.status == 200 ? "healthy" : "NOT WELL (\(page.status))")
                + " at \(inquiry.place); more is told by an admin listener; \(GateFindings.remedy)")
    }
}

/// What `status` finds out from the Pushgateway itself.
struct StoreFindings {
    private let upstream: String
    /// Why it cannot be scraped; nil when it can be.
    let failure: String?
    private let culprits: [StoreReader.Culprit]
    private let groups: (count: Int, empty: [String])?

    /// How many empty groups are named.
    private static let emptyGroupsMax = 10

    init(of snapshot: Snapshot) {
        upstream = snapshot.configuration.upstream.url.value.description
        let reader = StoreReader(snapshot.upstream)
        let failed = reader.scrapeFailure()
        failure = failed?.reason
        culprits = failed.map { reader.culprits(of: $0) } ?? []
        groups = reader.groups()
    }

    var lines: [String] {
        var lines = [
            "Pushgateway      \(upstream) "
                + (failure.map { "CANNOT be scraped: \($0)" } ?? "can be scraped")
        ]
        for culprit in culprits {
            lines.append("  group {\(culprit.group)}: \(culprit.reason)")
            lines.append("    to mend it: \(culprit.repair)")
        }
        guard let groups else { return lines }
        lines.append("groups           \(groups.count)")
        for group in groups.empty.prefix(StoreFindings.emptyGroupsMax) {
            lines.append("  {\(group)} is empty: every push to it was refused by the Pushgateway")
        }
        let more = groups.empty.count - StoreFindings.emptyGroupsMax
        if more > 0 { lines.append("  and \(more) more that are empty") }
        return lines
    }

    var members: [Member] {
        let culprits = culprits.map { culprit in
            object([
                Member("group", culprit.group), Member("reason", culprit.reason),
                Member("repair", culprit.repair),
            ])
        }
        let empty = (groups?.empty ?? []).map { Console.quoted($0) }
        return [
            Member("upstream", upstream), Member("scrape_ok", json: "\(failure == nil)"),
            Member("scrape_failure", failure ?? ""),
            Member("culprits", json: "[\(culprits.joined(separator: ","))]"),
            Member("groups", json: "\(groups?.count ?? 0)"),
            Member("empty_groups", json: "[\(empty.joined(separator: ","))]"),
        ]
    }
}

/// A member of a JSON object.
struct Member {
    let name: String
    let value: String

    init(_ name: String, _ text: String) { (self.name, value) = (name, Console.quoted(text)) }
    init(_ name: String, json: String) { (self.name, value) = (name, json) }
}

func object(_ members: [Member]) -> String {
    "{\(members.map { "\(Console.quoted($0.name)):\($0.value)" }.joined(separator: ","))}"
}
