import Bytes

extension PasswordHash {
    /// Hashes a new password with a new salt, as `$2b$`. Blocks for as long as `cost` says.
    package init(making password: Span<UInt8>, cost: Int) throws(PasswordMakingError) {
        guard PasswordHash.costs.contains(cost) else { throw .costOutOfRange }
        guard password.count > 0 else { throw .empty }
        guard password.count <= Bcrypt.passwordBytesMax else { throw .tooLong }
        guard Bcrypt.canHash(password) else { throw .holdsNUL }
        guard let setting = Bcrypt.makeSetting(cost: cost) else { throw .systemFailed }
        var bcrypt = Bcrypt()
        let made = bcrypt.hash(password, setting: setting.span) { hash in try? PasswordHash(hash) }
        guard case .some(.some(let hash)) = made else { throw .systemFailed }
        self = hash
    }
}

/// Why no hash could be made.
package enum PasswordMakingError: Error, Equatable {
    case costOutOfRange
    case empty
    case tooLong
    case holdsNUL
    case systemFailed

    /// What to tell the person who chose the password.
    package var sentence: StaticString {
        switch self {
        case .costOutOfRange: "the cost must be from 4 to 14"
        case .empty: "the password is empty"
        case .tooLong: "the password is longer than the 72 bytes bcrypt can tell apart"
        case .holdsNUL: "the password holds a NUL byte, where bcrypt would end it"
        case .systemFailed: "the system gave no random salt, or its libcrypt no bcrypt hash"
        }
    }
}
