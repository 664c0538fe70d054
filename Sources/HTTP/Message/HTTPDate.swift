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
        append(entry: time.month - 1, of: "JanFebMarAprMayJunJulAugSepOctNovDec", to: &buffer)
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

    private static func append(entry: Int, of names: StaticString, to buffer: inout ByteBuffer) {
        buffer.append(names.span.extracting((3 * entry)..<(3 * entry + 3)))
    }
}
