"""The first words of a TLS client, put together by hand so that they can be wrong."""

import os
import socket
import struct
import time

from wire import Failure

ALERT, HANDSHAKE, CHANGE, DATA = 21, 22, 20, 23
GOOD_CIPHERS = (0x1301, 0xC02B, 0xC02F)
PROTOCOL_VERSION, HANDSHAKE_FAILURE, DECODE_ERROR, ILLEGAL_PARAMETER = 70, 40, 50, 47


def record(kind, data, version=0x0301):
    return struct.pack(">BHH", kind, version, len(data)) + data


def extension(kind, data=b""):
    return struct.pack(">HH", kind, len(data)) + data


def vector(data, size=2):
    return len(data).to_bytes(size, "big") + data


SIGNATURES = extension(13, vector(struct.pack(">4H", 0x0403, 0x0804, 0x0401, 0x0503)))
GROUPS = extension(10, vector(struct.pack(">2H", 0x001D, 0x0017)))
POINTS = extension(11, vector(b"\0", 1))
EXTENDED_MASTER = extension(23)
RENEGOTIATION = extension(0xFF01, b"\0")
BASIC = SIGNATURES + GROUPS + POINTS + EXTENDED_MASTER + RENEGOTIATION


def versions(*values):
    return extension(43, vector(struct.pack(f">{len(values)}H", *values), 1))


def share(group=0x001D, key=None):
    return extension(51, vector(struct.pack(">H", group) + vector(os.urandom(32) if key is None else key)))


def alpn(*names):
    return extension(16, vector(b"".join(vector(name, 1) for name in names)))


def body(version=0x0303, ciphers=GOOD_CIPHERS, extensions=BASIC, session=b"", compressions=b"\0"):
    """The inside of a ClientHello."""
    return (struct.pack(">H", version) + os.urandom(32) + vector(session, 1)
            + vector(struct.pack(f">{len(ciphers)}H", *ciphers)) + vector(compressions, 1)
            + (vector(extensions) if extensions is not None else b""))


def message(kind, data):
    return bytes([kind]) + vector(data, 3)


def hello(record_version=0x0301, **others):
    return record(HANDSHAKE, message(1, body(**others)), record_version)


def converse(port, *pieces, seconds=4, source=None):
    """What the gate says to these bytes, until it ends the connection or says nothing more. Later pieces are sent
    after it has said something."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds, source_address=source) as connection:
        try:
            for number, piece in enumerate(pieces):
                connection.sendall(piece)
                if number + 1 < len(pieces):
                    heard += connection.recv(1 << 16)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                more = connection.recv(1 << 16)
                if not more:
                    return heard, True
                heard += more
                if starts_hello(heard) and not ends_with_alert(heard):
                    connection.settimeout(0.3)
        except ConnectionError:
            return heard, True
        except TimeoutError:
            pass
    return heard, False


def records(heard):
    while len(heard) >= 5:
        length = struct.unpack(">H", heard[3:5])[0]
        yield heard[0], heard[5:5 + length]
        heard = heard[5 + length:]


def starts_hello(heard):
    return any(kind == HANDSHAKE and data[:1] == b"\2" for kind, data in records(heard))


def ends_with_alert(heard):
    return any(kind == ALERT for kind, _ in records(heard))


def server_hello(heard):
    """The version and the random bytes that the gate chose, or nothing."""
    for kind, data in records(heard):
        if kind == HANDSHAKE and data[:1] == b"\2":
            return struct.unpack(">H", data[4:6])[0], data[6:38], data
    return None


class Alerted:
    """The handshake ends: with one of these alerts, or without a word where none is named."""

    word = "alerted"

    def __init__(self, *alerts, is_silence_good=False):
        self.alerts, self.is_silence_good = alerts, is_silence_good or not alerts

    def check(self, gate, attempt):
        pieces = [attempt] if isinstance(attempt, bytes) else attempt
        heard, is_closed = converse(gate.port, *pieces)
        if not is_closed:
            raise Failure(f"the connection stays; {heard[:40]!r}")
        told = [data[1] for kind, data in records(heard) if kind == ALERT and len(data) == 2]
        if not told and (self.is_silence_good or any(kind == DATA for kind, _ in records(heard))):
            return
        if not told or (self.alerts and told[-1] not in self.alerts):
            raise Failure(f"alerts {told}, not {self.alerts}; {heard[:40]!r}")


class Greeted:
    """The gate goes on with a ServerHello of this version."""

    word = "greeted"

    def __init__(self, version=0x0303):
        self.version = version

    def check(self, gate, attempt):
        heard, _ = converse(gate.port, attempt)
        found = server_hello(heard)
        if not found or found[0] != self.version or ends_with_alert(heard):
            raise Failure(f"no ServerHello: {heard[:60]!r}")


class Survived:
    """Refused or greeted, and nothing worse."""

    word = "survived"

    def check(self, gate, attempt):
        heard, is_closed = converse(gate.port, attempt)
        if not is_closed and not starts_hello(heard):
            raise Failure(f"neither an alert nor a ServerHello: {heard[:60]!r}")
