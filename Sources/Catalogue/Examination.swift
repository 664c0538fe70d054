internal import Bytes
internal import Exposition

/// One look at a listing and the reasons of a failed scrape. The steps build on each other: what a
/// group is doomed for already explains what it would be found for later.
struct Examination {
    private(set) var findings: [ScrapeDiagnosis.Finding] = []
    private(set) var isAllExplained = true

    private let listing: GroupListing
    private let errors: [ScrapeError]
    private let own: [OwnFamily]
    private var isDoomed: [Bool]
    /// The groups that hold each of the listing's names, with the type they have it with.
    private let holders: [[Holding]]

    /// Findings in one look. Who has more of them looks again.
    private static let findingsMax = 1000

    private typealias Holding = (group: Int, type: FamilyType)

    init(_ listing: GroupListing, _ errors: [ScrapeError], own: [OwnFamily]) {
        self.listing = listing
        self.errors = errors
        self.own = own
        isDoomed = Array(repeating: false, count: listing.groupCount)
        var holders = [[Holding]](repeating: [], count: listing.names.count)
        for group in 0..<listing.groupCount {
            for family in listing.families[listing.families(of: group)] {
                holders[Int(family.name)].append((group, family.type))
            }
        }
        self.holders = holders
    }

    private mutating func doom(
        _ group: Int, _ trouble: ScrapeDiagnosis.Trouble, path: String?, _ sentence: String
    ) {
        guard !isDoomed[group] else { return }
        isDoomed[group] = true
        guard findings.count < Examination.findingsMax else { return isAllExplained = false }
        findings.append(
            ScrapeDiagnosis.Finding(
                group: group, trouble: trouble, path: path, sentence: sentence))
    }

    private mutating func doom(
        _ group: Int, _ trouble: ScrapeDiagnosis.Trouble, _ sentence: String
    ) {
        doom(group, trouble, path: path(of: group), sentence)
    }
}

// MARK: - Names

extension Examination {
    private typealias Labels = [ScrapeError.Label]

    private func labels(of group: Int) -> Labels {
        (0..<listing.labelCount(of: group)).map { place in
            listing.withLabel(at: place, of: group) {
                ScrapeError.Label(name: Array(copying: $0), value: Array(copying: $1))
            }
        }
    }

    private func path(of labels: Labels) -> String {
        let jobName = Array("job".utf8)
        let job = labels.first { $0.name == jobName }?.value ?? []
        var path = GroupPath(job: job.span)
        for label in labels where label.name != jobName {
            path.append(name: label.name.span, value: label.value.span)
        }
        return path.text
    }

    private func path(of group: Int) -> String? {
        let labels = labels(of: group)
        return labels.contains(where: \.hasLostBytes) ? nil : path(of: labels)
    }

    /// A group for a person: `{instance="",job="a"}`.
    private func name(of group: Int) -> String {
        var text = ByteBuffer()
        for label in labels(of: group) {
            text.append(text.isEmpty ? "{" : ",")
            text.append(escaping: label.name.span, bytesMax: 60)
            text.append("=\"")
            text.append(escaping: label.value.span, bytesMax: 60)
            text.append("\"")
        }
        text.append("}")
        return text.withSpan { String(decoding: $0) }
    }

    private func printable(_ name: [UInt8]) -> String {
        var text = ByteBuffer()
        text.append(escaping: name.span, bytesMax: 100)
        return text.withSpan { String(decoding: $0) }
    }

    private func name(ofFamily number: Int) -> [UInt8] {
        listing.names.withName(UInt32(number)) { Array(copying: $0) }
    }

    /// The groups still standing that hold a family of this name.
    private func standing(_ name: [UInt8]) -> [Holding] {
        guard let number = listing.names.number(of: name.span) else { return [] }
        return holders[Int(number)].filter { !isDoomed[$0.group] }
    }
}

// MARK: - Labels

extension Examination {
    /// Groups whose labels are the same but for empty values. One that has none of those stays.
    mutating func findGhosts() {
        var alike: [GroupKey: [Int]] = [:]
        for group in 0..<listing.groupCount {
            alike[listing.key(of: group), default: []].append(group)
        }
        for groups in alike.values.filter({ $0.count > 1 }).sorted(by: { $0[0] < $1[0] }) {
            let staying = groups.min { ghostliness(of: $0) < ghostliness(of: $1) } ?? groups[0]
            for group in groups where group != staying { judgeGhost(group, of: staying) }
        }
    }

    /// How many empty labels a group has. One with recovered labels may have one more.
    private func ghostliness(of group: Int) -> Double {
        Double(labels(of: group).count { $0.value.isEmpty })
            + (listing.groups[group].isRecovered ? 0.5 : 0)
    }

