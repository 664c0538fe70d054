import Bytes

/// Where a file that the gate reads is: a path, or a credential that whoever starts the gate
/// provides (`credential:NAME`).
package enum FileLocation: Hashable, Sendable, CustomStringConvertible {
    /// Resolved against the folder of the configuration file.
    case path(String)
    /// 1 to 255 letters, digits and `._-`, so it is a file name and no way out of a folder.
    case credential(String)

    /// As the configuration may write it.
    package var description: String {
        switch self {
        case .path(let path): path
        case .credential(let name): FileLocation.scheme + name
        }
    }

    private static let scheme = "credential:"
}

extension FileLocation {
    init(_ text: String, besides file: String) throws(ScalarFault) {
        guard text.hasPrefix(FileLocation.scheme) else {
            self = .path(try FileLocation.path(of: text, besides: file))
            return
        }
        let name = text.dropFirst(FileLocation.scheme.count)
        guard (1...255).contains(name.utf8.count), name != ".", name != "..",
            name.utf8.allSatisfy(\.isCredentialCharacter)
        else {
            throw ScalarFault(
                "has no name of a credential behind its \":\": letters, digits and ._- are possible"
            )
        }
        self = .credential(String(name))
    }

    /// The path that `text` means in a configuration file: text is joined, no folder is looked at.
    package static func path(of text: String, besides file: String) throws(ScalarFault) -> String {
        guard !text.isEmpty else { throw ScalarFault("is an empty path") }
        guard !text.hasPrefix("~") else {
            throw ScalarFault("begins with ~, which is not expanded; write the whole path")
        }
        guard !text.hasPrefix(scheme) else {
            throw ScalarFault("is a credential, which can only be read; give a path")
        }
        guard !text.hasSuffix("/") else {
            throw ScalarFault("is a folder; give the path of the file")
        }
        guard text.utf8.allSatisfy({ !$0.isControl }) else {
            throw ScalarFault("holds a control character")
        }
        let slash = file.lastIndex(of: "/")
        let path = text.hasPrefix("/") ? text : (slash.map { file[...$0] } ?? "") + text
        guard path.utf8.count < 4096 else { throw ScalarFault("is longer than a path can be") }
        return path
    }
}

extension UInt8 {
    fileprivate var isCredentialCharacter: Bool {
        isLetter || isDigit || self == UInt8(ascii: ".") || self == UInt8(ascii: "_")
            || self == UInt8(ascii: "-")
    }
}
