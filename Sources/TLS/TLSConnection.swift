import Bytes
import COpenSSL
import Reactor

/// One TLS session over one socket. Owns the `SSL *`; borrows the socket, which must outlive it.
@safe
package struct TLSConnection: ~Copyable {
    let ssl: OpaquePointer
    private let socket: Int32

    /// `ssl` is given what carries its bytes, `newCarrier()`, before its first step.
    init(taking ssl: OpaquePointer, on socket: Int32) {
        unsafe self.ssl = ssl
        self.socket = socket
    }

    deinit { unsafe SSL_free(ssl) }

    /// What one non-blocking step achieved. Having to wait is an outcome, not an error.
    package enum Step: Equatable {
        case moved(Int)
        case wantsRead
        case wantsWrite
        /// The peer has said that it sends nothing more.
        case finished
        /// The peer's stream ended without saying so: what came before may be cut (RFC 8446 6.1).
        case cut
    }

    /// Goes on with the handshake; `.moved(0)` when it is complete.
    package mutating func handshake() throws(TLSError) -> Step {
        begin()
        let result = unsafe SSL_do_handshake(ssl)
        return result == 1 ? .moved(0) : try meaning(of: result)
    }

    /// Appends decrypted bytes to `output`. One call is at most one TLS record, so a peer with a
    /// fast link cannot hold the turn; `hasPending` tells the caller to come back without polling.
    package mutating func read(into output: inout OutputSpan<UInt8>) throws(TLSError) -> Step {
        precondition(output.freeCapacity > 0)  // OpenSSL reports a zero-byte read as an error.
        begin()
        var moved = 0
        let result = unsafe output.withUnsafeMutableBufferPointer { bytes, initialized in
            let free = unsafe UnsafeMutableBufferPointer(rebasing: bytes[initialized...])
            let result = unsafe SSL_read_ex(ssl, free.baseAddress, free.count, &moved)
            initialized += moved
            return result
        }
        return result == 1 ? .moved(moved) : try meaning(of: result)
    }

    /// Sends from the front of `bytes`, which are not empty.
    package mutating func write(_ bytes: Span<UInt8>) throws(TLSError) -> Step {
        precondition(bytes.count > 0)
        begin()
        var moved = 0
        let result = unsafe bytes.withUnsafeBytes { bytes in
            unsafe SSL_write_ex(ssl, bytes.baseAddress, bytes.count, &moved)
        }
        return result == 1 ? .moved(moved) : try meaning(of: result)
    }

    /// Says once that nothing more will be sent. What cannot be sent now is not waited for: the end
    /// of the stream follows it anyway.
    package mutating func finishSending() {
        begin()
        _ = unsafe SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// Before each step: `SSL_get_error` reads this thread's queue, which all sessions share, as they
    /// may share what carries their bytes.
    private func begin() {
        // It is mostly empty, and looking costs an eighth of clearing.
        if ERR_peek_error() != 0 { ERR_clear_error() }
        unsafe kanmon_use_socket(ssl, socket)
    }

    /// Bytes already in memory, decrypted or not, about which epoll will say nothing. (`SSL_pending`
    /// would miss a whole record that read-ahead took off the socket.)
    package var hasPending: Bool { unsafe SSL_has_pending(ssl) == 1 }

    /// Of a server: has it sent its part of the handshake, or asked for another hello? It says nothing before
    /// it has the client's.
    package var hasSpoken: Bool {
        let state = unsafe SSL_get_state(ssl)
        return state != TLS_ST_BEFORE && state != TLS_ST_SR_CLNT_HELLO
    }

    /// Has the handshake resumed a session?
    package var isResumed: Bool { unsafe SSL_session_reused(ssl) == 1 }

    /// Lets a server's handshake in TLS 1.3, which is yet to begin, end without a ticket.
    package mutating func withholdTicket() { unsafe SSL_set_num_tickets(ssl, 0) }

    /// Did the handshake agree on TLS 1.3? Otherwise it was 1.2, the only other one offered.
    package var isVersion13: Bool { unsafe SSL_version(ssl) == TLS1_3_VERSION }

    /// Did both agree on HTTP/2 (RFC 7301)? Otherwise it is HTTP/1.1, with or without a word.
    package var isHTTP2: Bool {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        unsafe SSL_get0_alpn_selected(ssl, &name, &count)
        return count == 2
    }

    /// The one place an OpenSSL result is given a meaning. A code we have not met is an error:
    /// retrying it would spin, and treating it as the end would hide it.
    private func meaning(of result: Int32) throws(TLSError) -> Step {
        let socketError = Errno.current  // First: the calls below may overwrite errno.
        switch unsafe SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .wantsRead
        case SSL_ERROR_WANT_WRITE: return .wantsWrite
        case SSL_ERROR_ZERO_RETURN: return .finished
        case SSL_ERROR_SYSCALL: throw .socketFailed(socketError)
        case SSL_ERROR_SSL:
            let code = ERR_peek_last_error()
            switch ERR_GET_REASON(code) {
            case SSL_R_UNEXPECTED_EOF_WHILE_READING: return .cut
            case SSL_R_CERTIFICATE_VERIFY_FAILED:
                throw .certificateRefused(
                    CertificateFault(code: unsafe SSL_get_verify_result(ssl)))
            default: throw .protocolViolated(code: code)
            }
        case let code: throw .unexpected(code: code)
        }
    }
}

/// What carries the bytes of sessions of one thread, which may share it. To be freed by whoever holds it; nil
/// when there is no memory.
func newCarrier() -> OpaquePointer? {
    guard let method = unsafe carrierMethod else { return nil }
    return unsafe kanmon_new_carrier(method)
}

// Made once, and never changed.
private nonisolated(unsafe) let carrierMethod = unsafe kanmon_carrier_method()
