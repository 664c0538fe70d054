/// A moment of UTC as people write it, in the proleptic Gregorian calendar.
public struct CivilTime: Equatable, Sendable {
    public let year: Int
    /// 1 to 12.
    public let month: Int
    /// 1 to 31.
    public let day: Int
    public let hour: Int
    public let minute: Int
    public let second: Int
    /// 0 is Sunday.
    public let weekday: Int

    /// - Parameter seconds: since 1970-01-01T00:00:00Z; held between the years 1970 and 9999.
    public init(secondsSince1970 seconds: Int) {
        let seconds = min(max(seconds, 0), 253_402_300_799)
        let days = seconds / 86_400
        (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60)
        weekday = (days + 4) % 7  // 1970-01-01 was a Thursday.

        // Years counted from March end with the leap day; 146,097 days make 400 of them.
        let shifted = days + 719_468  // Days since 0000-03-01.
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// The way back, for the years 1970 to 9999: seconds since 1970-01-01T00:00:00Z.
    public static func secondsSince1970(
        year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int
    ) -> Int {
        let years = year - (month <= 2 ? 1 : 0)
        let era = years / 400
        let yearOfEra = years % 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        let days = era * 146_097 + dayOfEra - 719_468
        return days * 86_400 + hour * 3600 + minute * 60 + second
    }
}

extension ByteBuffer {
    /// Appends a number in decimal with leading zeros, `width` digits or more.
    public mutating func append(decimal value: Int, width: Int) {
        var limit = 1
        for _ in 1..<max(width, 1) {
            limit *= 10
            if value < limit { append(UInt8(ascii: "0")) }
        }
        append(decimal: value)
    }

    /// Appends `2026-11-21T04:05:06.789Z` (RFC 3339), in UTC.
    public mutating func append(timestampInMilliseconds milliseconds: UInt64) {
        let time = CivilTime(secondsSince1970: Int(milliseconds / 1000))
        append(decimal: time.year, width: 4)
        append("-")
        append(decimal: time.month, width: 2)
        append("-")
        append(decimal: time.day, width: 2)
        append("T")
        append(decimal: time.hour, width: 2)
        append(":")
        append(decimal: time.minute, width: 2)
        append(":")
        append(decimal: time.second, width: 2)
        append(".")
        append(decimal: Int(milliseconds % 1000), width: 3)
        append("Z")
    }
}
