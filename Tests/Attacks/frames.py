"""HTTP/2 frame by frame: a client that sends exactly the frames it is told to, and keeps what comes by stream."""

import collections
import ssl
import struct
import time

import hpack

from gate import BODY, LOGIN, PATH
from wire import Connection, Failure, check_fields, client_context, expect

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM = ACK = 0x1
END_HEADERS, PADDED, PRIORITISED = 0x4, 0x8, 0x20
NO_ERROR, PROTOCOL, INTERNAL, FLOW_CONTROL, SETTINGS_TIMEOUT, CLOSED, FRAME_SIZE, REFUSED, CANCEL, COMPRESSION = range(10)
CALM = 0xb
HEADER_TABLE_SIZE, ENABLE_PUSH, CONCURRENT_STREAMS, WINDOW_SIZE, FRAME_BYTES, HEADER_BYTES = range(1, 7)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CONTEXT = client_context()
CONTEXT.set_alpn_protocols(["h2"])
AUTHORIZATION = (b"authorization", LOGIN.partition(b": ")[2])


# Frames

def frame(type, flags=0, stream=0, payload=b"", length=None):
    """`length` is what the frame says of itself, when that is not the truth."""
    size = len(payload) if length is None else length
    return struct.pack(">I", size)[1:] + struct.pack(">BBI", type, flags, stream) + payload


def settings(*entries, **others):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *entry) for entry in entries), **others)


def data(payload=BODY, stream=1, flags=END_STREAM):
    return frame(DATA, flags, stream, payload)


