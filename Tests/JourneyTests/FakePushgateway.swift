import Foundation
import Synchronization

/// A peer for the faults that a real Pushgateway cannot be made to have. What it does with each
/// connection is the test's to say.
final class FakePushgateway: Sendable {
    let port: UInt16
    private let listener: Int32
    private let accepted = Mutex(0)

    /// - Parameters:
    ///   - answersQuestions: whether it tells the gate what it holds, which is nothing.
    ///   - serve: called for each connection on a thread of its own, with its number from 1.
    init(
        port: UInt16? = nil, answersQuestions: Bool = true,
        _ serve: @escaping @Sendable (FakeConnection, Int) -> Void
    ) throws {
        self.port = try port ?? freePort()
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var one: Int32 = 1
        unsafe setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = self.port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isBound = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(listener, address, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isBound, listen(listener, 16) == 0 else {
            throw RunningProgram.CannotStart(description: "cannot listen: errno \(errno)")
        }
        Thread.detachNewThread { [self] in acceptForever(answersQuestions, serve) }
    }

    /// How many connections there have been.
    var connectionCount: Int { accepted.withLock { $0 } }

    /// Ends the listener; connections go on.
    func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

    deinit { close(listener) }

    private func acceptForever(
        _ answersQuestions: Bool, _ serve: @escaping @Sendable (FakeConnection, Int) -> Void
    ) {
        while true {
            let number = accept(listener, nil, nil)
            guard number >= 0 else { return }
            let connection = FakeConnection(number)
            Thread.detachNewThread { [self] in
                // The gate also looks whether the store is well; that is never what a test is about.
                if connection.isQuestion {
                    if answersQuestions { connection.answerQuestion() } else { sleep(20) }
                    return
                }
                let count = accepted.withLock { count in
                    count += 1
                    return count
                }
                serve(connection, count)
            }
        }
    }
}

/// One connection of a fake Pushgateway, closed when the test lets go of it.
final class FakeConnection: Sendable {
    private let number: Int32

    init(_ number: Int32) { self.number = number }
    deinit { close(number) }

    /// Whether the first request is not a push but a GET.
    fileprivate var isQuestion: Bool {
        var first: UInt8 = 0
        return unsafe recv(number, &first, 1, Int32(MSG_PEEK)) == 1 && first == UInt8(ascii: "G")
    }

    /// Answers as a Pushgateway does that holds nothing.
    fileprivate func answerQuestion() {
        guard let request = request() else { return }
        let body = request.contains("/api/") ? "{\"status\":\"success\",\"data\":[]}" : "a 1\n"
        answer("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        finish()
    }

    /// The next request with its body, as text; nil when the gate has closed.
    func request() -> String? {
        var text = ""
        var bytes = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let head = text.range(of: "\r\n\r\n") {
                let length = text.firstMatch(of: /Content-Length: (\d+)/).flatMap { Int($0.1) } ?? 0
                if text[head.upperBound...].utf8.count >= length { return text }
            }
            let count = unsafe recv(number, &bytes, bytes.count, 0)
            guard count > 0 else { return nil }
            text += String(decoding: bytes[..<count], as: UTF8.self)
        }
    }

    func answer(_ text: String) {
        _ = unsafe text.utf8CString.withUnsafeBufferPointer { bytes in
            unsafe send(number, bytes.baseAddress, bytes.count - 1, Int32(MSG_NOSIGNAL))
        }
    }

    /// Ends the connection as a process does that is killed: without a farewell.
    func reset() {
        var hard = linger(l_onoff: 1, l_linger: 0)
        unsafe setsockopt(
            number, SOL_SOCKET, SO_LINGER, &hard, socklen_t(MemoryLayout<linger>.size))
        shutdown(number, Int32(SHUT_RDWR))
    }

    func finish() { shutdown(number, Int32(SHUT_RDWR)) }

    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
}
