package import Bytes
import CLinux
import Glibc

/// A file that grows by whole lines and is put aside when it is full: `audit.jsonl` becomes
/// `audit.jsonl.1`, that one `.2`, and so on, and the oldest goes.
///
/// It is not ours alone. Somebody may move it away or delete it, and two processes write to it while
/// one takes over from the other. So each append holds a lock on the file (flock(2)), and once it has
/// it asks whether the name still leads there. A line that could not be written whole is cut off again.
///
/// Everything here may take as long as a disk takes: never called by a loop.
package struct RotatedFile: ~Copyable {
    package struct Settings: Equatable, Sendable {
        package let path: String
        let bytesMax: Int
        /// How many that were put aside are kept.
        let retain: Int

        package init(path: String, bytesMax: Int, retain: Int) {
            (self.path, self.bytesMax, self.retain) = (path, bytesMax, retain)
        }
    }

    private let settings: Settings
    private var descriptor: FileDescriptor?
    /// Rights and group of the one that was put aside last: whoever may read that may read its successor.
    private var inherited: (mode: mode_t, group: gid_t)?
    /// Why the file could not be put aside, the last time it should have been. Until it can be, it grows.
    package private(set) var rotationFault: Errno?
    private var rotateAgainAt = Instant(nanoseconds: 0)

    private static let newMode: mode_t = 0o640
    private static let rotationPause = Interval.seconds(1)
    /// How often the file may be replaced under our hands before we call that a fault.
    private static let locksMax = 64

    /// Opens nothing yet.
    package init(_ settings: Settings) { self.settings = settings }

    /// Moves whole lines from the front of `lines` to the end of the file. After an error, those that
    /// are left are not in it.
    package mutating func append(from lines: inout ByteBuffer) throws(Errno) {
        while !lines.isEmpty {
            let size = try lock()
            defer { unlock() }
            try appendSome(from: &lines, behind: size)
        }
    }

    /// What was appended survives a power cut from here on.
    package mutating func sync() throws(Errno) {
        guard let number = descriptor?.number else { return }
        _ = try retryingOnInterrupt { fdatasync(number) }
    }

    // MARK: Appending

    /// Appends as many lines as fit, or puts the full file aside, so that the next call finds a new one.
    private mutating func appendSome(
        from lines: inout ByteBuffer, behind size: Int
    ) throws(Errno) {
        guard let number = descriptor?.number else { return }
        var size = size
        if try endsWithinLine(number, size) {
            // A process was killed while it wrote: that line is lost, the next is not.
            let end = [UInt8(ascii: "\n")]
            try write(end.span, to: number)
            size += 1
        }
        var count = lines.span.wholeLines(within: max(0, settings.bytesMax - size))
        if count == 0, size > 0 {
            if rotate() { return }
            count = lines.count
        }
        // A line that is longer than a whole file may be has a file to itself.
        if count == 0 {
            count = lines.span.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? lines.count
        }
        try write(count, of: &lines, to: number, behind: size)
    }

    private func endsWithinLine(_ number: Int32, _ size: Int) throws(Errno) -> Bool {
        guard size > 0 else { return false }
        var last: UInt8 = 0
        let count = try retryingOnInterrupt { unsafe pread(number, &last, 1, off_t(size - 1)) }
        return count == 1 && last != UInt8(ascii: "\n")
    }

    private func write(
        _ count: Int, of lines: inout ByteBuffer, to number: Int32, behind size: Int
    ) throws(Errno) {
        var written = 0
        do throws(Errno) {
            while written < count {
                written += try write(lines.span.extracting(written..<count), to: number)
            }
            lines.consume(count)
        } catch {
            let whole = lines.span.wholeLines(within: written)
            lines.consume(whole)
            // Where even that is refused, the next append ends the broken line.
            if written > whole { _ = ftruncate(number, off_t(size + whole)) }
            throw error
        }
    }

    @discardableResult
    private func write(_ bytes: Span<UInt8>, to number: Int32) throws(Errno) -> Int {
        let count = try retryingOnInterrupt {
            unsafe bytes.withUnsafeBytes { unsafe Glibc.write(number, $0.baseAddress, $0.count) }
        }
        // A file takes something or says why not (write(2)).
        guard count > 0 else { throw Errno(ENOSPC) }
        return count
    }

    // MARK: The file behind the name

    /// Locks the file that the name leads to now, opening or making it as needed, and gives its size.
    private mutating func lock() throws(Errno) -> Int {
        for _ in 0..<RotatedFile.locksMax {
            let number: Int32
            if let open = descriptor?.number {
                number = open
            } else {
                let opened = try open()
                number = opened.number
                descriptor = consume opened
            }
            try RotatedFile.lock(number)
            var held = stat()
            guard unsafe fstat(number, &held) == 0 else { throw .current }
            var named = stat()
            if unsafe lstat(settings.path, &named) == 0, named.st_ino == held.st_ino,
                named.st_dev == held.st_dev
            {
                return Int(held.st_size)
            }
            // Closing it lets go of the lock too.
            descriptor = nil
        }
        throw Errno(EBUSY)
    }

    /// Whoever else writes here holds the lock for as long as a write takes; whoever holds it for a
    /// second has something else in mind.
    private static func lock(_ number: Int32) throws(Errno) {
        for _ in 0..<1000 {
            if flock(number, LOCK_EX | LOCK_NB) == 0 { return }
            switch Errno.current.code {
            case EWOULDBLOCK, EINTR: usleep(1000)
            // A file system that has no locks: then nobody else can have one.
            case ENOLCK, EOPNOTSUPP, EINVAL, ENOSYS: return
            default: throw .current
            }
        }
        throw Errno(EBUSY)
    }

    private mutating func unlock() {
        if let number = descriptor?.number { _ = flock(number, LOCK_UN) }
    }

    private mutating func open() throws(Errno) -> FileDescriptor {
        // No link is followed: a rename would move the link and leave the file. What is no file at all
        // must not make us wait for it.
        let flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        for _ in 0..<RotatedFile.locksMax {
            var isNew = false
            var number = unsafe Glibc.open(settings.path, flags)
            if number < 0, errno == ENOENT {
                isNew = true
                number = unsafe Glibc.open(
                    settings.path, flags | O_CREAT | O_EXCL, RotatedFile.newMode)
            }
            // Another process has made it in this very moment.
            if number < 0, errno == EEXIST || errno == EINTR { continue }
            guard number >= 0 else { throw .current }
            let opened = FileDescriptor(taking: number)
            var status = stat()
            guard unsafe fstat(number, &status) == 0 else { throw .current }
            guard status.st_mode & S_IFMT == S_IFREG else { throw Errno(EINVAL) }
            if isNew, let inherited {
                // Not permitted is not worth more than trying.
                _ = fchown(number, .max, inherited.group)
                _ = fchmod(number, inherited.mode)
            }
            return opened
        }
        throw Errno(EBUSY)
    }

    // MARK: Putting aside

    /// Puts the file aside. False when that cannot be done; it is not tried again for a second.
    private mutating func rotate() -> Bool {
        let now = Instant.now()
        guard now >= rotateAgainAt else { return false }
        do throws(Errno) {
            try moveGenerations()
        } catch {
            rotationFault = error
            rotateAgainAt = now + RotatedFile.rotationPause
            return false
        }
        rotationFault = nil
        removeOld()
        descriptor = nil
        return true
    }

    private mutating func moveGenerations() throws(Errno) {
        try sync()
        var status = stat()
        if let number = descriptor?.number, unsafe fstat(number, &status) == 0 {
            inherited = (status.st_mode & 0o777, status.st_gid)
        }
        guard settings.retain > 0 else {
            _ = try retryingOnInterrupt { unsafe unlink(settings.path) }
            return
        }
        var generation = settings.retain - 1
        while generation > 0 {
            if unsafe rename(name(generation), name(generation + 1)) != 0, errno != ENOENT {
                throw .current
            }
            generation -= 1
        }
        _ = try retryingOnInterrupt { unsafe rename(settings.path, name(1)) }
    }

    /// Once more were kept.
    private func removeOld() {
        var generation = settings.retain + 1
        while unsafe unlink(name(generation)) == 0 { generation += 1 }
    }

    private func name(_ generation: Int) -> String { "\(settings.path).\(generation)" }
}

extension Span<UInt8> {
    /// How many of the first `count` bytes are whole lines.
    fileprivate func wholeLines(within count: Int) -> Int {
        var end = Swift.min(count, self.count)
        while end > 0, self[end - 1] != UInt8(ascii: "\n") { end -= 1 }
        return end
    }
}
