/// One mapping of the file, read key by key. What is asked for is what is known: after everything
/// has been asked, the keys that nobody asked for are the unknown ones.
final class Section {
    /// `limits.body_rate_min`; empty at the top.
    let path: String
    private let complaints: Complaints
    /// Where a key that is missing here would belong.
    private let position: Position
    /// Whether keys can be missing: not in a section that is itself broken.
    private let isReadable: Bool
    private let entries: [String: Entry]
    private var known: [String] = []
    private var subsections: [Section] = []
    private var faulty: Set<String> = []

    /// The file's top level.
    convenience init(root: Node, complaints: Complaints) {
        self.init("", root, complaints: complaints, position: root.position, isReadable: true)
    }

    private init(
        _ path: String, _ node: Node?, complaints: Complaints, position: Position, isReadable: Bool
    ) {
        (self.path, self.complaints, self.position) = (path, complaints, position)
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
    func section(_ key: String) -> Section {
        let path = self.path(of: key)
        if let section = subsections.first(where: { $0.path == path }) { return section }
        let node = node(key)
        let section = Section(
            path, node, complaints: complaints, position: entries[key]?.position ?? position,
            isReadable: isReadable && !faulty.contains(key))
        subsections.append(section)
        return section
    }

    /// The one value of `key`. Nil when it is absent, or complained about.
    func scalar(_ key: String) -> Scalar? {
        guard let node = node(key) else { return nil }
        guard case .scalar(let scalar) = node.content else {
            fault(key, node, "has to be one value")
            return nil
        }
        return scalar
    }

    /// A number within its bounds; the default when it is absent or complained about.
    func value<Value>(
        _ key: String, _ quantity: Quantity<Value>, default standard: Value,
        in bounds: ClosedRange<Value>
    ) -> Value {
        let value = read(key) { scalar throws(ScalarFault) in
            let value = try quantity.read(scalar)
            guard bounds.contains(value) else {
                let (least, most) = (
                    quantity.text(bounds.lowerBound), quantity.text(bounds.upperBound)
                )
                throw ScalarFault("is out of bounds; \(least) to \(most) is possible")
            }
            return value
        }
        return value ?? standard
    }

    /// One word of a few.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(
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
    func read<Value>(
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
    func read<Value>(
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
    func require(_ key: String, _ example: String) {
        guard isReadable, entries[key] == nil else { return }
        complaints.add(
            "\(path(of: key)) is missing; it is required, for example \(example)", at: position)
    }

    /// Where the value of `key` is written; nil when it is absent or complained about.
    func position(of key: String) -> Position? {
        faulty.contains(key) ? nil : entries[key]?.value.position
    }

    /// Was `key` complained about?
    func isFaulty(_ key: String) -> Bool { faulty.contains(key) || !isReadable }

    func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    private func node(_ key: String) -> Node? {
        if !known.contains(key) { known.append(key) }
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
            [KnownKey(section: path, name: key)]
                + (subsections.first { $0.path == path(of: key) }?.knownKeys ?? [])
        }
    }

    /// Complains about each key that nobody asked for. To be called once, at the top, last.
    func reportUnknownKeys() { reportUnknownKeys(among: knownKeys) }

    private func reportUnknownKeys(among all: [KnownKey]) {
        let unknown = entries.values.filter { !known.contains($0.key) }
            .sorted { $0.position < $1.position }
        for (index, entry) in unknown.enumerated() {
            // A hint costs work, and no more than so many are ever shown.
            let hint =
                index < Complaints.shownMax
                ? KnownKey.hint(for: entry.key, in: path, among: all) : "remove it"
            let place = path.isEmpty ? "" : " in \"\(path)\""
            complaints.add("unknown key \(quoted(entry.key))\(place); \(hint)", at: entry.position)
        }
        for section in subsections { section.reportUnknownKeys(among: all) }
    }
}
