import CRevision
import Gateway
import HTTP
import TLS

/// What this program is and what it was made with. The number stands here and in the newest entry of
/// CHANGELOG.md; package and manual take it from here.
enum Version {
    static let number = "0.2.0"

    static var text: String {
        """
        kanmon \(number) (revision \(revision))
        Swift \(swift)
        OpenSSL built against: \(Library.builtAgainst)
        OpenSSL loaded: \(Library.loaded)
        nghttp2 built against: \(FrameLibrary.builtAgainst)
        nghttp2 loaded: \(FrameLibrary.loaded)
        """
    }

    static var ofProgram: ProgramVersion {
        ProgramVersion(number: number, revision: revision, swift: swift, openSSL: Library.loaded)
    }

    static var revision: String { unsafe String(cString: kanmon_revision) }

    /// The compiler's version, as far as a program can ask for it.
    private static var swift: String {
        #if compiler(>=6.5)
            "6.5 or later"
        #elseif compiler(>=6.4)
            "6.4"
        #else
            "6.3"
        #endif
    }
}
