"""HTTP/2 as RFC 9113 has it, and HPACK as RFC 7541, section by section: what has to be taken is taken, what is an
error is told with its code. An error of a stream may also be told as one of the connection (section 5.4.1)."""

import struct

from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH

from frames import (ACK, BODY, CANCEL, CLOSED, COMPRESSION, CONCURRENT_STREAMS, CONTINUATION, DATA, ENABLE_PUSH,
                    END_HEADERS, END_STREAM, FLOW_CONTROL, FRAME_BYTES, FRAME_SIZE, GOAWAY, HEADERS, HEADER_BYTES,
                    HEADER_TABLE_SIZE, PADDED, PATH, PING, PREFACE, PRIORITISED, PRIORITY, PROTOCOL, PUSH_PROMISE, REFUSED,
                    RST_STREAM, SETTINGS, WINDOW_SIZE, WINDOW_UPDATE, Alive, Answered, Ended, Peer, Reset, data, frame,
                    get, goaway, head, headers, integer, literal, ping, post, post_head, priority, reset, section,
                    settings, widen)
from table import Does, Row
from wire import expect

BLOCK = section(head())
answered, alive = Answered(404), Alive()
OPEN = post_head(path=b"/"), post_head()  # Answered while its body still comes, and not before.


def continued(*pieces, first=BLOCK[:10], flags=END_STREAM, stream=1):
    """A header section in HEADERS and CONTINUATION frames."""
    *middle, last = pieces
    return (headers(first, stream, flags) + b"".join(frame(CONTINUATION, 0, stream, piece) for piece in middle)
            + frame(CONTINUATION, END_HEADERS, stream, last))


def padded(payload, count, claimed=None):
    return bytes([count if claimed is None else claimed]) + payload + bytes(count)


def opened(*behind):
    """Behind the head of each kind of request whose body is awaited."""
    return [first + b"".join(behind) for first in OPEN]


def then(first, *behind, stream=1):
    """What comes behind a request whose answer has come to its end."""
    def tried(peer):
        peer.say(first)
        peer.answer(stream)
        peer.say(*behind)
    return tried


def reset_then(*behind):
    """Behind a stream that we took back, before its body had come."""
    return [first + reset() + b"".join(behind) for first in OPEN]


# Whole conversations

def starts_with_settings(gate):
    with Peer(gate) as peer:
        peer.wait(lambda: peer.heard)
        expect(peer.heard[0].type == SETTINGS and not peer.heard[0].flags & ACK, f"{peer.heard}")
        expect(peer.settings[CONCURRENT_STREAMS] == 32, f"{peer.settings}")


