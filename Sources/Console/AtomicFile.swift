import Bytes
package import Glibc

/// Writing a file so that everybody sees the old one or the new one, and nothing between.
package enum AtomicFile {
    package struct Failure: Error, CustomStringConvertible {
        package let path: String
        package let code: Int32

        package init(path: String, code: Int32) { (self.path, self.code) = (path, code) }

        package var description: String {
            let reason = unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
            return "\(path) cannot be written: \(reason)"
        }
    }

    /// A new file gets `mode`; one that is replaced keeps owner, group and mode.
    package static func write(_ bytes: [UInt8], to path: String, newMode mode: mode_t)
        throws(Failure)
    {
        // A link is followed, so that what it leads to is replaced and the link stays.
        let target = resolved(path)
        let temporary = "\(target).\(getpid()).new"
        do throws(Failure) {
            try writeWhole(bytes, to: temporary, mode, like: target)
            guard unsafe rename(temporary, target) == 0 else {
                throw Failure(path: path, code: errno)
            }
        } catch {
            unsafe unlink(temporary)
            throw error
        }
        syncFolder(of: target)
    }

    /// Reads, changes and writes as one step: whoever else does that with a file in the same folder waits,
    /// 10 seconds at most, so that no change undoes another.
    package static func change<Result>(_ path: String, _ body: () throws -> Result) throws -> Result
    {
        let folder = folder(of: resolved(path))
        let fd = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { throw Failure(path: path, code: errno) }
        defer { _ = close(fd) }
        var tries = 500
        while flock(fd, LOCK_EX | LOCK_NB) != 0 {
            tries -= 1
            guard tries > 0, errno == EWOULDBLOCK || errno == EINTR else {
                throw Failure(path: path, code: errno)
            }
            usleep(20_000)
        }
        return try body()
    }

    private static func resolved(_ path: String) -> String {
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    private static func writeWhole(
        _ bytes: [UInt8], to path: String, _ mode: mode_t, like old: String
    ) throws(Failure) {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let fd = unsafe open(path, flags, 0o600)
        guard fd >= 0 else { throw Failure(path: path, code: errno) }
        defer { _ = close(fd) }
        var status = stat()
        let isReplaced = unsafe stat(old, &status) == 0
        // Rights first: the content is never there for somebody who may not see it.
        if isReplaced, fchown(fd, status.st_uid, status.st_gid) != 0, errno != EPERM {
            throw Failure(path: path, code: errno)
        }
        guard fchmod(fd, isReplaced ? status.st_mode & 0o7777 : mode) == 0 else {
            throw Failure(path: path, code: errno)
        }
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(fd, $0.baseAddress, $0.count)
            }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { throw Failure(path: path, code: errno) }
            rest = rest.dropFirst(count)
        }
        guard fsync(fd) == 0 else { throw Failure(path: path, code: errno) }
    }

    /// The new name must survive a power cut as the content does.
    private static func syncFolder(of path: String) {
        let fd = unsafe open(folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard fd >= 0 else { return }
        _ = fsync(fd)
        _ = close(fd)
    }

    private static func folder(of path: String) -> String {
        path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    }
}
