import Bytes

/// One mapping of the file, read key by key. What is asked for is what is known: after everything
/// has been asked, the keys that nobody asked for are the unknown ones.
package final class Section {
    /// `limits.body_rate_min`; empty at the top.
    package let path: String
    /// The path as the gate knows it, with `NAME` for a name that the operator chose.
    private let knownPath: String
    private let complaints: Complaints
    /// Where a key that is missing here would belong.
    package let position: Position
    /// Whether keys can be missing: not in a section that is itself broken.
    private let isReadable: Bool
    private let entries: [String: Entry]
    private var known: [String] = []
    private var subsections: [String: Section] = [:]
    private var faulty: Set<String> = []
    /// The keys here are names that the operator chose, so none of them is unknown.
    private var takesAnyName = false
    /// Stands for all sections under such names when known keys are listed.
    private var template: Section?

    /// The file's top level.
    convenience init(root: Node, complaints: Complaints) {
        self.init("", "", root, complaints: complaints, position: root.position, isReadable: true)
    }

    private init(
        _ path: String, _ knownPath: String, _ node: Node?, complaints: Complaints,
        position: Position, isReadable: Bool
    ) {
        (self.path, self.knownPath) = (path, knownPath)
        (self.complaints, self.position) = (complaints, position)
        guard let node else {
            (entries, self.isReadable) = ([:], isReadable)
            return
        }
        guard case .mapping(let written) = node.content else {
            (entries, self.isReadable) = ([:], false)
            if case .refused = node.content { return }
            let name = path.isEmpty ? "the file" : path
            complaints.add(
                "\(name) has to be a section of keys (\"key: value\")", at: node.position)
            return
        }
        (entries, self.isReadable) = (Section.index(written, complaints), isReadable)
    }

    private static func index(_ written: [Entry], _ complaints: Complaints) -> [String: Entry] {
        var entries: [String: Entry] = [:]
        for entry in written {
            if let first = entries[entry.key] {
                complaints.add(
                    "\(quoted(entry.key)) is given twice, first in line \(first.position.line); "
                        + "keep one of them", at: entry.position)
            } else {
                entries[entry.key] = entry
            }
        }
        return entries
    }

    /// The section under `key`; an empty one when the file has none.
    package func section(_ key: String) -> Section {
        if let section = subsections[key] { return section }
        let node = node(key)
        let section = Section(
            path(of: key), knownPath(of: key), node, complaints: complaints,
            position: entries[key]?.position ?? position,
            isReadable: isReadable && !faulty.contains(key))
        subsections[key] = section
        return section
    }

    /// The keys that stand here, in the order of the file: each is a name that the operator chose.
    package func names() -> [Located<String>] {
        takesAnyName = true
        return entries.values.map { Located($0.key, at: $0.position) }
            .sorted { $0.position < $1.position }
    }

    /// An empty section that stands for those under any name, so that what is asked of it counts
    /// as known even when the file has no name at all.
    package func sectionOfAnyName() -> Section {
        takesAnyName = true
        let section = Section(
            "", knownPath(of: ""), nil, complaints: complaints, position: position,
            isReadable: false)
        template = section
        return section
    }

    /// The sections in the list under `key`. Nil when the key is absent, or complained about.
    package func sections(listOf key: String, example: String) -> [Section]? {
        guard let node = node(key) else { return nil }
        guard case .sequence(let items) = node.content else {
            fault(key, node, "has to be a list, for example \(example)")
            return nil
        }
        return items.enumerated().map { index, item in
            Section(
                "\(path(of: key))[\(index)]", "", item, complaints: complaints,
                position: item.position, isReadable: true)
        }
    }

    /// The one value of `key`. Nil when it is absent, or complained about.
    package func scalar(_ key: String) -> Scalar? {
        guard let node = node(key) else { return nil }
        guard case .scalar(let scalar) = node.content else {
            fault(key, node, "has to be one value")
            return nil
        }
        return scalar
    }

    /// A number within its bounds; the default when it is absent or complained about.
    package func value<Value>(
        _ key: String, _ quantity: Quantity<Value>, default standard: Value,
        in bounds: ClosedRange<Value>
    ) -> Value {
        value(key, quantity, in: bounds) ?? standard
    }

    /// A number within its bounds. Nil when it is absent or complained about.
    package func value<Value>(
        _ key: String, _ quantity: Quantity<Value>, in bounds: ClosedRange<Value>
    ) -> Value? {
        read(key) { scalar throws(ScalarFault) in
            let value = try quantity.read(scalar)
            guard bounds.contains(value) else {
                let (least, most) = (
                    quantity.text(bounds.lowerBound), quantity.text(bounds.upperBound)
                )
                throw ScalarFault("is out of bounds; \(least) to \(most) is possible")
            }
            return value
        }
    }

    /// `true` or `false`, without quotes.
    package func flag(_ key: String, default standard: Bool) -> Bool {
        let flag = read(key) { scalar throws(ScalarFault) in
            switch scalar.text {
            case "true" where scalar.isPlain: return true
            case "false" where scalar.isPlain: return false
            default: throw ScalarFault("has to be true or false, without quotes")
            }
        }
        return flag ?? standard
    }

    /// One word of a few.
    package func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ key: String, default standard: Choice
    ) -> Choice {
        let choice = read(key) { scalar throws(ScalarFault) in
            guard let choice = Choice(rawValue: scalar.text) else {
                let words = Choice.allCases.map(\.rawValue).joined(separator: ", ")
                throw ScalarFault("is none of \(words)")
            }
            return choice
        }
        return choice ?? standard
    }

    /// Anything else that is made of one scalar. Nil when it is absent or complained about.
    /// `shown` is the part of the scalar that a complaint may repeat.
    package func read<Value>(
        _ key: String, showing shown: (String) -> String = { $0 },
        _ meaning: (Scalar) throws(ScalarFault) -> Value
    ) -> Value? {
        guard let scalar = scalar(key) else { return nil }
        do throws(ScalarFault) {
            return try meaning(scalar)
        } catch {
            faulty.insert(key)
            let text = "\(path(of: key)): \(quoted(shown(scalar.text))) \(error.text)"
            complaints.add(text, at: scalar.position)
            return nil
        }
    }

    /// The same for a key that may have one value or a list of them: what is complained about is
    /// left out. Empty when the key is absent.
    package func read<Value>(
        listOf key: String, _ meaning: (Scalar) throws(ScalarFault) -> Value
    ) -> [Located<Value>] {
        guard let node = node(key) else { return [] }
        switch node.content {
        case .scalar: return read(node, named: path(of: key), meaning).map { [$0] } ?? []
        case .sequence(let items):
            if items.isEmpty { fault(key, node, "is an empty list") }
            return items.enumerated().compactMap { index, item in
                read(item, named: "\(path(of: key))[\(index)]", meaning)
            }
        case .mapping, .refused:
            fault(key, node, "has to be one value or a list of them")
            return []
        }
    }

    private func read<Value>(
        _ item: Node, named name: String, _ meaning: (Scalar) throws(ScalarFault) -> Value
    ) -> Located<Value>? {
        switch item.content {
        case .scalar(let scalar) where scalar.isNull:
            complaints.add("\(name) has no value; give it one or remove it", at: item.position)
        case .scalar(let scalar):
            do throws(ScalarFault) {
                return Located(try meaning(scalar), at: item.position)
            } catch {
                let text = "\(name): \(quoted(scalar.text)) \(error.text)"
                complaints.add(text, at: item.position)
            }
        case .sequence, .mapping: complaints.add("\(name) has to be one value", at: item.position)
        case .refused: break
        }
        return nil
    }

    /// Says that `key` has to be there, unless it is there and wrong, or the whole section is.
    package func require(_ key: String, _ example: String) {
        guard isReadable, entries[key] == nil else { return }
        complaints.add(
            "\(path(of: key)) is missing; it is required, for example \(example)", at: position)
    }

    /// Where the value of `key` is written; nil when it is absent or complained about.
    package func position(of key: String) -> Position? {
        faulty.contains(key) ? nil : entries[key]?.value.position
    }

    /// Does `key` stand in the file?
    package func holds(_ key: String) -> Bool { entries[key] != nil }

    /// Was `key` complained about?
    package func isFaulty(_ key: String) -> Bool { faulty.contains(key) || !isReadable }

    package func path(of key: String) -> String {
        let isPlain = key.utf8.count <= 60 && key.utf8.allSatisfy(\.isHarmlessInPath)
        let shown = takesAnyName && !isPlain ? quoted(key) : key
        return path.isEmpty ? shown : "\(path).\(shown)"
    }

    private func knownPath(of key: String) -> String {
        let name = takesAnyName ? "NAME" : key
        return knownPath.isEmpty ? name : "\(knownPath).\(name)"
    }

    /// Complains about a key, which is a name that the operator chose.
    package func complain(aboutName name: Located<String>, _ text: String) {
        faulty.insert(name.value)
        complaints.add("\(path): \(quoted(name.value)) \(text)", at: name.position)
    }

    /// Complains about what stands here as a whole.
    package func complain(_ text: String) { complaints.add("\(path) \(text)", at: position) }

    /// The same, unless the section is itself broken and complained about.
    package func complainWhenReadable(_ text: String) { if isReadable { complain(text) } }

    private func node(_ key: String) -> Node? {
        if !takesAnyName, !known.contains(key) { known.append(key) }
        guard let entry = entries[key] else { return nil }
        if case .scalar(let scalar) = entry.value.content, scalar.isNull {
            let text = "\(path(of: key)) has no value; give it one or remove the key"
            if faulty.insert(key).inserted { complaints.add(text, at: entry.position) }
            return nil
        }
        return entry.value
    }

    private func fault(_ key: String, _ node: Node, _ text: String) {
        faulty.insert(key)
        if case .refused = node.content { return }
        complaints.add("\(path(of: key)) \(text)", at: node.position)
    }
}

