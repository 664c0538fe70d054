import Bytes
package import Configuration
package import Reactor

/// Something that is to be so, and what may be done when it is not.
package struct Check: Sendable {
    package let name: String
    package let target: Target
    package let expectation: Expectation
    package let timeout: Interval
    /// Checks that come earlier in the file. While one of them fails this one is not repaired: what it
    /// sees is that one's fault.
    package let after: [String]
    /// The first is taken at once, the next when the one before has not helped, the last from then on.
    package let steps: [Step]
    /// At so many failures in a row nothing is repaired any more, until it is good again by itself.
    package let holdAfter: Int?
    /// The units whose journal is saved when it goes on failing.
    package let journal: [String]

    package enum Target: Equatable, Sendable {
        case unit(String)
        case port(ListenAddress)
        case http(url: String, method: String, authorityFile: String?)
        case command([String])
        /// The push script with this file of settings.
        case push(settings: String)
    }

    /// What makes an answer or an output good.
    package struct Expectation: Equatable, Sendable {
        /// Of HTTP.
        package var statuses = [200]
        package var contains: String?
        /// But for blanks and line feeds at its end.
        package var equals: String?

        package init() {}
    }

    /// One thing that may mend it.
    package enum Step: Hashable, Sendable, CustomStringConvertible {
        case restart(unit: String)
        case run([String])

        package var description: String {
            switch self {
            case .restart(let unit): "restart \(unit)"
            case .run(let words): "run \(words.joined(separator: " "))"
            }
        }
    }
}

extension Check.Expectation {
    /// Why this is not what was expected; nil when it is.
    func fault(in output: [UInt8]) -> String? {
        var text = String(decoding: output, as: UTF8.self)
        if let contains, !text.contains(contains) {
            return "does not contain \"\(contains)\" but begins \"\(text.excerpt)\""
        }
        guard let equals else { return nil }
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return text == equals ? nil : "is \"\(text.excerpt)\" and not \"\(equals)\""
    }
}

extension String {
    /// As much of it as a line of the log may have, as one line.
    var excerpt: String {
        var shown = unicodeScalars[...]
        while let last = shown.last, last.properties.isWhitespace { shown.removeLast() }
        // Not characters: one can be of any length.
        let line = shown.prefix(160).map { Character($0).isNewline ? " " : $0 }
        return String(String.UnicodeScalarView(line)) + (line.count < shown.count ? "…" : "")
    }
}
