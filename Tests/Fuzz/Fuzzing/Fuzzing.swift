internal import CLibFuzzer
internal import Glibc

/// What libFuzzer calls for each input. It traps where a promise is broken.
package typealias Judge = @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32

/// Hands the process to libFuzzer, which reads the command line.
package func fuzz(_ judge: Judge) -> Never {
    var count = CommandLine.argc
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? =
        unsafe CommandLine.unsafeArgv
    exit(unsafe LLVMFuzzerRunDriver(&count, &arguments, judge))
}

/// A promise that has to hold for every input. Where it does not, libFuzzer keeps the input.
package func promise(
    _ holds: Bool, _ what: @autoclosure () -> String, file: StaticString = #fileID,
    line: UInt = #line
) {
    if !holds { fatalError("broken promise: \(what())", file: file, line: line) }
}

/// Choices that depend on nothing but an input, so that a finding is found again.
package struct Choices: Sendable {
    private var state: UInt64

    package init(from input: Span<UInt8>) {
        // FNV-1a, from its offset basis.
        state = 0xCBF2_9CE4_8422_2325
        for index in 0..<input.count { state = (state ^ UInt64(input[index])) &* 0x100_0000_01B3 }
    }

    /// From 0 to `max`.
    package mutating func number(upTo max: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state % UInt64(max + 1))
    }

    /// Where to cut so many bytes: up to six offsets, in order.
    package mutating func cuts(of count: Int) -> [Int] {
        (0..<number(upTo: 6)).map { _ in number(upTo: count) }.sorted()
    }
}

extension Span<UInt8> {
    /// Some of the bytes on their own, in memory that ends where they end, so that a look beyond is
    /// seen.
    package func copy(_ range: Range<Int>) -> [UInt8] {
        unsafe extracting(range).withUnsafeBufferPointer { unsafe Array($0) }
    }
}