extension Section {
    /// Every key that was asked for, here and below: the section's path and the key's name.
    var knownKeys: [KnownKey] {
        known.flatMap { key in
            [KnownKey(section: knownPath, name: key)] + (subsections[key]?.knownKeys ?? [])
        } + (template?.knownKeys ?? [])
    }

    /// Complains about each key that nobody asked for. To be called once, at the top, last.
    package func reportUnknownKeys() { reportUnknownKeys(among: knownKeys) }

    private func reportUnknownKeys(among all: [KnownKey]) {
        let unknown = takesAnyName ? [] : entries.values.filter { !known.contains($0.key) }
        let ordered = unknown.sorted { $0.position < $1.position }
        for (index, entry) in ordered.enumerated() {
            let hint =
                index < Complaints.shownMax && complaints.takesAnotherHint()
                ? KnownKey.hint(for: entry.key, in: knownPath, among: all) : "remove it"
            let place = path.isEmpty ? "" : " in \"\(path)\""
            complaints.add("unknown key \(quoted(entry.key))\(place); \(hint)", at: entry.position)
        }
        // In the order of the file, so that the problems that are shown are those with hints.
        for section in subsections.values.sorted(by: { $0.position < $1.position }) {
            section.reportUnknownKeys(among: all)
        }
    }
}

extension UInt8 {
    /// Can stand in a dotted path without quotes.
    fileprivate var isHarmlessInPath: Bool {
        isLetter || isDigit || self == UInt8(ascii: "-") || self == UInt8(ascii: "_")
            || self == UInt8(ascii: "@")
    }
}
