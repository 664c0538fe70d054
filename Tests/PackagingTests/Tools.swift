import Foundation

/// Runs a program to its end; what it says on both streams together.
func run(
    _ program: String, _ arguments: [String] = [], input: Data = Data(),
    environment: [String: String] = [:]
) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = environment.map { "\($0)=\($1)" } + [program] + arguments
    process.currentDirectoryURL = Repository.root
    let (stdin, stdout) = (Pipe(), Pipe())
    (process.standardInput, process.standardOutput, process.standardError) =
        (stdin, stdout, stdout)
    try process.run()
    // All that is written here fits into a pipe.
    try stdin.fileHandleForWriting.write(contentsOf: input)
    try stdin.fileHandleForWriting.close()
    let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
}

func isInstalled(_ program: String) -> Bool {
    ["/usr/bin/", "/usr/local/bin/", "/bin/"].contains {
        FileManager.default.isExecutableFile(atPath: $0 + program)
    }
}

enum Repository {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// The lines of a file that are neither empty nor a comment.
    static func settings(_ path: String) throws -> [String] {
        try text(path).split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("#") && !$0.allSatisfy(\.isWhitespace) }
    }

    /// The gate that was built with these tests.
    static let kanmon: String = {
        let folder = Bundle.main.executableURL?.deletingLastPathComponent().path ?? ""
        return [folder, root.path + "/.build/debug"].map { $0 + "/kanmon" }
            .first { FileManager.default.isExecutableFile(atPath: $0) } ?? "kanmon"
    }()
}

/// A folder for one test, gone with it.
final class TemporaryFolder: Sendable {
    let path = NSTemporaryDirectory() + "kanmon-packaging-" + UUID().uuidString

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ text: String) throws {
        let file = URL(filePath: path).appending(path: name)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
    }

    func read(_ name: String) throws -> String {
        try String(contentsOfFile: path + "/" + name, encoding: .utf8)
    }
}
