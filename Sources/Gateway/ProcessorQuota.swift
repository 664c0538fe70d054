import Bytes

/// How much processor time the control group grants, in whole processors.
enum ProcessorQuota {
    /// Rounded up; nil when there is no quota, or none that can be read.
    static var processors: Int? {
        let group = text(of: "/proc/self/cgroup").split(separator: "\n").first {
            $0.hasPrefix("0::")
        }
        let path = group.map { String($0.dropFirst(3)) } ?? "/"
        return read(text(of: "/sys/fs/cgroup\(path)/cpu.max"))
            ?? read(text(of: "/sys/fs/cgroup/cpu.max"))
    }

    /// `QUOTA PERIOD` in microseconds, or `max PERIOD` (cgroup v2).
    static func read(_ text: String) -> Int? {
        let numbers = text.split { $0 == " " || $0 == "\n" }
        guard numbers.count == 2, let quota = Int(numbers[0]), let period = Int(numbers[1]),
            quota > 0, period > 0
        else { return nil }
        return (quota - 1) / period + 1
    }

    private static func text(of path: String) -> String {
        let bytes = try? RegularFile.contents(of: path, bytesMax: 4096)
        return String(decoding: bytes ?? [], as: UTF8.self)
    }
}
