import CYAML

/// One step of the file as libyaml sees it.
struct Event {
    enum Kind {
        case streamStart, streamEnd
        case documentStart(hasDirective: Bool)
        case documentEnd
        case alias
        /// `isPlain` says that the text stands without quotes, so it may be a number or a null.
        case scalar(String, isPlain: Bool)
        case sequenceStart, sequenceEnd
        case mappingStart, mappingEnd
    }

    let kind: Kind
    let position: Position
    var hasAnchor = false
    var hasTag = false
}

/// What libyaml stopped at, in our words.
struct SyntaxFault: Error {
    let position: Position
    let text: String
}

/// libyaml's event stream over the bytes of one file. The only place that touches C.
@safe
struct EventStream: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    /// A copy, because the parser keeps a pointer to it between two events.
    private let input: UnsafeMutableBufferPointer<UInt8>

    /// Takes UTF-8 without a byte order mark and without control characters.
    init(_ bytes: ArraySlice<UInt8>) {
        unsafe input = .allocate(capacity: bytes.count)
        _ = unsafe input.initialize(fromContentsOf: bytes)
        unsafe parser = .allocate(capacity: 1)
        let isReady = unsafe yaml_parser_initialize(parser)
        precondition(isReady == 1)  // It fails only without memory, as any allocation does here.
        unsafe yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        unsafe yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    }

    deinit {
        unsafe yaml_parser_delete(parser)
        unsafe parser.deallocate()
        unsafe input.deallocate()
    }

    /// The next event. After an error or the end of the stream nothing more may be asked.
    mutating func next() throws(SyntaxFault) -> Event {
        var event = unsafe yaml_event_t()
        guard unsafe yaml_parser_parse(parser, &event) == 1 else { throw fault() }
        defer { unsafe yaml_event_delete(&event) }
        return unsafe Event(event)
    }

    /// libyaml says what it wanted in terms of its own grammar; the operator is told what to
    /// change in the file.
    private func fault() -> SyntaxFault {
        let problem = unsafe parser.pointee.problem.map { unsafe String(cString: $0) } ?? ""
        let context = unsafe parser.pointee.context.map { unsafe String(cString: $0) } ?? ""
        let here = unsafe Position(parser.pointee.problem_mark)
        let start = unsafe Position(parser.pointee.context_mark)
        let advice = SyntaxAdvice.rows.first {
            problem.contains($0.problem) && context.contains($0.context)
        }
        guard let advice else { return SyntaxFault(position: here, text: "this is not valid YAML") }
        switch advice.place {
        case .start: return SyntaxFault(position: start, text: advice.text)
        case .here: return SyntaxFault(position: here, text: advice.text)
        case .hereNamingStart:
            let text = advice.text + "; it begins in line \(start.line)"
            return SyntaxFault(position: here, text: text)
        }
    }
}

extension Position {
    /// libyaml counts from 0.
    fileprivate init(_ mark: yaml_mark_t) {
        self.init(line: Int(clamping: mark.line) + 1, column: Int(clamping: mark.column) + 1)
    }
}

extension Event {
    fileprivate init(_ event: yaml_event_t) {
        unsafe position = Position(event.start_mark)
        switch unsafe event.type {
        case YAML_STREAM_START_EVENT: kind = .streamStart
        case YAML_DOCUMENT_START_EVENT:
            let start = unsafe event.data.document_start
            let hasTagDirective = unsafe start.tag_directives.start != start.tag_directives.end
            kind = .documentStart(
                hasDirective: unsafe start.version_directive != nil || hasTagDirective)
        case YAML_DOCUMENT_END_EVENT: kind = .documentEnd
        case YAML_ALIAS_EVENT: kind = .alias
        case YAML_SCALAR_EVENT:
            let scalar = unsafe event.data.scalar
            let bytes = unsafe UnsafeBufferPointer(start: scalar.value, count: scalar.length)
            kind = .scalar(
                unsafe String(decoding: bytes, as: UTF8.self),
                isPlain: unsafe scalar.style == YAML_PLAIN_SCALAR_STYLE)
            (hasAnchor, hasTag) = unsafe (scalar.anchor != nil, scalar.tag != nil)
        case YAML_SEQUENCE_START_EVENT:
            kind = .sequenceStart
            let start = unsafe event.data.sequence_start
            (hasAnchor, hasTag) = unsafe (start.anchor != nil, start.tag != nil)
        case YAML_SEQUENCE_END_EVENT: kind = .sequenceEnd
        case YAML_MAPPING_START_EVENT:
            kind = .mappingStart
            let start = unsafe event.data.mapping_start
            (hasAnchor, hasTag) = unsafe (start.anchor != nil, start.tag != nil)
        case YAML_MAPPING_END_EVENT: kind = .mappingEnd
        default: kind = .streamEnd
        }
    }
}