    private mutating func judgeGhost(_ group: Int, of other: Int) {
        var labels = labels(of: group)
        let (full, otherFull) = (
            labels.filter { !$0.value.isEmpty }, self.labels(of: other).filter { !$0.value.isEmpty }
        )
        guard full == otherFull, !full.contains(where: \.hasLostBytes) else { return }
        let instance = Array("instance".utf8)
        if labels == self.labels(of: other) {
            guard listing.groups[group].isRecovered else { return }
            // Of two groups that look the same, one has what its samples do not show.
            labels.append(ScrapeError.Label(name: instance, value: []))
        }
        let isShadow = labels.contains { $0.value.isEmpty && $0.name != instance }
        doom(
            group, isShadow ? .emptyLabelShadow : .emptyLabelGhost, path: path(of: labels),
            "the group \(name(of: group)) has an empty label, and is otherwise the group "
                + name(of: other))
    }

    /// Groups with a label that is not UTF-8. The listing does not tell the bytes; the scrape does.
    mutating func findLostBytes() {
        let lost = (0..<listing.groupCount).filter {
            labels(of: $0).contains(where: \.hasLostBytes)
        }
        var paths: Set<String> = []
        for error in errors where error.labels.contains(where: { !$0.isUTF8 }) {
            for group in lost.prefix(Examination.findingsMax)
            where !isDoomed[group] && fits(group, error) {
                let path = path(of: exactLabels(of: group, in: error))
                guard paths.insert(path).inserted else { break }
                doom(group, .notUTF8, path: path, notUTF8(group))
                break
            }
        }
        for group in lost where !isDoomed[group] {
            isAllExplained = false
            doom(
                group, .notUTF8, path: nil,
                notUTF8(group) + "; which bytes these are, only the answer to a failed scrape tells"
            )
        }
    }

    private func notUTF8(_ group: Int) -> String {
        "the group \(name(of: group)) has a label that is not UTF-8"
    }

    /// Whether the series can be one of the group's.
    private func fits(_ group: Int, _ error: ScrapeError) -> Bool {
        (0..<listing.labelCount(of: group)).allSatisfy { place in
            listing.withLabel(at: place, of: group) { name, value in
                guard let label = error.labels.first(where: { $0.name.span.isEqual(to: name) })
                else { return value.isEmpty }
                if label.value.span.isEqual(to: value) { return true }
                return value.firstIndex(of: JSONTokens.lostByte) != nil
                    && label.value.asListed.span.isEqual(to: value)
            }
        }
    }

    /// The group's labels as the series has them, which fits.
    private func exactLabels(of group: Int, in error: ScrapeError) -> Labels {
        labels(of: group).map { label in
            error.labels.first { $0.name == label.name } ?? label
        }
    }
}

// MARK: - Families

extension Examination {
    /// Families that are the Pushgateway's by name and of another type. What it exports depends on its
    /// version, so where it gives reasons, only those count.
    mutating func findOwnFamilies() {
        let aboutPushes: [StaticString] = ["push_time_seconds", "push_failure_time_seconds"]
        for name in aboutPushes {
            dropHolders(of: Array(copying: name.span), unless: .gauge)
        }
        for family in own {
            let name = Array(family.name.utf8)
            let isTold = errors.contains { $0.kind == .ownType && $0.family == name }
            if errors.isEmpty || isTold { dropHolders(of: name, unless: family.type) }
        }
        for error in errors where error.kind == .ownHelp {
            for holding in standing(error.family) {
                doom(
                    holding.group, .ownFamilyContradicted,
                    "the group \(name(of: holding.group)) holds \(printable(error.family)), which "
                        + "the Pushgateway exports itself with another HELP")
            }
        }
    }

    private mutating func dropHolders(of family: [UInt8], unless type: FamilyType) {
        for holding in standing(family) where holding.type != type {
            doom(
                holding.group, .ownFamilyContradicted,
                "the group \(name(of: holding.group)) holds \(printable(family)) as "
                    + "\(holding.type.word), which the Pushgateway itself exports as \(type.word)")
        }
    }

    mutating func findTypeClashes() {
        for number in holders.indices {
            let first = holders[number].first?.type
            guard holders[number].contains(where: { $0.type != first }) else { continue }
            let family = name(ofFamily: number)
            let parties = FamilyType.all.map { type in
                (type: type, groups: standing(family).filter { $0.type == type }.map(\.group))
            }
            guard let staying = parties.max(by: { isWeaker($0.groups, than: $1.groups) }),
                let example = staying.groups.first
            else { continue }
            for party in parties where party.type != staying.type {
                for group in party.groups {
                    doom(
                        group, .typeClash,
                        "the group \(name(of: group)) holds \(printable(family)) as "
                            + "\(party.type.word), the group \(name(of: example)) as "
                            + staying.type.word)
                }
            }
        }
    }

