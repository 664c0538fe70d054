import CLinux
import Glibc

/// What this process may use of the machine.
package enum Machine {
    /// The processors this process may run on.
    package static var usableProcessors: Int { max(1, Int(kanmon_usable_processors())) }

    /// What is in memory, keys and passwords, is not to be in a file because of a crash.
    package static func forbidCoreDumps() {
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
    }

    /// Keeps up to four megabytes of freed memory for the next who needs it: a body that comes every minute
    /// would otherwise be given back to the system and taken from it again, page by page. What is larger
    /// than a quarter of one goes back at once.
    package static func keepFreedMemory() {
        _ = mallopt(M_TRIM_THRESHOLD, 4 << 20)
        _ = mallopt(M_MMAP_THRESHOLD, 256 << 10)
    }

    /// Raises the soft limit of open descriptors to the hard one, and gives the limit that holds then.
    package static func raiseDescriptorLimit() -> Int {
        var limit = rlimit()
        let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(resource, &limit) == 0 else { return 1024 }
        let soft = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        // Where raising it is not permitted, what there was holds.
        if unsafe setrlimit(resource, &limit) != 0 { limit.rlim_cur = soft }
        return Int(clamping: limit.rlim_cur)
    }
}
