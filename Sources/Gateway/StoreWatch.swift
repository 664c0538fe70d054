import Admission
import Bytes
import Catalogue
import Configuration
import Reactor

/// What others write to the watch.
enum WatchLetter: Sendable {
    /// Somebody waits for a listing that is fresher than the last one.
    case listingWanted
    /// The Pushgateway may be another one.
    case snapshotChanged
}

/// Keeps an eye on the Pushgateway, from a thread that may wait for it: whether it can be scraped, and
/// which group holds which family.
///
/// Its own `/-/ready` is of no use: that stays 200 while every scrape fails.
struct StoreWatch: ~Copyable {
    private let process: ProcessState
    private var snapshot: Snapshot
    private var reader: StoreReader
    private var rights: Rights { snapshot.rights }
    private var key = GroupingKey()
    private let poller: Poller
    private var nextScrape = Instant(nanoseconds: 0)
    private var nextListing = Instant(nanoseconds: 0)
    private var lastListing = Instant(nanoseconds: 0)
    private var failures = 0
    private var knowsJobs = false

    private static let scrapeInterval = Interval.seconds(10)
    private static let listingInterval = Interval.seconds(30)
    /// However many ask for a listing, the Pushgateway makes no more of them.
    private static let listingIntervalMin = Interval.seconds(1)
    /// How often in a row a scrape has to fail before that is more than a hiccup.
    private static let failuresMax = 2

    /// Starts the thread.
    static func start(_ process: ProcessState) throws(Errno) {
        try Thread.start(name: "kanmon-watch") {
            do throws(Errno) {
                let poller = try Poller()
                try process.watchMailbox.watch(
                    by: poller, ticket: Ticket(kind: 0, slot: 0, generation: 0))
                var watch = StoreWatch(process, poller)
                while true { watch.turn() }
            } catch {
                process.end(because: "the Pushgateway cannot be watched", error)
            }
        }
    }

    private init(_ process: ProcessState, _ poller: Poller) {
        (self.process, self.poller) = (process, poller)
        snapshot = process.snapshot
        reader = StoreReader(snapshot.upstream)
    }

    private mutating func turn() {
        _ = poller.wait(until: min(nextScrape, nextListing), from: .now())
        let now = Instant.now()
        for letter in process.watchMailbox.collect() {
            switch letter {
            case .listingWanted:
                nextListing = min(
                    nextListing, max(now, lastListing + StoreWatch.listingIntervalMin))
            case .snapshotChanged: takeSnapshot(at: now)
            }
        }
        if now >= nextListing { list(at: now) }
        if now >= nextScrape { scrape(at: now) }
    }

    /// A Pushgateway that is another one is looked at soon; what was learned of the old one goes on
    /// to count until then.
    private mutating func takeSnapshot(at now: Instant) {
        let previous = snapshot
        snapshot = process.snapshot
        reader = StoreReader(snapshot.upstream)
        guard snapshot.upstream.access != previous.upstream.access else { return }
        (nextScrape, nextListing) = (now, now)
        failures = 0
    }

    // MARK: What it holds

    private mutating func list(at now: Instant) {
        (lastListing, nextListing) = (now, now + StoreWatch.listingInterval)
        guard let listing = reader.listing() else { return }
        count(groupsOf: listing, at: now)
        if !knowsJobs { learnJobs(from: listing) }
        let catalogue = FamilyCatalogue(listing)
        for mailbox in process.mailboxes { mailbox.post(.catalogue(catalogue, askedAt: now)) }
    }

    /// Puts right how many groups each user has: others may have made or deleted some, and a gate that
    /// has just started knows of none.
    private mutating func count(groupsOf listing: GroupListing, at moment: Instant) {
        guard rights.quotas.countsGroups, listing.isComplete else { return }
        for group in 0..<listing.groupCount {
            listing.withValue(of: "job", in: group) { key.begin(job: $0) }
            for label in 0..<listing.labelCount(of: group) {
                listing.withLabel(at: label, of: group) { key.insert(name: $0, value: $1) }
            }
            rights.quotas.learn(key, under: rights.access, at: moment.nanoseconds)
        }
        rights.quotas.forget(unseenSince: moment.nanoseconds)
    }

    /// When each job was last pushed before this process began, so that a restart raises no alarm. Later
    /// the gate knows by itself.
    private mutating func learnJobs(from listing: GroupListing) {
        knowsJobs = true
        for group in 0..<listing.groupCount {
            let seconds = listing.pushTime(of: group)
            // What is beyond all calendars is no time at all.
            guard seconds > 0, seconds < 253_402_300_800 else { continue }
            let time = WallClock(milliseconds: UInt64(seconds * 1000))
            listing.withValue(of: "job", in: group) { name in
                process.metrics.jobs.job(named: name).noteEarlierPush(at: time)
            }
        }
    }

    // MARK: Whether it can be scraped

    private mutating func scrape(at now: Instant) {
        nextScrape = now + StoreWatch.scrapeInterval
        guard let failure = reader.scrapeFailure() else { return noteSuccess() }
        failures += 1
        guard failures == StoreWatch.failuresMax else { return }
        process.store.isReady = false
        process.log.write(.error, "the Pushgateway cannot be scraped") { line in
            line.add("upstream", reader.url)
            line.add("reason", failure.reason)
        }
        for culprit in reader.culprits(of: failure) {
            process.log.write(.error, "a group makes every scrape of the Pushgateway fail") {
                line in
                line.add("group", culprit.group)
                line.add("reason", culprit.reason)
                line.add("repair", culprit.repair)
            }
        }
    }

    private mutating func noteSuccess() {
        if failures >= StoreWatch.failuresMax {
            process.log.write(.info, "the Pushgateway can be scraped again")
        }
        failures = 0
        process.store.isReady = true
    }
}
