import Bytes
import Console
package import Reactor

/// What the watchdog did, a line an event: to a file that is put aside when it is full, and to standard
/// error, which is the journal's.
package struct EventLog: ~Copyable {
    package typealias Member = (key: String, value: String)

    private var file: RotatedFile
    private let path: String
    private let redaction: Redaction
    private let isShown: Bool
    /// A disk that is full is told once a run.
    private var hasFailed = false

    package init(path: String, _ redaction: Redaction, isShown: Bool = true) {
        file = RotatedFile(RotatedFile.Settings(path: path, bytesMax: 1 << 20, retain: 5))
        (self.path, self.redaction, self.isShown) = (path, redaction, isShown)
        // What keeps it from being made keeps the first line from being written, which is told.
        if let slash = path.lastIndex(of: "/") { try? Folder.make(String(path[..<slash])) }
    }

    package mutating func add(_ members: [Member], at moment: WallClock = .now()) {
        let line = EventLog.line(of: members, redaction)
        if isShown { Console.complain(line) }
        var lines = ByteBuffer()
        lines.append(text: "time=\(LocalTime(moment).timestamp) \(line)\n")
        do throws(Errno) {
            try file.append(from: &lines)
        } catch {
            if !hasFailed {
                let fault = [("event", "log_fault"), ("file", path), ("reason", "\(error)")]
                Console.complain(EventLog.line(of: fault, redaction))
            }
            hasFailed = true
        }
    }

    package mutating func add(_ event: String, _ members: Member...) {
        add([("event", event)] + members)
    }

    package static func line(of members: [Member], _ redaction: Redaction) -> String {
        members.map { "\($0.key)=\(value(redaction.redacted($0.value)))" }.joined(separator: " ")
    }

    /// As logfmt has it: quoted where it is not one plain word.
    private static func value(_ text: String) -> String {
        let isPlain =
            !text.isEmpty
            && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"=\\".utf8.contains($0) }
        return isPlain ? text : Console.quoted(text)
    }
}
