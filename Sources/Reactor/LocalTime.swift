import Glibc

/// A moment as the people at this machine write it, with the zone it is in.
package struct LocalTime: Sendable {
    /// `2026-11-30`.
    private let date: String
    /// `20:15:03`.
    private let clock: String
    /// `JST`, or `+03` where a zone has no name.
    private let zone: String
    private let minutesEastOfUTC: Int

    package init(_ moment: WallClock) {
        var seconds = time_t(moment.seconds)
        var time = unsafe tm()
        unsafe localtime_r(&seconds, &time)
        let digits = LocalTime.digits
        date = unsafe "\(time.tm_year + 1900)-\(digits(time.tm_mon + 1))-\(digits(time.tm_mday))"
        clock = unsafe [time.tm_hour, time.tm_min, time.tm_sec].map(digits).joined(separator: ":")
        zone = unsafe time.tm_zone.map { unsafe String(cString: $0) } ?? "UTC"
        minutesEastOfUTC = unsafe time.tm_gmtoff / 60
    }

    /// `2026-11-30 20:15:03 JST`.
    package var text: String { "\(date) \(clock) \(zone)" }

    /// `2026-11-30T20:15:03+09:00` (RFC 3339).
    package var timestamp: String {
        let minutes = Int32(abs(minutesEastOfUTC))
        let sign = minutesEastOfUTC < 0 ? "-" : "+"
        return "\(date)T\(clock)\(sign)"
            + "\(LocalTime.digits(minutes / 60)):\(LocalTime.digits(minutes % 60))"
    }

    /// `20261130-201503`, which sorts and can be part of a file's name.
    package var compact: String {
        "\(date.filter(\.isNumber))-\(clock.filter(\.isNumber))"
    }

    private static func digits(_ number: Int32) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }
}

extension Machine {
    /// What this machine is called.
    package static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "unknown" }
        return String(
            decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
