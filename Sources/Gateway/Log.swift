package import Bytes
package import Configuration
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
    /// How often the end of the process looks whether all is written: for two seconds.
    private static let patience = 200

    private let level: Atomic<Int>
    private let isJSON: Atomic<Bool>
    private let pending: Mutex<Pending>
    private let bell: EventCounter

    private struct Pending: ~Copyable {
        var bytes = ByteBuffer()
        /// A line that is done with: the next one takes its memory.
        var spare: LogLine?
        var dropped = 0
        var isWriterAsleep = false
        var isBeingWritten = false

        /// Takes over the line that has just been done with. False when there is no room for it.
        mutating func takeOver() -> Bool {
            guard let line = spare.take() else { return false }
            let hasRoom = append(line.bytes)
            spare = consume line
            return hasRoom
        }

        private mutating func append(_ line: borrowing ByteBuffer) -> Bool {
            guard bytes.count + line.count <= Log.pendingBytesMax else { return false }
            bytes.append(line.span)
            return true
        }
    }

    package init(_ settings: Configuration.Log) throws(Errno) {
        level = Atomic(Level(settings.level).rawValue)
        isJSON = Atomic(settings.format == .json)
        pending = Mutex(Pending())
        bell = try EventCounter(wakes: .one)
        try Thread.start(name: "kanmon-log") { self.writeForever() }
    }

    package func isOn(_ level: Level) -> Bool {
        level.rawValue >= self.level.load(ordering: .relaxed)
    }

    /// Writes the lines that follow in another way.
    func use(_ settings: Configuration.Log) {
        level.store(Level(settings.level).rawValue, ordering: .relaxed)
        isJSON.store(settings.format == .json, ordering: .relaxed)
    }

    private var format: Format { isJSON.load(ordering: .relaxed) ? .json : .logfmt }

    /// Writes one line, if `level` is on: time, level and `message`, then what `fill` adds.
    package func write(
        _ level: Level, _ message: StaticString, _ fill: (inout LogLine) -> Void = { _ in }
    ) {
        guard isOn(level) else { return }
        var line = pending.withLock { $0.spare.take() } ?? LogLine()
        line.begin(format, at: .now(), level: level, message: message)
        fill(&line)
        line.end()
        enqueue(line)
    }

    private func enqueue(_ line: consuming LogLine) {
        var spare: LogLine? = consume line
        let mustWake = pending.withLock { pending -> Bool in
            swap(&pending.spare, &spare)
            guard pending.takeOver() else {
                pending.dropped += 1
                return false
            }
            defer { pending.isWriterAsleep = false }
            return pending.isWriterAsleep
        }
        if mustWake { bell.add() }
    }

    private func writeForever() {
        var isWithinLine = false
        var taken = ByteBuffer()
        while true {
            let mustSleep = pending.withLock { pending -> Bool in
                pending.isWriterAsleep = pending.bytes.isEmpty
                return pending.isWriterAsleep
            }
            if mustSleep { bell.take() }
            writeWhatWaits(by: &taken, &isWithinLine)
            usleep(Log.gatherMicroseconds)
        }
    }

    private func writeWhatWaits(by taken: inout ByteBuffer, _ isWithinLine: inout Bool) {
        taken.removeAll()
        // What was cut off by a full disk is a line, if not a good one.
        if isWithinLine { taken.append("\n") }
        let dropped = pending.withLock { pending -> Int in
            taken.append(pending.bytes.span)
            pending.bytes.removeAll()
            pending.isBeingWritten = true
            defer { pending.dropped = 0 }
            return pending.dropped
        }
        if dropped > 0 {
            var line = LogLine()
            line.begin(format, at: .now(), level: .warn, message: "log lines dropped")
            line.add("count", dropped)
            line.end()
            taken.append(line.bytes.span)
        }
        let (count, hadToEndLine) = (taken.count, isWithinLine)
        writeOut(&taken, &isWithinLine)
        var lost = taken.span.lineCount
        // Neither the end of the broken line nor the line that tells how many were dropped is one of them.
        if hadToEndLine, taken.count == count { lost -= 1 }
        if dropped > 0, !taken.isEmpty { lost += dropped - 1 }
        pending.withLock { pending in
            pending.isBeingWritten = false
            pending.dropped += lost
        }
    }

    /// Writes from the front of `taken`; what is left there could not be written.
    private func writeOut(_ taken: inout ByteBuffer, _ isWithinLine: inout Bool) {
        while !taken.isEmpty {
            let count = unsafe taken.span.withUnsafeBytes {
                unsafe Glibc.write(2, $0.baseAddress, $0.count)
            }
            if count > 0 {
                isWithinLine = taken.span[count - 1] != UInt8(ascii: "\n")
                taken.consume(count)
            } else if count < 0, errno == EAGAIN {
                // Somebody who shares it has made it non-blocking: waiting is all the same.
                var watched = pollfd(fd: 2, events: Int16(POLLOUT), revents: 0)
                _ = unsafe poll(&watched, 1, 1000)
            } else if count == 0 || errno != EINTR {
                return
            }
        }
    }

    /// Waits until all that was said is written, before the process ends; not long, when whoever reads
    /// has stopped.
    package func writePending() {
        for _ in 0..<Log.patience {
            if pending.withLock({ $0.bytes.isEmpty && !$0.isBeingWritten }) { return }
            usleep(Log.gatherMicroseconds / 2)
        }
    }
}

extension Log.Level {
    fileprivate init(_ level: Configuration.Log.Level) {
        switch level {
        case .debug: self = .debug
        case .info: self = .info
        case .warn: self = .warn
        case .error: self = .error
        }
    }
}

/// One line of the log while it is put together. Text is escaped so that no value can end the line,
/// begin another field, or move a terminal's cursor.
package struct LogLine: ~Copyable {
    fileprivate var bytes = ByteBuffer(capacity: 512)
    /// What a value is before it is escaped.
    private var text = ByteBuffer()
    private var format = Log.Format.logfmt
    private var isFirst = true

    fileprivate init() {}

    fileprivate mutating func begin(
        _ format: Log.Format, at time: WallClock, level: Log.Level, message: StaticString
    ) {
        self.format = format
        isFirst = true
        bytes.removeAll()
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
        add(name) { $0.append(text: value) }
    }

    /// A moment, as a timestamp.
    package mutating func add(_ name: StaticString, secondsSince1970 seconds: Int) {
        add(name) { $0.append(timestampInMilliseconds: UInt64(clamping: seconds) &* 1000) }
    }

    /// Milliseconds, given in nanoseconds.
    package mutating func add(_ name: StaticString, milliseconds nanoseconds: UInt64) {
        key(name)
        bytes.append(milliseconds: nanoseconds)
    }

    package mutating func add(_ name: StaticString, _ address: IPAddress) {
        add(name) { $0.append(address: address) }
    }

    /// What `write` appends.
    package mutating func add(_ name: StaticString, _ write: (inout ByteBuffer) -> Void) {
        var text = exchange(&self.text, with: ByteBuffer())
        text.removeAll()
        write(&text)
        add(name, text.span)
        self.text = text
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

extension Span<UInt8> {
    /// How many lines end here.
    var lineCount: Int {
        var count = 0
        for index in indices where self[index] == UInt8(ascii: "\n") { count += 1 }
        return count
    }
}

extension ByteBuffer {
    /// Appends milliseconds with one decimal.
    mutating func append(milliseconds nanoseconds: UInt64) {
        let tenths = Int(clamping: nanoseconds / 100_000)
        append(decimal: tenths / 10)
        append(".")
        append(decimal: tenths % 10)
    }
}
