import Glibc

/// Reading a file whole, and refusing what is none.
public enum RegularFile {
    /// The bytes of the file at `path`. Anything but a regular file is refused before it is read: a FIFO
    /// would never end, a device might act.
    public static func contents(of path: String, bytesMax: Int) throws(FileFault) -> [UInt8] {
        guard !path.isEmpty, !path.utf8.contains(0) else { throw FileFault("is not a path") }
        var fd: Int32
        // A file on another machine can be interrupted while it is opened.
        repeat {
            fd = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
        } while fd < 0 && errno == EINTR
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

    /// Why the file at `path` could not be appended to, made, or put aside under another name; nil when
    /// nothing speaks against it now, or when it begins with another byte than it should. Makes and changes
    /// nothing.
    public static func faultOfAppending(
        to path: String, whoseFirstByteIs first: UInt8
    ) -> FileFault? {
        guard !path.isEmpty, !path.utf8.contains(0) else { return FileFault("is not a path") }
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        if let fault = FileFault(ofWritingIn: folder) { return fault }

        let flags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        let fd = unsafe open(path, flags)
        guard fd >= 0 else { return errno == ENOENT ? nil : FileFault(appendingTo: path, errno) }
        defer { _ = close(fd) }
        var status = stat()
        guard unsafe fstat(fd, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            return FileFault("is not a regular file")
        }
        var found = first
        guard unsafe pread(fd, &found, 1, 0) >= 0 else {
            return FileFault(appendingTo: path, errno)
        }
        return found == first ? nil : FileFault("is there already and holds something else")
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

    init(appendingTo path: String, _ code: Int32) {
        switch code {
        case EISDIR: text = "is a folder; name the file in it"
        case ELOOP: text = "is a symbolic link; name the file itself"
        case EACCES, EPERM: text = FileFault.denialOfWriting(to: path)
        case EROFS: text = "cannot be written: it is on a file system that is read-only"
        case ENXIO: text = "is not a regular file"
        case EMFILE, ENFILE: text = "cannot be opened: too many files are open"
        default: text = "cannot be written (system error \(code))"
        }
    }

    /// Nil when files can be made and renamed in `folder`.
    init?(ofWritingIn folder: String) {
        var status = stat()
        guard unsafe stat(folder, &status) == 0 else {
            text =
                "cannot be made: the folder \(folder) does not exist, or cannot be reached by "
                + "uid \(geteuid()); to make it: install -d -o \(geteuid()) -g \(getegid()) "
                + "-m 0750 \(folder)"
            return
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            text = "cannot be made: \(folder) is not a folder"
            return
        }
        guard unsafe access(folder, W_OK | X_OK) != 0 else { return nil }
        text =
            errno == EROFS
            ? "cannot be written: \(folder) is on a file system that is read-only"
            : "cannot be made and renamed by uid \(geteuid()): the folder \(folder) "
                + "\(FileFault.rights(of: status)); to let it: chown \(geteuid()) \(folder)"
    }

    private static func denialOfWriting(to path: String) -> String {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return denial(of: path) }
        return "cannot be written by uid \(geteuid()): it \(rights(of: status)); "
            + "to let it: chown \(geteuid()) \(path)"
    }

    private static func rights(of status: stat) -> String {
        let mode = String(status.st_mode & 0o7777, radix: 8)
        return "belongs to \(status.st_uid):\(status.st_gid) with mode 0\(mode)"
    }

    /// Who may read the file, and who we are: all that is needed to see why we may not.
    private static func denial(of path: String) -> String {
        let (user, group) = (geteuid(), getegid())
        var status = stat()
        guard unsafe stat(path, &status) == 0 else {
            return "cannot be reached by uid \(user): a folder of its path is closed to it"
        }
        return "cannot be read by uid \(user): it \(rights(of: status)); "
            + "to let it: chgrp \(group) \(path) && chmod g+r \(path)"
    }
}
