internal import Glibc

/// Where the library keeps one session.
///
/// Two things in it are large and mostly empty: a table for 256 streams, of which we let a client have a
/// few, and a buffer of 16 KiB for the frame that goes out, of which our answers fill a few hundred bytes.
/// They lie on pages of their own, and while nothing is going on no memory is behind those (`rest`).
@safe
final class FrameMemory {
    private let pool: BlockPool
    private let block: UnsafeMutableRawPointer?
    private var hasLentTable = false
    private var hasLentBuffer = false

    private static let tableBytes = 4096
    private static let bufferBytesMin = 16 << 10
    private static let bufferBytesMax = BlockPool.blockBytes - tableBytes

    init(_ pool: BlockPool) {
        self.pool = pool
        unsafe block = pool.take()
    }

    deinit { if let block = unsafe block { unsafe pool.give(block) } }

    /// Gives back what only holds zeros, and what holds nothing that is still to be sent. For a session
    /// that waits and has no more to say.
    func rest() {
        guard let block = unsafe block else { return }
        let table = unsafe UnsafeRawBufferPointer(start: block, count: FrameMemory.tableBytes)
        if unsafe table.allSatisfy({ $0 == 0 }) {
            unsafe madvise(block, FrameMemory.tableBytes, MADV_DONTNEED)
        }
        if hasLentBuffer {
            unsafe madvise(
                block + FrameMemory.tableBytes, FrameMemory.bufferBytesMax, MADV_DONTNEED)
        }
    }

    func allocate(_ count: Int) -> UnsafeMutableRawPointer? {
        guard let block = unsafe block, !hasLentBuffer, count > FrameMemory.bufferBytesMin,
            count <= FrameMemory.bufferBytesMax
        else { return unsafe malloc(count) }
        hasLentBuffer = true
        return unsafe block + FrameMemory.tableBytes
    }

    /// The block is full of zeros until the table is lent, which it is once.
    func allocateZeros(_ count: Int, _ size: Int) -> UnsafeMutableRawPointer? {
        guard let block = unsafe block, !hasLentTable,
            count.multipliedReportingOverflow(by: size) == (FrameMemory.tableBytes, false)
        else { return unsafe calloc(count, size) }
        hasLentTable = true
        return unsafe block
    }

    func reallocate(
        _ memory: UnsafeMutableRawPointer?, _ count: Int
    ) -> UnsafeMutableRawPointer? {
        guard let memory = unsafe memory else { return unsafe allocate(count) }
        guard let room = unsafe roomInBlock(at: memory) else {
            return unsafe realloc(memory, count)
        }
        if count <= room { return unsafe memory }
        guard let moved = unsafe malloc(count) else { return nil }
        unsafe moved.copyMemory(from: memory, byteCount: room)
        return unsafe moved
    }

    func free(_ memory: UnsafeMutableRawPointer?) {
        guard let memory = unsafe memory, unsafe roomInBlock(at: memory) == nil else { return }
        unsafe Glibc.free(memory)
    }

    /// How much lies there, if it is one of the two.
    private func roomInBlock(at memory: UnsafeMutableRawPointer) -> Int? {
        guard let block = unsafe block else { return nil }
        if unsafe memory == block { return FrameMemory.tableBytes }
        return unsafe memory == block + FrameMemory.tableBytes ? FrameMemory.bufferBytesMax : nil
    }
}

/// Blocks that no session of this thread uses, full of zeros.
@safe
final class BlockPool {
    private var spare: [UnsafeMutableRawPointer] = unsafe []

    static let blockBytes = 24 << 10
    private static let spareMax = 64

    deinit {
        while let block = unsafe spare.popLast() { unsafe munmap(block, BlockPool.blockBytes) }
    }

    /// Nil when there is no memory.
    func take() -> UnsafeMutableRawPointer? {
        if let block = unsafe spare.popLast() { return unsafe block }
        let block = unsafe mmap(
            nil, BlockPool.blockBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        return unsafe block == MAP_FAILED ? nil : block
    }

    func give(_ block: UnsafeMutableRawPointer) {
        let isEmptied = unsafe madvise(block, BlockPool.blockBytes, MADV_DONTNEED) == 0
        if isEmptied, unsafe spare.count < BlockPool.spareMax {
            unsafe spare.append(block)
        } else {
            unsafe munmap(block, BlockPool.blockBytes)
        }
    }
}
