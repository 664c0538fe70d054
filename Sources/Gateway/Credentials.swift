import Bytes
import Configuration
import Glibc

/// What `credential:NAME` means here and now: the file that whoever started the gate provides.
enum Credentials {
    /// Where container engines put them.
    private static let containerFolder = "/run/secrets"

    /// The path of the credential, or nil with the places that were looked at.
    ///
    /// The service manager's folder (systemd.exec(5), `$CREDENTIALS_DIRECTORY`) before the container's,
    /// and both before a path in the environment. The first that is there counts, readable or not.
    static func find(_ name: String) -> (path: String?, places: [String]) {
        let variable = variable(for: name)
        let places = [
            environment("CREDENTIALS_DIRECTORY").map { "\($0)/\(name)" },
            "\(containerFolder)/\(name)", environment(variable),
        ]
        let candidates = places.compactMap(\.self)
        let path = candidates.first { RegularFile.mode(of: $0) != nil }
        return (path, path == nil ? candidates + ["$\(variable)"] : candidates)
    }

    /// Was this process started with credentials of the service manager?
    static var areProvided: Bool { environment("CREDENTIALS_DIRECTORY") != nil }

    /// `tls.key` is `TLS_KEY`: in the name of a variable there is nothing but letters, digits and `_`.
    private static func variable(for name: String) -> String {
        String(name.uppercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
    }

    private static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}
