import Bytes
import CCrypt
import Glibc

/// The one door to libxcrypt: hashes one password at a time in a scratch area of its own, which is
/// wiped after each.
///
/// libxcrypt would take every scheme it knows, DES included; what reaches it here is only a
/// `PasswordHash`, or a setting this module wrote itself.
@safe
internal struct Bcrypt: ~Copyable {
    private let scratch: UnsafeMutablePointer<crypt_data>

    /// bcrypt reads no further than this; what is longer would share a hash with its beginning.
    internal static let passwordBytesMax = 72

    internal init() {
        unsafe scratch = .allocate(capacity: 1)
        wipe()
    }

    deinit {
        wipe()
        unsafe scratch.deallocate()
    }

    /// Can bcrypt tell this password from all others? C ends it at a NUL, bcrypt after 72 bytes.
    internal static func canHash(_ password: Span<UInt8>) -> Bool {
        password.count > 0 && password.count <= passwordBytesMax
            && password.firstIndex(of: 0) == nil
    }

    /// Hashes and shows the result; nil when libxcrypt fails, which it says with a text that
    /// begins with `*`. `setting` is a hash or the first 29 characters of one.
    internal mutating func hash<R>(
        _ password: Span<UInt8>, setting: Span<UInt8>, _ body: (Span<UInt8>) -> R
    ) -> R? {
        precondition(Bcrypt.canHash(password) && setting.count <= PasswordHash.byteCount)
        defer { wipe() }
        // Both go into the fields crypt.h sets aside for them; behind them all is zero.
        let input = unsafe field(\.input)
        let storedSetting = unsafe field(\.setting)
        unsafe password.withUnsafeBytes { unsafe input.copyMemory(from: $0) }
        unsafe setting.withUnsafeBytes { unsafe storedSetting.copyMemory(from: $0) }
        let result = unsafe crypt_r(
            input.baseAddress?.assumingMemoryBound(to: CChar.self),
            storedSetting.baseAddress?.assumingMemoryBound(to: CChar.self), scratch)
        let failure = CChar(bitPattern: UInt8(ascii: "*"))
        guard let result = unsafe result, unsafe result.pointee != failure else { return nil }
        let bytes = unsafe UnsafeRawBufferPointer(start: result, count: strlen(result))
        return unsafe body(Span(_unsafeBytes: bytes))
    }

    /// A setting with a new random salt from the system, or nil when there is none to be had.
    internal static func makeSetting(cost: Int) -> [UInt8]? {
        let setting = unsafe [CChar](unsafeUninitializedCapacity: 192) { buffer, count in
            let text = unsafe crypt_gensalt_rn(
                "$2b$", UInt(cost), nil, 0, buffer.baseAddress, Int32(buffer.count))
            unsafe count = text.map { unsafe strlen($0) } ?? 0
        }
        return setting.isEmpty ? nil : setting.map { UInt8(bitPattern: $0) }
    }

    private func field<Field>(
        _ path: KeyPath<crypt_data, Field>
    ) -> UnsafeMutableRawBufferPointer {
        let offset = MemoryLayout<crypt_data>.offset(of: path) ?? 0
        return unsafe UnsafeMutableRawBufferPointer(
            start: UnsafeMutableRawPointer(scratch) + offset, count: MemoryLayout<Field>.size)
    }

    private func wipe() { unsafe explicit_bzero(scratch, MemoryLayout<crypt_data>.size) }
}
