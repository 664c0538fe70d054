import Foundation
import Testing

/// Files that are not what they should be, at the start and while the gate runs.
@Suite(.timeLimit(.minutes(10))) struct FileFaultTests {
    /// What stands where a file should be.
    enum Impostor: CaseIterable {
        case fifo, device, folder, endless, huge, loop, dangling, socket

        /// What the sentence about it says.
        var complaint: String {
            switch self {
            case .fifo, .device, .endless: "is not a regular file"
            case .folder: "is a folder"
            case .huge: "is larger than"
            case .loop: "is a symbolic link that leads nowhere"
            case .dangling: "does not exist"
            case .socket: "cannot be read"
            }
        }

        func stand(at path: String) {
            unsafe unlink(path)
            switch self {
            case .fifo: #expect(unsafe mkfifo(path, 0o600) == 0)
            case .device: #expect(unsafe symlink("/dev/null", path) == 0)
            case .endless: #expect(unsafe symlink("/dev/zero", path) == 0)
            case .folder: #expect(unsafe mkdir(path, 0o700) == 0)
            case .huge:
                #expect(FileManager.default.createFile(atPath: path, contents: nil))
                // 10 GiB that take no room on the disk.
                #expect(unsafe truncate(path, 10 << 30) == 0)
            case .loop: #expect(unsafe symlink(path, path) == 0)
            case .dangling: #expect(unsafe symlink(path + ".none", path) == 0)
            case .socket: #expect(listenAtPath(path))
            }
        }

        private func listenAtPath(_ path: String) -> Bool {
            let number = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(number) }
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            unsafe withUnsafeMutableBytes(of: &address.sun_path) { room in
                unsafe room.copyBytes(from: path.utf8.prefix(room.count - 1))
            }
            return unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                    unsafe bind(number, address, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
                }
            }
        }
    }

    static let files = ["kanmon.yml", "tls.crt", "tls.key", "htpasswd"]

    @Test(arguments: files)
    func `what is no file is refused with a sentence, at the start and at a reload`(
        file: String
    ) throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let client = try gate.connect()
        let good = String(decoding: gate.folder.read(file), as: UTF8.self)
        let path = gate.folder.path + "/" + file
        for (number, impostor) in Impostor.allCases.enumerated() {
            impostor.stand(at: path)
            gate.program.signal(SIGHUP)
            #expect(gate.waitForReloads(2 * number + 1), "\(impostor)")
            let refusal = gate.program.output.split(separator: "\n").last {
                $0.contains("problem=")
            }
            #expect(refusal?.contains(impostor.complaint) == true, "\(impostor): \(refusal ?? "")")
            #expect(try client.send("POST", "/metrics/job/x", body: "m 1\n").status == 200)

            let started = try run(
                Programs.kanmon, ["serve", "--config", gate.folder.path + "/kanmon.yml"], within: 10
            )
            #expect(started.status == 78, "\(impostor): \(started)")
            #expect(started.errors.contains(impostor.complaint), "\(impostor): \(started.errors)")

            try FileManager.default.removeItem(atPath: path)
            gate.folder.write(file, good)
            gate.program.signal(SIGHUP)
            #expect(gate.waitForReloads(2 * number + 2), "\(impostor)")
        }
        let refusals = gate.program.output.matches(of: /reload refused/).count
        #expect(refusals == Impostor.allCases.count)
        #expect(try gate.send("POST", "/metrics/job/x", body: "m 1\n").status == 200)
    }

    @Test func `a folder that is swapped as a whole is followed`() throws {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let folder = gate.folder.path
        // As Kubernetes mounts a secret: the files lead into ..data, and that to a folder with a date.
        func put(_ name: String) throws {
            try FileManager.default.createDirectory(
                atPath: folder + "/" + name, withIntermediateDirectories: false)
            let made = TemporaryFolder()
            try CertificateKey.ecdsa.writeCertificate(to: made)
            for file in ["tls.crt", "tls.key"] {
                try FileManager.default.copyItem(
                    atPath: made.path + "/" + file, toPath: folder + "/\(name)/\(file)")
            }
            #expect(unsafe symlink(name, folder + "/..next") == 0)
            #expect(unsafe rename(folder + "/..next", folder + "/..data") == 0)
        }
        try put("..one")
        for file in ["tls.crt", "tls.key"] {
            unsafe unlink(folder + "/" + file)
            #expect(unsafe symlink("..data/" + file, folder + "/" + file) == 0)
        }
        for (times, name) in ["..two", "..three"].enumerated() {
            try put(name)
            #expect(gate.reload(expecting: "users=1", times: times + 1))
            // The certificate that is trusted here is the one just put there.
            #expect(try gate.send("POST", "/metrics/job/x", body: "m 1\n").status == 200)
        }
    }

    @Test(.enabled(if: Strace.isUsable, "strace is not usable here"))
    func `a certificate and a key that change between two reads are taken both or not at all`()
        throws
    {
        let pushgateway = try Pushgateway()
        let gate = try Gate(upstream: pushgateway.port)
        let before = gate.certificate
        let next = TemporaryFolder()
        try CertificateKey.ecdsa.writeCertificate(to: next)
        // The gate comes to the key two seconds after it has read the certificate.
        let strace = try Strace(
            ["openat:delay_enter=2000000"], of: gate.program, file: gate.folder.path + "/tls.key")
        gate.program.signal(SIGHUP)
        usleep(700_000)
        gate.folder.replace("tls.crt", by: next.path + "/tls.crt")
        gate.folder.replace("tls.key", by: next.path + "/tls.key")
        #expect(gate.log(holding: "is not the key of", within: 20) != nil)
        strace.finish()
        _ = try TestClient(port: gate.port, certificate: before)
        #expect(gate.reload(expecting: "users=1"))
        #expect(try gate.send("POST", "/metrics/job/x", body: "m 1\n").status == 200)
    }
}
