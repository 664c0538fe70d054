import Exposition
import Testing

/// What a validator said of a body, kept after it is gone.
struct Verdict: Equatable {
    var complaints: [Complaint]
    var summary: Validator.Summary
    var isValid: Bool { summary.complaints == 0 }
    var first: Complaint? { complaints.first }
}

/// Judges a body that arrives in pieces, cut at the given offsets.
func judge(_ body: [UInt8], _ rules: Rules = Rules(), cuts: [Int] = []) -> Verdict {
    var validator = Validator(rules: rules)
    return judge(body, with: &validator, cuts: cuts)
}

func judge(
    _ body: [UInt8], with validator: inout Validator, cuts: [Int] = [],
    group: KeyValuePairs<String, String> = [:]
) -> Verdict {
    validator.reset()
    for (name, value) in group { validator.group.append(name: name, value: value) }
    for cut in cuts {
        // A buffer of its own for each call: nothing may be kept but offsets.
        let arrived = Array(body[..<cut])
        validator.validate(arrived.span, isComplete: false)
    }
    validator.validate(body.span, isComplete: true)
    #expect(validator.isValid == (validator.summary.complaints == 0))
    return Verdict(complaints: validator.complaints, summary: validator.summary)
}

func judge(_ body: String, _ rules: Rules = Rules()) -> Verdict { judge(Array(body.utf8), rules) }

extension Rules {
    /// The grammar alone, as wide as it goes.
    static var grammar: Rules {
        var rules = Rules()
        rules.demandsPushable = false
        rules.seriesMax = 1_000_000
        rules.sampleLabelsMax = 100_000
        rules.labelValueBytesMax = 1_000_000
        rules.lineBytesMax = 1_000_000
        return rules
    }

    /// What a Pushgateway takes, without limits of our own.
    static var unlimited: Rules {
        var rules = grammar
        rules.demandsPushable = true
        return rules
    }

    static var utf8: Rules {
        var rules = grammar
        rules.allowsUTF8Names = true
        return rules
    }
}
