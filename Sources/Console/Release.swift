import CRevision

/// Which release the programs of this package belong to. The number stands here and in the newest entry
/// of CHANGELOG.md; package and manual take it from here.
package enum Release {
    package static let number = "0.2.0"

    package static var revision: String { unsafe String(cString: kanmon_revision) }

    /// The compiler's version, as far as a program can ask for it.
    package static var swift: String {
        #if compiler(>=6.5)
            "6.5 or later"
        #elseif compiler(>=6.4)
            "6.4"
        #else
            "6.3"
        #endif
    }
}
