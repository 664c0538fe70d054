import Bytes

/// A key that the gate understands, and the section it belongs to.
struct KnownKey: Hashable {
    let section: String
    let name: String

    var path: String { section.isEmpty ? name : "\(section).\(name)" }

    private var home: String { section.isEmpty ? "at the top level" : "in \"\(section)\"" }

    /// What the operator may have meant by an unknown key of a section.
    static func hint(for key: String, in section: String, among all: [KnownKey]) -> String {
        let here = all.filter { $0.section == section }
        let homes = all.filter { $0.name == key }.map(\.home)
        if !homes.isEmpty { return "it belongs \(homes.joined(separator: " or "))" }
        let word = normalized(key)
        if let whole = all.first(where: { normalized($0.path) == word && $0.section != section }) {
            return "write it as \"\(whole.name)\" \(whole.home)"
        }
        guard word.count <= 64 else { return "remove it" }  // Bounds the work of one unknown key.
        if let close = closest(to: word, among: here) ?? continued(from: word, among: here) {
            return "did you mean \"\(close.name)\"?"
        }
        if let close = closest(to: word, among: all) {
            return "did you mean \"\(close.name)\" \(close.home)?"
        }
        guard here.count <= 12 else { return "remove it" }
        return "known here: \(here.map(\.name).joined(separator: ", "))"
    }

    /// The key at the smallest distance, if that is small against the length of the word.
    private static func closest(to word: [UInt8], among keys: [KnownKey]) -> KnownKey? {
        let near = keys.map { (key: $0, distance: distance(word, Array($0.name.utf8))) }
            .min { $0.distance < $1.distance }
        guard let near, near.distance <= min(3, (word.count + 1) / 3) else { return nil }
        return near.key
    }

    /// A key that the word begins, as `cert` does, or that begins the word, as in `series_maximum`.
    private static func continued(from word: [UInt8], among keys: [KnownKey]) -> KnownKey? {
        guard word.count >= 3 else { return nil }
        return keys.first { key in
            let name = key.name.utf8
            return name.starts(with: word) || name.count >= 3 && word.starts(with: name)
        }
    }

    /// Lower case, with one mark between words, whichever the operator took.
    private static func normalized(_ key: String) -> [UInt8] {
        key.utf8.map { byte in
            byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
                ? UInt8(ascii: "_") : byte.lowercased
        }
    }

    /// How many letters have to be inserted, removed, replaced or swapped with their neighbour.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for (row, letter) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                var cost = min(
                    last[column] + (letter == other ? 0 : 1), last[column + 1] + 1,
                    current[column] + 1)
                if row > 0, column > 0, letter == right[column - 1], left[row - 1] == other {
                    cost = min(cost, beforeLast[column - 1] + 1)
                }
                current.append(cost)
            }
            (beforeLast, last) = (last, current)
        }
        return last[right.count]
    }
}