def wrong_prefaces(gate):
    for preface in (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", b"INVALID CONNECTION PREFACE\r\n\r\n",
                    b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with Peer(gate, preface=preface) as peer:
            expect(peer.ended(), f"{preface} is spoken to")
            expect(not any(stream.status for stream in peer.streams.values()), "an answer")


def settings_not_first(gate):
    for first in (ping(), get(), b""):
        with Peer(gate, begins=False) as peer:
            peer.say(PREFACE + first + frame(0xfe) + settings())
            peer.expect_end(PROTOCOL)


def acknowledges_settings(gate):
    with Peer(gate) as peer:
        peer.say(settings((CONCURRENT_STREAMS, 100)))
        peer.wait(lambda: sum(frame.type == SETTINGS and frame.flags == ACK for frame in peer.heard) == 2)
        acknowledgements = [frame for frame in peer.heard if frame.type == SETTINGS and frame.flags & ACK]
        expect(len(acknowledgements) == 2 and not any(found.payload for found in acknowledgements), f"{peer.heard}")


def echoes(gate):
    with Peer(gate) as peer:
        peer.say(ping(b"01234567"), ping(b"\0\xff\0\xff\0\xff\0\xff"))
        peer.wait(lambda: len(peer.pongs) == 2)
        expect(peer.pongs == [b"01234567", b"\0\xff\0\xff\0\xff\0\xff"], f"{peer.pongs}")


def echoes_no_echo(gate):
    with Peer(gate) as peer:
        peer.say(ping(b"an echo!", flags=ACK))
        peer.expect_alive()
        expect(peer.pongs == [b"alive???"], f"{peer.pongs}")


def more_streams_than_allowed(gate):
    """Answers cannot be sent, so streams stay: one too many is refused, by itself or with the connection."""
    for waits in (True, False):
        with Peer(gate, (WINDOW_SIZE, 0)) as peer:
            if waits:
                peer.wait(lambda: peer.settings and peer.are_settings_acknowledged)
            peer.say(*(get(stream=stream) for stream in range(1, 67, 2)))
            peer.expect_reset(PROTOCOL, REFUSED, stream=65)


def error_ends_the_connection(gate):
    """After GOAWAY for an error the connection is closed, by TCP too, and it says which stream was the last."""
    with Peer(gate) as peer:
        peer.say(get())
        peer.answer()
        peer.say(frame(PING, 0, 3, bytes(8)))
        peer.expect_end(PROTOCOL)
        expect(peer.goaways[0][0] == 1, f"{peer.goaways}")


def pieces_of(peer, stream=1):
    return [len(found.payload) for found in peer.heard if found.type == DATA and found.stream == stream]


def window_of_one(gate):
    with Peer(gate, (WINDOW_SIZE, 1)) as peer:
        peer.say(get())
        peer.wait(lambda: pieces_of(peer))
        peer.expect_alive()
        expect(pieces_of(peer) == [1], f"{pieces_of(peer)}")
        peer.say(widen(1000, 1))
        peer.expect_status(404)


def last_setting_counts(gate):
    with Peer(gate, (WINDOW_SIZE, 100), (WINDOW_SIZE, 1)) as peer:
        peer.say(get())
        peer.wait(lambda: pieces_of(peer))
        expect(pieces_of(peer)[0] == 1, f"{pieces_of(peer)}")


def window_changes(gate):
    with Peer(gate, (WINDOW_SIZE, 0)) as peer:
        peer.say(get())
        peer.wait(lambda: peer.streams[1].status)
        peer.expect_alive()
        expect(not pieces_of(peer), "DATA without a window")
        peer.say(settings((WINDOW_SIZE, 1)))
        peer.wait(lambda: pieces_of(peer))
        expect(pieces_of(peer) == [1], f"{pieces_of(peer)}")


def window_below_zero(gate):
    with Peer(gate, (WINDOW_SIZE, 3)) as peer:
        peer.say(get())
        peer.wait(lambda: pieces_of(peer))
        peer.say(settings((WINDOW_SIZE, 2)), widen(2, 1))
        peer.wait(lambda: len(pieces_of(peer)) > 1)
        peer.expect_alive()
        expect(pieces_of(peer) == [3, 1], f"{pieces_of(peer)}")


def connection_window(gate):
    """All answers together take no more than the connection's window."""
    with Peer(gate) as peer:
        peer.say(get())
        size = len(peer.answer().body)
        served = 65535 // size
        for first in range(1, served, 20):
            streams = [2 * number + 1 for number in range(first, min(first + 20, served))]
            peer.say(*(get(stream=stream) for stream in streams))
            for stream in streams:
                peer.answer(stream)
        peer.say(get(stream=2 * served + 1))
        peer.wait(lambda: len(peer.streams[2 * served + 1].body) == 65535 % size)
        peer.expect_alive()
        expect(sum(len(found.payload) for found in peer.heard if found.type == DATA) == 65535, "not the window")
        peer.say(widen(size))
        peer.expect_status(404, stream=2 * served + 1)


def small_frames_asked_for(gate):
    """A larger frame that we would take need not be sent; our table of headers may be none."""
    with Peer(gate, (FRAME_BYTES, (1 << 24) - 1), (HEADER_TABLE_SIZE, 0), (HEADER_BYTES, 1 << 16)) as peer:
        for stream in (1, 3):
            peer.say(get(stream=stream))
            peer.expect_status(404, stream=stream)


def farewell_of_client(gate):
    """Who says GOAWAY is still answered, and let go."""
    for farewell in (goaway(), goaway(code=PROTOCOL, text=b"attack"), goaway(code=0xff)):
        with Peer(gate) as peer:
            peer.say(post_head(), farewell, data())
            peer.expect_status(200)


def unknown_codes(gate):
    with Peer(gate) as peer:
        peer.say(post_head(), reset(code=0xff))
        peer.expect_alive()


def head_of_nothing(gate):
    """HEAD is answered with a length and no DATA."""
    with Peer(gate) as peer:
        peer.say(get(method=b"HEAD"))
        answer = peer.expect_status(404)
        expect(not answer.body and int(answer.fields["content-length"]) > 0, f"{answer.body} {answer.fields}")


def remembered(gate):
    """What was remembered is known in later requests, also by a field's name alone."""
    with Peer(gate) as peer:
        peer.say(headers(b"".join(literal(*field, first=0x40) for field in head())))
        peer.expect_status(404)
        peer.say(headers(b"\xc1\xc0\xbf\xbe", stream=3))
        peer.expect_status(404, stream=3)
        peer.say(headers(b"\xc1\xc0\xbf" + b"\x7e" + b"\x01h", stream=5))
        peer.expect_status(404, stream=5)


def smaller_table(gate):
    """A table made smaller forgets, and one made larger again has not remembered."""
    with Peer(gate) as peer:
        peer.say(headers(b"".join(literal(*field, first=0x40) for field in head())))
        peer.expect_status(404)
        peer.say(headers(b"\x20" + integer(4096, 5, 0x20) + BLOCK, stream=3))
        peer.expect_status(404, stream=3)
        peer.say(headers(b"\xc1\xc0\xbf\xbe", stream=5))
        peer.expect_end(COMPRESSION)


def conversations(*functions):
    return Does("shown"), *functions


def coded(behind):
    """A name, and a value, in Huffman code with these bytes behind it."""
    code = HUFFMAN.encode(b"test") + behind
    string = bytes([0x80 | len(code)]) + code
    return headers(BLOCK + b"\x00" + string + b"\x01x"), headers(BLOCK + b"\x00\x01x" + string)


HUFFMAN = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)
LOCALHOST = HUFFMAN.encode(b"localhost")
FRAGMENT = headers(BLOCK, flags=END_STREAM)

