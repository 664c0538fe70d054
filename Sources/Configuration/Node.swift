/// The file as a tree, with everything refused that YAML can do and a configuration should not.
struct Node {
    indirect enum Content {
        case scalar(Scalar)
        case sequence([Node])
        case mapping([Entry])
        /// A complaint about it stands already, so nobody needs to complain again.
        case refused
    }

    let content: Content
    let position: Position
}

/// One key with its value.
struct Entry {
    let key: String
    let position: Position
    let value: Node
}

extension Node {
    static let bytesMax = 1 << 20
    static let depthMax = 16

    /// The root of the file's only document. Nil when there is none to work with; what is wrong is
    /// then among the complaints.
    static func root(of bytes: [UInt8], complaints: Complaints) -> Node? {
        guard bytes.count <= bytesMax else {
            complaints.add(
                "the file is larger than \(Quantity.bytes.text(bytesMax))", at: .start)
            return nil
        }
        // Editors on other systems put a byte order mark there (YAML 1.2 section 5.2).
        let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
        if let fault = encodingFault(in: text) {
            complaints.add(fault.text, at: fault.position)
            return nil
        }
        var composer = Composer(events: EventStream(text), complaints: complaints)
        do throws(SyntaxFault) {
            return try composer.document()
        } catch {
            complaints.add(error.text, at: error.position)
            return nil
        }
    }

    /// The first byte that is not UTF-8, or the first character that YAML bans (1.2 section 5.1).
    private static func encodingFault(in text: ArraySlice<UInt8>) -> SyntaxFault? {
        var decoder = UTF8()
        var bytes = text.makeIterator()
        var (line, column) = (1, 1)
        while true {
            let position = Position(line: line, column: column)
            switch decoder.decode(&bytes) {
            case .emptyInput: return nil
            case .error:
                return SyntaxFault(position: position, text: "the file is not UTF-8 from here on")
            case .scalarValue("\n"): (line, column) = (line + 1, 1)
            case .scalarValue(let scalar):
                if isBanned(scalar) {
                    let code = String(scalar.value, radix: 16, uppercase: true)
                    let text = "the character U+\(code) cannot stand in the file; remove it"
                    return SyntaxFault(position: position, text: text)
                }
                column += 1
            }
        }
    }

    private static func isBanned(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09, 0x0A, 0x0D, 0x20...0x7E, 0x85: false
        case 0xFEFF, 0xFFFE, 0xFFFF: true
        case let value: value < 0xA0
        }
    }
}

extension Position {
    static let start = Position(line: 1, column: 1)
}

/// Builds the tree from events. Whatever it dislikes and can step over becomes a complaint; what
/// it cannot is thrown.
private struct Composer: ~Copyable {
    var events: EventStream
    let complaints: Complaints

    init(events: consuming EventStream, complaints: Complaints) {
        self.events = events
        self.complaints = complaints
    }

    mutating func document() throws(SyntaxFault) -> Node? {
        _ = try events.next()
        let start = try events.next()
        guard case .documentStart(let hasDirective) = start.kind else {
            complaints.add("the file is empty; the sample shows what belongs in it", at: .start)
            return nil
        }
        if hasDirective {
            complaints.add("a directive (\"%\") is not accepted", at: start.position)
        }
        let root = try node(from: events.next(), depth: 1)
        _ = try events.next()
        let end = try events.next()
        if case .documentStart = end.kind {
            complaints.add(
                "a second document begins here; one file is one document", at: end.position)
        }
        return root
    }

    private mutating func node(from event: Event, depth: Int) throws(SyntaxFault) -> Node {
        guard depth <= Node.depthMax else {
            let text = "more than \(Node.depthMax) levels are nested here"
            throw SyntaxFault(position: event.position, text: text)
        }
        complainAboutProperties(of: event)
        switch event.kind {
        case .scalar(let text, let isPlain):
            let scalar = Scalar(text: text, isPlain: isPlain, position: event.position)
            return Node(content: .scalar(scalar), position: event.position)
        case .sequenceStart:
            return Node(content: .sequence(try items(depth)), position: event.position)
        case .mappingStart:
            return Node(content: .mapping(try entries(depth)), position: event.position)
        default:
            complaints.add(
                "an alias (\"*\") is not accepted; text that begins with * needs quotes",
                at: event.position)
            return Node(content: .refused, position: event.position)
        }
    }

    private mutating func items(_ depth: Int) throws(SyntaxFault) -> [Node] {
        var items: [Node] = []
        while true {
            let event = try events.next()
            if case .sequenceEnd = event.kind { return items }
            items.append(try node(from: event, depth: depth + 1))
        }
    }

    private mutating func entries(_ depth: Int) throws(SyntaxFault) -> [Entry] {
        var entries: [Entry] = []
        while true {
            let event = try events.next()
            if case .mappingEnd = event.kind { return entries }
            let key = try node(from: event, depth: depth + 1)
            let value = try node(from: events.next(), depth: depth + 1)
            guard let name = name(of: key) else { continue }
            entries.append(Entry(key: name, position: key.position, value: value))
        }
    }

    /// The text of a key. A merge key (YAML 1.1's `<<`) is none: it would pull in other places.
    private func name(of key: Node) -> String? {
        switch key.content {
        case .scalar(let scalar) where scalar.isPlain && scalar.text == "<<":
            complaints.add("a merge key (\"<<\") is not accepted", at: key.position)
            return nil
        case .scalar(let scalar): return scalar.text
        case .refused: return nil
        case .sequence, .mapping:
            complaints.add("a key has to be one word", at: key.position)
            return nil
        }
    }

    private func complainAboutProperties(of event: Event) {
        if event.hasAnchor {
            complaints.add(
                "an anchor (\"&\") is not accepted; text that begins with & needs quotes",
                at: event.position)
        }
        if event.hasTag {
            complaints.add(
                "a tag (\"!\") is not accepted; text that begins with ! needs quotes",
                at: event.position)
        }
    }
}
