import Glibc

/// A file that only one process at a time holds, for as long as this lives.
package struct FileLock: ~Copyable {
    private let file: FileDescriptor

    /// Takes the lock; nil when another process has it.
    package static func take(path: String) throws(Errno) -> FileLock? {
        let number = try descriptor(of: path)
        let file = FileDescriptor(taking: number)
        if flock(number, LOCK_EX | LOCK_NB) == 0 { return FileLock(file: file) }
        let error = Errno.current
        if error == .wouldBlock { return nil }
        throw error
    }

    /// Of the file, which is made if need be, and on a disk that became read-only is there all the same.
    private static func descriptor(of path: String) throws(Errno) -> Int32 {
        let flags = O_CLOEXEC | O_NOFOLLOW
        do throws(Errno) {
            return try retryingOnInterrupt { unsafe open(path, O_RDWR | O_CREAT | flags, 0o600) }
        } catch {
            guard error.code == EROFS else { throw error }
            return try retryingOnInterrupt { unsafe open(path, O_RDONLY | flags) }
        }
    }

    private init(file: consuming FileDescriptor) { self.file = file }
}
