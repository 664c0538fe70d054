import Bytes
package import Configuration

/// What nobody else may see, read at the beginning of a run.
package struct Secrets: Sendable {
    package private(set) var receivers: [Receiver] = []
    package private(set) var kickToken: [UInt8]?
    package private(set) var redaction = Redaction()
    /// What could not be had, without a word of what it is.
    package private(set) var problems: [Problem] = []

    private let file: String
    private static let bytesMax = 64 << 10

    package init(of plan: Plan) {
        file = plan.file
        var known: [[UInt8]] = []
        if let discord = plan.notify.discord, let url = line(of: discord.webhookFile) {
            let text = String(decoding: url, as: UTF8.self)
            known += [url] + text.split(separator: "/").suffix(1).map { Array($0.utf8) }
            if text.keepsSecrets {
                receivers.append(.discord(webhook: text))
            } else {
                complain(about: discord.webhookFile, "holds no URL with https://")
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
                complain(
                    about: kick.tokenFile,
                    "holds less than \(KickRequest.tokenBytesMin) characters")
            }
        }
        for file in plan.snapshot.secrets {
            // Without one a snapshot has less taken out, and everything else is as it was.
            guard let bytes = contents(of: file, orElse: .warning) else { continue }
            known += bytes.split { $0 == 0x0A || $0 == 0x0D }.map(Array.init)
        }
        redaction = Redaction(secrets: known)
    }

    /// The first line of a file, which only its owner and its group should be able to read.
    private mutating func line(of file: Located<String>) -> [UInt8]? {
        guard let bytes = contents(of: file, orElse: .error) else { return nil }
        if let mode = RegularFile.mode(of: file.value), mode & 0o007 != 0 {
            complain(about: file, "can be read by others; chmod 0600 \(file.value.quotedForShell)")
        }
        let line = bytes.prefix { $0 != 0x0A && $0 != 0x0D }
        guard !line.isEmpty, line.allSatisfy({ !$0.isControl }) else {
            complain(about: file, "has no secret in its first line")
            return nil
        }
        return Array(line)
    }

    private mutating func contents(
        of file: Located<String>, orElse severity: Problem.Severity
    ) -> [UInt8]? {
        do throws(FileFault) {
            return try RegularFile.contents(of: file.value, bytesMax: Secrets.bytesMax)
        } catch {
            complain(about: file, error.text, severity)
            return nil
        }
    }

    private mutating func complain(
        about secret: Located<String>, _ text: String, _ severity: Problem.Severity = .error
    ) {
        problems.append(
            Problem(severity, file: file, at: secret.position, "\(secret.value) \(text)"))
    }
}
