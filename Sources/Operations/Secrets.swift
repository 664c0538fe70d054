import Bytes

/// What nobody else may see, read at the beginning of a run.
package struct Secrets: Sendable {
    package private(set) var receivers: [Receiver] = []
    package private(set) var kickToken: [UInt8]?
    package private(set) var redaction = Redaction()
    /// What could not be had, without a word of what it is.
    package private(set) var faults: [String] = []

    private static let bytesMax = 64 << 10

    package init(of plan: Plan) {
        var known: [[UInt8]] = []
        if let discord = plan.notify.discord, let url = line(of: discord.webhookFile) {
            let text = String(decoding: url, as: UTF8.self)
            known += [url] + text.split(separator: "/").suffix(1).map { Array($0.utf8) }
            if text.keepsSecrets {
                receivers.append(.discord(webhook: text))
            } else {
                faults.append("\(discord.webhookFile) holds no URL with https://")
            }
        }
        if let service = plan.notify.line, let token = line(of: service.tokenFile) {
            known.append(token)
            receivers.append(
                .line(
                    token: String(decoding: token, as: UTF8.self), to: service.to, url: service.url)
            )
        }
        if let kick = plan.kick, let token = line(of: kick.tokenFile) {
            known.append(token)
            if token.count >= KickRequest.tokenBytesMin {
                kickToken = token
            } else {
                faults.append(
                    "\(kick.tokenFile) holds less than \(KickRequest.tokenBytesMin) characters")
            }
        }
        for file in plan.snapshot.secrets {
            guard let bytes = contents(of: file) else { continue }
            known += bytes.split { $0 == 0x0A || $0 == 0x0D }.map(Array.init)
        }
        redaction = Redaction(secrets: known)
    }

    /// The first line of a file, which only its owner and its group should be able to read.
    private mutating func line(of file: String) -> [UInt8]? {
        guard let bytes = contents(of: file) else { return nil }
        if let mode = RegularFile.mode(of: file), mode & 0o007 != 0 {
            faults.append("\(file) can be read by others; chmod 0600 \(file.quotedForShell)")
        }
        let line = bytes.prefix { $0 != 0x0A && $0 != 0x0D }
        guard !line.isEmpty, line.allSatisfy({ !$0.isControl }) else {
            faults.append("\(file) has no secret in its first line")
            return nil
        }
        return Array(line)
    }

    private mutating func contents(of file: String) -> [UInt8]? {
        do throws(FileFault) {
            return try RegularFile.contents(of: file, bytesMax: Secrets.bytesMax)
        } catch {
            faults.append("\(file) \(error.text)")
            return nil
        }
    }
}