SECTIONS = {
    # What every endpoint has to take
    "3.4": [
        ("the gate begins with its settings", *conversations(starts_with_settings)),
        ("another preface ends the connection", *conversations(wrong_prefaces)),
        ("settings have to come first", *conversations(settings_not_first)),
    ],
    "4.1": [
        ("a frame of unknown type is ignored", alive, frame(0x16, payload=bytes(8)), frame(0xff, 0xff, 5, b"x")),
        ("a flag that has no meaning is ignored", alive, ping(flags=0x16), get() + frame(RST_STREAM, 0xff, 1, bytes(4))),
        ("the reserved bit is ignored", alive, frame(PING, 0, 1 << 31, bytes(8))),
        ("the reserved bit of a stream is ignored", answered,
         frame(HEADERS, END_STREAM | END_HEADERS, 1 | 1 << 31, BLOCK)),
    ],
    "4.2": [
        ("DATA of 16,384 bytes is taken", answered, post_head(path=b"/") + data(bytes(16384))),
        ("DATA that is larger is too large", Reset(FRAME_SIZE), *opened(data(bytes(16385)))),
        ("HEADERS that are larger are too large", Ended(FRAME_SIZE),
         get((b"x", bytes(16384))), post_head(path=b"/") + headers(BLOCK + bytes(16384))),
        ("any frame that is larger is too large", Ended(FRAME_SIZE),
         frame(SETTINGS, payload=bytes(16386)), frame(0xfe, payload=bytes(16385)), frame(PING, length=1 << 23)),
    ],
    "4.3": [
        ("a header section that is none is an error", Ended(COMPRESSION), headers(b"\x80"), headers(b"\x40\x01"),
         headers(b"\x00\x85\xf2\xb2\x4a\x84\xff\x84\x49\x50\x9f\xff")),
        ("PRIORITY inside of a header section is an error", Ended(PROTOCOL),
         FRAGMENT + priority(1, 0) + frame(CONTINUATION, END_HEADERS, 1)),
        ("HEADERS of another stream inside of a header section are an error", Ended(PROTOCOL), FRAGMENT + get(stream=3)),
    ],
    "5.1": [
        ("PRIORITY on an idle stream is taken", alive, priority(1, 0), priority(7, 5) + get()),
        ("DATA on an idle stream is an error", Ended(PROTOCOL), data(stream=1), data(stream=2)),
        ("RST_STREAM on an idle stream is an error", Ended(PROTOCOL), reset(), reset(2)),
        ("WINDOW_UPDATE on an idle stream is an error", Ended(PROTOCOL), widen(100, 1)),
        ("CONTINUATION on an idle stream is an error", Ended(PROTOCOL), frame(CONTINUATION, END_HEADERS, 1, BLOCK)),
        ("WINDOW_UPDATE, PRIORITY and RST_STREAM are taken when half closed", alive,
         get() + widen(100, 1), get() + priority(1, 0), get() + reset(), post() + widen(1, 1)),
        ("DATA behind END_STREAM is an error", Reset(CLOSED), get() + data(), post() + data(), post(path=b"/") + data()),
        ("HEADERS behind END_STREAM are an error", Reset(CLOSED), get() + get(), post() + get(), post(path=b"/") + get()),
        ("CONTINUATION behind END_STREAM is an error", Ended(CLOSED, PROTOCOL),
         get() + frame(CONTINUATION, END_HEADERS, 1, BLOCK), post() + frame(CONTINUATION, END_HEADERS, 1, BLOCK)),
        ("PRIORITY on a closed stream is taken", alive, then(get(), priority(1, 0)), *reset_then(priority(1, 0))),
        ("WINDOW_UPDATE and RST_STREAM right behind the end are taken", alive,
         then(get(), widen(100, 1)), then(get(), reset()), *reset_then(widen(100, 1))),
        ("DATA behind RST_STREAM is an error", Reset(CLOSED), *reset_then(data())),
        ("HEADERS behind RST_STREAM are an error", Reset(CLOSED), *reset_then(get())),
        ("CONTINUATION behind RST_STREAM is an error", Ended(CLOSED, PROTOCOL),
         *reset_then(frame(CONTINUATION, END_HEADERS, 1, BLOCK))),
        ("DATA on a closed stream is an error", Reset(CLOSED), then(get(), data()), then(post(), data()),
         then(post(path=b"/"), data())),
        ("DATA behind a body that came to its end behind the answer is an error", Reset(CLOSED),
         then(post_head(path=b"/"), data(), data())),
        ("HEADERS on a closed stream are an error", Ended(CLOSED), then(get(), get()), then(post(), get()),
         then(post_head(path=b"/"), data(), get())),
        ("CONTINUATION on a closed stream is an error", Ended(CLOSED, PROTOCOL),
         then(get(), frame(CONTINUATION, END_HEADERS, 1, BLOCK))),
    ],
    "5.1.1": [
        ("a stream of even number is an error", Ended(PROTOCOL), get(stream=2), get(stream=0x7ffffffe)),
        ("a stream of lower number is an error", Ended(PROTOCOL), get(stream=5) + get(stream=3),
         then(get(stream=5), get(stream=3), stream=5), get(stream=5) + post_head(stream=1)),
    ],
    "5.1.2": [("more streams than allowed are refused", *conversations(more_streams_than_allowed))],
    "5.3.1": [
        ("HEADERS that depend on themselves are an error", Reset(PROTOCOL),
         headers(struct.pack(">IB", 1, 15) + BLOCK, flags=END_HEADERS | END_STREAM | PRIORITISED)),
        ("PRIORITY that depends on itself is an error", Reset(PROTOCOL, stream=1), priority(1, 1), get() + priority(1, 1)),
    ],
    "5.4.1": [
        ("an error ends the connection, and tells the last stream", *conversations(error_ends_the_connection)),
        ("nothing behind an error counts", Ended(PROTOCOL), frame(PING, 0, 3, bytes(8)) + frame(PING, length=1 << 23),
         frame(SETTINGS, 0, 1) + get() + frame(WINDOW_UPDATE, length=(1 << 24) - 1) + bytes(4)),
    ],
    "5.5": [
        ("a frame of an extension is ignored", alive, frame(0x0c, 0, 0, b"x" * 20), get() + frame(0x10, 0, 0, bytes(8))),
        ("a frame of an extension inside of a header section is an error", Ended(PROTOCOL),
         headers(BLOCK[:9], flags=END_STREAM) + frame(0x16, 0, 0, bytes(8)) + frame(CONTINUATION, END_HEADERS, 1, BLOCK[9:])),
    ],

    # Frame by frame
    "6.1": [
        ("DATA is taken", answered, post(path=b"/"), post_head(path=b"/") + data(flags=0) + data(),
         post_head(path=b"/") + data(b"")),
        ("DATA with padding is taken", Answered(200), *(
            post_head() + data(padded(BODY, count), flags=END_STREAM | PADDED) for count in (0, 1, 255))),
        ("DATA on stream 0 is an error", Ended(PROTOCOL), data(stream=0), post_head() + data(stream=0)),
        ("padding as long as its frame is an error", Ended(PROTOCOL), *opened(
            data(padded(b"", 4, claimed=5), flags=END_STREAM | PADDED)), *opened(data(b"\x05test", flags=PADDED))),
        ("a padded frame without a length of padding is an error", Ended(PROTOCOL, FRAME_SIZE),
         *opened(data(b"", flags=END_STREAM | PADDED))),
    ],
    "6.2": [
        ("HEADERS are taken", answered, get()),
        ("HEADERS with padding are taken", answered, headers(padded(BLOCK, 100), flags=END_HEADERS | END_STREAM | PADDED)),
        ("HEADERS with a priority are taken", answered,
         headers(struct.pack(">IB", 0, 255) + BLOCK, flags=END_HEADERS | END_STREAM | PRIORITISED),
         headers(padded(struct.pack(">IB", 3 | 1 << 31, 0) + BLOCK, 5),
                 flags=END_HEADERS | END_STREAM | PRIORITISED | PADDED)),
        ("PRIORITY behind HEADERS that go on is an error", Ended(PROTOCOL), FRAGMENT + priority(1, 0)),
        ("HEADERS behind HEADERS that go on are an error", Ended(PROTOCOL), FRAGMENT + get(), FRAGMENT + get(stream=3)),
        ("HEADERS on stream 0 are an error", Ended(PROTOCOL), get(stream=0)),
        ("padding longer than its frame is an error", Ended(PROTOCOL),
         headers(b"\xff" + BLOCK, flags=END_HEADERS | END_STREAM | PADDED)),
    ],
    "6.3": [
        ("PRIORITY is taken", alive, *(priority(1, 0, weight) for weight in (0, 255)), priority(3, 1),
         priority(3, 1 | 1 << 31), get() + priority(1, 0)),
        ("PRIORITY on stream 0 is an error", Ended(PROTOCOL), priority(0, 1)),
        ("PRIORITY of another length is an error", Reset(FRAME_SIZE), *(
            get() + frame(PRIORITY, 0, 1, bytes(length)) for length in (0, 4, 6)),
         frame(PRIORITY, 0, 1, bytes(4))),
    ],
    "6.4": [
        ("RST_STREAM is taken", alive, *opened(reset()), *opened(reset(code=CANCEL))),
        ("RST_STREAM on stream 0 is an error", Ended(PROTOCOL), reset(0)),
        ("RST_STREAM on an idle stream is an error", Ended(PROTOCOL), reset(1), get() + reset(3)),
        ("RST_STREAM of another length is an error", Ended(FRAME_SIZE), *(
            post_head() + frame(RST_STREAM, 0, 1, bytes(length)) for length in (0, 3, 5))),
    ],
    "6.5": [
        ("SETTINGS are taken", alive, settings(), settings((CONCURRENT_STREAMS, 0), (HEADER_TABLE_SIZE, 0))),
        ("an acknowledgement with content is an error", Ended(FRAME_SIZE), settings((CONCURRENT_STREAMS, 1), flags=ACK)),
        ("SETTINGS on a stream are an error", Ended(PROTOCOL), settings(stream=1), settings(stream=2)),
        ("SETTINGS of another length are an error", Ended(FRAME_SIZE), *(
            frame(SETTINGS, payload=bytes(length)) for length in (1, 3, 5, 7))),
    ],
    "6.5.2": [
        ("ENABLE_PUSH is 0 or 1", Ended(PROTOCOL), settings((ENABLE_PUSH, 2))),
        ("0 and 1 are both ENABLE_PUSH", alive, settings((ENABLE_PUSH, 0)), settings((ENABLE_PUSH, 1))),
        ("INITIAL_WINDOW_SIZE is less than 2^31", Ended(FLOW_CONTROL), settings((WINDOW_SIZE, 1 << 31)),
         settings((WINDOW_SIZE, (1 << 32) - 1))),
        ("MAX_FRAME_SIZE is at least 16,384", Ended(PROTOCOL), settings((FRAME_BYTES, 16383)), settings((FRAME_BYTES, 0))),
        ("MAX_FRAME_SIZE is less than 2^24", Ended(PROTOCOL), settings((FRAME_BYTES, 1 << 24))),
        ("a setting that is unknown is ignored", alive, settings((0xff, 1)), settings((0, 0xffffffff))),
        ("values at the bounds are kept to", *conversations(small_frames_asked_for)),
    ],
    "6.5.3": [
        ("of two values the last counts", *conversations(last_setting_counts)),
        ("SETTINGS are acknowledged", *conversations(acknowledges_settings)),
    ],
    "6.7": [
        ("PING is echoed", *conversations(echoes)),
        ("an echo is not echoed", *conversations(echoes_no_echo)),
        ("PING on a stream is an error", Ended(PROTOCOL), frame(PING, 0, 1, bytes(8))),
        ("PING of another length is an error", Ended(FRAME_SIZE), *(ping(bytes(length)) for length in (0, 6, 7, 9))),
    ],
    "6.8": [
        ("GOAWAY is taken, and what was asked is answered", *conversations(farewell_of_client)),
        ("GOAWAY on a stream is an error", Ended(PROTOCOL), frame(GOAWAY, 0, 1, bytes(8))),
        ("GOAWAY that is too short is an error", Ended(FRAME_SIZE), frame(GOAWAY, 0, 0, bytes(7))),
    ],
    "6.9": [
        ("WINDOW_UPDATE is taken", alive, widen(1), post_head() + widen(1, 1), widen((1 << 31) - 1 - 65535)),
        ("WINDOW_UPDATE by nothing is an error", Ended(PROTOCOL), widen(0)),
        ("WINDOW_UPDATE of a stream by nothing is an error", Reset(PROTOCOL), *opened(widen(0, 1))),
        ("WINDOW_UPDATE of another length is an error", Ended(FRAME_SIZE), *(
            frame(WINDOW_UPDATE, payload=bytes(length)) for length in (0, 3, 5)),
         post_head() + frame(WINDOW_UPDATE, 0, 1, bytes(3))),
    ],
    "6.9.1": [
        ("no more is sent than the window has room for", *conversations(window_of_one)),
        ("nor than the connection's has", *conversations(connection_window)),
        ("a window of the connection of 2^31 is an error", Ended(FLOW_CONTROL), widen((1 << 31) - 1) * 2),
        ("a window of a stream of 2^31 is an error", Reset(FLOW_CONTROL), *opened(widen((1 << 31) - 1, 1) * 2)),
    ],
    "6.9.2": [
        ("new settings change the windows of streams that are there", *conversations(window_changes)),
        ("a window may be below zero", *conversations(window_below_zero)),
        ("settings that make a window of 2^31 are an error", Ended(FLOW_CONTROL),
         post_head() + widen(1 << 30, 1) + settings((WINDOW_SIZE, (1 << 31) - 1))),
    ],
    "6.10": [
        ("CONTINUATION is taken", answered, continued(BLOCK[10:])),
        ("several CONTINUATION frames are taken", answered, continued(BLOCK[10:20], BLOCK[20:30], b"", BLOCK[30:]),
         continued(BLOCK, first=b"")),
        ("another frame behind CONTINUATION that goes on is an error", Ended(PROTOCOL), *(
            FRAGMENT + frame(CONTINUATION, 0, 1) + other for other in (settings(), ping(), data(), priority(1, 0)))),
        ("CONTINUATION of another stream is an error", Ended(PROTOCOL), FRAGMENT + frame(CONTINUATION, END_HEADERS, 3)),
        ("CONTINUATION on stream 0 is an error", Ended(PROTOCOL), FRAGMENT + frame(CONTINUATION, END_HEADERS, 0, BLOCK)),
        ("CONTINUATION behind HEADERS that have ended is an error", Ended(PROTOCOL, CLOSED),
         *opened(frame(CONTINUATION, END_HEADERS, 1, BLOCK))),
        ("CONTINUATION behind CONTINUATION that has ended is an error", Ended(PROTOCOL, CLOSED),
         continued(BLOCK[10:], flags=0) + frame(CONTINUATION, END_HEADERS, 1, BLOCK)),
        ("CONTINUATION behind DATA is an error", Ended(PROTOCOL, CLOSED),
         *opened(data(flags=0), frame(CONTINUATION, END_HEADERS, 1, BLOCK))),
    ],
    "7": [("a code of error that is unknown has no effect", *conversations(unknown_codes))],

    # Requests
    "8.1": [
        ("GET is answered", answered, get()),
        ("HEAD is answered without content", *conversations(head_of_nothing)),
        ("POST is answered", answered, post(path=b"/")),
        ("POST with a trailer section is answered", Answered(200), post_head() + data(flags=0) + headers([(b"x", b"1")])),
        ("and so it is where it is none of ours", answered,
         post_head(path=b"/") + data(flags=0) + headers([(b"x", b"1")])),
        ("a trailer section that does not end the stream is an error", Reset(PROTOCOL), *opened(
            data(flags=0), headers([(b"x", b"1")], flags=END_HEADERS)), *opened(post_head()), *opened(post_head(), data())),
    ],
    "8.2.1": [
        ("a name in upper case is malformed", Reset(PROTOCOL), get((b"X-TEST", b"ok")), get((b"x-tesT", b"ok"))),
    ],
    "8.2.2": [
        ("fields about a connection are malformed", Reset(PROTOCOL), get((b"connection", b"keep-alive")),
         get((b"keep-alive", b"1")), get((b"proxy-connection", b"x")), get((b"upgrade", b"h2c")),
         get((b"transfer-encoding", b"chunked"))),
        ("te is trailers", Reset(PROTOCOL), get((b"te", b"trailers, deflate;q=0.5")), get((b"te", b"gzip"))),
        ("te may be trailers", answered, get((b"te", b"trailers"))),
    ],
    "8.3": [
        ("a pseudo-header field that is unknown is malformed", Reset(PROTOCOL), get((b":test", b"ok")),
         headers([(b":test", b"ok"), *head()])),
        ("one of answers is malformed", Reset(PROTOCOL), headers([(b":status", b"200"), *head()])),
        ("one in a trailer section is malformed", Reset(PROTOCOL), *(
            opening + data(flags=0) + headers([(name, b"ok")]) for opening in OPEN for name in (b":method", b":status", b":x"))),
        ("one behind a field is malformed", Reset(PROTOCOL), headers([(b"x", b"1"), *head()]),
         headers([*head(path=None), (b"x", b"1"), (b":path", b"/")])),
    ],
    "8.3.1": [
        ("an empty path is malformed", Reset(PROTOCOL), get(path=b"")),
        ("a request without a method is malformed", Reset(PROTOCOL), get(method=None)),
        ("a request without a scheme is malformed", Reset(PROTOCOL), get(scheme=None)),
        ("a request without a path is malformed", Reset(PROTOCOL), get(path=None)),
        ("two methods are malformed", Reset(PROTOCOL), headers([(b":method", b"GET"), *head()])),
        ("two schemes are malformed", Reset(PROTOCOL), headers([(b":scheme", b"https"), *head()])),
        ("two paths are malformed", Reset(PROTOCOL), headers([(b":path", b"/"), *head()])),
        ("two authorities are malformed", Reset(PROTOCOL), headers([(b":authority", b"localhost"), *head()])),
    ],
    "8.1.1": [
        ("DATA of another length than was declared is malformed", Reset(PROTOCOL), *(
            post_head((b"content-length", length), path=path) + data()
            for length in (b"1", b"28", b"30") for path in (b"/", PATH)), get((b"content-length", b"1"))),
        ("and so are several frames", Reset(PROTOCOL), *(
            post_head((b"content-length", length), path=path) + data(b"test", flags=0) + data(b"test")
            for length in (b"1", b"4", b"7", b"9") for path in (b"/", PATH))),
    ],
    "8.4": [
        ("PUSH_PROMISE is an error", Ended(PROTOCOL), *opened(
            frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + BLOCK)),
         frame(PUSH_PROMISE, END_HEADERS, 0, struct.pack(">I", 2) + BLOCK)),
    ],

    # HPACK
    "7541-2.3.3": [
        ("an index beyond both tables is an error", Ended(COMPRESSION), headers(BLOCK + b"\xbe"), headers(BLOCK + b"\xff\xff\x01")),
        ("a name by an index beyond both tables is an error", Ended(COMPRESSION), *(
            headers(BLOCK + first + b"\x02ok") for first in (b"\x7e", b"\x0f\x2f", b"\x1f\x2f"))),
    ],
    "7541-4.2": [
        ("a change of the table's size at the end is an error", Ended(COMPRESSION), headers(BLOCK + b"\x20"),
         headers(b"\x82\x20" + BLOCK[14:])),
        ("one at the beginning is taken", *conversations(smaller_table)),
    ],
    "7541-5.1": [
        ("an integer without an end, or too large, is an error", Ended(COMPRESSION),
         headers(BLOCK + b"\xff" + b"\x80" * 40), headers(BLOCK + b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f"),
         headers(BLOCK + b"\x00\x7f" + b"\xff" * 12 + b"\x7f")),
    ],
    "7541-5.2": [
        ("Huffman codes are taken", answered,
         headers(b"\x82\x87\x84\x41" + bytes([0x80 | len(LOCALHOST)]) + LOCALHOST), *coded(b"")),
        ("padding of more than 7 bits is an error", Ended(COMPRESSION), *coded(b"\xff"), *coded(b"\xff\xff")),
        ("padding of zeros is an error", Ended(COMPRESSION), headers(BLOCK + b"\x00\x01x\x81\x18"),
         headers(BLOCK + b"\x00\x81\x18\x01x")),
        ("the code of the end inside is an error", Ended(COMPRESSION), *coded(b"\xff\xff\xff\xff")),
        ("a string longer than its section is an error", Ended(COMPRESSION), headers(BLOCK + b"\x00\x05ab"),
         headers(BLOCK + b"\x00\x01x\x7f\xff\xff\x03")),
    ],
    "7541-6.1": [
        ("an indexed field is taken", answered, headers(b"\x82\x87\x84" + literal(b":authority", b"localhost"))),
        ("index 0 is an error", Ended(COMPRESSION), headers(BLOCK + b"\x80")),
    ],
    "7541-6.2": [
        ("a field that is to be remembered is", *conversations(remembered)),
        ("each kind of literal field is taken", answered, *(
            headers(BLOCK + literal(b"x", b"ok", first)) for first in (0x00, 0x10, 0x40)), *(
            headers(BLOCK + name + b"\x02ok") for name in (b"\x7a", b"\x0f\x2b", b"\x1f\x2b"))),
    ],
    "7541-6.3": [
        ("a size of the table above what was allowed is an error", Ended(COMPRESSION),
         headers(integer(4097, 5, 0x20) + BLOCK), headers(integer(1 << 20, 5, 0x20) + BLOCK)),
        ("sizes up to it are taken", answered, headers(integer(4096, 5, 0x20) + BLOCK), headers(b"\x20\x3f\xe1\x1f" + BLOCK)),
    ],
}

ROWS = [Row(f"{section}/{number}", *row) for section, rows in SECTIONS.items() for number, row in enumerate(rows, 1)]
