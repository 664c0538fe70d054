package import Exposition

/// What a validator promises of every body, under one set of rules.
package struct ValidatorPromises: ~Copyable {
    private var validator: Validator
    private let rules: Rules
    private let format: Format
    /// A body that is right under the rules, and what is found in it.
    private let good: [UInt8]
    private let goodSummary: Validator.Summary
    private let start: @Sendable (inout Validator) -> Void

    private struct Verdict: Equatable {
        var complaints: [Complaint]
        var summary: Validator.Summary
    }

    package init(
        _ rules: Rules, format: Format, good: [UInt8],
        start: @escaping @Sendable (inout Validator) -> Void
    ) {
        self.rules = rules
        self.format = format
        self.good = good
        self.start = start
        validator = Validator(rules: rules)
        start(&validator)
        validator.validate(good.span, isComplete: true)
        goodSummary = validator.summary
        let isValid = validator.isValid
        promise(isValid && goodSummary.samples > 0, "the good body is good")
    }

    package mutating func check(_ input: Span<UInt8>) {
        let whole = judge(input, cuts: [])
        var choices = Choices(from: input)
        let cuts = choices.cuts(of: input.count)
        promise(judge(input, cuts: cuts) == whole, "cut at \(cuts) it is the same body")
        checkSummary(of: whole, input)
        checkComplaints(of: whole, input)

        let good = good
        let again = judge(good.span, cuts: [])
        promise(again.summary == goodSummary, "nothing is left of the body before")
    }

    private mutating func judge(_ input: Span<UInt8>, cuts: [Int]) -> Verdict {
        start(&validator)
        for cut in cuts {
            let arrived = input.copy(0..<cut)
            validator.validate(arrived.span, isComplete: false)
        }
        validator.validate(input, isComplete: true)
        promise(
            validator.isValid == (validator.summary.complaints == 0), "valid is without complaint")
        return Verdict(complaints: validator.complaints, summary: validator.summary)
    }

    private func checkSummary(of verdict: Verdict, _ input: Span<UInt8>) {
        let summary = verdict.summary
        promise(summary.samples <= rules.seriesMax, "no more samples than allowed")
        promise(summary.samples <= input.count, "a sample takes a byte at least")
        promise(summary.families <= summary.samples, "each family has a sample")
        let kept = min(summary.complaints, rules.complaintsMax)
        promise(verdict.complaints.count == kept, "complaints are kept up to the bound")
    }

    private func checkComplaints(of verdict: Verdict, _ input: Span<UInt8>) {
        var last = 1
        for complaint in verdict.complaints {
            promise(complaint.line >= last, "complaints are in the order of their lines")
            promise(complaint.column >= 1, "a column is counted from one")
            last = complaint.line
            if format == .text { checkPlace(of: complaint, input) }
            let bytesMax = ValidatorPromises.evidenceBytesMax
            promise(isHarmless(complaint.evidence, bytesMax: bytesMax), complaint.evidence)
            promise(isHarmless(complaint.message, bytesMax: 500), complaint.message)
        }
    }

    /// The line is one of the body's, and the column in it or one past it.
    private func checkPlace(of complaint: Complaint, _ input: Span<UInt8>) {
        var line = 1
        var offset = 0
        while line < complaint.line, offset < input.count {
            if input[offset] == 0x0A { line += 1 }
            offset += 1
        }
        promise(line == complaint.line, "line \(complaint.line) is in the body")
        promise(offset + complaint.column - 1 <= input.count, "column \(complaint.column) is in it")
    }

    /// Sixty bytes of the body, each escaped as `\xff`, two quotes and an ellipsis.
    private static var evidenceBytesMax: Int { 60 * 4 + 2 + 3 }
}

extension Rules {
    /// What a gate has, what the parser alone has with UTF-8 names, and bounds that are soon reached.
    package static var kinds: [Rules] {
        var grammar = Rules()
        grammar.demandsPushable = false
        grammar.allowsUTF8Names = true
        var tight = Rules()
        tight.labelConflicts = .overwritten
        tight.complaintsMax = 2
        tight.seriesMax = 3
        tight.sampleLabelsMax = 2
        tight.labelValueBytesMax = 8
        tight.lineBytesMax = 64
        return [Rules(), grammar, tight]
    }
}