def reset(stream=1, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def widen(increment, stream=0):
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", increment))


def ping(payload=b"attack!!", **others):
    return frame(PING, payload=payload, **others)


def priority(stream, depends_on, weight=15):
    return frame(PRIORITY, 0, stream, struct.pack(">IB", depends_on, weight))


def goaway(last=0, code=NO_ERROR, text=b""):
    return frame(GOAWAY, payload=struct.pack(">II", last, code) + text)


# Header sections

def integer(value, prefix, first=0):
    """RFC 7541 section 5.1."""
    most = (1 << prefix) - 1
    if value < most:
        return bytes([first | value])
    written, value = [first | most], value - most
    while value >= 128:
        written.append(value % 128 | 128)
        value //= 128
    return bytes(written + [value])


def literal(name, value, first=0x00):
    """A field that is written out: not indexed (0x00), never indexed (0x10), or remembered (0x40)."""
    return bytes([first]) + integer(len(name), 7) + name + integer(len(value), 7) + value


def section(fields):
    return b"".join(literal(*field) for field in fields)


def head(*fields, method=b"GET", path=b"/", scheme=b"https", authority=b"localhost"):
    """The fields of a request; a pseudo-header field that is None is left out."""
    pseudo = [(b":method", method), (b":scheme", scheme), (b":path", path), (b":authority", authority)]
    return [field for field in pseudo if field[1] is not None] + list(fields)


def headers(fields, stream=1, flags=END_HEADERS | END_STREAM):
    """`fields` may be a header section already."""
    return frame(HEADERS, flags, stream, fields if isinstance(fields, bytes) else section(fields))


def get(*fields, stream=1, flags=END_HEADERS | END_STREAM, **others):
    """What has no body and changes nothing."""
    return headers(head(*fields, **others), stream, flags)


def post_head(*fields, stream=1, path=PATH, method=b"POST", auth=AUTHORIZATION, **others):
    """The head of a push whose body follows."""
    mine = [auth] if auth else []
    return headers(head(*mine, *fields, method=method, path=path, **others), stream, END_HEADERS)


def post(*fields, stream=1, body=BODY, **others):
    return post_head(*fields, stream=stream, **others) + data(body, stream)


# The connection

class Stream:
    """What came on one stream."""

    def __init__(self):
        self.status, self.fields, self.body, self.interim = None, {}, b"", []
        self.has_ended, self.reset = False, None
        self.room = 65535

    @property
    def text(self):
        return self.body.decode()


class Frame(collections.namedtuple("Frame", "type flags stream payload")):
    def __repr__(self):
        names = "DATA HEADERS PRIORITY RST_STREAM SETTINGS PUSH_PROMISE PING GOAWAY WINDOW_UPDATE CONTINUATION"
        return f"{names.split()[self.type]}({self.flags:#x}, {self.stream}, {self.payload[:60]!r})"


class Peer(Connection):
    """A connection of HTTP/2, after the preface and our settings."""

    def __init__(self, gate, *entries, acknowledges=True, preface=PREFACE, begins=True, context=CONTEXT, **others):
        super().__init__(gate.port, context=context, **others)
        expect(self.tls.selected_alpn_protocol() == "h2", "no HTTP/2 by ALPN")
        self.decoder = hpack.Decoder()
        self.acknowledges = acknowledges
        self.streams = collections.defaultdict(Stream)
        self.goaways, self.pongs, self.settings, self.heard = [], [], None, []
        self.are_settings_acknowledged, self.is_over, self.room = False, False, 65535
        self.section = b""
        if begins:
            self.say(preface + settings(*entries))
            # So that our acknowledgement comes in the midst of nothing.
            self.wait(lambda: self.settings)

    def say(self, *frames):
        """Sends, to a gate that may have heard enough."""
        try:
            self.send_pieces([b"".join(frames)])
        except (OSError, ssl.SSLError):
            pass

    def send_body(self, body, stream=1, piece=16384, padding=None, seconds=10.0):
        """DATA frames as the windows allow them. False when there was no room for them in this time."""
        found = self.streams[stream]
        pieces = [body[start:start + piece] for start in range(0, len(body), piece)] or [b""]
        for number, part in enumerate(pieces, 1):
            flags = END_STREAM if number == len(pieces) else 0
            if padding is not None:
                part, flags = bytes([padding]) + part + bytes(padding), flags | PADDED
            if not self.wait(lambda: min(self.room, found.room) >= len(part) or found.has_ended, seconds):
                return False
            if found.has_ended:
                return True
            self.room, found.room = self.room - len(part), found.room - len(part)
            self.say(data(part, stream, flags))
        return True

    def next_frame(self, end):
        """None when the connection has ended; raises TimeoutError."""
        while len(self.received) < 9 or len(self.received) < 9 + int.from_bytes(self.received[:3], "big"):
            try:
                more = self.read(end)
            except TimeoutError:
                raise
            except (OSError, ssl.SSLError):
                more = b""
            if not more:
                self.is_over = True
                return None
            self.received += more
        length = int.from_bytes(self.received[:3], "big")
        type, flags, stream = struct.unpack(">BBI", self.received[3:9])
        payload, self.received = self.received[9:9 + length], self.received[9 + length:]
        return Frame(type, flags, stream, payload)

    def wait(self, condition, seconds=4.0):
        """Takes in what comes until the condition holds: does it?"""
        end = time.monotonic() + seconds
        while not condition():
            if self.is_over:
                return False
            try:
                found = self.next_frame(end)
            except TimeoutError:
                return False
            if found:
                self.heard.append(found)
                self.take(found)
        return True

    def take(self, found):
        expect(len(found.payload) <= 16384, "a frame that is too large")
        stream = self.streams[found.stream] if found.stream else None
        if found.type == SETTINGS and found.flags & ACK:
            self.are_settings_acknowledged = True
        elif found.type == SETTINGS:
            self.settings = dict(struct.iter_unpack(">HI", found.payload))
            if self.acknowledges:
                self.say(settings(flags=ACK))
        elif found.type == PING:
            expect(found.flags & ACK, "the gate sends PING")
            self.pongs.append(found.payload)
        elif found.type == GOAWAY:
            last, code = struct.unpack(">II", found.payload[:8])
            self.goaways.append((last, code))
        elif found.type == RST_STREAM:
            stream.reset = struct.unpack(">I", found.payload)[0]
        elif found.type == WINDOW_UPDATE:
            increment = struct.unpack(">I", found.payload)[0]
            if stream:
                stream.room += increment
            else:
                self.room += increment
        elif found.type == DATA:
            expect(stream.status and not stream.has_ended, "DATA where none belongs")
            stream.body += found.payload
            stream.has_ended = bool(found.flags & END_STREAM)
        elif found.type == HEADERS:
            self.take_headers(found, stream)
        else:
            raise Failure(f"a frame that the gate has no use for: {found}")

    def take_headers(self, found, stream):
        expect(found.flags & END_HEADERS and not found.flags & (PADDED | PRIORITISED), f"odd HEADERS: {found}")
        expect(stream.status is None, "a second header section")
        fields = self.decoder.decode(found.payload)
        names = [name for name, _ in fields]
        expect(names[0] == ":status" and len(set(names)) == len(names), f"fields: {fields}")
        status = int(fields[0][1])
        if status < 200:
            expect(len(fields) == 1 and not found.flags & END_STREAM, f"interim: {fields}")
            stream.interim.append(status)
            return
        stream.status, stream.fields = status, dict(fields[1:])
        expect("connection" not in stream.fields, "a field of HTTP/1.1")
        check_fields(stream.fields)
        stream.has_ended = bool(found.flags & END_STREAM)

    # What is expected

    @property
    def last_words(self):
        return f"{self.heard[-8:]}{' and the end' if self.is_over else ''}"

    def answer(self, stream=1, seconds=10.0):
        """The whole answer on a stream."""
        found = self.streams[stream]
        self.wait(lambda: found.has_ended or found.reset is not None or self.codes, seconds)
        if not found.has_ended:
            raise Failure(f"no answer on stream {stream}: {self.last_words}")
        if "content-length" in found.fields and found.body:
            expect(int(found.fields["content-length"]) == len(found.body), "a body of another length")
        return found

    def expect_status(self, status, stream=1, seconds=10.0):
        answer = self.answer(stream, seconds)
        expect(answer.status == status, f"{answer.status} {answer.text!r}, not {status}")
        return answer

    @property
    def codes(self):
        """Of GOAWAY frames that tell of an error."""
        return [code for _, code in self.goaways if code != NO_ERROR]

    def expect_end(self, *codes, seconds=4.0):
        """GOAWAY with one of these codes, then the end."""
        self.wait(lambda: self.codes, seconds)
        expect(self.codes and self.codes[0] in codes, f"no GOAWAY{codes}: {self.last_words}")
        self.wait(lambda: False, 3)
        expect(self.is_over, "GOAWAY, and the connection stays")

    def expect_reset(self, *codes, stream=1, seconds=4.0):
        """RST_STREAM with one of these codes, or the same of the connection (RFC 9113 section 5.4.1)."""
        found = self.streams[stream]
        self.wait(lambda: found.reset not in (None, NO_ERROR) or self.codes, seconds)
        if self.codes:
            return self.expect_end(*codes)
        expect(found.reset in codes, f"no RST_STREAM{codes}: {self.last_words}")

    def expect_alive(self, seconds=4.0):
        self.say(ping(b"alive???"))
        self.wait(lambda: b"alive???" in self.pongs, seconds)
        expect(b"alive???" in self.pongs and not self.goaways, f"not alive: {self.last_words}")

    def ended(self, seconds=4.0):
        """Has the gate ended the connection?"""
        self.wait(lambda: False, seconds)
        return self.is_over


# Verdicts: what is tried is bytes that follow our settings, or a function of the peer that sends and waits.

class Spoken:
    """On a connection of its own."""

    def __init__(self, *entries, **others):
        self.entries, self.others = entries, others

    def check(self, gate, attempt):
        with Peer(gate, *self.entries, **self.others) as peer:
            if callable(attempt):
                attempt(peer)
            else:
                peer.say(attempt)
            self.expect(peer)


class Answered(Spoken):
    def __init__(self, *statuses, stream=1, **others):
        super().__init__(**others)
        self.statuses, self.stream, self.word = statuses, stream, "answered"

    def expect(self, peer):
        answer = peer.answer(self.stream)
        expect(answer.status in self.statuses, f"{answer.status} {answer.text!r}, not {self.statuses}")


class Alive(Spoken):
    """Nothing is wrong: the connection goes on."""
    word = "alive"

    def expect(self, peer):
        peer.expect_alive()


class Ended(Spoken):
    """The connection is ended with one of these codes."""
    word = "ended"

    def __init__(self, *codes, **others):
        super().__init__(**others)
        self.codes = codes

    def expect(self, peer):
        peer.expect_end(*self.codes)


class Reset(Ended):
    """The stream, or the connection, is ended with one of these codes."""
    word = "reset"

    def __init__(self, *codes, stream=1, **others):
        super().__init__(*codes, **others)
        self.stream = stream

    def expect(self, peer):
        peer.expect_reset(*self.codes, stream=self.stream)
