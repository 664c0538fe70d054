import Configuration
import Foundation
import Testing

@Suite struct ConfigurationFileTests {
    /// A folder of its own for one test, removed afterwards.
    func inFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory
            .appending(path: "kanmon-configuration-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: false)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    func refusal(_ path: String) -> String? {
        let (configuration, problems) = Configuration.load(path: path)
        guard configuration == nil, problems.count == 1 else { return nil }
        return problems[0].description
    }

    @Test func `a file is read and its relative paths are beside it`() throws {
        try inFolder { folder in
            try Data(file().utf8).write(to: URL(filePath: "\(folder)/gate.yml"))
            let (configuration, problems) = Configuration.load(path: "\(folder)/gate.yml")
            #expect(problems == [])
            #expect(configuration?.tls.keyFile.value == .path("\(folder)/tls.key"))
        }
    }

    @Test func `what is not there, a folder and no path at all are refused`() throws {
        try inFolder { folder in
            #expect(refusal("\(folder)/no.yml") == "\(folder)/no.yml: error: does not exist")
            #expect(refusal(folder) == "\(folder): error: is a folder; name the file in it")
            try Data().write(to: URL(filePath: "\(folder)/file"))
            #expect(
                refusal("\(folder)/file/x")
                    == "\(folder)/file/x: error: does not exist: a part of its path is not a folder"
            )
            #expect(refusal("") == ": error: is not a path")
            #expect(refusal("a\0b")?.hasSuffix("error: is not a path") == true)
        }
    }

    @Test(.timeLimit(.minutes(10))) func `a FIFO and a device are refused without waiting`() throws
    {
        try inFolder { folder in
            #expect(unsafe mkfifo("\(folder)/fifo", 0o600) == 0)
            #expect(refusal("\(folder)/fifo") == "\(folder)/fifo: error: is not a regular file")
            #expect(refusal("/dev/zero") == "/dev/zero: error: is not a regular file")
        }
    }

    @Test func `a link that leads to itself is refused`() throws {
        try inFolder { folder in
            #expect(unsafe symlink("loop", "\(folder)/loop") == 0)
            #expect(
                refusal("\(folder)/loop")
                    == "\(folder)/loop: error: is a symbolic link that leads nowhere")
        }
    }

    @Test func `a file that is too large is refused`() throws {
        try inFolder { folder in
            let path = "\(folder)/large.yml"
            try Data(repeating: 0x23, count: (1 << 20) + 1).write(to: URL(filePath: path))
            #expect(refusal(path) == "\(path): error: is larger than 1048576 bytes")
            try Data(repeating: 0x23, count: 64 << 20).write(to: URL(filePath: path))
            #expect(refusal(path) == "\(path): error: is larger than 1048576 bytes")
        }
    }

    @Test(.enabled(if: geteuid() != 0, "root may read everything"))
    func `a file that is closed to us is refused with its owner, its mode and the remedy`() throws {
        try inFolder { folder in
            let path = "\(folder)/closed.yml"
            try Data(file().utf8).write(to: URL(filePath: path))
            #expect(unsafe chmod(path, 0) == 0)
            let text = try #require(refusal(path))
            #expect(text.contains("cannot be read by uid \(geteuid())"))
            #expect(text.contains("mode 00"))
            #expect(text.contains("chgrp \(getegid()) \(path) && chmod g+r \(path)"))
        }
    }
}
