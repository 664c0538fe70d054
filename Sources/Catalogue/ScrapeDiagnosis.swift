internal import Bytes
package import Exposition

/// Why `GET /metrics` of a Pushgateway fails: which groups it cannot export together with the others,
/// and for each the one request that takes it away.
///
/// Nothing here is on the way of a push, and what is said is for a person, so text is `String`.
///
/// Of two parties that cannot both stay, the one goes that the Pushgateway or the gate would not let
/// in today. Where both would be: the one with fewer groups; and of equal ones that which was
/// pushed longest ago, since a group that nobody pushes any more does not come back.
package struct ScrapeDiagnosis: Sendable {
    /// Groups to delete, in an order that makes sense; each once.
    package internal(set) var findings: [Finding] = []
    /// Whether, once the findings are mended, the scrape should succeed. Otherwise there was more
    /// than could be seen at once: mend, and look again.
    package internal(set) var isComplete = true

    /// A group that is in the way.
    package struct Finding: Sendable, Equatable {
        /// Its number in the listing.
        package let group: Int
        package let trouble: Trouble
        /// The path to send DELETE to, in ASCII and safe in a shell. Nil when the group's name has
        /// bytes that only the answer to a failed scrape tells.
        package let path: String?
        /// What is the matter, for a person: one sentence without a full stop.
        package let sentence: String

        /// The command that repairs it, for a Pushgateway at `address`, such as `http://127.0.0.1:9091`;
        /// what else curl has to know of it may stand before that.
        package func command(at address: String) -> String {
            guard let path else { return "curl \(address)/metrics" }
            return "curl -X DELETE \(address)\(path)"
        }
    }

    /// What makes a group one that must go.
    package enum Trouble: Sendable, Equatable {
        /// Another group has the same labels but for an empty value.
        case emptyLabelGhost
        /// The same, in a way that a scrape stands, but Prometheus sees series twice.
        case emptyLabelShadow
        case notUTF8
        /// Its family is the Pushgateway's own by name, but not by type or HELP.
        case ownFamilyContradicted
        /// Other groups have its family with another type.
        case typeClash
        /// Its family's name is one that parts of another family's series have, or the reverse.
        case suffixTaken
        /// A series of it is there twice.
        case seriesRepeated
        /// A series of it that cannot be exported for another reason.
        case seriesInvalid
    }

    /// Looks for everything that the listing shows; and in the answer to a scrape that failed, of
    /// which the first 64 KiB are read, for what only that shows: exact bytes, series, HELP texts.
    /// Without such an answer, `answer` is empty. `own` are the families that the Pushgateway exports
    /// about itself. Takes time in proportion to the listing and to the reasons: not on a loop.
    package init(
        _ listing: GroupListing, answer: Span<UInt8>, own: [OwnFamily] = OwnFamily.ofPushgateway
    ) {
        let (errors, unread) = ScrapeError.all(in: answer)
        var examination = Examination(listing, errors, own: own)
        examination.findGhosts()
        examination.findLostBytes()
        examination.findOwnFamilies()
        examination.findTypeClashes()
        examination.findTakenSuffixes()
        examination.findSeries()
        findings = examination.findings
        isComplete =
            listing.isComplete && unread == 0 && answer.count <= ScrapeError.textBytesMax
            && examination.isAllExplained
    }
}
