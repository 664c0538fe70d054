"""Frames of HTTP/2 put together by hand, so that they can be wrong, and a client that sends them."""

import struct
import time

import hpack

from gate import LOGIN, PATH
from wire import Connection, Failure, client_context

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, HAS_PRIORITY = 1, 1, 4, 8, 32
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, \
    REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM, INADEQUATE_SECURITY = range(13)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
CONTEXT = client_context()
CONTEXT.set_alpn_protocols(["h2"])


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    return struct.pack(">I", len(payload) if length is None else length)[1:] + struct.pack(
        ">BBI", kind, flags, stream) + payload


def integer(value, bits, first=0):
    """A number of HPACK, in the last bits of a byte whose other bits are `first`."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    encoded, value = [first | most], value - most
    while value >= 128:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes([*encoded, value])


def field(name, value, first=0x00):
    """A literal field, not indexed, or indexed where `first` is 0x40."""
    return bytes([first]) + integer(len(name), 7) + name + integer(len(value), 7) + value


def block(*fields):
    return b"".join(field(name, value) for name, value in fields)


def request_fields(method=b"POST", path=PATH, scheme=b"https", authority=b"localhost", auth=LOGIN, others=()):
    """The fields of a push; those that are None are left out."""
    pairs = [(b":method", method), (b":scheme", scheme), (b":path", path), (b":authority", authority),
             (b"authorization", auth and auth.partition(b": ")[2]), *others]
    return [(name, value) for name, value in pairs if value is not None]


def headers(stream=1, flags=END_HEADERS, fields=None, payload=None, **others):
    if payload is None:
        payload = block(*(request_fields(**others) if fields is None else fields))
    return frame(HEADERS, flags, stream, payload)


def data(body, stream=1, flags=END_STREAM):
    return frame(DATA, flags, stream, body)


class Stream:
    def __init__(self):
        self.status, self.body, self.reset, self.is_over = None, b"", None, False


class Client(Connection):
    """Says the preface, then what it is told to; keeps what becomes of each stream and of the connection."""

    def __init__(self, port, settings=b"", opening=None, acknowledges=True, **others):
        super().__init__(port, context=CONTEXT, **others)
        if self.tls.selected_alpn_protocol() != "h2":
            raise Failure("h2 is not agreed on")
        self.decoder, self.acknowledges = hpack.Decoder(), acknowledges
        self.streams, self.away, self.is_gone, self.frames = {}, None, False, []
        self.send(PREFACE + frame(SETTINGS, payload=settings) if opening is None else opening)

    def send(self, data):
        """A gate that has heard enough may end the connection while we are still sending."""
        try:
            super().send(data)
        except (OSError, ValueError):
            self.is_gone = True

    def listen(self, until, seconds=8):
        """Reads frames until something is so; True when it came to be."""
        end = time.monotonic() + seconds
        while not until():
            if self.is_gone and not self.take_frames():
                return until()
            try:
                more = self.read(end)
            except TimeoutError:
                return False
            except (OSError, ValueError):
                more = b""
            self.is_gone = self.is_gone or not more
            self.received += more
            self.take_frames()
        return True

    def take_frames(self):
        """Whether there was one."""
        was_any = False
        while len(self.received) >= 9:
            length = int.from_bytes(self.received[:3], "big")
            if len(self.received) < 9 + length:
                return was_any
            kind, flags, stream = struct.unpack(">BBI", self.received[3:9])
            payload, self.received = self.received[9:9 + length], self.received[9 + length:]
            self.take(kind, flags, stream & 0x7FFFFFFF, payload)
            was_any = True
        return was_any

    def take(self, kind, flags, number, payload):
        self.frames.append((kind, flags, number, payload))
        stream = self.streams.setdefault(number, Stream())
        if kind == HEADERS:
            for name, value in self.decoder.decode(payload):
                if name == ":status":
                    stream.status = int(value)
        elif kind == DATA:
            stream.body += payload
        elif kind == RESET:
            stream.reset, stream.is_over = struct.unpack(">I", payload)[0], True
        elif kind == GOAWAY:
            self.away = struct.unpack(">I", payload[4:8])[0]
        elif kind == SETTINGS and not flags & ACK and self.acknowledges:
            self.send(frame(SETTINGS, ACK))
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            stream.is_over = True

    def outcome(self, number=1, seconds=8):
        """What became of a stream, once something has."""
        self.listen(lambda: self.is_gone or self.away is not None or (
            number in self.streams and self.streams[number].is_over), seconds)
        return self.streams.get(number, Stream())

    def count(self, kind):
        return sum(1 for entry in self.frames if entry[0] == kind)
