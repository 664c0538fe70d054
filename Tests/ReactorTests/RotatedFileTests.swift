import Bytes
import Foundation
import Synchronization
import Testing

@testable import Reactor

/// A folder with one file that is rotated, gone with the test.
private final class Shelf: Sendable {
    let folder = NSTemporaryDirectory() + "kanmon-shelf-" + UUID().uuidString
    var path: String { folder + "/lines" }

    init() {
        try? FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    func open(bytesMax: Int = 1000, retain: Int = 3) -> RotatedFile {
        RotatedFile(.init(path: path, bytesMax: bytesMax, retain: retain))
    }

    /// What is in the file, or in what it was `generation` times ago.
    func read(_ generation: Int = 0) -> String? {
        let name = generation == 0 ? path : "\(path).\(generation)"
        return FileManager.default.contents(atPath: name).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    func write(_ text: String) {
        _ = FileManager.default.createFile(atPath: path, contents: Data(text.utf8))
    }
}

private func lines(_ text: String) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.append(text: text)
    return buffer
}

@Suite struct RotatedFileTests {
    @Test func `lines are appended to what is there, in a file that a group may read`() throws {
        let shelf = Shelf()
        let before = umask(0o022)
        defer { umask(before) }
        for text in ["a\n", "b\nc\n"] {
            var file = shelf.open()
            var more = lines(text)
            try file.append(from: &more)
            #expect(more.count == 0)
        }
        #expect(shelf.read() == "a\nb\nc\n")
        let attributes = try FileManager.default.attributesOfItem(atPath: shelf.path)
        #expect(attributes[.posixPermissions] as? Int == 0o640)
    }

    @Test func `a full file is put aside, and only as many are kept as may be`() throws {
        let shelf = Shelf()
        var file = shelf.open(bytesMax: 4, retain: 2)
        for text in ["a\n", "b\n", "c\n", "d\n", "e\n", "f\n", "g\n"] {
            var more = lines(text)
            try file.append(from: &more)
        }
        #expect(shelf.read() == "g\n")
        #expect(shelf.read(1) == "e\nf\n")
        #expect(shelf.read(2) == "c\nd\n")
        #expect(shelf.read(3) == nil)
        #expect(file.rotationFault == nil)
    }

    @Test func `many lines at once are spread over files, none over two`() throws {
        let shelf = Shelf()
        var file = shelf.open(bytesMax: 10, retain: 5)
        var more = lines("1234567\nabc\nde\nfgh\nijk\nlmnopqrstuvwxyz\n1\n")
        try file.append(from: &more)
        let found = (0...5).reversed().compactMap { shelf.read($0) }
        #expect(found == ["1234567\n", "abc\nde\n", "fgh\nijk\n", "lmnopqrstuvwxyz\n", "1\n"])
    }

    @Test func `who keeps none has one file, and fewer are left when fewer are kept`() throws {
        let shelf = Shelf()
        var file = shelf.open(bytesMax: 2, retain: 5)
        var more = lines("a\nb\nc\nd\ne\n")
        try file.append(from: &more)
        #expect(shelf.read(4) == "a\n")
        var modest = shelf.open(bytesMax: 2, retain: 1)
        more = lines("f\n")
        try modest.append(from: &more)
        #expect((0...5).map { shelf.read($0) } == ["f\n", "e\n", nil, nil, nil, nil])
        var alone = shelf.open(bytesMax: 2, retain: 0)
        more = lines("g\n")
        try alone.append(from: &more)
        #expect((0...5).map { shelf.read($0) } == ["g\n", nil, nil, nil, nil, nil])
    }

    @Test func `a line that was cut by a death is ended before the next begins`() throws {
        let shelf = Shelf()
        shelf.write("a\nhalf")
        var file = shelf.open()
        var more = lines("b\n")
        try file.append(from: &more)
        #expect(shelf.read() == "a\nhalf\nb\n")
    }

