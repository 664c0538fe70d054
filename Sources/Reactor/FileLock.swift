import Glibc

/// A file that only one process at a time holds, for as long as this lives.
package struct FileLock: ~Copyable {
    private let file: FileDescriptor

    /// Takes the lock; nil when another process has it.
    package static func take(path: String) throws(Errno) -> FileLock? {
        let flags = O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW
        let number = try retryingOnInterrupt { unsafe open(path, flags, 0o600) }
        let file = FileDescriptor(taking: number)
        if flock(number, LOCK_EX | LOCK_NB) == 0 { return FileLock(file: file) }
        let error = Errno.current
        if error == .wouldBlock { return nil }
        throw error
    }

    private init(file: consuming FileDescriptor) { self.file = file }
}
