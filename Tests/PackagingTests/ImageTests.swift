import Foundation
import Testing

/// The container's recipe, read as its builder reads it: there need not be one on this machine.
@Suite struct ImageTests {
    /// The instructions, with the lines of each put together.
    static func instructions() throws -> [(name: String, arguments: String)] {
        try Repository.settings("deploy/docker/Dockerfile").joined(separator: "\n")
            .replacing(/\\\n\s*/, with: " ").split(separator: "\n").map { line in
                let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
                return (parts[0], parts.count > 1 ? parts[1] : "")
            }
    }

    /// Those of the last stage, which is all that is shipped.
    static func shipped() throws -> [(name: String, arguments: String)] {
        let all = try instructions()
        let last = try #require(all.lastIndex { $0.name == "FROM" })
        return Array(all[last...])
    }

    @Test func `every instruction is one that there is`() throws {
        let known: Set = [
            "FROM", "ARG", "LABEL", "RUN", "COPY", "WORKDIR", "USER", "EXPOSE", "STOPSIGNAL",
            "HEALTHCHECK", "ENTRYPOINT", "CMD",
        ]
        let all = try Self.instructions()
        #expect(all.count > 10)
        for instruction in all {
            #expect(known.contains(instruction.name), "\(instruction.name)")
            #expect(!instruction.arguments.isEmpty)
        }
    }

    @Test func `the compiler and kanmon-ops stay behind, and no user of the image runs the gate`()
        throws
    {
        let shipped = try Self.shipped()
        #expect(shipped.first?.arguments == "debian:12-slim")
        #expect(
            shipped.filter { $0.name == "COPY" }.map(\.arguments) == [
                "--from=build /usr/bin/kanmon /usr/bin/kanmon",
                "LICENSE /usr/share/doc/kanmon/LICENSE",
            ])
        let user = try #require(shipped.firstIndex { $0.name == "USER" })
        #expect(shipped[user].arguments == "65532:65532")
        #expect(!shipped[user...].contains { $0.name == "RUN" || $0.name == "COPY" })
    }

    @Test func `it is started, asked and stopped as the gate expects`() throws {
        let shipped = try Dictionary(
            uniqueKeysWithValues: Self.shipped().filter {
                !["RUN", "COPY", "ARG"].contains($0.name)
            })
        func words(_ text: String) throws -> [String] {
            try JSONDecoder().decode([String].self, from: Data(text.utf8))
        }
        let start = try words(#require(shipped["ENTRYPOINT"])) + words(#require(shipped["CMD"]))
        #expect(start == ["/usr/bin/kanmon", "serve", "--config", "/etc/kanmon/kanmon.yml"])
        #expect(shipped["STOPSIGNAL"] == "SIGTERM")
        let health = try #require(shipped["HEALTHCHECK"]?.split(separator: " CMD ").last)
        #expect(
            try words(String(health)) == [
                "/usr/bin/kanmon", "health", "--config", "/etc/kanmon/kanmon.yml",
            ])
    }

    @Test func `it is built from the packages that a build needs, and has those to run`() throws {
        let installed = try Self.instructions().filter { $0.name == "RUN" }.map(\.arguments)
            .joined(separator: " ")
        let developer = try #require(
            try Repository.text("deploy/dev/install.sh").firstMatch(of: /\nbuild=\(([^)]*)\)/))
        for package in developer.1.split(separator: " ") {
            #expect(installed.contains(package), "\(package)")
        }
        for package in ["libssl3", "libnghttp2-14", "libcrypt1", "libyaml-0-2", "zlib1g"] {
            #expect(installed.contains(package), "\(package)")
        }
    }

    @Test func `no key and no password goes into an image`() throws {
        let ignored = try Repository.settings(".dockerignore")
        for path in ["tls/*", "auth/*", ".build*/", "run/"] { #expect(ignored.contains(path)) }
        #expect(
            ignored.filter { $0.hasPrefix("!") } == [
                "!tls/.gitignore", "!tls/README.md", "!auth/.gitignore", "!auth/README.md",
            ])
    }

    @Test func `it carries the labels that say what it is`() throws {
        let labels = try #require(try Self.shipped().first { $0.name == "LABEL" }).arguments
        for name in ["title", "description", "licenses", "version", "revision", "base.name"] {
            #expect(labels.contains("org.opencontainers.image.\(name)="))
        }
    }
}
