internal import CNghttp2

/// The libnghttp2 this program runs with.
package enum FrameLibrary {
    package static var builtAgainst: String { NGHTTP2_VERSION }

    package static var loaded: String {
        guard let info = unsafe nghttp2_version(0), let text = unsafe info.pointee.version_str
        else { return "unknown" }
        return unsafe String(cString: text)
    }
}
