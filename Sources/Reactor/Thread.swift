import CLinux
import Glibc

/// Starting threads. They run until their body returns.
package enum Thread {
    /// - Parameters:
    ///   - name: at most 15 bytes, for `ps -L` and debuggers.
    ///   - niceness: 0 runs like everyone else; 19 gives way to everyone.
    package static func start(
        name: String, niceness: Int32 = 0, _ body: @escaping @Sendable () -> Void
    ) throws(Errno) {
        let start = unsafe Unmanaged.passRetained(Start(name: name, niceness: niceness, body: body))
        var thread = pthread_t()
        let code = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, start.toOpaque())
        guard code == 0 else {
            unsafe start.release()
            throw Errno(code)
        }
        pthread_detach(thread)
    }

    /// Sleeps in the calling thread, at least so long.
    package static func sleep(seconds: UInt32) {
        var left = seconds
        while left > 0 { left = Glibc.sleep(left) }
    }

    private final class Start: Sendable {
        let name: String
        let niceness: Int32
        let body: @Sendable () -> Void

        init(name: String, niceness: Int32, body: @escaping @Sendable () -> Void) {
            (self.name, self.niceness, self.body) = (name, niceness, body)
        }

        func run() {
            unsafe pthread_setname_np(pthread_self(), name)
            // On Linux a niceness belongs to a thread; where it is not permitted, work goes on.
            if niceness != 0 {
                _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness)
            }
            body()
        }
    }
}
