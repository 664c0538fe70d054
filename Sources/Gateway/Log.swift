import Bytes
import Glibc
package import Reactor
import Synchronization

/// The operational log: lines for people and for log shippers, on stderr.
///
/// A loop never waits for whoever reads stderr. Lines go into a buffer that one thread writes out,
/// several at a time when they come fast. When the reader is too slow lines are dropped, counted, and
/// the count is told in the next line that fits.
package final class Log: Sendable {
    package enum Level: Int, Sendable { case debug, info, warn, error }
    package enum Format: Sendable { case logfmt, json }

    /// What may wait to be written.
    private static let pendingBytesMax = 1 << 20
    /// How long the writer lets lines gather before it looks again.
    private static let gatherMicroseconds: UInt32 = 20_000

    private let level: Level
    private let format: Format
    private let pending: Mutex<Pending>
    private let bell: EventCounter

    private struct Pending: ~Copyable {
        var bytes = ByteBuffer()
        var dropped = 0
        var isWriterAsleep = false
    }

    package init(level: Level, format: Format) throws(Errno) {
        (self.level, self.format) = (level, format)
        pending = Mutex(Pending())
        bell = try EventCounter(wakes: .one)
        try Thread.start(name: "kanmon-log") { self.writeForever() }
    }

    package func isOn(_ level: Level) -> Bool { level.rawValue >= self.level.rawValue }

    /// Writes one line, if `level` is on: time, level and `message`, then what `fill` adds.
    package func write(
        _ level: Level, _ message: StaticString, _ fill: (inout LogLine) -> Void = { _ in }
    ) {
        guard isOn(level) else { return }
        var line = LogLine(format: format)
        line.begin(at: .now(), level: level, message: message)
        fill(&line)
        line.end()
        enqueue(line.bytes.span)
    }

    private func enqueue(_ line: Span<UInt8>) {
        let mustWake = pending.withLock { pending -> Bool in
            guard pending.bytes.count + line.count <= Log.pendingBytesMax else {
                pending.dropped += 1
                return false
            }
            pending.bytes.append(line)
            defer { pending.isWriterAsleep = false }
            return pending.isWriterAsleep
        }
        if mustWake { bell.add() }
    }

    private func writeForever() {
        while true {
            let mustSleep = pending.withLock { pending -> Bool in
                pending.isWriterAsleep = pending.bytes.isEmpty
                return pending.isWriterAsleep
            }
            if mustSleep { bell.take() }
            writePending()
            usleep(Log.gatherMicroseconds)
        }
    }

    /// Writes all that waits. Before the process ends; otherwise only the writer's thread does.
    package func writePending() {
        var taken = ByteBuffer()
        let dropped = pending.withLock { pending -> Int in
            taken.append(pending.bytes.span)
            pending.bytes.removeAll()
            defer { pending.dropped = 0 }
            return pending.dropped
        }
        if dropped > 0 {
            var line = LogLine(format: format)
            line.begin(at: .now(), level: .warn, message: "log lines dropped")
            line.add("count", dropped)
            line.end()
            taken.append(line.bytes.span)
        }
        while !taken.isEmpty {
            let count = unsafe taken.span.withUnsafeBytes {
                unsafe Glibc.write(2, $0.baseAddress, $0.count)
            }
            if count < 0 && errno != EINTR { return }  // Nobody can be told.
            taken.consume(max(count, 0))
        }
    }
}

/// One line of the log while it is put together. Text is escaped so that no value can end the line,
/// begin another field, or move a terminal's cursor.
package struct LogLine: ~Copyable {
    fileprivate var bytes = ByteBuffer(capacity: 256)
    private let format: Log.Format
    private var isFirst = true

    fileprivate init(format: Log.Format) { self.format = format }

    fileprivate mutating func begin(at time: WallClock, level: Log.Level, message: StaticString) {
        if format == .json { bytes.append("{") }
        key("ts")
        if format == .json { bytes.append("\"") }
        bytes.append(timestampInMilliseconds: time.milliseconds)
        if format == .json { bytes.append("\"") }
        let name: StaticString =
            switch level {
            case .debug: "debug"
            case .info: "info"
            case .warn: "warn"
            case .error: "error"
            }
        add("level", name)
        add("msg", message)
    }

    fileprivate mutating func end() { bytes.append(format == .json ? "}\n" : "\n") }

    package mutating func add(_ name: StaticString, _ value: Int) {
        key(name)
        bytes.append(decimal: value)
    }

    package mutating func add(_ name: StaticString, _ value: StaticString) {
        add(name, value.span)
    }

    package mutating func add(_ name: StaticString, _ value: String) {
        var copy = ByteBuffer()
        copy.append(text: value)
        add(name, copy.span)
    }

    /// Milliseconds with one decimal, from nanoseconds.
    package mutating func add(_ name: StaticString, milliseconds nanoseconds: UInt64) {
        key(name)
        let tenths = Int(clamping: nanoseconds / 100_000)
        bytes.append(decimal: tenths / 10)
        bytes.append(".")
        bytes.append(decimal: tenths % 10)
    }

    package mutating func add(_ name: StaticString, _ value: Span<UInt8>) {
        key(name)
        let isQuoted = format == .json || !isPlain(value)
        if isQuoted { bytes.append("\"") }
        bytes.append(escaping: value, bytesMax: 4096)
        if isQuoted { bytes.append("\"") }
    }

    private mutating func key(_ name: StaticString) {
        if !isFirst { bytes.append(format == .json ? "," : " ") }
        isFirst = false
        if format == .json { bytes.append("\"") }
        bytes.append(name)
        bytes.append(format == .json ? "\":" : "=")
    }

    private func isPlain(_ value: Span<UInt8>) -> Bool {
        for index in value.indices {
            let byte = value[index]
            if byte <= 0x20 || byte >= 0x7F || byte == UInt8(ascii: "\"")
                || byte == UInt8(ascii: "=")
                || byte == UInt8(ascii: "\\")
            {
                return false
            }
        }
        return value.count > 0
    }
}
