package import Bytes

/// IMF-fixdate (RFC 9110 section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`. Pure arithmetic: no
/// locale, no time zone, no call into libc.
package enum HTTPDate {
    /// How many bytes every date takes.
    package static let length = 29

    /// Appends the 29 bytes for a number of seconds since 1970. What lies before 1970 or after the
    /// year 9999, which the form cannot hold, becomes the nearest date that it can.
    package static func append(secondsSince1970: Int, to buffer: inout ByteBuffer) {
        let time = CivilTime(secondsSince1970: secondsSince1970)
        append(entry: time.weekday, of: "SunMonTueWedThuFriSat", to: &buffer)
        buffer.append(", ")
        buffer.append(decimal: time.day, width: 2)
        buffer.append(" ")
        append(entry: time.month - 1, of: months, to: &buffer)
        buffer.append(" ")
        buffer.append(decimal: time.year, width: 4)
        buffer.append(" ")
        buffer.append(decimal: time.hour, width: 2)
        buffer.append(":")
        buffer.append(decimal: time.minute, width: 2)
        buffer.append(":")
        buffer.append(decimal: time.second, width: 2)
        buffer.append(" GMT")
    }

    /// Reads a date that is exactly of this form: seconds since 1970, and nil for anything else.
    package static func secondsSince1970(_ text: Span<UInt8>) -> Int? {
        guard text.count == length, let month = month(text.extracting(8..<11)),
            let day = text.extracting(5..<7).decimal, let year = text.extracting(12..<16).decimal,
            let hour = text.extracting(17..<19).decimal,
            let minute = text.extracting(20..<22).decimal,
            let second = text.extracting(23..<25).decimal
        else { return nil }
        let seconds = CivilTime.secondsSince1970(
            year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        // A moment is written in one way only, so whatever else is wrong shows here.
        var written = ByteBuffer()
        append(secondsSince1970: seconds, to: &written)
        return written.span.isEqual(to: text) ? seconds : nil
    }

    private static let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"

    /// 1 to 12.
    private static func month(_ name: Span<UInt8>) -> Int? {
        for month in 1...12
        where months.span.extracting((3 * month - 3)..<(3 * month)).isEqual(to: name) {
            return month
        }
        return nil
    }

    private static func append(entry: Int, of names: StaticString, to buffer: inout ByteBuffer) {
        buffer.append(names.span.extracting((3 * entry)..<(3 * entry + 3)))
    }
}
