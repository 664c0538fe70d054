package import Bytes

/// IMF-fixdate (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`. Pure arithmetic: no
/// locale, no time zone, no call into libc.
package enum HTTPDate {
    /// How many bytes every date takes.
    package static let length = 29

    /// Appends the 29 bytes for a number of seconds since 1970. What lies before 1970 or after the
    /// year 9999, which the form cannot hold, becomes the nearest date that it can.
    package static func append(secondsSince1970: Int, to buffer: inout ByteBuffer) {
        let seconds = min(max(secondsSince1970, 0), 253_402_300_799)
        let (days, time) = (seconds / 86400, seconds % 86400)
        let date = civilDate(daysSince1970: days)

        append(entry: (days + 4) % 7, of: "SunMonTueWedThuFriSat", to: &buffer)
        buffer.append(", ")
        append(twoDigits: date.day, to: &buffer)
        buffer.append(" ")
        append(entry: date.month, of: "JanFebMarAprMayJunJulAugSepOctNovDec", to: &buffer)
        buffer.append(" ")
        append(twoDigits: date.year / 100, to: &buffer)
        append(twoDigits: date.year % 100, to: &buffer)
        buffer.append(" ")
        append(twoDigits: time / 3600, to: &buffer)
        buffer.append(":")
        append(twoDigits: time / 60 % 60, to: &buffer)
        buffer.append(":")
        append(twoDigits: time % 60, to: &buffer)
        buffer.append(" GMT")
    }

    /// Year, month (0 is January) and day of the Gregorian calendar. Counts in years that begin in
    /// March, so that the day a leap year adds is the last of its year, and in spans of 400 years,
    /// which all have 146097 days.
    private static func civilDate(daysSince1970: Int) -> (year: Int, month: Int, day: Int) {
        let daysSinceMarch0 = daysSince1970 + 719_468
        let (span, dayOfSpan) = (daysSinceMarch0 / 146_097, daysSinceMarch0 % 146_097)
        let leapDaysPassed = dayOfSpan / 1460 - dayOfSpan / 36524 + dayOfSpan / 146_096
        let yearOfSpan = (dayOfSpan - leapDaysPassed) / 365
        let dayOfYear = dayOfSpan - (365 * yearOfSpan + yearOfSpan / 4 - yearOfSpan / 100)
        // From March on the months are 31, 30, 31, 30, 31 days long, again and again: 153 in five.
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let year = 400 * span + yearOfSpan + (monthFromMarch >= 10 ? 1 : 0)
        return (year, (monthFromMarch + 2) % 12, day)
    }

    private static func append(entry: Int, of names: StaticString, to buffer: inout ByteBuffer) {
        buffer.append(names.span.extracting((3 * entry)..<(3 * entry + 3)))
    }

    private static func append(twoDigits value: Int, to buffer: inout ByteBuffer) {
        buffer.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / 10))
        buffer.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value % 10))
    }
}
