import Bytes
import Glibc

/// What the kernel says about this process. What it does not say is nil, and never made up.
package struct ProcessFigures: Sendable {
    /// In user and in system mode.
    package let cpuNanoseconds: UInt64
    package let openDescriptors: Int?
    package let descriptorsMax: Int?
    package let virtualBytes: Int?
    /// Nil also where there is no limit.
    package let virtualBytesMax: Int?
    package let residentBytes: Int?
    package let threads: Int?

    package static func now() -> ProcessFigures {
        let status = statusFields()
        let pageBytes = sysconf(Int32(_SC_PAGESIZE))
        return ProcessFigures(
            cpuNanoseconds: processorTime(), openDescriptors: openDescriptorCount(),
            descriptorsMax: limit(RLIMIT_NOFILE), virtualBytes: status?.virtualBytes,
            virtualBytesMax: limit(RLIMIT_AS),
            residentBytes: status.map { $0.residentPages &* pageBytes }, threads: status?.threads)
    }

    private static func processorTime() -> UInt64 {
        var time = timespec()
        _ = unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return UInt64(max(time.tv_sec, 0)) &* 1_000_000_000 &+ UInt64(max(time.tv_nsec, 0))
    }

    /// Of `/proc/self/stat` (proc_pid_stat(5)). The second field, a name in parentheses, may hold anything,
    /// so fields are counted from the last closing one.
    private static func statusFields() -> (threads: Int, virtualBytes: Int, residentPages: Int)? {
        guard
            let bytes = try? RegularFile.contents(of: "/proc/self/stat", bytesMax: 4096),
            let name = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = bytes[name...].split(separator: UInt8(ascii: " ")).map {
            Int(String(decoding: $0, as: UTF8.self))
        }
        // The third field of the manual has the index 1 here.
        guard fields.count > 22, let threads = fields[18], let size = fields[21],
            let pages = fields[22]
        else { return nil }
        return (threads, size, pages)
    }

    /// Since Linux 6.2 the size of the folder is the count; before that each entry is one.
    private static func openDescriptorCount() -> Int? {
        var status = stat()
        guard unsafe stat("/proc/self/fd", &status) == 0 else { return nil }
        if status.st_size > 0 { return status.st_size }
        guard let folder = unsafe opendir("/proc/self/fd") else { return nil }
        defer { unsafe closedir(folder) }
        // Not `.`, not `..`, not the descriptor that reads.
        var count = -3
        while unsafe readdir(folder) != nil { count += 1 }
        return max(count, 0)
    }

    private static func limit(_ resource: __rlimit_resource) -> Int? {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(resource.rawValue), &limit) == 0,
            limit.rlim_cur != rlim_t.max
        else { return nil }
        return Int(exactly: limit.rlim_cur)
    }
}
