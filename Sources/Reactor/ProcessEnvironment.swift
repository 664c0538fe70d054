import CLinux
import Glibc

/// What this process was told when it was started. Nothing changes it: what a child is to be told is put
/// together for that child.
package enum ProcessEnvironment {
    package static func value(of name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    /// Every assignment, as `NAME=value`.
    package static var assignments: [String] {
        guard let list = unsafe kanmon_environment() else { return [] }
        var assignments: [String] = []
        var index = 0
        while let assignment = unsafe list[index] {
            unsafe assignments.append(String(cString: assignment))
            index += 1
        }
        return assignments
    }

    /// The path this program was started by. That of the file itself when the kernel was not given one,
    /// and the better one of the two otherwise: a link may lead to another version by now.
    package static func programPath() -> String? {
        let started = unsafe kanmon_started_from().map { unsafe String(cString: $0) }
        if let started, !started.hasPrefix("/dev/fd/"), !started.isEmpty { return started }
        guard let file = unsafe realpath("/proc/self/exe", nil) else { return nil }
        defer { unsafe free(file) }
        return unsafe String(cString: file)
    }
}
