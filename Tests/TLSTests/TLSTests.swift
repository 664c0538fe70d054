import Bytes
import Reactor
import TLS
import Testing

@Suite struct CertificateTests {
    @Test func `a self-signed certificate says what it was made for`() throws {
        let address = try #require(IPAddress("192.0.2.7"))
        let made = try SelfSignedCertificate(
            for: [.name("push.example"), .address(address)], days: 10)
        let certificate = try Certificate(pem: made.certificatePEM)
        #expect(certificate.names == ["DNS:push.example", "IP Address:192.0.2.7"])
        let now = WallClock.now().seconds
        #expect(certificate.notBefore <= now)
        #expect(abs(certificate.notAfter - now - 10 * 86_400) < 120)
        #expect(certificate.fingerprint.split(separator: ":").count == 32)
    }

    @Test func `a new certificate for the same key fits it, for another key it does not`() throws {
        let first = try SelfSignedCertificate(for: [.name("a")], days: 10)
        let renewed = try SelfSignedCertificate(for: [.name("a")], days: 10, keyPEM: first.keyPEM)
        let other = try SelfSignedCertificate(for: [.name("a")], days: 10)
        _ = try context(Identity(certificates: renewed.certificatePEM, key: first.keyPEM))
        #expect(throws: IdentityError.keyDoesNotMatch) {
            try context(Identity(certificates: other.certificatePEM, key: first.keyPEM))
        }
    }

    @Test(arguments: [
        "", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ])
    func `what is no certificate is refused`(text: String) throws {
        let made = try SelfSignedCertificate(for: [.name("a")], days: 10)
        #expect(throws: IdentityError.self) {
            try context(Identity(certificates: Array(text.utf8), key: made.keyPEM))
        }
        #expect(throws: IdentityError.self) {
            try context(Identity(certificates: made.certificatePEM, key: Array(text.utf8)))
        }
    }

    @Test func `an encrypted key is told from a broken one`() throws {
        let made = try SelfSignedCertificate(for: [.name("a")], days: 10)
        let encrypted =
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"
        #expect(throws: IdentityError.keyEncrypted) {
            try context(Identity(certificates: made.certificatePEM, key: Array(encrypted.utf8)))
        }
    }

    @discardableResult
    private func context(_ identity: Identity) throws -> ServerContext {
        try ServerContext(identity: identity, minimumVersion: .tls12, ticketKeys: TicketKeys())
    }
}

@Suite struct KeyedDigestTests {
    private func digest(
        _ key: KeyedDigest.Key, _ first: String, _ second: String, _ third: String
    ) -> [UInt64] {
        words(KeyedDigest(key: key), first, second, third)
    }

    private func words(
        _ digest: KeyedDigest, _ first: String, _ second: String, _ third: String
    ) -> [UInt64] {
        let (first, second, third) = (Array(first.utf8), Array(second.utf8), Array(third.utf8))
        let words = digest.digest(first.span, second.span, third.span)
        return [words.0, words.1, words.2, words.3]
    }

    @Test func `the same parts under the same key are the same digest, anything else is another`() {
        let key = KeyedDigest.Key()
        let reference = digest(key, "user", "hash", "password")
        #expect(digest(key, "user", "hash", "password") == reference)
        #expect(digest(KeyedDigest.Key(), "user", "hash", "password") != reference)
        // Joined without lengths these would be one message.
        #expect(digest(key, "userh", "ash", "password") != reference)
        #expect(digest(key, "user", "hashp", "assword") != reference)
        #expect(digest(key, "", "user", "hashpassword") != reference)
    }

    @Test func `a digest does not depend on what was digested before`() {
        let key = KeyedDigest.Key()
        let used = KeyedDigest(key: key)
        _ = words(used, "c", "b", "a")
        #expect(words(used, "a", "b", "c") == digest(key, "a", "b", "c"))
    }
}

@Suite struct TLSConnectionTests {
    /// Whoever has our part of the handshake is given time for his: that is not he who has sent half a hello,
    /// though others before him were answered through the same context.
    @Test func `a client is answered when its hello is whole`() throws {
        let made = try SelfSignedCertificate(for: [.name("a")], days: 10)
        let server = try ServerContext(
            identity: Identity(certificates: made.certificatePEM, key: made.keyPEM),
            minimumVersion: .tls12, ticketKeys: TicketKeys())
        let client = try ClientContext(authorities: made.certificatePEM)

        let line = try Socket.makeLine()
        var answered = try server.accept(on: line.near)
        var asking = try client.connect(on: line.far, to: "a")
        var hasSpoken = [answered.hasSpoken]
        var steps = [try asking.handshake(), try answered.handshake()]
        hasSpoken.append(answered.hasSpoken)
        steps += [try asking.handshake(), try answered.handshake()]
        #expect(steps == [.wantsRead, .wantsRead, .moved(0), .moved(0)])
        #expect(hasSpoken == [false, true])

        let slow = try Socket.makeLine()
        var waiting = try server.accept(on: slow.near)
        steps = [try waiting.handshake()]
        let halfAHello: [UInt8] = [22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]
        _ = try slow.far.write(halfAHello.span)
        steps.append(try waiting.handshake())
        hasSpoken = [waiting.hasSpoken]
        #expect(steps == [.wantsRead, .wantsRead])
        #expect(hasSpoken == [false])
    }
}
