import Glibc

/// What a folder holds, and changes to that.
package enum Folder {
    /// The names in it, sorted, without those that begin with a dot; none when it cannot be read.
    package static func names(in path: String) -> [String] {
        guard let folder = unsafe opendir(path) else { return [] }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix(".") { names.append(name) }
        }
        return names.sorted()
    }

    /// Whether anything stands at `path`, be it a link that leads nowhere.
    package static func has(_ path: String) -> Bool {
        var status = stat()
        return unsafe lstat(path, &status) == 0
    }

    /// Makes it, for its owner alone, unless it is there.
    package static func make(_ path: String) throws(Errno) {
        if unsafe mkdir(path, 0o700) != 0, errno != EEXIST { throw .current }
    }

    /// Makes one in `path` that nobody had before.
    package static func makeTemporary(in path: String) throws(Errno) -> String {
        var template = Array("\(path)/.new.XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw .current }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Removes the files in it, and the folder. Nothing deeper: what is left stays.
    package static func remove(_ path: String) {
        for name in names(in: path) { unsafe unlink("\(path)/\(name)") }
        unsafe rmdir(path)
    }

    package static func removeFile(_ path: String) throws(Errno) {
        _ = try retryingOnInterrupt { unsafe unlink(path) }
    }

    package static func rename(_ old: String, to new: String) throws(Errno) {
        _ = try retryingOnInterrupt { unsafe Glibc.rename(old, new) }
    }

    /// Gives a file a second name, unless that is somebody's.
    package static func link(_ old: String, as new: String) throws(Errno) {
        _ = try retryingOnInterrupt { unsafe Glibc.link(old, new) }
    }

    /// Removes the oldest by name, so that as many as `retain` are left.
    package static func thin(_ path: String, retaining retain: Int) {
        for name in names(in: path).dropLast(retain) { unsafe unlink("\(path)/\(name)") }
    }
}
