import Console
import Gateway
import HTTP
import TLS

/// What this program is and what it was made with.
enum Version {
    static var text: String {
        """
        kanmon \(Release.number) (revision \(Release.revision))
        Swift \(Release.swift)
        OpenSSL built against: \(Library.builtAgainst)
        OpenSSL loaded: \(Library.loaded)
        nghttp2 built against: \(FrameLibrary.builtAgainst)
        nghttp2 loaded: \(FrameLibrary.loaded)
        """
    }

    static var ofProgram: ProgramVersion {
        ProgramVersion(
            number: Release.number, revision: Release.revision, swift: Release.swift,
            openSSL: Library.loaded)
    }
}
