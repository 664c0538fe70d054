import Bytes

/// A file of settings, read strictly into whatever somebody makes of its keys.
package enum SettingsFile {
    /// The value, nil exactly when there is an error among the problems, and all problems in the order
    /// of the file.
    package typealias Reading<Value> = (value: Value?, problems: [Problem])

    package static let bytesMax = Node.bytesMax

    /// Reads the bytes of the file `file`, which problems name. Keys that `make` did not ask for are
    /// problems too.
    package static func read<Value>(
        _ bytes: [UInt8], named file: String, _ make: (Section, Complaints) -> Value?
    ) -> Reading<Value> {
        let complaints = Complaints(file: file)
        let root = Node.root(of: bytes, complaints: complaints)
        let value = root.flatMap { root in
            let top = Section(root: root, complaints: complaints)
            let value = make(top, complaints)
            top.reportUnknownKeys()
            return value
        }
        return (complaints.hasError ? nil : value, complaints.sorted)
    }

    /// The same for the file at `path`. What stops it from being read at all is one problem without a
    /// position.
    package static func load<Value>(
        path: String, _ make: (Section, Complaints) -> Value?
    ) -> Reading<Value> {
        do throws(FileFault) {
            let bytes = try RegularFile.contents(of: path, bytesMax: bytesMax)
            return read(bytes, named: path, make)
        } catch {
            return (nil, [Problem(.error, file: path, error.text)])
        }
    }
}
