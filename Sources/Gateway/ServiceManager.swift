import Glibc
import Reactor
import Synchronization

/// Whoever started the gate as a service and wants to hear how it is (sd_notify(3)). When there is
/// nobody, all of this does nothing.
final class ServiceManager: Sendable {
    private let socket: NotifySocket?
    private let log: Log
    /// How often it wants a sign of life; nil when it does not.
    let signPeriod: Interval?
    private let hasComplained = Atomic<Bool>(false)
    private let isRetired = Atomic<Bool>(false)

    init(log: Log) {
        self.log = log
        guard let name = ProcessEnvironment.value(of: "NOTIFY_SOCKET"), !name.isEmpty else {
            socket = nil
            signPeriod = nil
            return
        }
        signPeriod = ServiceManager.signPeriod()
        do throws(Errno) {
            socket = try NotifySocket(named: name)
        } catch {
            socket = nil
            complain(error)
        }
    }

    /// Half of what it waits for. Meant for another process when WATCHDOG_PID names one.
    private static func signPeriod() -> Interval? {
        let processID = ProcessEnvironment.value(of: "WATCHDOG_PID")
        guard processID == nil || processID == String(getpid()),
            let text = ProcessEnvironment.value(of: "WATCHDOG_USEC"),
            let microseconds = UInt64(text), (1...UInt64.max / 1000).contains(microseconds)
        else { return nil }
        return Interval(nanoseconds: microseconds * 1000 / 2)
    }

    // MARK: What it is told

    func ready(_ status: String) {
        send("READY=1\nMAINPID=\(getpid())\n" + line(status))
    }

    func beginReload() {
        send("RELOADING=1\nMONOTONIC_USEC=\(Instant.now().nanoseconds / 1000)\n")
    }

    func endReload(_ status: String) { send("READY=1\n" + line(status)) }

    func show(_ status: String) { send(line(status)) }

    /// A sign of life. Only for a loop that knows that all others turn, too.
    func giveSign() { send("WATCHDOG=1\n") }

    func beginStop(_ status: String) { send("STOPPING=1\n" + line(status)) }

    /// Asks for so much more time to end, counted from now.
    func askForTime(_ interval: Interval, _ status: String) {
        send("EXTEND_TIMEOUT_USEC=\(interval.nanoseconds / 1000)\n" + line(status))
    }

    /// Another process is the gate from now on, and it alone speaks. The sign of life is given for it:
    /// its own first one may have come before it was known here.
    func retire(inFavourOf processID: Int32, _ status: String) {
        send("MAINPID=\(processID)\nWATCHDOG=1\n" + line(status))
        isRetired.store(true, ordering: .relaxed)
    }

    /// One line, whatever the status holds.
    private func line(_ status: String) -> String {
        "STATUS=" + status.split(whereSeparator: \.isNewline).joined(separator: " ") + "\n"
    }

    private func send(_ message: String) {
        guard !isRetired.load(ordering: .relaxed) else { return }
        do throws(Errno) {
            try socket?.send(message)
        } catch {
            complain(error)
        }
    }

    private func complain(_ error: Errno) {
        guard !hasComplained.exchange(true, ordering: .relaxed) else { return }
        log.write(.warn, "the service manager cannot be told how the gate is") { line in
            line.add("socket", ProcessEnvironment.value(of: "NOTIFY_SOCKET") ?? "")
            line.add("error", error.description)
        }
    }
}
