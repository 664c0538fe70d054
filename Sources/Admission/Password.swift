import Bytes

/// A password on its way to be verified. Wiped when nobody holds it any more.
package final class Password: @unchecked Sendable {
    // Never changed after `init`, so any thread may read it.
    private var secret = Secret()

    package init(copying password: Span<UInt8>) {
        secret.fill(upTo: password.count) { output in
            for index in password.indices { output.append(password[index]) }
        }
    }

    package func withBytes<R>(_ body: (Span<UInt8>) -> R) -> R { secret.withBytes(body) }
}