    /// Whether, of two parties that cannot both stay, the first is the one to go.
    private func isWeaker(_ party: [Int], than other: [Int]) -> Bool {
        if party.count != other.count { return party.count < other.count }
        func lastPush(_ party: [Int]) -> Double { party.map(listing.pushTime(of:)).max() ?? 0 }
        return lastPush(party) < lastPush(other)
    }

    mutating func findTakenSuffixes() {
        for family in own where family.type == .summary || family.type == .histogram {
            dropParts(of: Array(family.name.utf8), family.type, isOwn: true)
        }
        for number in holders.indices {
            let family = name(ofFamily: number)
            for type in [FamilyType.summary, .histogram]
            where standing(family).contains(where: { $0.type == type }) {
                dropParts(of: family, type, isOwn: false)
            }
        }
    }

    /// As `checkSuffixCollisions` in Go's client library has it: gauge histograms are exempt.
    private mutating func dropParts(of family: [UInt8], _ type: FamilyType, isOwn: Bool) {
        let suffixes = type == .summary ? ["_count", "_sum"] : ["_count", "_sum", "_bucket"]
        for suffix in suffixes {
            let part = family + Array(suffix.utf8)
            let parts = standing(part).map(\.group)
            let wholes = standing(family).filter { $0.type == type }.map(\.group)
            guard !parts.isEmpty, isOwn || !wholes.isEmpty else { continue }
            let isPartGoing = isOwn || isWeaker(parts, than: wholes)
            for group in isPartGoing ? parts : wholes {
                let held = "the group \(name(of: group)) holds "
                doom(
                    group, .suffixTaken,
                    isPartGoing
                        ? held + "\(printable(part)), a name that \(printable(family)) needs"
                        : held + "\(printable(family)), which needs the name \(printable(part))")
            }
        }
    }
}

// MARK: - Series

extension Examination {
    /// What only the reasons tell; and whether every reason has been understood.
    mutating func findSeries() {
        for error in errors {
            switch error.kind {
            case .repeated, .badSeries: findSeries(error)
            case .otherType, .ownType, .ownHelp:
                if !isExplained([error.family]) { isAllExplained = false }
            case .suffixTaken(let other):
                if !isExplained([error.family, other]) { isAllExplained = false }
            }
        }
    }

    /// Whether a group that holds one of the families is to go.
    private func isExplained(_ families: [[UInt8]]) -> Bool {
        families.contains { family in
            guard let number = listing.names.number(of: family.span) else { return false }
            return holders[Int(number)].contains { isDoomed[$0.group] }
        }
    }

    private mutating func findSeries(_ error: ScrapeError) {
        guard let number = listing.names.number(of: error.family.span) else {
            return isAllExplained = false
        }
        let able = holders[Int(number)].map(\.group).filter { fits($0, error) }
        if able.contains(where: { isDoomed[$0] }) { return }
        // The one with the fewest labels: its samples say what is for another group to say.
        let going = able.min { left, right in
            let (count, other) = (listing.labelCount(of: left), listing.labelCount(of: right))
            return count != other
                ? count < other : listing.pushTime(of: left) < listing.pushTime(of: right)
        }
        guard let going else { return isAllExplained = false }
        let held = "the group \(name(of: going)) holds a series of \(printable(error.family)) "
        if case .badSeries(let words) = error.kind {
            doom(going, .seriesInvalid, held + "that \(words)")
        } else {
            let other = able.first { $0 != going }.map { "in the group \(name(of: $0)) too" }
            doom(going, .seriesRepeated, held + "that is there \(other ?? "twice")")
        }
    }
}

extension ScrapeError.Label {
    var hasLostBytes: Bool { value.contains(JSONTokens.lostByte) }

    var isUTF8: Bool { (try? UTF8Span(validating: value.span)) != nil }
}

extension [UInt8] {
    /// As the listing has it: each byte that is not UTF-8 by itself, as Go counts, has become FF.
    fileprivate var asListed: [UInt8] {
        var listed: [UInt8] = []
        var place = 0
        while place < count {
            let length = scalarLength(at: place)
            listed += length == 0 ? [JSONTokens.lostByte] : self[place..<place + length]
            place += Swift.max(length, 1)
        }
        return listed
    }

    /// The bytes of the scalar that begins here (RFC 3629 section 4); 0 when none does.
    private func scalarLength(at place: Int) -> Int {
        let length: Int
        switch self[place] {
        case 0..<0x80: return 1
        case 0xC2..<0xE0: length = 2
        case 0xE0..<0xF0: length = 3
        case 0xF0..<0xF5: length = 4
        default: return 0
        }
        guard place + length <= count else { return 0 }
        let bytes = span.extracting(place..<place + length)
        return (try? UTF8Span(validating: bytes)) == nil ? 0 : length
    }
}
