import Exposition
import Fuzzing

/// A body, and after a byte that no text has, what is changed in it to make a second one: with the first
/// as its precedent the second has the verdict that it has without.
@main
struct PrecedentFuzzer {
    private static let end: UInt8 = 0xFF

    static func main() {
        var usual = PrecedentPromises(Rules())
        var narrow = Rules()
        narrow.labelConflicts = .overwritten
        narrow.allowsUTF8Names = true
        narrow.seriesMax = 5
        narrow.lineBytesMax = 90
        var bounded = PrecedentPromises(narrow)
        fuzz { input in
            let bytes = input.copy
            let place = bytes.firstIndex(of: end) ?? bytes.count
            let body = Array(bytes[..<place])
            var changes = Array(bytes[place...].dropFirst())
            var choices = Choices(from: input)
            // Where nothing is changed, one byte is.
            if changes.count < 4 { changes = (0..<4).map { _ in UInt8(choices.number(upTo: 255)) } }
            let other = changed(body, by: changes)
            let cuts = choices.cuts(of: other.count)
            usual.check(other, after: body, cuts: cuts)
            bounded.check(other, after: body, cuts: cuts)
        }
    }

    private static let values = [
        "0", "-1", "+7", "NaN", "-Inf", "-1e-400", "1e400", "2.5e-3", "1 2", "", "x", "1\r", "-0",
        "123456789012345678901234567890", String(repeating: "9", count: 64),
        String(repeating: "9", count: 65),
    ].map { Array($0.utf8) }

    /// Each change is four bytes: what to do, where, and with which byte or value.
    private static func changed(_ body: [UInt8], by changes: [UInt8]) -> [UInt8] {
        var body = body
        for start in stride(from: 0, through: changes.count - 4, by: 4) {
            let place = Int(changes[start + 1]) << 8 | Int(changes[start + 2])
            let byte = changes[start + 3]
            switch changes[start] % 5 {
            case 0: body.insert(byte, at: place % (body.count + 1))
            case 1 where !body.isEmpty: body[place % body.count] = byte
            case 2 where !body.isEmpty: body.remove(at: place % body.count)
            case 3, 4: putValue(values[Int(byte) % values.count], into: place, of: &body)
            default: break
            }
        }
        return body
    }

    /// Puts a value in place of what stands behind the last blank or brace of a line.
    private static func putValue(_ value: [UInt8], into number: Int, of body: inout [UInt8]) {
        var lines = body.split(separator: 0x0A, omittingEmptySubsequences: false)
        let number = number % lines.count
        guard let end = lines[number].lastIndex(where: { $0 <= 0x20 || $0 == 0x7D }) else { return }
        lines[number] = lines[number][...end] + value
        body = Array(lines.joined(separator: [0x0A]))
    }
}

/// What a precedent promises under one set of rules.
private struct PrecedentPromises: ~Copyable {
    private var validator: Validator

    private struct Verdict: Equatable {
        var complaints: [Complaint] = []
        var summary: Validator.Summary
        var families: [FamilyKey: FamilyType] = [:]
    }

    init(_ rules: Rules) { validator = Validator(rules: rules) }

    mutating func check(_ other: [UInt8], after body: [UInt8], cuts: [Int]) {
        _ = judge(body)
        guard let precedent = Precedent(validator, of: body.span) else { return }
        let verdict = judge(body)
        promise(follow(precedent, body, cuts: []) == verdict, "a body follows itself")
        let alone = judge(other)
        promise(follow(precedent, other, cuts: cuts) ?? alone == alone, "a follower is right")
    }

    private mutating func judge(_ body: [UInt8]) -> Verdict {
        validator.reset()
        validator.group.append(name: "job", value: "x")
        validator.group.append(name: "b", value: "é")
        validator.validate(body.span, isComplete: true)
        var verdict = Verdict(complaints: validator.complaints, summary: validator.summary)
        if validator.isValid { validator.forEachFamily { verdict.families[$0] = $1 } }
        return verdict
    }

    /// Nil where it departs.
    private func follow(_ precedent: Precedent, _ body: [UInt8], cuts: [Int]) -> Verdict? {
        var walk = Precedent.Walk()
        for end in cuts + [body.count] {
            let arrived = body.span.copy(0..<end)
            let follows = precedent.isFollowed(
                by: arrived.span, isComplete: end == body.count, &walk)
            if !follows { return nil }
        }
        var verdict = Verdict(summary: precedent.summary)
        precedent.forEachFamily { verdict.families[$0] = $1 }
        return verdict
    }
}
