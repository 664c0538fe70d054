import Foundation
import Testing

/// Bodies that are not text: what a client that speaks protobuf or gzip sends, and what it should not.
enum Bodies {
    static let protobufField =
        "Content-Type: application/vnd.google.protobuf; "
        + "proto=io.prometheus.client.MetricFamily; encoding=delimited"
    static let gzipField = "Content-Encoding: gzip"

    /// A family with its length before it. With a `value` it has one metric, without it has none.
    static func family(_ name: String, type: FamilyType, value: Double? = nil) -> [UInt8] {
        var message = field(1, Array(name.utf8)) + [3 << 3, type.rawValue]
        if let value {
            let bytes = (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> ($0 * 8)) }
            message += field(4, field(type.valueField, [1 << 3 | 1] + bytes))
        }
        return varint(UInt64(message.count)) + message
    }

    /// The types whose metrics have one value.
    enum FamilyType: UInt8, CaseIterable, Sendable {
        case counter = 0
        case gauge = 1
        case untyped = 3

        fileprivate var valueField: UInt8 {
            switch self {
            case .counter: 3
            case .gauge: 2
            case .untyped: 5
            }
        }
    }

    static func varint(_ value: UInt64) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = value
        while rest > 0x7F {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        [number << 3 | 2] + varint(UInt64(bytes.count)) + bytes
    }

    /// A gzip file (RFC 1952) that holds `bytes`, at most 65,535 of them, as they are.
    static func gzip(_ bytes: [UInt8]) -> [UInt8] {
        let count = UInt16(clamping: bytes.count)
        let head: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
        return head + [1] + littleEndian(count) + littleEndian(~count) + bytes
            + littleEndian(checksum(bytes)) + littleEndian(UInt32(bytes.count))
    }

    /// What gzip makes of it, as small as it can.
    static func compressed(_ text: String) throws -> [UInt8] {
        let folder = TemporaryFolder()
        folder.write("body", text)
        let ended = try run("/usr/bin/gzip", ["-9", folder.path + "/body"])
        #expect(ended.status == 0, "\(ended.errors)")
        return folder.read("body.gz")
    }

    private static func littleEndian(_ number: some FixedWidthInteger) -> [UInt8] {
        unsafe withUnsafeBytes(of: number.littleEndian) { unsafe Array($0) }
    }

    /// CRC-32 as section 8 of RFC 1952 has it.
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        var register = ~UInt32(0)
        for byte in bytes {
            register ^= UInt32(byte)
            for _ in 0..<8 {
                register = register >> 1 ^ (register & 1 == 1 ? 0xEDB8_8320 : 0)
            }
        }
        return ~register
    }
}
