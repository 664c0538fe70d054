import Bytes
import Catalogue
import Configuration
import HTTP
import Reactor

/// Asks the Pushgateway what it holds and whether it can be scraped, for whoever may wait.
package struct StoreReader: Sendable {
    private let pages: PushgatewayReader
    private var access: UpstreamAccess { pages.dialer.access }
    /// How long a page may take, and how long it may be.
    private static let patience = Interval.seconds(8)
    private static let scrapeBytesMax = 512 << 20
    private static let listingBytesMax = 1 << 30
    /// How much of a failed scrape says why it failed.
    private static let reasonBytesMax = 64 << 10
    /// How many groups are named: more is not read, and the first may be all there is to mend.
    private static let culpritsMax = 10

    package init(_ dialer: Dialer) { pages = PushgatewayReader(dialer) }

    package var url: String { access.url.description }

    /// A scrape that fails: why, and the start of what the Pushgateway said to it.
    package struct FailedScrape: Sendable {
        package let reason: String
        let answer: [UInt8]
    }

    /// Reads `/metrics` as a Prometheus would; nil when that succeeds. `take` gets it piece by piece.
    package func scrapeFailure(_ take: (Span<UInt8>) -> Void = { _ in }) -> FailedScrape? {
        var answer: [UInt8] = []
        do throws(PushgatewayReader.Failure) {
            let status = try pages.read(
                "/metrics", bytesMax: StoreReader.scrapeBytesMax,
                until: .now() + StoreReader.patience
            ) { bytes in
                let room = StoreReader.reasonBytesMax - answer.count
                if room > 0 { answer.append(copying: bytes.extracting(first: room)) }
                take(bytes)
            }
            guard status != 200 else { return nil }
            return FailedScrape(reason: access.meaning(ofStatus: status), answer: answer)
        } catch {
            return FailedScrape(reason: error.sentence, answer: [])
        }
    }

    /// Reads which group holds which family. Nil when the Pushgateway does not tell: then nobody knows,
    /// and it decides by itself.
    func listing() -> GroupListing? {
        var reader = GroupListingReader()
        var isBroken = false
        do throws(PushgatewayReader.Failure) {
            let status = try pages.read(
                "/api/v1/metrics", bytesMax: StoreReader.listingBytesMax,
                until: .now() + StoreReader.patience
            ) { bytes in
                do throws(ListingError) { try reader.read(bytes) } catch { isBroken = true }
            }
            guard status == 200, !isBroken else { return nil }
        } catch {
            return nil
        }
        do throws(ListingError) { return try reader.finish() } catch { return nil }
    }

    /// Deletes the group whose path, in canonical form, this is: past the gate, so only for what a
    /// command has made itself. Says why when that fails.
    package func deletionFailure(ofGroupAt path: Span<UInt8>) -> String? {
        do throws(PushgatewayReader.Failure) {
            let status = try pages.ask(
                .delete, path, bytesMax: StoreReader.reasonBytesMax,
                until: .now() + StoreReader.patience
            ) { _ in }
            return status == 200 || status == 202 ? nil : access.meaning(ofStatus: status)
        } catch {
            return error.sentence
        }
    }

    /// The command that does the same.
    package func deletionCommand(ofGroupAt path: Span<UInt8>) -> String {
        "curl -X DELETE \(access.curlArguments)\(String(decoding: path))"
    }

    // MARK: For a person

    /// A group that makes every scrape fail.
    package struct Culprit: Sendable {
        package let group: String
        package let reason: String
        /// The one command that mends it.
        package let repair: String
    }

    /// The groups to blame for a scrape that fails; none when the Pushgateway said nothing to it.
    package func culprits(of scrape: FailedScrape) -> [Culprit] {
        guard !scrape.answer.isEmpty, let listing = listing() else { return [] }
        let diagnosis = ScrapeDiagnosis(listing, answer: scrape.answer.span)
        // A series that Prometheus takes for another is no reason for a scrape to fail.
        return diagnosis.findings.filter { $0.trouble != .emptyLabelShadow }
            .prefix(StoreReader.culpritsMax).map { finding in
                Culprit(
                    group: listing.description(of: finding.group), reason: finding.sentence,
                    repair: finding.command(at: access.curlArguments))
            }
    }

    /// How many groups there are, and those among them to which no push ever succeeded: what a push
    /// leaves that the Pushgateway refused. Nil when it does not tell.
    package func groups() -> (count: Int, empty: [String])? {
        guard let listing = listing() else { return nil }
        let empty = (0..<listing.groupCount).filter { listing.pushTime(of: $0) == 0 }
        return (listing.groupCount, empty.map { listing.description(of: $0) })
    }
}

extension GroupListing {
    /// A group's labels for a person: `job=x,instance=y`.
    func description(of group: Int) -> String {
        (0..<labelCount(of: group)).map { label in
            withLabel(at: label, of: group) { "\(String(decoding: $0))=\(String(decoding: $1))" }
        }.joined(separator: ",")
    }
}
