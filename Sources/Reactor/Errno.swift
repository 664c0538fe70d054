import Glibc

/// Why a system call failed.
package struct Errno: Error, Equatable, Sendable, CustomStringConvertible {
    package let code: Int32

    package init(_ code: Int32) { self.code = code }

    /// The calling thread's last error. Read it before anything else is called.
    package static var current: Errno { Errno(errno) }

    package static let interrupted = Errno(EINTR)
    package static let wouldBlock = Errno(EAGAIN)
    package static let familyNotSupported = Errno(EAFNOSUPPORT)
    package static let inProgress = Errno(EINPROGRESS)
    package static let addressInUse = Errno(EADDRINUSE)
    package static let addressNotAvailable = Errno(EADDRNOTAVAIL)
    package static let notPermitted = Errno(EACCES)
    package static let noSuchFile = Errno(ENOENT)
    package static let fileExists = Errno(EEXIST)
    package static let nameTooLong = Errno(ENAMETOOLONG)
    package static let connectionReset = Errno(ECONNRESET)
    package static let timedOut = Errno(ETIMEDOUT)

    /// The process or the machine has no descriptor or no memory left: waiting may help.
    package var isExhaustion: Bool { [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) }

    package var description: String {
        unsafe strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
    }
}

/// Calls until no signal interrupts it; -1 becomes an error.
@inline(__always)
package func retryingOnInterrupt<Result: SignedInteger>(
    _ call: () -> Result
) throws(Errno) -> Result {
    while true {
        let result = call()
        if result != -1 { return result }
        let error = Errno.current
        if error != .interrupted { throw error }
    }
}
