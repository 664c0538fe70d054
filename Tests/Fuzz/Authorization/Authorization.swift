import Admission
import Bytes
import Fuzzing

/// Values of Authorization fields, as they come and made of any bytes, beside a reading of its own.
@main
struct AuthorizationFuzzer {
    private struct Login: Equatable {
        var user: [UInt8]
        var password: [UInt8]
    }

    static func main() {
        // Used again and again, as a worker does.
        var credentials = BasicCredentials()
        fuzz { input in
            check(input.copy, &credentials)
            let digits = PlainBase64.standard.text(of: input.copy)
            check(Array("basic ".utf8) + digits + padding(digits.count), &credentials)
            checkSaid(input, &credentials)
        }
    }

    private static func check(_ fieldValue: [UInt8], _ credentials: inout BasicCredentials) {
        let login = read(fieldValue, into: &credentials)
        promise(login == plain(fieldValue), "somebody else reads the same in it")
    }

    private static func read(
        _ fieldValue: [UInt8], into credentials: inout BasicCredentials
    ) -> Login? {
        let isGood = credentials.decode(fieldValue.span)
        let held = credentials.withUserAndPassword { Login(user: $0.copy, password: $1.copy) }
        promise(isGood || held == Login(user: [], password: []), "nothing is held of a bad one")
        return isGood ? held : nil
    }

    private static func plain(_ fieldValue: [UInt8]) -> Login? {
        let scheme = String(decoding: fieldValue.prefix(6), as: UTF8.self)
        guard scheme.lowercased() == "basic ", scheme.utf8.count == 6 else { return nil }
        let token = fieldValue.dropFirst(6).drop { $0 == UInt8(ascii: " ") }
        let digits = Array(token.prefix { $0 != UInt8(ascii: "=") })
        guard Array(token) == digits + padding(digits.count),
            let said = PlainBase64.standard.bytes(of: digits),
            let colon = said.firstIndex(of: UInt8(ascii: ":"))
        else { return nil }
        let login = Login(user: Array(said[..<colon]), password: Array(said[(colon + 1)...]))
        let isSayable = !login.user.contains { $0 < 0x20 || $0 == 0x7F }
        return isSayable && !login.user.isEmpty && !login.password.isEmpty ? login : nil
    }

    /// What the gate says of itself to a Pushgateway is read as it was meant.
    private static func checkSaid(_ input: Span<UInt8>, _ credentials: inout BasicCredentials) {
        var choices = Choices(from: input)
        let middle = choices.number(upTo: input.count)
        let login = Login(
            user: input.copy(0..<middle), password: input.copy(middle..<input.count))
        guard
            let said = BasicCredentials.fieldValue(user: login.user, password: login.password)
        else { return }
        promise(read(said, into: &credentials) == login, "what was said is read")
    }
}
