import COpenSSL
import Reactor
import Synchronization

/// The keys that session tickets are sealed with, common to all workers, so that a client resumes
/// with whichever worker it meets.
///
/// A key seals for a day and still opens for another (two generations); then its tickets mean a full
/// handshake, never an error. The keys live in memory only.
package final class TicketKeys: Sendable {
    struct Key {
        /// Names the key inside a ticket (RFC 5077 section 4).
        let name: [UInt8]
        let cipherKey: [UInt8]
        let macKey: [UInt8]
        let madeAt: Instant

        static func make(at now: Instant) -> Key {
            Key(name: random(16), cipherKey: random(32), macKey: random(32), madeAt: now)
        }
    }

    private static let lifetime = Interval.seconds(24 * 60 * 60)

    /// The newest first; the second only opens.
    private let keys: Mutex<[Key]>

    package init() { keys = Mutex([Key.make(at: .now())]) }

    func sealingKey(at now: Instant) -> Key {
        keys.withLock { keys in
            TicketKeys.rotate(&keys, at: now)
            return keys[0]
        }
    }

    func openingKey(named name: [UInt8], at now: Instant) -> (key: Key, isNewest: Bool)? {
        keys.withLock { keys in
            TicketKeys.rotate(&keys, at: now)
            guard let index = keys.firstIndex(where: { $0.name == name }) else { return nil }
            return (keys[index], index == 0)
        }
    }

    /// Lets no ticket that was given out so far open anything any more.
    package func discard() { keys.withLock { $0 = [Key.make(at: .now())] } }

    private static func rotate(_ keys: inout [Key], at now: Instant) {
        keys.removeAll { $0.madeAt + lifetime + lifetime <= now }
        if keys.first.map({ $0.madeAt + lifetime <= now }) ?? true {
            keys = [Key.make(at: now)] + keys.prefix(1)
        }
    }
}

/// Bytes nobody can guess. Traps where the system has no randomness, since nothing is safe then.
func random(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let result = unsafe bytes.withUnsafeMutableBufferPointer { bytes in
        unsafe RAND_bytes(bytes.baseAddress, Int32(clamping: bytes.count))
    }
    precondition(result == 1, "no random bytes")
    return bytes
}

/// OpenSSL asks for a key to seal a new ticket with, or for the one that opens the ticket it was shown
/// (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)): 1 is yes, 2 is yes and make a new ticket, 0 is no. A TLS 1.3
/// client uses a ticket once (RFC 8446 section C.4), so it needs a new one from every handshake.
func installTicketKeys(_ keys: TicketKeys, in context: OpaquePointer) {
    let retained = unsafe Unmanaged.passRetained(keys).toOpaque()
    unsafe SSL_CTX_set_ex_data(context, ticketKeysIndex, retained)
    unsafe SSL_CTX_set_tlsext_ticket_key_evp_cb(context) {
        ssl, name, vector, cipher, mac, isSealing in
        guard let context = unsafe SSL_get_SSL_CTX(ssl),
            let stored = unsafe SSL_CTX_get_ex_data(context, ticketKeysIndex),
            let name = unsafe name, let vector = unsafe vector
        else { return -1 }
        let keys = unsafe Unmanaged<TicketKeys>.fromOpaque(stored).takeUnretainedValue()
        let isSealing = isSealing == 1
        let nameBytes = unsafe UnsafeMutableBufferPointer(start: name, count: 16)
        let chosen: (key: TicketKeys.Key, isNewest: Bool)
        if isSealing {
            // In TLS 1.3 it follows the handshake and nobody waits for it: it goes with the first answer.
            // Before, the end of the server's handshake comes right behind it.
            if unsafe SSL_version(ssl) == TLS1_3_VERSION { unsafe kanmon_expect_more(ssl) }
            chosen = (keys.sealingKey(at: .now()), true)
            unsafe _ = nameBytes.update(fromContentsOf: chosen.key.name)
            guard unsafe RAND_bytes(vector, 16) == 1 else { return -1 }
        } else {
            guard let opening = unsafe keys.openingKey(named: Array(nameBytes), at: .now()) else {
                return 0
            }
            chosen = opening
        }
        guard
            unsafe EVP_CipherInit_ex(
                cipher, EVP_aes_256_cbc(), nil, chosen.key.cipherKey, vector, isSealing ? 1 : 0)
                == 1,
            unsafe kanmon_set_hmac_sha256_key(mac, chosen.key.macKey, chosen.key.macKey.count) == 1
        else { return -1 }
        return unsafe chosen.isNewest && SSL_version(ssl) < TLS1_3_VERSION ? 1 : 2
    }
}

/// Where an `SSL_CTX` keeps its ticket keys; what it keeps is released with it.
private let ticketKeysIndex = unsafe kanmon_context_index { _, stored, _, _, _, _ in
    guard let stored = unsafe stored else { return }
    unsafe Unmanaged<TicketKeys>.fromOpaque(stored).release()
}
