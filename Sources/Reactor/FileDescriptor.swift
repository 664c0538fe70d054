import Bytes
import Glibc

/// An open descriptor with one owner. Closed when the owner lets go of it.
package struct FileDescriptor: ~Copyable, Sendable {
    /// The number the kernel knows it by. Valid only while the owner lives: borrow it, never keep it.
    package let number: Int32

    package init(taking number: Int32) {
        precondition(number >= 0)
        self.number = number
    }

    deinit {
        // Not retried on EINTR: Linux has released the number by then (close(2)).
        _ = Glibc.close(number)
    }

    /// Hands the number to another owner, in this process or across a mailbox.
    package consuming func relinquish() -> Int32 {
        let number = self.number
        discard self
        return number
    }
}

extension FileDescriptor {
    /// What one non-blocking step achieved. Having to wait is an outcome, not an error.
    package enum Step: Equatable { case moved(Int), wouldBlock, finished }

    /// Reads once into `output`.
    package func read(into output: inout OutputSpan<UInt8>) throws(Errno) -> Step {
        precondition(output.freeCapacity > 0)
        let count = unsafe output.withUnsafeMutableBufferPointer { bytes, initialized in
            let free = unsafe UnsafeMutableRawBufferPointer(
                UnsafeMutableBufferPointer(rebasing: bytes[initialized...]))
            let count = unsafe Glibc.recv(number, free.baseAddress, free.count, 0)
            initialized += max(count, 0)
            return count
        }
        return try meaning(of: count)
    }

    /// Writes once from the front of `bytes`, which are not empty.
    package func write(_ bytes: Span<UInt8>) throws(Errno) -> Step {
        let count = unsafe bytes.withUnsafeBytes { bytes in
            unsafe Glibc.send(number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
        }
        return try meaning(of: count)
    }

    /// Writes once from the front of `first`, then of `second`, in a single call.
    package func write(_ first: Span<UInt8>, _ second: Span<UInt8>) throws(Errno) -> Step {
        let count = unsafe first.withUnsafeBytes { first in
            unsafe second.withUnsafeBytes { second in
                unsafe send(gathering: first, second)
            }
        }
        return try meaning(of: count)
    }

    private func send(
        gathering first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer
    ) -> Int {
        let pieces =
            unsafe [iovec(borrowing: first), iovec(borrowing: second)] as InlineArray<2, _>
        return unsafe pieces.span.withUnsafeBufferPointer { pieces in
            var message = unsafe msghdr()
            unsafe message.msg_iov = UnsafeMutablePointer(mutating: pieces.baseAddress)
            unsafe message.msg_iovlen = pieces.count
            return unsafe sendmsg(number, &message, Int32(MSG_NOSIGNAL))
        }
    }

    private func meaning(of count: Int) throws(Errno) -> Step {
        if count > 0 { return .moved(count) }
        if count == 0 { return .finished }
        let error = Errno.current
        // An interrupted call is asked again by the next turn, as one that would block.
        if error == .wouldBlock || error == .interrupted { return .wouldBlock }
        throw error
    }
}

extension iovec {
    fileprivate init(borrowing bytes: UnsafeRawBufferPointer) {
        unsafe self.init(
            iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
    }
}
