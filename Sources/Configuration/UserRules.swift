import Bytes

/// What one user may do: an entry of `auth.users`.
///
/// Every rule keeps its place in the file, since a refusal is explained by the line that decided it.
package struct UserRules: Sendable {
    /// The user's name as the users file writes it, or `*`: everyone who has no entry of his own.
    package let name: Located<String>
    /// The groups he may push, each pattern at its own place. Nil when every group is his, empty
    /// when none is.
    package let groups: Located<[Located<GroupPattern>]>?
    /// At least one, none twice.
    package let methods: Located<[PushMethod]>
    /// Addresses and networks as written, not yet checked, within which he may push; at least one,
    /// none empty. Nil when the global list is enough.
    package let allow: [Located<String>]?
    package let quotas: Quotas

    /// The name that stands for everyone who has no entry of his own.
    package static let everyone = "*"

    /// What a grouping key has to hold: every label here, with a value that its pattern matches.
    /// Other labels are free.
    package struct GroupPattern: Sendable, Equatable {
        /// In the order of the file; at least one, at most 65 (the job and 64 labels). In a
        /// pattern of 1 to 1024 bytes `*` stands for any run of characters, an empty one too.
        package let labels: [(name: String, pattern: String)]

        package init(labels: [(name: String, pattern: String)]) { self.labels = labels }

        package static func == (left: GroupPattern, right: GroupPattern) -> Bool {
            left.labels.elementsEqual(right.labels, by: ==)
        }
    }

    /// How much he may push. What is nil is not bounded for him alone.
    package struct Quotas: Sendable {
        package let pushesPerMinute: Located<Int>?
        package let bytesPerMinute: Located<Int>?
        /// Distinct groups that exist at once.
        package let groupsMax: Located<Int>?
        /// Series of one push; where `limits.series_max` is smaller, that one counts.
        package let seriesMax: Located<Int>?

        /// Those that are bounded, each with its key and its value as it could be written in the file.
        package var texts: [(key: String, value: Located<String>)] {
            let count = Quantity<Int>.count.text
            let rows: [(key: String, limit: Located<Int>?, text: (Int) -> String)] = [
                ("pushes_per_minute", pushesPerMinute, count),
                ("bytes_per_minute", bytesPerMinute, Quantity<Int>.bytes.text),
                ("groups_max", groupsMax, count), ("series_max", seriesMax, count),
            ]
            return rows.compactMap { row in
                row.limit.map { (row.key, Located(row.text($0.value), at: $0.position)) }
            }
        }
    }
}

/// What can be done to a group.
package enum PushMethod: String, CaseIterable, Sendable {
    case post = "POST"
    case put = "PUT"
    case delete = "DELETE"
}

extension UserRules {
    /// Reads `auth.users`: an entry for each name, in the order of the file. Nil without the key.
    static func read(_ section: Section, isGiven: Bool) -> Located<[UserRules]>? {
        // Names are the operator's; what stands under them is asked for once, so that it is known.
        _ = UserRules(Located("", at: .none), section.sectionOfAnyName())
        let names = section.names()
        guard isGiven else { return nil }
        if names.isEmpty {
            section.complainWhenReadable(
                "names nobody, so nobody could push; add an entry or remove the key")
        }
        let rules = names.compactMap { name -> UserRules? in
            if let fault = fault(inName: name.value) {
                section.complain(aboutName: name, fault)
                return nil
            }
            return UserRules(name, section.section(name.value))
        }
        return Located(rules, at: section.position)
    }

    private init(_ name: Located<String>, _ section: Section) {
        self.name = name
        groups = section.groupPatterns("groups")
        methods = section.methods("methods")
        allow = section.networks("allow")
        quotas = Quotas(section.section("limits"))
    }

    /// Names that no line of a users file and no `Authorization` field can hold (RFC 7617
    /// section 2).
    private static func fault(inName name: String) -> String? {
        if name.isEmpty { return "is no user's name" }
        if name.utf8.contains(where: \.isControl) {
            return "holds a control character, which no user's name can"
        }
        if name.utf8.contains(UInt8(ascii: ":")) {
            return "holds a colon, which no user's name can"
        }
        if name.hasPrefix("#") { return "begins with #, which makes a comment in the users file" }
        guard name.utf8.count <= 512 else { return "is longer than 512 bytes" }
        return nil
    }

