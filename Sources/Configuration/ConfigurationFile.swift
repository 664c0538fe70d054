import Bytes

extension Configuration {
    /// Reads the configuration file at `path`. What stops it from being read at all is one problem
    /// without a position.
    package static func load(path: String) -> Reading {
        do throws(FileFault) {
            return read(try RegularFile.contents(of: path, bytesMax: Node.bytesMax), named: path)
        } catch {
            return (nil, [Problem(.error, file: path, error.text)])
        }
    }
}
