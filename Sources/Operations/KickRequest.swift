import Bytes
import Configuration
import Console
package import Reactor

/// What somebody asks the watchdog for. It is a file, so that whoever asks needs no right but to write
/// that one, and proves himself by a token.
package struct KickRequest: Equatable, Sendable {
    package var action: String
    package var source: String
    package var token: [UInt8]
    /// Milliseconds since 1970.
    package var at: Int

    package static let tokenBytesMin = 16
    private static let bytesMax = 4096
    /// Whoever waited so long has seen to it himself.
    private static let ageMax = 600_000

    package init(action: String, source: String, token: [UInt8], at: Int) {
        (self.action, self.source, self.token, self.at) = (action, source, token, at)
    }

    package enum Failure: Error {
        case pending
        case system(Errno)
    }

    /// Leaves it at `path`, whole or not at all, unless there is one already.
    package func leave(at path: String) throws(Failure) {
        let draft = "\(path).\(UInt64.random(in: 0...UInt64.max))"
        do throws(AtomicFile.Failure) {
            // Its group can read it, which is the watchdog's where that is not root.
            try AtomicFile.write(Array(text.utf8), to: draft, newMode: 0o640)
        } catch {
            throw .system(Errno(error.code))
        }
        defer { try? Folder.removeFile(draft) }
        do throws(Errno) {
            try Folder.link(draft, as: path)
        } catch {
            throw error == .fileExists ? .pending : .system(error)
        }
    }

    /// As it stands in its file.
    package var text: String {
        """
        {"action": \(Console.quoted(action)), "source": \(Console.quoted(source)), \
        "token": \(Console.quoted(String(decoding: token, as: UTF8.self))), "at": \(at)}

        """
    }

    /// Takes the request away from `path`; nil when there is none. One that is none of ours is nobody's.
    package static func take(from path: String) throws(Errno) -> KickRequest? {
        let bytes: [UInt8]
        do throws(FileFault) {
            bytes = try RegularFile.contents(of: path, bytesMax: bytesMax)
        } catch {
            guard Folder.has(path) else { return nil }
            bytes = []
        }
        // Before anything is done: what cannot be removed would be done again and again.
        try Folder.removeFile(path)
        return read(bytes)
    }

    /// What stands there, or one that is refused.
    package static func read(_ bytes: [UInt8]) -> KickRequest {
        SettingsFile.read(bytes, named: "request") { top, _ in KickRequest(top) }.value
            ?? KickRequest(action: "", source: "", token: [], at: 0)
    }

    private init?(_ top: Section) {
        guard let action = top.read("action", { $0.text }),
            let source = top.read("source", { $0.text }),
            let token = top.read("token", { $0.text })
        else { return nil }
        self.init(
            action: action, source: source, token: Array(token.utf8),
            at: top.value("at", .count, default: 0, in: 0...Int.max))
    }

    package enum Verdict: Equatable, Sendable {
        case accepted(KickAction)
        case refused(String)
    }

    /// The token comes first, so that nobody without it learns what there is.
    package func verdict(token right: [UInt8]?, allowed: [KickAction], at now: Int) -> Verdict {
        guard let right, token.isEqualInConstantTime(to: right) else {
            return .refused("wrong token")
        }
        guard abs(now - at) <= KickRequest.ageMax else { return .refused("too old") }
        guard let asked = KickAction(action) else { return .refused("unknown action") }
        guard allowed.contains(asked) else { return .refused("not in kick.actions") }
        return .accepted(asked)
    }
}

extension [UInt8] {
    /// Takes as long whatever differs, for a given length of what was sent.
    fileprivate func isEqualInConstantTime(to other: [UInt8]) -> Bool {
        guard !other.isEmpty else { return false }
        var difference = count ^ other.count
        for index in indices { difference |= Int(self[index] ^ other[index % other.count]) }
        return difference == 0
    }
}