    /// Warns of a quota that another limit already keeps anyone from reaching.
    func warn(about limits: Limits, _ complaints: Complaints) {
        guard let series = quotas.seriesMax, series.value > limits.seriesMax else { return }
        complaints.add(
            "auth.users: series_max of \(quoted(name.value)) (\(series.value)) is larger than "
                + "limits.series_max (\(limits.seriesMax)); it will never be reached",
            at: series.position, .warning)
    }
}

extension UserRules.Quotas {
    fileprivate init(_ section: Section) {
        pushesPerMinute = section.located("pushes_per_minute", .count, in: 1...1_000_000)
        bytesPerMinute = section.located("bytes_per_minute", .bytes, in: 1...64 << 30)
        groupsMax = section.located("groups_max", .count, in: 1...100_000)
        seriesMax = section.located("series_max", .count, in: 1...10_000_000)
    }
}

extension Section {
    private static let labelsMax = 65
    private static let patternBytesMax = 1024
    private static let patternsMax = 1000

    fileprivate func located<Value>(
        _ key: String, _ quantity: Quantity<Value>, in bounds: ClosedRange<Value>
    ) -> Located<Value>? {
        guard let value = value(key, quantity, in: bounds), let position = position(of: key) else {
            return nil
        }
        return Located(value, at: position)
    }

    fileprivate func methods(_ key: String) -> Located<[PushMethod]> {
        var seen: [PushMethod] = []
        let methods = read(listOf: key) { scalar throws(ScalarFault) in
            guard let method = PushMethod(rawValue: scalar.text) else {
                throw ScalarFault("is none of POST, PUT, DELETE")
            }
            guard !seen.contains(method) else { throw ScalarFault("is given twice") }
            seen.append(method)
            return method
        }
        guard let position = position(of: key), !methods.isEmpty else {
            return Located([.post, .put], at: .none)
        }
        return Located(methods.map(\.value), at: position)
    }

    fileprivate func networks(_ key: String) -> [Located<String>]? {
        let networks = read(listOf: key) { scalar throws(ScalarFault) in
            guard !scalar.text.isEmpty else { throw ScalarFault("is empty") }
            return scalar.text
        }
        return networks.isEmpty ? nil : networks
    }

    fileprivate func groupPatterns(
        _ key: String
    ) -> Located<[Located<UserRules.GroupPattern>]>? {
        let sections = sections(listOf: key, example: "[{job: backup, instance: \"db*\"}]")
        guard let sections, let position = position(of: key) else { return nil }
        guard sections.count <= Section.patternsMax else {
            sections[Section.patternsMax].complain("is one pattern too many; 1000 are possible")
            return nil
        }
        return Located(sections.compactMap { $0.groupPattern() }, at: position)
    }

    private func groupPattern() -> Located<UserRules.GroupPattern>? {
        let names = names()
        guard !names.isEmpty else {
            complainWhenReadable("names no label; every group is allowed by removing \"groups\"")
            return nil
        }
        guard names.count <= Section.labelsMax else {
            complain("names over \(Section.labelsMax) labels, which no grouping key has")
            return nil
        }
        let labels = names.compactMap { name -> (name: String, pattern: String)? in
            if let fault = Section.fault(inLabel: name.value) {
                complain(aboutName: name, fault)
                return nil
            }
            return pattern(name.value).map { (name.value, $0) }
        }
        return Located(UserRules.GroupPattern(labels: labels), at: position)
    }

    private func pattern(_ label: String) -> String? {
        read(label) { scalar throws(ScalarFault) in
            guard !scalar.text.isEmpty else {
                throw ScalarFault("matches nothing: an empty label is an absent one; leave it out")
            }
            guard scalar.text.utf8.count <= Section.patternBytesMax else {
                throw ScalarFault("is longer than \(Section.patternBytesMax) bytes")
            }
            let hasControl = scalar.text.unicodeScalars.contains {
                $0.properties.generalCategory == .control
            }
            guard !hasControl else {
                throw ScalarFault("holds a control character, which no label of a path can")
            }
            return scalar.text
        }
    }

    /// A name that no grouping key can hold would make a pattern that never matches.
    private static func fault(inLabel name: String) -> String? {
        guard let first = name.utf8.first, !first.isDigit,
            name.utf8.allSatisfy({ $0.isLetter || $0.isDigit || $0 == UInt8(ascii: "_") })
        else {
            return "is not a label name: letters, digits and _, and no digit at the beginning"
        }
        if name.hasPrefix("__") { return "is reserved for Prometheus, as all names with __ are" }
        if name.hasPrefix("U__") { return "stands for an escaped name, which no push can have" }
        return nil
    }
}
