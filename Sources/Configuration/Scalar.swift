import Bytes

/// One value of the file before it has a meaning. The meanings are ours alone: `yes`, `1_000`,
/// `0x10` and `12:30` are texts here, whatever YAML 1.1 makes of them.
package struct Scalar {
    package let text: String
    /// Written without quotes. What is quoted is never a number and never null.
    package let isPlain: Bool
    package let position: Position

    var isNull: Bool { isPlain && ["", "~", "null", "Null", "NULL"].contains(text) }
}

/// Why a scalar is not what its key needs. The text continues the quoted scalar, as in
/// `"10" has no unit; write 10s`.
package struct ScalarFault: Error {
    package let text: String
    package init(_ text: String) { self.text = text }
}

/// A kind of number: how it is read, and how it is written in texts.
package struct Quantity<Value: Comparable & Sendable>: Sendable {
    package let read: @Sendable (Scalar) throws(ScalarFault) -> Value
    package let text: @Sendable (Value) -> String
}

extension Quantity<Int> {
    /// `1*DIGIT`, without quotes.
    package static let count = Quantity(
        read: { scalar throws(ScalarFault) in
            guard scalar.isPlain, scalar.text.utf8.allSatisfy(\.isDigit) else {
                throw ScalarFault("is not a whole number (an example: 100, without quotes)")
            }
            return try decimal(scalar.text)
        },
        text: { String($0) })

    /// Bytes: `1*DIGIT`, or with one of the units `KiB`, `MiB`, `GiB`.
    package static let bytes = Quantity(
        read: { scalar throws(ScalarFault) in
            let unit = byteUnits.first { scalar.text.hasSuffix($0.name) }
            let digits = scalar.text.dropLast(unit?.name.count ?? 0)
            guard !digits.isEmpty, digits.utf8.allSatisfy(\.isDigit),
                scalar.isPlain || unit != nil
            else {
                throw ScalarFault(
                    "is not a size (examples: 64KiB, 4MiB, 1GiB, 512)")
            }
            return try product(decimal(digits), unit?.size ?? 1)
        },
        text: { bytes in
            let unit = byteUnits.last { bytes >= $0.size && bytes % $0.size == 0 }
            return unit.map { "\(bytes / $0.size)\($0.name)" } ?? String(bytes)
        })

    private static let byteUnits = [
        (name: "KiB", size: 1 << 10), (name: "MiB", size: 1 << 20), (name: "GiB", size: 1 << 30),
    ]
}

extension Quantity<Duration> {
    /// Prometheus' syntax: numbers with units from the largest to the smallest, each at most once;
    /// `0` needs no unit. A week is 7 days, a year 365.
    package static let time = Quantity(
        read: { scalar throws(ScalarFault) in .milliseconds(try milliseconds(in: scalar.text)) },
        text: { duration in
            var rest = milliseconds(of: duration)
            guard rest > 0 else { return "0s" }
            var text = ""
            // Weeks are left out: nobody reads 1w3d faster than 10d.
            for unit in timeUnits where unit.name != "w" && rest >= unit.milliseconds {
                text += "\(rest / unit.milliseconds)\(unit.name)"
                rest %= unit.milliseconds
            }
            return text
        })

    private static let timeUnits = [
        (name: "y", milliseconds: 31_536_000_000), (name: "w", milliseconds: 604_800_000),
        (name: "d", milliseconds: 86_400_000), (name: "h", milliseconds: 3_600_000),
        (name: "m", milliseconds: 60_000), (name: "s", milliseconds: 1000),
        (name: "ms", milliseconds: 1),
    ]

    private static func milliseconds(in text: String) throws(ScalarFault) -> Int {
        if text == "0" { return 0 }
        if !text.isEmpty, text.utf8.allSatisfy(\.isDigit) {
            throw ScalarFault("has no unit; write \(text.prefix(20))s for seconds")
        }
        var rest = text[...]
        var units = timeUnits[...]
        var sum = 0
        repeat {
            let digits = rest.prefix { $0.isASCII && $0.isWholeNumber }
            rest = rest.dropFirst(digits.count)
            let name = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(name.count)
            guard !digits.isEmpty, let unit = units.firstIndex(where: { $0.name == name }) else {
                throw ScalarFault("is not a duration (examples: 500ms, 10s, 1h30m, 1d)")
            }
            let part = try product(decimal(digits), units[unit].milliseconds)
            let (total, overflowed) = sum.addingReportingOverflow(part)
            guard !overflowed else { throw ScalarFault("is too large") }
            sum = total
            units = units[(unit + 1)...]
        } while !rest.isEmpty
        return sum
    }

    private static func milliseconds(of duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        return Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
    }
}

extension Duration {
    /// Reads Prometheus' syntax as the configuration does; nil for anything else.
    package init?(prometheus text: String) {
        let scalar = Scalar(text: text, isPlain: true, position: .none)
        do throws(ScalarFault) { self = try Quantity.time.read(scalar) } catch { return nil }
    }

    /// In Prometheus' syntax.
    package var prometheusText: String { Quantity.time.text(self) }
}

/// The value of text that is known to be digits.
private func decimal(_ digits: some StringProtocol) throws(ScalarFault) -> Int {
    guard let value = Int(digits) else { throw ScalarFault("is too large") }
    return value
}

private func product(_ left: Int, _ right: Int) throws(ScalarFault) -> Int {
    let (product, overflowed) = left.multipliedReportingOverflow(by: right)
    guard !overflowed else { throw ScalarFault("is too large") }
    return product
}
