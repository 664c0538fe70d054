import Foundation

/// Starting the gate as a service manager does: with sockets that are open already. A test cannot do it
/// itself, since Foundation passes no descriptors on; a few lines of Python can.
enum Launcher {
    private static let python = "/usr/bin/python3"

    /// A descriptor to pass: a kind and, for a listener, its address and port.
    struct Passed: Encodable {
        var kind = "listener"
        var address = "127.0.0.1"
        var port: UInt16 = 0
        var name = "kanmon.socket"
    }

    /// Passes these descriptors to the gate, which runs in the launcher's place.
    /// - Parameter isForOther: whether LISTEN_PID names another process.
    static func passing(_ passed: [Passed], isForOther: Bool = false) throws -> [String] {
        let json = String(decoding: try JSONEncoder().encode(passed), as: UTF8.self)
        return [python, "-c", passingScript, json, isForOther ? "1" : ""]
    }

    /// Holds a listening socket, starts the gate with it, and again whenever it has ended, after a pause.
    /// Told by SIGUSR1 it stops the second worker's thread of the gate, and no other.
    static func holding(port: UInt16, pauseSeconds: Double) -> [String] {
        [python, "-c", holdingScript, String(port), String(pauseSeconds)]
    }

    private static let passingScript = """
        import fcntl, json, os, socket, sys
        passed, other, command = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3:]
        def made(one):
            kind, where = one["kind"], (one["address"], one["port"])
            if kind == "file":
                return os.open("/dev/null", os.O_RDONLY)
            if kind == "unix":
                listener = socket.socket(socket.AF_UNIX)
                listener.bind("\\0kanmon-test-%d" % os.getpid())
                listener.listen()
                return listener.detach()
            made = socket.socket(type=socket.SOCK_DGRAM if kind == "datagram" else socket.SOCK_STREAM)
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind(where)
            if kind == "connection":
                listener = socket.create_server(("127.0.0.1", 0))
                made.connect(listener.getsockname())
            if kind == "listener":
                made.listen(128)
            return made.detach()
        high = [fcntl.fcntl(made(one), fcntl.F_DUPFD, 100) for one in passed]
        for index, number in enumerate(high):
            os.dup2(number, 3 + index)
            os.close(number)
        os.environ["LISTEN_PID"] = other or str(os.getpid())
        os.environ["LISTEN_FDS"] = str(len(high))
        os.environ["LISTEN_FDNAMES"] = ":".join(one["name"] for one in passed)
        os.execv(command[0], command)
        """

    private static let holdingScript = """
        import ctypes, glob, os, signal, socket, sys, time
        port, pause, command = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
        listener = socket.create_server(("127.0.0.1", port), backlog=128)
        libc, gate = ctypes.CDLL(None), 0
        def stop_worker(*_):
            for name in glob.glob("/proc/%d/task/*/comm" % gate):
                if open(name).read().strip() == "kanmon-worker1":
                    thread = int(name.split("/")[4])
                    seized = libc.ptrace(0x4206, thread, 0, 0)
                    print("stopped", seized, libc.ptrace(0x4207, thread, 0, 0), flush=True)
        signal.signal(signal.SIGUSR1, stop_worker)
        while True:
            gate = os.fork()
            if gate == 0:
                libc.prctl(1, signal.SIGKILL)
                os.dup2(listener.fileno(), 3)
                os.set_inheritable(3, True)
                os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
                os.execv(command[0], command)
            print("gate", gate, flush=True)
            os.waitpid(gate, 0)
            time.sleep(pause)
        """
}

/// Where a service manager listens for what its services tell it.
final class NotifySocket: Sendable {
    private let number: Int32
    let name: String

    /// - Parameter isAbstract: whether its name is in no file system.
    init(in folder: TemporaryFolder, isAbstract: Bool = false) throws {
        name = isAbstract ? "@kanmon-test-\(UUID().uuidString)" : folder.path + "/notify"
        number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(name.utf8)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { path in
            unsafe path.copyBytes(from: bytes)
            if isAbstract { unsafe path[0] = 0 }
        }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        var timeout = timeval(tv_sec: 0, tv_usec: 100_000)
        unsafe setsockopt(
            number, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(number, address, length)
            }
        }
        guard result == 0 else {
            throw RunningProgram.CannotStart(description: "notify: errno \(errno)")
        }
    }

    deinit { close(number) }

    /// The next message within `seconds`; nil when none comes.
    func next(within seconds: Double = 20) -> [String: String]? {
        let end = Date().addingTimeInterval(seconds)
        var bytes = [UInt8](repeating: 0, count: 4096)
        repeat {
            let count = unsafe recv(number, &bytes, bytes.count, 0)
            if count > 0 { return NotifySocket.assignments(in: bytes[..<count]) }
        } while Date() < end
        return nil
    }

    /// The next message that says `key`, past all others.
    func next(saying key: String, within seconds: Double = 20) -> [String: String]? {
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            if let message = next(within: end.timeIntervalSinceNow), message[key] != nil {
                return message
            }
        }
        return nil
    }

    private static func assignments(in bytes: ArraySlice<UInt8>) -> [String: String] {
        var found: [String: String] = [:]
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1).map(String.init)
            found[parts[0]] = parts.count > 1 ? parts[1] : ""
        }
        return found
    }
}
