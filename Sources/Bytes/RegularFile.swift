import Glibc

/// Reading a file whole, and refusing what is none.
public enum RegularFile {
    /// The bytes of the file at `path`. Anything but a regular file is refused before it is read: a FIFO
    /// would never end, a device might act.
    public static func contents(of path: String, bytesMax: Int) throws(FileFault) -> [UInt8] {
        guard !path.isEmpty, !path.utf8.contains(0) else { throw FileFault("is not a path") }
        let fd = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        guard fd >= 0 else { throw FileFault(opening: path, errno) }
        defer { _ = close(fd) }

        var status = stat()
        guard unsafe fstat(fd, &status) == 0 else { throw FileFault(opening: path, errno) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            throw FileFault(isFolder ? "is a folder; name the file in it" : "is not a regular file")
        }

        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 64 << 10)
        while bytes.count <= bytesMax {
            let count = unsafe Glibc.read(fd, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileFault(opening: path, errno) }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
        }
        throw FileFault("is larger than \(bytesMax) bytes")
    }

    /// The permission bits of the file at `path`; nil when it cannot be looked at.
    public static func mode(of path: String) -> UInt32? {
        var status = stat()
        return unsafe stat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
    }
}

/// Why a file cannot be read, with the command that mends it where there is one. `text` follows the
/// path.
public struct FileFault: Error, Equatable, Sendable {
    public let text: String

    init(_ text: String) { self.text = text }

    init(opening path: String, _ code: Int32) {
        switch code {
        case ENOENT: text = "does not exist"
        case ENOTDIR: text = "does not exist: a part of its path is not a folder"
        case ELOOP: text = "is a symbolic link that leads nowhere"
        case EACCES, EPERM: text = FileFault.denial(of: path)
        case EMFILE, ENFILE: text = "cannot be opened: too many files are open"
        default: text = "cannot be read (system error \(code))"
        }
    }

    /// Who may read the file, and who we are: all that is needed to see why we may not.
    private static func denial(of path: String) -> String {
        let (user, group) = (geteuid(), getegid())
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            return "cannot be reached by uid \(user): a folder of its path is closed to it"
        }
        let mode = String(status.st_mode & 0o7777, radix: 8)
        return
            "cannot be read by uid \(user): it belongs to \(status.st_uid):\(status.st_gid) with "
            + "mode 0\(mode); to let it: chgrp \(group) \(path) && chmod g+r \(path)"
    }
}
