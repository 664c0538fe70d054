internal import CLibFuzzer
internal import Glibc

// libFuzzer has one thread, and its callback no place for a context.
nonisolated(unsafe) private var judgeInput: (Span<UInt8>) -> Void = { _ in }

/// Hands the process to libFuzzer, which reads the command line and calls `judge` for each input. It
/// traps where a promise is broken.
package func fuzz(_ judge: @escaping (Span<UInt8>) -> Void) -> Never {
    unsafe judgeInput = judge
    var count = CommandLine.argc
    var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? =
        unsafe CommandLine.unsafeArgv
    let status = unsafe LLVMFuzzerRunDriver(&count, &arguments) { bytes, count in
        unsafe judgeInput(Span(_unsafeElements: UnsafeBufferPointer(start: bytes, count: count)))
        return 0
    }
    exit(status)
}

/// A promise that has to hold for every input. Where it does not, libFuzzer keeps the input.
package func promise(
    _ holds: Bool, _ what: @autoclosure () -> String, file: StaticString = #fileID,
    line: UInt = #line
) {
    if !holds { fatalError("broken promise: \(what())", file: file, line: line) }
}

/// Whether text is short and cannot move a cursor or hide.
package func isHarmless(_ text: String, bytesMax: Int) -> Bool {
    text.utf8.count <= bytesMax
        && text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
                .paragraphSeparator:
                false
            default: true
            }
        }
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

/// What a reader says to bytes that may not be all there yet.
package enum Outcome<Value: Equatable, Refusal: Error & Equatable>: Equatable {
    case value(Value)
    case needsMore
    case refused(Refusal)

    package var isRefused: Bool { if case .refused = self { true } else { false } }
}

/// Shows a reader what has come at each of the cuts, then everything, until it says something.
package func outcome<Value: Equatable, Refusal: Error & Equatable>(
    of input: Span<UInt8>, cuts: [Int], _ read: (Span<UInt8>) throws(Refusal) -> Value?
) -> Outcome<Value, Refusal> {
    do throws(Refusal) {
        for end in cuts + [input.count] {
            let arrived = input.copy(0..<end)
            if let value = try read(arrived.span) { return .value(value) }
        }
        return .needsMore
    } catch {
        return .refused(error)
    }
}

extension Span<UInt8> {
    /// Some of the bytes on their own, in memory that ends where they end, so that a look beyond is
    /// seen.
    package func copy(_ range: Range<Int>) -> [UInt8] {
        unsafe extracting(range).withUnsafeBufferPointer { unsafe Array($0) }
    }

    package var copy: [UInt8] { copy(0..<count) }
}
