import COpenSSL

/// The OpenSSL this program runs with.
package enum Library {
    /// Prepares OpenSSL without reading a configuration file or an environment variable that names
    /// one. Once, before any other call.
    package static func prepare() {
        let options = UInt64(OPENSSL_INIT_NO_LOAD_CONFIG)
        precondition(OPENSSL_init_ssl(options, nil) == 1, "OpenSSL cannot be used")
    }

    package static var builtAgainst: String {
        unsafe kanmon_version_built_against().map { unsafe String(cString: $0) } ?? "unknown"
    }

    package static var loaded: String {
        unsafe OpenSSL_version(OPENSSL_VERSION).map { unsafe String(cString: $0) } ?? "unknown"
    }
}
