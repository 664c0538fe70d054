internal import Bytes
internal import CNghttp2

/// Everything about libnghttp2 that is a C pointer: how a session is made, and what it calls. Each
/// callback says in our words what has happened, and hands the verdict back.
enum SessionCallbacks {
    /// Made once; the library copies it into each session.
    private nonisolated(unsafe) static let callbacks: OpaquePointer? = {
        var callbacks: OpaquePointer?
        guard unsafe nghttp2_session_callbacks_new(&callbacks) == 0 else { return nil }
        unsafe nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, onBeginHeaders)
        unsafe nghttp2_session_callbacks_set_on_header_callback(callbacks, onHeader)
        unsafe nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, onInvalidHeader)
        unsafe nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, onFrame)
        unsafe nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, onData)
        unsafe nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, onClose)
        unsafe nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, onSent)
        return unsafe callbacks
    }()

    /// A session that calls `owner`, which must outlive it. Nil when there is no memory.
    static func makeSession(for owner: HTTP2Session, _ limits: HTTP2Limits) -> OpaquePointer? {
        var option: OpaquePointer?
        guard unsafe nghttp2_option_new(&option) == 0 else { return nil }
        defer { unsafe nghttp2_option_del(option) }
        unsafe nghttp2_option_set_no_auto_window_update(option, 1)
        unsafe nghttp2_option_set_no_closed_streams(option, 1)
        unsafe nghttp2_option_set_max_deflate_dynamic_table_size(
            option, HTTP2Limits.encoderTableBytes)
        unsafe nghttp2_option_set_max_outbound_ack(option, HTTP2Limits.queuedAcknowledgementsMax)
        unsafe nghttp2_option_set_max_settings(option, HTTP2Limits.settingsMax)
        unsafe nghttp2_option_set_max_continuations(option, HTTP2Limits.continuationsMax)
        unsafe nghttp2_option_set_stream_reset_rate_limit(
            option, UInt64(limits.clientResets.burst), UInt64(limits.clientResets.perSecond))
        var session: OpaquePointer?
        let user = unsafe Unmanaged.passUnretained(owner).toOpaque()
        var memory = unsafe allocator(of: owner.memory)
        let result = unsafe nghttp2_session_server_new3(
            &session, callbacks, user, option, &memory)
        return unsafe result == 0 ? session : nil
    }

    /// `memory` must outlive what is allocated.
    private static func allocator(of memory: FrameMemory) -> nghttp2_mem {
        unsafe nghttp2_mem(
            mem_user_data: Unmanaged.passUnretained(memory).toOpaque(), malloc: onAllocate,
            free: onFree, calloc: onAllocateZeros, realloc: onReallocate)
    }

    /// What the client is told first. No tree of priorities is kept (RFC 9218 section 2.1).
    static func submitSettings(_ limits: HTTP2Limits, in session: OpaquePointer?) {
        func entry(_ name: nghttp2_settings_id, _ value: Int) -> nghttp2_settings_entry {
            nghttp2_settings_entry(
                settings_id: Int32(name.rawValue), value: UInt32(clamping: value))
        }
        let entries = [
            entry(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streamsMax),
            entry(NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, limits.head.headBytesMax),
            entry(NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1),
        ]
        _ = unsafe nghttp2_submit_settings(
            session, UInt8(NGHTTP2_FLAG_NONE.rawValue), entries, entries.count)
    }

    /// Does this result mean that the bytes were no HTTP/2 from the start?
    static func isBadPreface(_ result: Int) -> Bool {
        result == Int(NGHTTP2_ERR_BAD_CLIENT_MAGIC.rawValue)
    }

    /// Where the library gets the body of an answer from.
    static func provider(of body: AnswerBody) -> nghttp2_data_provider {
        let source = unsafe nghttp2_data_source(ptr: Unmanaged.passUnretained(body).toOpaque())
        return unsafe nghttp2_data_provider(source: source, read_callback: onRead)
    }

    // MARK: Callbacks

    private static let onBeginHeaders: nghttp2_on_begin_headers_callback = { _, frame, user in
        guard let frame = unsafe frame, let owner = unsafe owner(user) else { return failed }
        if unsafe frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST {
            owner.headBegan(on: FrameHeader(unsafe frame.pointee.hd).stream)
        } else {
            owner.trailerBegan()
        }
        return 0
    }

    private static let onHeader: nghttp2_on_header_callback = {
        _, frame, name, nameCount, value, valueCount, _, user in
        guard let frame = unsafe frame, let owner = unsafe owner(user), let name = unsafe name,
            let value = unsafe value
        else { return failed }
        let nameBytes = unsafe Span(_unsafeStart: name, count: nameCount)
        let valueBytes = unsafe Span(_unsafeStart: value, count: valueCount)
        let isTrailer = unsafe frame.pointee.headers.cat != NGHTTP2_HCAT_REQUEST
        return owner.fieldCame(nameBytes, valueBytes, inTrailer: isTrailer) ? 0 : failed
    }

    /// By default a malformed field is dropped; here it makes the request malformed (section 8.1.1).
    private static let onInvalidHeader: nghttp2_on_invalid_header_callback = {
        _, _, _, _, _, _, _, _ in
        Int32(NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE.rawValue)
    }

    private static let onFrame: nghttp2_on_frame_recv_callback = { _, frame, user in
        guard let frame = unsafe frame, let owner = unsafe owner(user) else { return failed }
        let header = FrameHeader(unsafe frame.pointee.hd)
        switch header.type {
        case .headers:
            let isRequest = unsafe frame.pointee.headers.cat == NGHTTP2_HCAT_REQUEST
            owner.headersEnded(on: header, isRequest: isRequest)
        case .data: owner.dataEnded(on: header)
        case .settings, .priority, .reset, .ping, .goAway, .windowUpdate, .continuation, .other:
            break
        }
        return 0
    }

    private static let onData: nghttp2_on_data_chunk_recv_callback = {
        _, _, stream, bytes, count, user in
        guard let owner = unsafe owner(user) else { return failed }
        let piece = unsafe UnsafeRawBufferPointer(start: bytes, count: count)
        return unsafe owner.bodyCame(piece, on: UInt32(bitPattern: stream)) ? 0 : failed
    }

    private static let onClose: nghttp2_on_stream_close_callback = { _, stream, _, user in
        unsafe owner(user)?.streamClosed(UInt32(bitPattern: stream))
        return 0
    }

    private static let onSent: nghttp2_on_frame_send_callback = { _, frame, user in
        guard let frame = unsafe frame, let owner = unsafe owner(user) else { return failed }
        let header = FrameHeader(unsafe frame.pointee.hd)
        switch header.type {
        case .reset:
            let code = unsafe frame.pointee.rst_stream.error_code
            return owner.resetWasSent(on: header.stream, code: code) ? 0 : failed
        case .data, .headers:
            if header.type == .data { owner.dataWasSent() }
            if header.endsStream { owner.answerWasSent(on: header.stream) }
        default: break
        }
        return 0
    }

    private static let onRead: nghttp2_data_source_read_callback = {
        _, _, target, room, flags, source, _ in
        guard let pointer = unsafe source?.pointee.ptr else { return Int(failed) }
        let body = unsafe Unmanaged<AnswerBody>.fromOpaque(pointer).takeUnretainedValue()
        let count = unsafe body.move(
            to: UnsafeMutableRawBufferPointer(start: target, count: room))
        if body.isEmpty { unsafe flags?.pointee |= NGHTTP2_DATA_FLAG_EOF.rawValue }
        return count
    }

    private static let onAllocate: nghttp2_malloc = { count, user in
        unsafe memory(user)?.allocate(count)
    }

    private static let onAllocateZeros: nghttp2_calloc = { count, size, user in
        unsafe memory(user)?.allocateZeros(count, size)
    }

    private static let onReallocate: nghttp2_realloc = { pointer, count, user in
        unsafe memory(user)?.reallocate(pointer, count)
    }

    private static let onFree: nghttp2_free = { pointer, user in
        unsafe memory(user)?.free(pointer)
    }

    private static func memory(_ user: UnsafeMutableRawPointer?) -> FrameMemory? {
        unsafe user.map { unsafe Unmanaged<FrameMemory>.fromOpaque($0).takeUnretainedValue() }
    }

    private static let failed = Int32(NGHTTP2_ERR_CALLBACK_FAILURE.rawValue)

    private static func owner(_ user: UnsafeMutableRawPointer?) -> HTTP2Session? {
        unsafe user.map { unsafe Unmanaged<HTTP2Session>.fromOpaque($0).takeUnretainedValue() }
    }
}

extension FrameHeader {
    fileprivate init(_ header: nghttp2_frame_hd) {
        self.init(
            type: header.type, flags: header.flags, stream: UInt32(bitPattern: header.stream_id),
            length: header.length)
    }
}
