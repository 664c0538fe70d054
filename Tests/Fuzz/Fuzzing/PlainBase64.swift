/// Base64 bit by bit, slow and short, to compare with.
package struct PlainBase64 {
    private let digits: [UInt8]

    package static let standard = PlainBase64(ending: "+/")
    package static let urlSafe = PlainBase64(ending: "-_")

    private init(ending: String) {
        let common = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
        digits = Array((common + ending).utf8)
    }

    /// The digits of `bytes`, without padding.
    package func text(of bytes: [UInt8]) -> [UInt8] {
        let bits = bytes.flatMap { self.bits(of: $0, 8) }
        return numbers(in: bits + [UInt8](repeating: 0, count: 5), of: 6).map { digits[Int($0)] }
    }

    /// What digits without padding mean; nil when they are not the ones that `text` gives.
    package func bytes(of text: [UInt8]) -> [UInt8]? {
        var values: [UInt8] = []
        for digit in text {
            guard let value = digits.firstIndex(of: digit) else { return nil }
            values.append(UInt8(value))
        }
        let bytes = numbers(in: values.flatMap { bits(of: $0, 6) }, of: 8)
        return self.text(of: bytes) == text ? bytes : nil
    }

    private func bits(of number: UInt8, _ count: Int) -> [UInt8] {
        (0..<count).map { number >> UInt8(count - 1 - $0) & 1 }
    }

    /// As many whole numbers of `count` bits as there are.
    private func numbers(in bits: [UInt8], of count: Int) -> [UInt8] {
        (0..<bits.count / count).map { index in
            bits[index * count..<(index + 1) * count].reduce(0) { $0 << 1 | $1 }
        }
    }
}

/// Padding for so many digits.
package func padding(_ digitCount: Int) -> [UInt8] {
    [UInt8](repeating: UInt8(ascii: "="), count: (4 - digitCount % 4) % 4)
}