    @Test func `a file that was moved away or deleted is made again, with the rights it had`()
        throws
    {
        let shelf = Shelf()
        var file = shelf.open(bytesMax: 3)
        var more = lines("a\n")
        try file.append(from: &more)
        try FileManager.default.moveItem(atPath: shelf.path, toPath: shelf.path + ".mine")
        more = lines("b\n")
        try file.append(from: &more)
        #expect(shelf.read() == "b\n")
        try FileManager.default.removeItem(atPath: shelf.path)
        more = lines("c\n")
        try file.append(from: &more)
        #expect(shelf.read() == "c\n")
        unsafe chmod(shelf.path, 0o604)
        more = lines("d\n")
        try file.append(from: &more)
        #expect(shelf.read(1) == "c\n")
        let attributes = try FileManager.default.attributesOfItem(atPath: shelf.path)
        #expect(attributes[.posixPermissions] as? Int == 0o604)
    }

    @Test func `neither a link nor a pipe nor a folder is taken for the file`() throws {
        let shelf = Shelf()
        let makers: [(String, Int32)] = [("link", ELOOP), ("pipe", EINVAL), ("folder", EISDIR)]
        for (kind, code) in makers {
            try? FileManager.default.removeItem(atPath: shelf.path)
            switch kind {
            case "link": _ = unsafe symlink("/dev/null", shelf.path)
            case "pipe": _ = unsafe mkfifo(shelf.path, 0o600)
            default: _ = unsafe mkdir(shelf.path, 0o700)
            }
            var file = shelf.open()
            var more = lines("a\n")
            #expect(throws: Errno(code), "\(kind)") { try file.append(from: &more) }
            #expect(more.count == 2)
        }
    }

    @Test func `a folder that is gone is an error until it is there again`() throws {
        let shelf = Shelf()
        var file = shelf.open()
        var more = lines("a\n")
        try file.append(from: &more)
        try FileManager.default.removeItem(atPath: shelf.folder)
        more = lines("b\n")
        #expect(throws: Errno.noSuchFile) { try file.append(from: &more) }
        try FileManager.default.createDirectory(
            atPath: shelf.folder, withIntermediateDirectories: true)
        try file.append(from: &more)
        #expect(shelf.read() == "b\n")
    }

    @Test func `a file that cannot be put aside grows`() throws {
        let shelf = Shelf()
        // A folder that is not empty is in the way, which no right changes.
        try FileManager.default.createDirectory(
            atPath: shelf.path + ".1/x", withIntermediateDirectories: true)
        var file = shelf.open(bytesMax: 2, retain: 1)
        var more = lines("a\nb\nc\n")
        try file.append(from: &more)
        #expect(shelf.read() == "a\nb\nc\n")
        #expect(file.rotationFault != nil)
    }

    @Test func `two who write and put aside at once lose no line and mix none`() throws {
        let shelf = Shelf()
        let count = 2000
        let failures = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: 2) { writer in
            var file = shelf.open(bytesMax: 997, retain: 500)
            for number in 0..<count {
                var more = lines("\(writer) \(number)\n")
                do { try file.append(from: &more) } catch { failures.withLock { $0 += 1 } }
            }
        }
        #expect(failures.withLock { $0 } == 0)
        let files = (0...500).reversed().compactMap { shelf.read($0) }
        #expect(files.allSatisfy { $0.utf8.count <= 997 })
        let found = files.joined().split(separator: "\n").map { $0.split(separator: " ") }
        for writer in ["0", "1"] {
            let numbers = found.filter { $0[0] == writer }.compactMap { Int($0[1]) }
            let isWhole = numbers == Array(0..<count)
            #expect(isWhole, "\(numbers.count) of \(writer)")
        }
    }

    @Test func `a lock that somebody keeps is an error, not a wait for ever`() throws {
        let shelf = Shelf()
        shelf.write("")
        let number = unsafe open(shelf.path, O_RDONLY)
        defer { close(number) }
        #expect(flock(number, LOCK_EX) == 0)
        var file = shelf.open()
        var more = lines("a\n")
        #expect(throws: Errno(EBUSY)) { try file.append(from: &more) }
        _ = flock(number, LOCK_UN)
        try file.append(from: &more)
        #expect(shelf.read() == "a\n")
    }
}