/// One complaint of libyaml 0.2, recognised by its words, and ours in its place.
private struct SyntaxAdvice {
    enum Place { case here, start, hereNamingStart }

    let context: String
    let problem: String
    let place: Place
    let text: String

    init(_ problem: String, in context: String = "", at place: Place = .here, _ text: String) {
        (self.problem, self.context, self.place, self.text) = (problem, context, place, text)
    }

    static let rows = [
        SyntaxAdvice("", in: "directive", at: .start, "a directive (\"%\") is not accepted"),
        SyntaxAdvice("%", "a directive (\"%\") is not accepted"),
        SyntaxAdvice("incompatible YAML", "a directive (\"%\") is not accepted"),
        SyntaxAdvice(
            "", in: "anchor", at: .start,
            "an anchor (\"&\") is not accepted; text that begins with & needs quotes"),
        SyntaxAdvice(
            "", in: "alias", at: .start,
            "an alias (\"*\") is not accepted; text that begins with * needs quotes"),
        SyntaxAdvice(
            "", in: "a tag", at: .start,
            "a tag (\"!\") is not accepted; text that begins with ! needs quotes"),
        SyntaxAdvice(
            "tag handle", "a tag (\"!\") is not accepted; text that begins with ! needs quotes"),
        SyntaxAdvice("unexpected end of stream", at: .start, "this quote is never closed"),
        SyntaxAdvice("unexpected document indicator", at: .start, "this quote is never closed"),
        SyntaxAdvice(
            "", in: "quoted scalar",
            "an escape that YAML does not know; single quotes keep a backslash as it is"),
        SyntaxAdvice("tab character", "a tab cannot indent; use spaces"),
        SyntaxAdvice(
            "", in: "block scalar", "only a comment may follow \"|\" or \">\" in its line"),
        SyntaxAdvice(
            "could not find expected ':'", at: .start,
            "a \":\" is missing behind this key; a key and its colon stand in one line"),
        SyntaxAdvice(
            "mapping values are not allowed",
            "a \":\" cannot stand here; put text that holds \": \" in quotes, and check the "
                + "indentation and the line above"),
        SyntaxAdvice("mapping keys are not allowed", "a key cannot stand here"),
        SyntaxAdvice(
            "block sequence entries",
            "a list entry (\"- \") cannot stand here; begin a line with it"),
        SyntaxAdvice(
            "cannot start any token",
            "text cannot begin with this character; put it in quotes, and indent with spaces only"),
        SyntaxAdvice(
            "expected ',' or ']'", at: .hereNamingStart, "a \",\" or \"]\" is missing in the list"),
        SyntaxAdvice(
            "expected ',' or '}'", at: .hereNamingStart, "a \",\" or \"}\" is missing in the braces"
        ),
        SyntaxAdvice(
            "expected '-'", "a list entry (\"- \") is missing; all entries begin in one column"),
        SyntaxAdvice(
            "did not find expected key",
            "only a key can stand here; the keys of a section begin in one column, and nothing "
                + "follows a closing quote, \"]\" or \"}\""),
        SyntaxAdvice(
            "expected node content",
            "a value is missing; text that holds \"[\", \"]\" or \",\" or begins with \":\" needs "
                + "quotes"
        ),
        SyntaxAdvice("document start", "nothing can follow here; check the indentation"),
        SyntaxAdvice("unexpected ':'", "a \":\" cannot stand here; put the text in quotes"),
    ]
}
